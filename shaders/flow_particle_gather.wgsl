// flow_particle_gather: adds to the preactivations of a one-particle layer what comes from the pairs, the mean field and the bias.
//
//   y_i = (1/n) sum_j t_ij, already multiplied by V_y: u_ij.  Rows of particle i:
//   value: bias + mean field + (1/n) sum_j u_ij;  d/dx_b: mean field - u'_ib/n (b != i), + (1/n) sum_j u'_ij (b = i);
//   Laplacian (last row if rows = n d + 2): mean field + (2/n) sum_j tr u''_ij.
//   u pair jets; mean [walker][row][4 width4] (flag 1: there is one, and a holds V_h h); a particle jets.
// One invocation a (particle, row, column block). Trips: <= n DIM + n.
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> a: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let c = id % p.width4;
  let q = (id / p.width4) % p.rows;
  let i = (id / (p.width4 * p.rows)) % p.n;
  let w = id / (p.width4 * p.rows * p.n);
  if (w >= p.walkers) { return; }
  let inv_n = 1.0 / f32(p.n);
  let pairs = (w * p.n + i) * p.n;
  let step = JETS * p.width4;
  var v = vec4<f32>();
  if (q == 0u) {
    for (var j = 0u; j < p.n; j++) { v += u[(pairs + j) * step + c]; }
    v = v * inv_n + weights[p.bias + c];
  } else if (q <= p.n * DIM) {
    let b = (q - 1u) / DIM;
    let jet = 1u + (q - 1u) % DIM;
    if (b == i) {
      for (var j = 0u; j < p.n; j++) { v += u[(pairs + j) * step + jet * p.width4 + c]; }
      v *= inv_n;
    } else {
      v = -inv_n * u[(pairs + b) * step + jet * p.width4 + c];
    }
  } else {
    for (var j = 0u; j < p.n; j++) {
      for (var k = 0u; k < DIM; k++) { v += u[(pairs + j) * step + (1u + DIM + sym(k, k)) * p.width4 + c]; }
    }
    v *= 2.0 * inv_n;
  }
  if ((p.flags & 1u) != 0u) { v += a[id] + mean[(w * p.rows + q) * p.width4 + c]; }
  a[id] = v;
}
