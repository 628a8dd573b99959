// flow_wave_layer: the first two-particle layer t = softplus(W t0 + b) from compact features: means and first derivatives.
//
//   y_i = (1/n) sum_j t_ij;  slopes t'_ij (j != i), and - sum_j t'_ij for j = i, so that dy_i/dx_b = -(1/n) slopes_ib.
//   W: rows (cos, sin, q) of width 4 W4 at `first` of weights, b at `bias`; y [walker][i][4 W4]; slopes [walker][i][j][DIM][4 W4].
// One invocation a (particle, column block); the weights stay in registers. Trips: n (1 + DIM).
@group(0) @binding(1) var<storage, read> waves: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> slopes: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let i = id / W4;
  if (i >= p.n) { return; }
  let kk = 6.283185307179586 / p.length;
  var wc: array<vec4<f32>, DIM>; var ws: array<vec4<f32>, DIM>; var own: array<vec4<f32>, DIM>;
  let bias = weights[p.bias + c];
  var same = bias;
  for (var k = 0u; k < DIM; k++) {
    wc[k] = weights[p.first + k * W4 + c];
    ws[k] = weights[p.first + (DIM + k) * W4 + c];
    same += wc[k];
  }
  let wq = weights[p.first + 2u * DIM * W4 + c];
  let pairs = (group.y * p.n + i) * p.n;
  var sum = softplus_jet4(same).v;
  for (var j = 0u; j < p.n; j++) {
    if (j != i) {
      let at = (pairs + j) * DIM;
      let t = wave_of(waves[at], waves[at + 1u], waves[at + DIM - 1u]);
      var a = bias + t.q * wq;
      for (var k = 0u; k < DIM; k++) { a += t.c[k] * wc[k] + t.s[k] * ws[k]; }
      let f = softplus_jet4(a);
      sum += f.v;
      for (var k = 0u; k < DIM; k++) {
        let slope = f.s * (kk * (t.c[k] * ws[k] - t.s[k] * wc[k]) + t.g[k] * wq);
        own[k] -= slope;
        slopes[(at + k) * W4 + c] = slope;
      }
    }
  }
  for (var k = 0u; k < DIM; k++) { slopes[((pairs + i) * DIM + k) * W4 + c] = own[k]; }
  y[group.y * p.n * W4 + id] = (1.0 / f32(p.n)) * sum;
}
