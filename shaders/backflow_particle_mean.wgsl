// backflow_particle_mean: scale * sum over particles of what lies side by side in their blocks, per walker.
//
//   h [walker][n][block] -> out [walker][block], vec4. One invocation a vec4 of a walker (group.y). Trips: n.
struct Params { n: u32, block: u32, scale: f32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> h: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  if (id >= p.block) { return; }
  let w = group.y;
  var v = vec4<f32>();
  for (var i = 0u; i < p.n; i++) { v += h[(w * p.n + i) * p.block + id]; }
  out[w * p.block + id] = p.scale * v;
}
