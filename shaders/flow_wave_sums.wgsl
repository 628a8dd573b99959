// flow_wave_sums: means of the pair features over j, and what stands on the diagonal of their derivatives.
//
//   y_i = (1/n) sum_j t0_ij, t0_ii = (1, 0, 0), in the order (cos, sin, q), width 8;
//   waves (i,i) = - sum_j waves (i,j): dy_i/dx_b = -(1/n) t'_ib then holds for b = i as well.
//   waves [walker][i][j][DIM] vec4, y [walker][i][8]. One invocation a particle. Trips: n DIM.
@group(0) @binding(1) var<storage, read_write> waves: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = group.x * WG + lane;
  if (i >= p.n) { return; }
  let pairs = (group.y * p.n + i) * p.n * DIM;
  var v0 = vec4<f32>(); var v1 = vec4<f32>(); var v2 = vec4<f32>();
  for (var j = 0u; j < p.n; j++) {
    v0 += waves[pairs + j * DIM];
    v1 += waves[pairs + j * DIM + 1u];
    if (DIM == 3u) { v2 += waves[pairs + j * DIM + 2u]; }
  }
  let sum = wave_of(v0, v1, v2);
  let at = (group.y * p.n + i) * 8u;
  let inv = 1.0 / f32(p.n);
  for (var k = 0u; k < DIM; k++) {
    y[at + k] = inv * (sum.c[k] + 1.0);
    y[at + DIM + k] = inv * sum.s[k];
  }
  y[at + 2u * DIM] = inv * sum.q;
  for (var k = 2u * DIM + 1u; k < 8u; k++) { y[at + k] = 0.0; }
  waves[pairs + i * DIM] = -v0;
  waves[pairs + i * DIM + 1u] = -v1;
  if (DIM == 3u) { waves[pairs + i * DIM + 2u] = -v2; }
}
