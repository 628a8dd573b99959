// score_sum: out[offset + c] = scale sum_b partial[b][c], the last stage of a weighted sum of score rows.
//
//   partial [blocks][words] double-single; out f32. One invocation a column. Trips: blocks.
struct Params { words: u32, blocks: u32, offset: u32, zero: u32, stride: u32, scale: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  opaque_zero = p.zero;
  let c = flat_group(group, groups) * WG + lane;
  if (c >= p.words) { return; }
  var t = vec2<f32>();
  for (var b = 0u; b < p.blocks; b++) { t = add(t, partial[b * p.stride + c]); }
  out[p.offset + c] = p.scale * (t.x + t.y);
}
