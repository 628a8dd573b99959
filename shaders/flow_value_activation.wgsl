// flow_value_activation: softplus of a one-particle layer, values only.
//
//   a += mean (flag 1), h = softplus(a) (+ h, flag 1), slope = softplus'(a).
//   a, h, slope [walker][i][4 W4]; mean [walker][4 W4]. One invocation a (particle, column block). No loops.
@group(0) @binding(1) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> a: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> slope: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  if (id >= p.n * W4) { return; }
  let at = group.y * p.n * W4 + id;
  if ((p.flags & 1u) != 0u) {
    let v = a[at] + mean[group.y * W4 + id % W4];
    let f = softplus_jet4(v);
    a[at] = v;
    h[at] += f.v;
    slope[at] = f.s;
  } else {
    let f = softplus_jet4(a[at]);
    h[at] = f.v;
    slope[at] = f.s;
  }
}
