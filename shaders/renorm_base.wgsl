// renorm_base: where the flow begins: z standard normal (DRAW 1) or as it is given (DRAW 0), g = d ln N/dz = -z, and ln N(z).
//
//   z, g   f32 [sample][4 blocks];  normal f32 [sample]: ln N = -(sum of z^2 + 4 blocks ln 2 pi)/2
// Random numbers: Philox counter (b, first_walker + sample, step, purpose) gives z[4 b .. 4 b + 3].
// A workgroup owns a sample; its lanes take blocks of 4 by turns, then a tree adds. Trips: 11 blocks/WG + 12 + log2 WG.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, blocks: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> z: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> normal: array<f32>;

var<workgroup> sums: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let there = w < p.count;
  var sum = 0.0;
  if (there) {
    for (var b = lane; b < p.blocks; b += WG) {
      let at = w * p.blocks + b;
      var v = vec4<f32>();
      if (DRAW == 1u) {
        v = normal4(philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>(b, p.first_walker + w, p.step, p.purpose)));
        z[at] = v;
      } else {
        v = z[at];
      }
      g[at] = -v;
      sum += dot(v, v) + 7.351508265637381;
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u && there) { normal[w] = -0.5 * sums[0]; }
}
