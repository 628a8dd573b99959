// spin_images: spins with their sites permuted, y[w sites + i] = spins[w sites + table[image sites + i]].
//
//   spins, y f32 [count][sites]; table u32 [image][sites], of which one row is used.
// One invocation a spin. No loops.
struct Params { count: u32, sites: u32, image: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.sites) { return; }
  let i = id % p.sites;
  y[id] = spins[id - i + min(table[p.image * p.sites + i], p.sites - 1u)];
}
