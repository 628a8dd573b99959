// spin_rows: the input of a network, y[w ld + i step] = sign x spins[(first + w) sites + i - shift], 0 in the padding.
//
//   step 1, shift 0: a row a sample; step 4, shift 1: a row a token, which knows the spin before its own, the first one none.
// One invocation a word of y; w < count. No loops.
struct Params {
  count: u32, sites: u32, ld: u32, first: u32,
  sign: f32, step: u32, shift: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.ld) { return; }
  let i = id % p.ld / p.step;
  var value = 0.0;
  if (id % p.step == 0u && i < p.sites && i >= p.shift) { value = p.sign * spins[(p.first + id / p.ld) * p.sites + i - p.shift]; }
  y[id] = value;
}
