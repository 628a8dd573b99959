// flow_particle_mean: scale * sum over particles of their jets, per walker.
//
//   h [walker][i][row][4 W4] -> out [walker][row][4 W4]. One invocation a (row, column block). Trips: n.
@group(0) @binding(1) var<storage, read> h: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let block = p.rows * W4;
  if (id >= block) { return; }
  let w = group.y;
  var v = vec4<f32>();
  for (var i = 0u; i < p.n; i++) { v += h[(w * p.n + i) * block + id]; }
  out[w * block + id] = p.scale * v;
}
