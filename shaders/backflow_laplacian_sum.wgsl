// backflow_laplacian_sum: Laplacian of ln|det J| from the particles' shares, the mean field's, and the probes.
//
//   lap = sum_i share_i (last vec4 of total, x) + sum_m,c mean_mc + weight sum_v probe_v;   weight = scale
//   total [walker][TURNED] (turned, summed over particles); mean: share of backflow_mean_laplacian [walker][n][H4];
//   probe [walker][probes] of backflow_probe_trace -> lap [walker]; flag 1: add the probes alone to what it holds
// One invocation a walker. Trips: n H4 + probes.
@group(0) @binding(1) var<storage, read> total: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> probe: array<f32>;
@group(0) @binding(4) var<storage, read_write> lap: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var sum = 0.0;
  for (var v = 0u; v < p.probes; v++) { sum += probe[w * p.probes + v]; }
  sum *= p.scale;
  if ((p.flags & 1u) != 0u) {
    sum += lap[w];
  } else {
    var shares = vec4<f32>();
    for (var e = 0u; e < p.n * H4; e++) { shares += mean[w * p.n * H4 + e]; }
    sum += dot(shares, vec4<f32>(1.0)) + total[(w + 1u) * TURNED - 1u].x;
  }
  lap[w] = sum;
}
