// occupation_total: logp[first + w] = sum over i < n of rows[w n + i].
//
// One invocation a walker w < count; four partial sums. Trips: n.
struct Params { count: u32, n: u32, first: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read_write> logp: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  var sum = vec4<f32>();
  for (var i = 0u; i < p.n; i++) { sum[i & 3u] += rows[w * p.n + i]; }
  logp[p.first + w] = (sum.x + sum.y) + (sum.z + sum.w);
}
