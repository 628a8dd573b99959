// dual_modes: amplitudes of modes times a number each: y[sample][k] *= table[k], with which K'^-1 acts between Hartley
// transforms.
//
//   y f32 [sample][4 blocks], table f32 [4 blocks]
// An invocation owns 4 numbers. No loops.
struct Params { count: u32, blocks: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.blocks) { return; }
  y[id] *= table[id % p.blocks];
}
