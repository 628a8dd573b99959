// backflow_row_sum: adds sums over output rows to Lap ln|det J|.
//
//   lap [walker] += scale sum_(r < probes) sum_(i < n) x[walker][r][i]_(a),  a = (first + r) % DIM; flag 1: all four components.
//   x [walker][probes][n][4]. One invocation a walker. Trips: probes n.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> lap: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var sum = 0.0;
  for (var r = 0u; r < p.probes; r++) {
    var row = vec4<f32>();
    for (var i = 0u; i < p.n; i++) { row += x[(w * p.probes + r) * p.n + i]; }
    if ((p.flags & 1u) != 0u) { sum += row.x + row.y + row.z + row.w; } else { sum += row[(p.first + r) % DIM]; }
  }
  lap[w] += p.scale * sum;
}
