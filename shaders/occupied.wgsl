// occupied: total momentum and ideal energy of the occupied orbitals of each walker.
//
//   momentum f32 [walker][dim] = sum_i (m + t)_(s_i), units of 2 pi/L;
//   ideal vec4 [walker] = (E, 0, E, E), E = wave^2 sum_i |m + t|^2 in Ry/rs^2: the kinetic record of the ideal gas.
//   states u32 [walker][n], orbitals vec4 [M] (m + t, padded). One invocation a walker. Trips: n (1 + dim).
struct Params {
  walkers: u32, n: u32, dim: u32, wave: f32,
  orbitals: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> momentum: array<f32>;
@group(0) @binding(4) var<storage, read_write> ideal: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var sum = vec3<f32>(); var square = 0.0;
  for (var i = 0u; i < p.n; i++) {
    let m = orbitals[min(states[w * p.n + i], p.orbitals - 1u)].xyz;
    sum += m;
    square += dot(m, m);
  }
  for (var c = 0u; c < p.dim; c++) { momentum[w * p.dim + c] = sum[c]; }
  let e = p.wave * p.wave * square;
  ideal[w] = vec4<f32>(e, 0.0, e, e);
}
