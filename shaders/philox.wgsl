// philox: fills a buffer with random numbers, four to a counter (shared/philox.wgsl).
//
// Block (w, i), w < walkers, i < blocks, has counter (i, first_walker + w, step, purpose) and lies at
// words 4 (w blocks + i) of y. KIND: 0 the 32 random bits (as u32), 1 uniform in (0, 1), 2 normal.
// Trips: 10.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, blocks: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.blocks) { return; }
  let counter = vec4<u32>(id % p.blocks, p.first_walker + id / p.blocks, p.step, p.purpose);
  let bits = philox(vec2<u32>(p.seed_low, p.seed_high), counter);
  if (KIND == 0u) { y[id] = bits; }
  if (KIND == 1u) { y[id] = bitcast<vec4<u32>>(uniform4(bits)); }
  if (KIND == 2u) { y[id] = bitcast<vec4<u32>>(normal4(bits)); }
}
