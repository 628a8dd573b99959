// trap_flow: x of z by dr_i/dt = sum_j eta(r_ij)(r_i - r_j) + mu(r_i^2) r_i, t from 0 to 1.
//
//   weights f32 [6 LD]: b, W1, W2 of eta, then of mu, padded
//   z, x    vec2 [walker][N]
// Runge and Kutta's four stages, `steps` of them. A workgroup owns a walker: lanes share the terms, then lane i moves
// electron i. Trips: 6 UNITS/WG + 4 steps ((PAIRS + N)/WG (UNITS + N) + N). Xie, Zhang, Wang, J. Mach. Learn. 1, 38 (2022).
struct Params { walkers: u32, steps: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> x: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let flat = flat_group(group, groups);
  let w = min(flat, p.walkers - 1u);
  for (var k = lane; k < 6u * LD; k += WG) { net[k] = weights[k]; }
  var start = vec2<f32>();
  if (lane < N) {
    start = z[w * N + lane];
    place[lane] = start;
  }
  let h = 1.0 / f32(p.steps);
  for (var step = 0u; step < p.steps; step++) {
    var sum = vec2<f32>();
    for (var stage = 0u; stage < 4u; stage++) {
      workgroupBarrier();
      prepare(lane);
      workgroupBarrier();
      var v = vec2<f32>();
      if (lane < N) { v = velocity(lane); }
      sum += stage_weight(stage) * v;
      workgroupBarrier();
      if (lane < N) { place[lane] = start + h * select(stage_reach(stage) * v, sum, stage == 3u); }
    }
    start += h * sum;
  }
  if (lane < N && flat < p.walkers) { x[w * N + lane] = start; }
}
