// slater_laplacian: trace_w = sum_{p q} S_pq (J J^T)_pq, the curvature part of the Laplacian of ln det M(z(x)).
//
//   p = (particle i, component c), q = (j, e);  J = dz/dx;  wave vectors k = wave (m + t)
//   S_pq = d^2 ln det M / dz_p dz_q = -delta_ij sum_a k_ac k_ae M_ia Minv_ai - C^c_ij C^e_ji
//   matrix, inverse vec2 [walker][n][n]; states, orbitals, current as in slater_gradient
//   jacobian vec4, walker stride ld ld / 4 with ld = 4 rows4 >= n dim: row p, padding rows and columns 0
//   trace    vec2 [walker]
// One workgroup a walker. J J^T is symmetric: a lane takes 4 x 4 tiles (r, r+s mod rows4) of it and contracts
// each at once; then lanes take the diagonal particles; then a fixed tree.
// Trips: tiles/WG (rows4 + 21) + n/WG (rows4 + n + 2) + 8, tiles = rows4 (rows4 + 1) / 2.
struct Params {
  walkers: u32, n: u32, dim: u32, wave: f32,
  orbitals: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrix: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> inverse: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> states: array<u32>;
@group(0) @binding(4) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> current: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> jacobian: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> trace: array<vec2<f32>>;

var<workgroup> partial: array<vec2<f32>, WG>;

fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn dots(a: vec4<f32>, b0: vec4<f32>, b1: vec4<f32>, b2: vec4<f32>, b3: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
}

// sum over a row of a tile of G_pq C_p,j C_q,i
fn contract(w: u32, row: u32, column: u32, g: vec4<f32>) -> vec2<f32> {
  var sum = vec2<f32>();
  let size = p.n * p.dim;
  let base = w * size * p.n;
  if (row < size) {
    for (var e = 0u; e < min(4u, size - column); e++) {
      let q = column + e;
      sum += g[e] * multiply(current[base + row * p.n + q / p.dim], current[base + q * p.n + row / p.dim]);
    }
  }
  return sum;
}

fn tile(w: u32, r: u32, c: u32, rows4: u32) -> vec2<f32> {
  let base = w * rows4 * rows4 * 4u;
  let a = base + 4u * r * rows4;
  let b = base + 4u * c * rows4;
  var g0 = vec4<f32>(); var g1 = vec4<f32>(); var g2 = vec4<f32>(); var g3 = vec4<f32>();
  for (var k = 0u; k < rows4; k++) {
    let b0 = jacobian[b + k]; let b1 = jacobian[b + rows4 + k];
    let b2 = jacobian[b + 2u * rows4 + k]; let b3 = jacobian[b + 3u * rows4 + k];
    g0 += dots(jacobian[a + k], b0, b1, b2, b3);
    g1 += dots(jacobian[a + rows4 + k], b0, b1, b2, b3);
    g2 += dots(jacobian[a + 2u * rows4 + k], b0, b1, b2, b3);
    g3 += dots(jacobian[a + 3u * rows4 + k], b0, b1, b2, b3);
  }
  return contract(w, 4u * r, 4u * c, g0) + contract(w, 4u * r + 1u, 4u * c, g1)
    + contract(w, 4u * r + 2u, 4u * c, g2) + contract(w, 4u * r + 3u, 4u * c, g3);
}

// sum_a k_a.G_ii k_a M_ia Minv_ai, without wave^2
fn diagonal(w: u32, i: u32, rows4: u32) -> vec2<f32> {
  let x = w * rows4 * rows4 * 4u + i * p.dim * rows4;
  var same = vec3<f32>(); // xx, yy, zz
  var cross = vec3<f32>(); // xy, xz, yz
  for (var k = 0u; k < rows4; k++) {
    let jx = jacobian[x + k];
    let jy = jacobian[x + rows4 + k];
    var jz = vec4<f32>();
    if (p.dim == 3u) { jz = jacobian[x + 2u * rows4 + k]; }
    same += vec3<f32>(dot(jx, jx), dot(jy, jy), dot(jz, jz));
    cross += vec3<f32>(dot(jx, jy), dot(jx, jz), dot(jy, jz));
  }
  var sum = vec2<f32>();
  for (var a = 0u; a < p.n; a++) {
    let k = orbitals[min(states[w * p.n + a], p.orbitals - 1u)].xyz;
    let form = dot(same, k * k) + 2.0 * dot(cross, k.xxy * k.yzz);
    sum += form * multiply(matrix[(w * p.n + i) * p.n + a], inverse[(w * p.n + a) * p.n + i]);
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let rows4 = (p.n * p.dim + 3u) / 4u;
  var sum = vec2<f32>();
  if (w < p.walkers) {
    for (var t = lane; t < rows4 * (rows4 + 1u) / 2u; t += WG) {
      let r = t % rows4;
      let s = t / rows4;
      sum += select(2.0, 1.0, s == 0u) * tile(w, r, (r + s) % rows4, rows4);
    }
    for (var i = lane; i < p.n; i += WG) { sum += p.wave * p.wave * diagonal(w, i, rows4); }
  }
  partial[lane] = sum;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { partial[lane] += partial[lane + half]; }
  }
  if (lane == 0u && w < p.walkers) { trace[w] = -partial[0]; }
}
