// trap_flow_lane: x of z by dr_i/dt = sum_j eta(r_ij)(r_i - r_j) + mu(r_i^2) r_i, t from 0 to 1.
//
//   weights  vec4 [6 QUADS]: see shared/trap_lane.wgsl;  z, x vec2 [walker][N]
// Runge and Kutta's four stages, `steps` of them. One invocation a walker. Trips: 2 N + steps (4 (N^2 + 4 N + 2 QUADS) + N).
// Xie, Zhang, Wang, J. Mach. Learn. 1, 38 (2022).
struct Params { walkers: u32, steps: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> z: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> x: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  var start: array<vec2<f32>, N>;
  var place: array<vec2<f32>, N>;
  var sum: array<vec2<f32>, N>;
  var rate: array<vec2<f32>, N>;
  for (var i = 0u; i < N; i++) {
    start[i] = z[w * N + i];
    place[i] = start[i];
  }
  let h = 1.0 / f32(p.steps);
  for (var step = 0u; step < p.steps; step++) {
    for (var i = 0u; i < N; i++) { sum[i] = vec2<f32>(); }
    for (var stage = 0u; stage < 4u; stage++) {
      var t = 0u;
      for (var i = 0u; i < N; i++) {
        argument[PAIRS + i] = dot(place[i], place[i]);
        for (var j = i + 1u; j < N; j++) {
          argument[t] = length(place[i] - place[j]);
          t++;
        }
      }
      radials();
      for (var i = 0u; i < N; i++) { rate[i] = jet[PAIRS + i].x * place[i]; }
      t = 0u;
      for (var i = 0u; i < N; i++) {
        for (var j = i + 1u; j < N; j++) {
          let v = jet[t].x * (place[i] - place[j]);
          rate[i] += v;
          rate[j] -= v;
          t++;
        }
      }
      for (var i = 0u; i < N; i++) {
        sum[i] += h * stage_weight(stage) * rate[i];
        place[i] = start[i] + select(h * stage_reach(stage) * rate[i], sum[i], stage == 3u);
      }
    }
    for (var i = 0u; i < N; i++) { start[i] = place[i]; }
  }
  for (var i = 0u; i < N; i++) { x[w * N + i] = start[i]; }
}
