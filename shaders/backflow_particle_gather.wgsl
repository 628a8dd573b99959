// backflow_particle_gather: adds to the preactivations of a one-particle layer what comes from the pairs, the mean field and the bias.
//
//   y_i = (1/n) sum_j t_ij, already multiplied by V_y: u_ij.  Rows of particle i:
//   value: bias + mean field + (1/n) sum_j u_ij;  d/dx_b: mean field - u'_ib/n (b != i), + (1/n) sum_j u'_ij (b = i);
//   Laplacian (last row if rows = n d + 2): mean field + (2/n) sum_j tr u''_ij.
//   u pair jets; mean [walker][row][4 W4] (flag 1: there is one, and a holds V_h h); a particle jets.
// One invocation a (particle, row, column block). Trips: <= n DIM + n.
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> a: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  if (id >= p.n * p.rows * W4) { return; }
  let row = gather_row(id / W4);
  let i = row.i;
  let q = row.q;
  let w = group.y;
  let at = ((w * p.n + i) * p.rows + q) * W4 + c;
  let pairs = (w * p.n + i) * p.n;
  let step = JETS * W4;
  let derivative = q > 0u && q <= p.n * DIM;
  let b = (q - 1u) / DIM;
  var jet = select(0u, 1u + (q - 1u) % DIM, derivative);
  var j0 = 0u; var j1 = p.n;
  var factor = 1.0 / f32(p.n);
  if (derivative && b != i) { j0 = b; j1 = b + 1u; factor = -factor; }
  var v = vec4<f32>();
  if (q > p.n * DIM) {
    factor *= 2.0;
    jet = 1u + DIM;
    for (var k = 1u; k < DIM; k++) {
      for (var j = 0u; j < p.n; j++) { v += u[(pairs + j) * step + (1u + DIM + sym(k, k)) * W4 + c]; }
    }
  }
  for (var j = j0; j < j1; j++) { v += u[(pairs + j) * step + jet * W4 + c]; }
  v *= factor;
  if (q == 0u) { v += weights[p.bias + c]; }
  if ((p.flags & 1u) != 0u) { v += a[at] + mean[(w * p.rows + q) * W4 + c]; }
  a[at] = v;
}
