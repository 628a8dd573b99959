// occupation_embed: u[w, t] = orbitals[states[first + w, t]], the momenta a network reads.
//
//   states   rows of n u32, row `first` + w for walker w < count; what is no orbital counts as the last
//   orbitals M vec4 (integer momentum + twist, padded with zeros)
//   u        count x tokens vec4
// One invocation a row. No loops.
struct Params { count: u32, tokens: u32, n: u32, first: u32, orbitals: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> orbitals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> u: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.count * p.tokens) { return; }
  let w = id / p.tokens;
  u[id] = orbitals[min(states[(p.first + w) * p.n + id % p.tokens], p.orbitals - 1u)];
}
