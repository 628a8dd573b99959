// occupation_shells: which share of the orbitals of a shell each walker occupies.
//
//   out[w][s] = (occupied orbitals of shell s)/(orbitals of shell s)
//   states u32 [walker][n];  shells u32 [M]: the shell of each orbital;  share f32 [shells]: one over its orbitals
//   out f32 [walker][shells]
// One invocation a walker and shell. Trips: n.
struct Params { walkers: u32, n: u32, orbitals: u32, shells: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> shells: array<u32>;
@group(0) @binding(3) var<storage, read> share: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.shells) { return; }
  let w = id / p.shells;
  let s = id % p.shells;
  var count = 0u;
  for (var i = 0u; i < p.n; i++) {
    if (shells[min(states[w * p.n + i], p.orbitals - 1u)] == s) { count++; }
  }
  out[id] = f32(count) * share[s];
}
