// slater: matrix of plane waves M_ia = exp(2 pi i (m_a + t).z_i / L) of each walker, 0 for a particle and a state of unlike spins.
//
// The first `up` particles and states have spin up: two blocks, so that det M is the product of theirs, and M^-1 has the same blocks.
//
//   z         f32 [walker][n][dim], any image (at a twist, images differ by a phase)
//   states    u32 [walker][n], indices into
//   orbitals  vec4 [M], m + t (integer momentum plus twist)
//   matrix    vec2 (re, im) [walker][n particles][n states]
// One invocation an element, no loops.
// The phase is taken in turns: m meets only the fraction of z/L, so that its rounding stays 1e-7 turns;
// without L^(-n dim/2), which the host adds to ln|det|.
struct Params {
  walkers: u32, n: u32, dim: u32, orbitals: u32,
  inverse_length: f32, twist_x: f32, twist_y: f32, twist_z: f32,
  up: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> states: array<u32>;
@group(0) @binding(3) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> matrix: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let row = id / p.n;
  let w = row / p.n;
  if (w >= p.walkers) { return; }
  var u = vec3<f32>(z[row * p.dim], z[row * p.dim + 1u], 0.0);
  if (p.dim == 3u) { u.z = z[row * p.dim + 2u]; }
  u *= p.inverse_length;
  let t = vec3<f32>(p.twist_x, p.twist_y, p.twist_z);
  let m = round(orbitals[min(states[w * p.n + id % p.n], p.orbitals - 1u)].xyz - t);
  let turns = m * (u - round(u));
  let part = turns - round(turns) + t * u;
  let unlike = (row % p.n < p.up) != (id % p.n < p.up);
  matrix[id] = select(sincos2pi(part.x + part.y + part.z).yx, vec2<f32>(), unlike);
}
