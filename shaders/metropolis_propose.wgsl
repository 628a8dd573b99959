// metropolis_propose: x' = x + width N(0, 1), all coordinates of a walker at once.
//
//   x, proposal f32 [walker][size];  state f32 [4]: the width comes first, in units of x
// Random numbers: block b of 4 coordinates of the walker first_walker + w, sweep `step`, purpose `purpose`.
// One invocation 4 coordinates. Trips: 11.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, size: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> proposal: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let blocks = (p.size + 3u) / 4u;
  let w = id / blocks;
  if (w >= p.walkers) { return; }
  let b = id % blocks;
  let noise = state[0] * normal4(philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>(b, p.first_walker + w, p.step, p.purpose)));
  let count = min(4u, p.size - 4u * b);
  for (var c = 0u; c < count; c++) {
    let at = w * p.size + 4u * b + c;
    proposal[at] = x[at] + noise[c];
  }
}
