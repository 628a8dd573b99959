// z2_flip: all spins of a sample change sign with probability 1/2: s ~ q0 becomes s ~ [q0(s) + q0(-s)]/2.
//
//   spins of sample first + w, w < count, at (first + w) sites, +-1
// Random numbers: Philox counter (0, first_walker + w, step, purpose), the first bit of its numbers.
// One invocation a sample. Trips: sites + 10.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, count: u32, sites: u32, first: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> spins: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let bits = philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>(0u, p.first_walker + w, p.step, p.purpose));
  if ((bits.x >> 31u) == 0u) { return; }
  let at = (p.first + w) * p.sites;
  for (var i = 0u; i < p.sites; i++) { spins[at + i] = -spins[at + i]; }
}
