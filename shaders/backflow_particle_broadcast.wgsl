// backflow_particle_broadcast: adds scale * mean[walker][row] to the jets of every particle.
//
//   mean [walker][row][4 W4], h [walker][i][row][4 W4]. One invocation an element block. No loops.
@group(0) @binding(1) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> h: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let block = p.rows * W4;
  let i = quotient(id, block);
  if (i >= p.n) { return; }
  h[group.y * p.n * block + id] += p.scale * mean[group.y * block + id - i * block];
}
