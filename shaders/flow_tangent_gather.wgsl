// flow_tangent_gather: flow_particle_gather differentiated along the directions v of each walker.
//
//   With e_ij = v_i - v_j:  value (1/n) sum_j u'_ij.e_ij;  d/dx_b: -u''_ib e_ib/n (b != i), (1/n) sum_j u''_ij e_ij (b = i);
//   Laplacian (2/n) sum_j u'''_ij.e_ij; plus mean field, plus what a holds (flag 1).
//   flag 2: v is the unit vector of coordinate first + probe, so that e_ij = 0 unless i or j owns it.
//   u pair jets (all orders) of the walker; directions [walker][probes][n DIM];
//   mean [walker probes][row][4 W4]; a [walker probes][i][row][4 W4].
// One invocation an element block. Trips: <= n DIM + n.
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
  let v = probe * p.n * DIM;
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
      let e = directions[v + i * DIM + k] - directions[v + j * DIM + k];
      var jet = 1u + k;
      if (derivative) { jet = 1u + DIM + sym(row, k); } else if (q > 0u) { jet = JETS - DIM + k; }
      sum += e * u[(pairs + j) * step + jet * W4 + c];
    }
  }
  sum *= factor;
  if ((p.flags & 1u) != 0u) { sum += a[at] + mean[(probe * p.rows + q) * W4 + c]; }
  a[at] = sum;
}
