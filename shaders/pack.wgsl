// pack: packed[i] = parameters[map[i]], or 0 where map[i] is past the last parameter (0xffffffff).
//
// Parameters are stored as published (leaf after leaf, unpadded); kernels read matrices padded to
// multiples of 4, some of them transposed. No loops.
struct Params { words: u32, parameters: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> map: array<u32>;
@group(0) @binding(3) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.words) { return; }
  let source = map[id];
  if (source >= p.parameters) { packed[id] = 0.0; } else { packed[id] = parameters[source]; }
}
