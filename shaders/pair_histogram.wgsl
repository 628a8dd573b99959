// pair_histogram: how many pairs of each walker are how far apart.
//
//   out[w][b] = number of pairs i < j with b <= 2 bins r_ij/L < b + 1,   r_ij to the nearest image; farther ones are left out
//   x f32 [walker][n][dim], any image;  out f32 [walker][bins], at most 64 bins
// One workgroup a walker; its lanes take pairs by turns and count in workgroup memory: whole numbers, whatever the order.
// Trips: ceil(n (n-1) / 2 WG) + 2.
struct Params { walkers: u32, n: u32, dim: u32, bins: u32, inverse_length: f32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

var<workgroup> counts: array<atomic<u32>, 64>;

fn position(w: u32, i: u32) -> vec3<f32> {
  let at = (w * p.n + i) * p.dim;
  var v = vec3<f32>(x[at], x[at + 1u], 0.0);
  if (p.dim == 3u) { v.z = x[at + 2u]; }
  return v;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let bins = min(p.bins, 64u);
  for (var b = lane; b < bins; b += WG) { atomicStore(&counts[b], 0u); }
  workgroupBarrier();
  if (w < p.walkers) {
    let pairs = p.n * (p.n - 1u) / 2u;
    for (var q = lane; q < pairs; q += WG) {
      let i = q % p.n;
      let s = 1u + q / p.n;
      // differences before scaling: close pairs keep their digits
      var r = (position(w, i) - position(w, (i + s) % p.n)) * p.inverse_length;
      r -= round(r);
      let place = 2.0 * f32(bins) * length(r);
      if (place < f32(bins)) { atomicAdd(&counts[min(u32(place), bins - 1u)], 1u); }
    }
  }
  workgroupBarrier();
  if (w < p.walkers) {
    for (var b = lane; b < bins; b += WG) { out[w * bins + b] = f32(atomicLoad(&counts[b])); }
  }
}
