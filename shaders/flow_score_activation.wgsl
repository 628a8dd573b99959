// flow_score_activation: adjoint of flow_particle_activation (values and first derivatives).
//
//   value s hb + s' sum_b hb_b a_b;  derivative s hb_b;  last row (Im, values only) s hb_im.
//   a [w][i][forward_rows][4 width4], hb and out [w][i][rows = n d + 2][4 width4].
// One invocation an element block. Trips: n DIM for the value row, else 0.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> hb: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let c = id % p.width4;
  let q = (id / p.width4) % p.rows;
  let particle = id / (p.width4 * p.rows);
  if (particle >= p.walkers * p.n) { return; }
  let at = particle * p.forward_rows * p.width4 + c;
  let f = softplus_jet4(a[at]);
  var v = f.s * hb[id];
  if (q == 0u) {
    var sum = vec4<f32>();
    for (var b = 1u; b <= p.n * DIM; b++) { sum += hb[id + b * p.width4] * a[at + b * p.width4]; }
    v += f.s1 * sum;
  }
  out[id] = v;
}
