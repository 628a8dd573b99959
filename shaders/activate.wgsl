// activate: y = tanh(x), or its reverse mode y *= 1 - x^2 where x holds the tanh (flag 1).
//
// Both are `count4` vec4. One invocation a vec4. No loops.
struct Params { count4: u32, flags: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count4) { return; }
  let v = x[id];
  if ((p.flags & 1u) != 0u) {
    y[id] *= (1.0 - v) * (1.0 + v);
  } else {
    y[id] = vec4<f32>(tanh_(v.x), tanh_(v.y), tanh_(v.z), tanh_(v.w));
  }
}
