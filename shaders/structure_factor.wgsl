// structure_factor: the static structure factor of each walker, averaged over the vectors of a shell.
//
//   out[w][s] = 1/(n V_s) sum_{m in shell s} |sum_i exp(2 pi i m.u_i)|^2,   u = x/L, V_s vectors in the shell
//   x f32 [walker][n][dim], any image;  vectors vec4 (m, 0) [V], shell after shell, one of each pair m, -m
//   starts u32 [shells + 1]: where each shell begins;  out f32 [walker][shells]
// One invocation a walker and shell. Trips: vectors of the largest shell times (n + 1).
struct Params { walkers: u32, n: u32, dim: u32, shells: u32, vectors: u32, inverse_length: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.shells) { return; }
  let w = id / p.shells;
  let s = id % p.shells;
  let first = min(starts[s], p.vectors);
  let end = min(starts[s + 1u], p.vectors);
  var sum = 0.0;
  for (var v = first; v < end; v++) {
    let m = vectors[v].xyz;
    var rho = vec2<f32>();
    for (var i = 0u; i < p.n; i++) {
      let at = (w * p.n + i) * p.dim;
      var u = vec3<f32>(x[at], x[at + 1u], 0.0);
      if (p.dim == 3u) { u.z = x[at + 2u]; }
      u *= p.inverse_length;
      u -= round(u);
      rho += sincos2pi(dot(m, u));
    }
    sum += dot(rho, rho);
  }
  out[id] = sum / f32(max(end - first, 1u) * p.n);
}
