// spin_rows: y[w ld + i] = sign x spins[(first + w) sites + i], 0 in the padding i >= sites: the input of a network.
//
// One invocation a word of y; w < count. No loops.
struct Params {
  count: u32, sites: u32, ld: u32, first: u32,
  sign: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.ld) { return; }
  let i = id % p.ld;
  var value = 0.0;
  if (i < p.sites) { value = p.sign * spins[(p.first + id / p.ld) * p.sites + i]; }
  y[id] = value;
}
