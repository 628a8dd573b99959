// roof_fma: y[i] = sum of eight vectors v, each after `count` times v <- v x + (1 - x): the most
// multiply-adds per second that a kernel can reach.
//
//   x f32 [threads] in (0, 1), y vec4 [threads]; v starts at 0, 1, .., 7 and tends to 1
// One invocation keeps 32 independent chains in registers and touches memory twice: 64 operations a
// trip. Trips: count. The fixed point keeps rounding errors from growing.
struct Params { threads: u32, count: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.threads) { return; }
  let b = vec4<f32>(x[id]);
  let c = 1.0 - b;
  let step = vec4<f32>(0.0, 0.25, 0.5, 0.75);
  var v0 = step; var v1 = step + 1.0; var v2 = step + 2.0; var v3 = step + 3.0;
  var v4 = step + 4.0; var v5 = step + 5.0; var v6 = step + 6.0; var v7 = step + 7.0;
  for (var k = 0u; k < p.count; k++) {
    v0 = v0 * b + c; v1 = v1 * b + c; v2 = v2 * b + c; v3 = v3 * b + c;
    v4 = v4 * b + c; v5 = v5 * b + c; v6 = v6 * b + c; v7 = v7 * b + c;
  }
  y[id] = ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7));
}
