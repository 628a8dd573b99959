// backflow_row_mean: sum_c B_c . grad (Lap g_c) for g = mean over particles of the first layer's output, one direction B_c a channel.
//
//   With e_kj = B_k,c - B_j,c and u = V_y t0 (pair jets):  delta a = (1/n) sum_j u'_kj.e_kj,  delta Lap a = (2/n) sum_j u'''_kj.e_kj,
//   cross = sum_b d_b a (delta d_b a) = (1/n) sum_j (d_k a - d_j a).u''_kj e_kj;
//   out_k = (1/n) [ s delta Lap a + (s' Lap a + s'' sum_b (d_b a)^2) delta a + 2 s' cross ], channel by channel (their sum is wanted).
//   u pair jets (all orders); base: a [walker][k][row]; directions B [walker][n DIM][4 W4]; out [walker][k][4 W4].
// One invocation a (particle, column block). Trips: n (1 + DIM (DIM + 1)) + n DIM.
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> directions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let k = id / W4;
  if (k >= p.n) { return; }
  let w = group.y;
  let order = p.n * DIM;
  let at = (w * p.n + k) * p.rows * W4 + c;
  let b = w * order * W4 + c;
  var value = vec4<f32>(); var lap = vec4<f32>(); var cross = vec4<f32>();
  for (var j = 0u; j < p.n; j++) {
    let pair = ((w * p.n + k) * p.n + j) * JETS * W4 + c;
    for (var x = 0u; x < DIM; x++) {
      let e = directions[b + (k * DIM + x) * W4] - directions[b + (j * DIM + x) * W4];
      value += e * u[pair + (1u + x) * W4];
      lap += e * u[pair + (JETS - DIM + x) * W4];
      for (var y = 0u; y < DIM; y++) {
        let slope = base[at + (1u + k * DIM + y) * W4] - base[at + (1u + j * DIM + y) * W4];
        cross += slope * e * u[pair + (1u + DIM + sym(x, y)) * W4];
      }
    }
  }
  var squares = vec4<f32>();
  for (var x = 1u; x <= order; x++) {
    let d = base[at + x * W4];
    squares += d * d;
  }
  let f = softplus_jet4(base[at]);
  let inv = 1.0 / f32(p.n);
  let curve = f.s1 * base[at + (1u + order) * W4] + f.s2 * squares;
  out[w * p.n * W4 + id] = inv * inv * (2.0 * f.s * lap + curve * value + 2.0 * f.s1 * cross);
}
