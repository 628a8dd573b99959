// backflow_score_activation: adjoint of backflow_particle_activation (values and first derivatives).
//
//   value s hb + s' sum_b hb_b a_b;  derivative s hb_b;  last row (Im, values only) s hb_im.
//   a [w][i][forward_rows][4 W4], hb and out [w][i][rows = n d + 2][4 W4].
// One invocation an element block. Trips: n DIM for the value row, else 0.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> hb: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  if (id >= p.n * p.rows * W4) { return; }
  let place = summing_first(id / W4);
  let i = place.i;
  let q = place.q;
  let at = (group.y * p.n + i) * p.forward_rows * W4 + c;
  let here = ((group.y * p.n + i) * p.rows + q) * W4 + c;
  let f = softplus_jet4(a[at]);
  var v = f.s * hb[here];
  if (q == 0u) {
    var sum = vec4<f32>();
    for (var b = 1u; b <= p.n * DIM; b++) { sum += hb[here + b * W4] * a[at + b * W4]; }
    v += f.s1 * sum;
  }
  out[here] = v;
}
