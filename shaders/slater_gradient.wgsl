// slater_gradient: C^k = M (i k) M^-1 for each component k, and the gradient of ln det M.
//
//   C^c_ij = sum_a M_ia (i k_a)_c Minv_aj,   S_ic = d ln det M / d z_ic = C^c_ii,   k = wave (m + t)
//   matrix M, inverse  vec2 (re, im) [walker][n][n] (inverse: rows states, columns particles)
//   states u32 [walker][n], orbitals vec4 [M]: m + t, zero padded
//   current  vec2 [walker][particle i][component c][particle j]: C
//   gradient vec2 [walker][particle i][component c]: S
// One invocation owns 2 particles i x 4 particles j. Trips: n + 8.
struct Params {
  walkers: u32, n: u32, dim: u32, wave: f32,
  orbitals: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrix: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> inverse: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> states: array<u32>;
@group(0) @binding(4) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> current: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> gradient: array<vec2<f32>>;

// sums over states of k Re(M Minv) and k Im(M Minv)
struct Sum { re: vec3<f32>, im: vec3<f32> }

fn add(s: Sum, k: vec3<f32>, m: vec2<f32>, v: vec2<f32>) -> Sum {
  return Sum(s.re + k * (m.x * v.x - m.y * v.y), s.im + k * (m.x * v.y + m.y * v.x));
}

fn put(w: u32, i: u32, j: u32, s: Sum) {
  if (i >= p.n || j >= p.n) { return; }
  for (var c = 0u; c < p.dim; c++) {
    let row = (w * p.n + i) * p.dim + c;
    // times i
    let value = p.wave * vec2<f32>(-s.im[c], s.re[c]);
    current[row * p.n + j] = value;
    if (i == j) { gradient[row] = value; }
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let columns = (p.n + 3u) / 4u;
  let rows = (p.n + 1u) / 2u;
  let w = id / (rows * columns);
  if (w >= p.walkers) { return; }
  let i = 2u * ((id / columns) % rows);
  let j = 4u * (id % columns);
  let last = p.n - 1u;
  let m0 = (w * p.n + i) * p.n;
  let m1 = (w * p.n + min(i + 1u, last)) * p.n;
  let j1 = min(j + 1u, last); let j2 = min(j + 2u, last); let j3 = min(j + 3u, last);
  var s00: Sum; var s01: Sum; var s02: Sum; var s03: Sum;
  var s10: Sum; var s11: Sum; var s12: Sum; var s13: Sum;
  for (var a = 0u; a < p.n; a++) {
    let k = orbitals[min(states[w * p.n + a], p.orbitals - 1u)].xyz;
    let row = (w * p.n + a) * p.n;
    let u = matrix[m0 + a];
    let v = matrix[m1 + a];
    let c0 = inverse[row + j]; let c1 = inverse[row + j1]; let c2 = inverse[row + j2]; let c3 = inverse[row + j3];
    s00 = add(s00, k, u, c0); s01 = add(s01, k, u, c1); s02 = add(s02, k, u, c2); s03 = add(s03, k, u, c3);
    s10 = add(s10, k, v, c0); s11 = add(s11, k, v, c1); s12 = add(s12, k, v, c2); s13 = add(s13, k, v, c3);
  }
  put(w, i, j, s00); put(w, i, j + 1u, s01); put(w, i, j + 2u, s02); put(w, i, j + 3u, s03);
  put(w, i + 1u, j, s10); put(w, i + 1u, j + 1u, s11); put(w, i + 1u, j + 2u, s12); put(w, i + 1u, j + 3u, s13);
}
