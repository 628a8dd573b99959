// renorm_sum: g[offset + c] (+)= sum over invocations of partial[c][invocation], c < columns: what `renorm_coupling` leaves.
//
//   partial vec4 [columns][count], g vec4; flag 1: add to what g holds
// A workgroup owns a column; its lanes take the invocations by turns, then a tree adds. Trips: count/WG + 1 + log2 WG.
struct Params { columns: u32, count: u32, offset: u32, flags: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> g: array<vec4<f32>>;

var<workgroup> sums: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = flat_group(group, groups);
  let there = column < p.columns;
  var sum = vec4<f32>();
  if (there) {
    for (var r = lane; r < p.count; r += WG) { sum += partial[column * p.count + r]; }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u && there) {
    if ((p.flags & 1u) != 0u) { g[p.offset + column] += sums[0]; } else { g[p.offset + column] = sums[0]; }
  }
}
