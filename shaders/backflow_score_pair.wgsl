// backflow_score_pair: adjoint of backflow_pair_activation (values and first derivatives).
//
//   value s tb + s' sum_k tb_k a_k;  first s tb_k;  last (Im, values only) s tb_im.
//   a [w][i][j][JETS][4 W4], tb and out [w][i][j][DIM + 2][4 W4]. One invocation a (pair, column block). Trips: DIM.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> tb: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  if (id / W4 >= p.n * p.n) { return; }
  let pair = group.y * p.n * p.n + id / W4;
  let at = pair * JETS * W4 + c;
  let bt = pair * (DIM + 2u) * W4 + c;
  let f = softplus_jet4(a[at]);
  var sum = vec4<f32>();
  for (var k = 1u; k <= DIM; k++) {
    let t = tb[bt + k * W4];
    sum += t * a[at + k * W4];
    out[bt + k * W4] = f.s * t;
  }
  out[bt] = f.s * tb[bt] + f.s1 * sum;
  out[bt + (DIM + 1u) * W4] = f.s * tb[bt + (DIM + 1u) * W4];
}
