// backflow_tangent_gather: backflow_particle_gather differentiated along the directions v of each walker.
//
//   With e_ij = v_i - v_j:  value (1/n) sum_j u'_ij.e_ij;  d/dx_b: -u''_ib e_ib/n (b != i), (1/n) sum_j u''_ij e_ij (b = i);
//   Laplacian (2/n) sum_j u'''_ij.e_ij; plus mean field, plus what a holds (flag 1).
//   flag 2: v is the unit vector of coordinate first + probe, so that e_ij = 0 unless i or j owns it.
//   flag 4: particle i has its own directions, the rows first + probe of Y = J^-T that belong to it: `directions` is J^-1
//   [walker][ld ld]; of the mean field only the value enters, sum_b Y_b d_b (V_g g), from the forward pass: mean [walker][row][4 W4].
//   u pair jets (all orders) of the walker; directions [walker][probes][n DIM];
//   mean [walker probes][row][4 W4]; a [walker probes][i][row][4 W4].
// One invocation an element block. Trips: <= n DIM + n DIM + n.
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> directions: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> a: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  if (id >= p.n * p.rows * W4) { return; }
  let place = gather_row(id / W4);
  let i = place.i;
  let q = place.q;
  let probe = group.y;
  let w = quotient(probe, p.probes);
  let at = ((probe * p.n + i) * p.rows + q) * W4 + c;
  let own = (p.flags & 4u) != 0u;
  var v = probe * p.n * DIM;
  var stride = 1u;
  if (own) { v = w * p.ld * p.ld + i * DIM + p.first + probe - w * p.probes; stride = p.ld; }
  let pairs = (w * p.n + i) * p.n;
  let step = JETS * W4;
  let b = (q - 1u) / DIM;
  let row = (q - 1u) % DIM;
  let derivative = q > 0u && q <= p.n * DIM;
  var j0 = 0u; var j1 = p.n;
  var factor = 1.0 / f32(p.n);
  if (derivative && b != i) { j0 = b; j1 = b + 1u; factor = -factor; }
  if (q > p.n * DIM) { factor = 2.0 * factor; }
  if ((p.flags & 2u) != 0u) {
    let owner = quotient(p.first + probe - w * p.probes, DIM);
    if (owner != i) { j0 = max(j0, owner); j1 = min(j1, owner + 1u); }
  }
  var sum = vec4<f32>();
  for (var j = j0; j < j1; j++) {
    for (var k = 0u; k < DIM; k++) {
      let e = directions[v + (i * DIM + k) * stride] - directions[v + (j * DIM + k) * stride];
      var jet = 1u + k;
      if (derivative) { jet = 1u + DIM + sym(row, k); } else if (q > 0u) { jet = JETS - DIM + k; }
      sum += e * u[(pairs + j) * step + jet * W4 + c];
    }
  }
  sum *= factor;
  if ((p.flags & 1u) != 0u) {
    sum += a[at];
    if (!own) {
      sum += mean[(probe * p.rows + q) * W4 + c];
    } else if (q == 0u) {
      for (var k = 0u; k < p.n * DIM; k++) { sum += directions[v + k * stride] * mean[(w * p.rows + 1u + k) * W4 + c]; }
    }
  }
  a[at] = sum;
}
