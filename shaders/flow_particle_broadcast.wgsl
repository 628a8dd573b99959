// flow_particle_broadcast: adds scale * mean[walker][row] to the jets of every particle.
//
//   mean [walker][row][4 width4], h [walker][i][row][4 width4]. One invocation an element block. No loops.
@group(0) @binding(1) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> h: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let block = p.rows * p.width4;
  let w = id / (block * p.n);
  if (w >= p.walkers) { return; }
  h[id] += p.scale * mean[w * block + id % block];
}
