// flow_mean_gradient: derivatives of g = mean over particles of the first one-particle layer, with respect to all coordinates.
//
//   dg/dx_b = (1/n^2) sum_k [ s_b V^T t0'_bk - s_k V^T t0'_kb ],  s = slope of the layer, V its weights of the pair means;
//   t0'_kb follows from t0'_bk by parity: cos' and q' odd, sin' even.
//   waves [walker][b][k][DIM] vec4, slope [walker][k][4 W4], V: rows (cos, sin, q) at `first` -> out [walker][n DIM][4 W4].
// One invocation a (particle b, column block). Trips: n (1 + DIM).
@group(0) @binding(1) var<storage, read> waves: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> slope: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let b = id / W4;
  if (b >= p.n) { return; }
  let slopes = group.y * p.n * W4 + c;
  let pairs = (group.y * p.n + b) * p.n;
  let sb = slope[slopes + b * W4];
  var cos_: array<vec4<f32>, DIM>; var sin_: array<vec4<f32>, DIM>; var dist: array<vec4<f32>, DIM>;
  for (var k = 0u; k < p.n; k++) {
    if (k != b) {
      let at = (pairs + k) * DIM;
      let t = wave_of(waves[at], waves[at + 1u], waves[at + DIM - 1u]);
      let sk = slope[slopes + k * W4];
      for (var x = 0u; x < DIM; x++) {
        cos_[x] += t.s[x] * (sb + sk);
        sin_[x] += t.c[x] * (sb - sk);
        dist[x] += t.g[x] * (sb + sk);
      }
    }
  }
  let kk = 6.283185307179586 / p.length;
  let inv = 1.0 / f32(p.n * p.n);
  let wq = weights[p.first + 2u * DIM * W4 + c];
  for (var x = 0u; x < DIM; x++) {
    let wc = weights[p.first + x * W4 + c];
    let ws = weights[p.first + (DIM + x) * W4 + c];
    out[(group.y * p.n * DIM + b * DIM + x) * W4 + c] = inv * (kk * (ws * sin_[x] - wc * cos_[x]) + wq * dist[x]);
  }
}
