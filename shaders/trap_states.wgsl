// trap_states: a determinant for each walker, n with probability p_n, from 32 random bits.
//
//   cumulative u32 [states]: p_0 + .. + p_n in units of 2^-32, rounded; the last is never passed
//   index u32 [walker]: n
// One invocation a walker; the bits are the first word of block 0 of its numbers. Trips: log2(states) + 1.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, walkers: u32, states: u32, pad0: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> cumulative: array<u32>;
@group(0) @binding(2) var<storage, read_write> index: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  let bits = philox(vec2<u32>(p.seed_low, p.seed_high), vec4<u32>(0u, p.first_walker + w, p.step, p.purpose)).x;
  var low = 0u;
  var high = p.states - 1u;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (bits < cumulative[middle]) { high = middle; } else { low = middle + 1u; }
  }
  index[w] = low;
}
