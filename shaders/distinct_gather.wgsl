// distinct_gather: out[row] = states[list[row]], the occupied orbitals of each distinct state.
//
//   states u32 [walker][n];  list u32 [walkers] of `distinct_rows`: past the last row walker 0 again, a valid state
//   out u32 [walkers][n]. One invocation a word. No loops.
struct Params { walkers: u32, n: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  out[id] = states[min(list[id / p.n], p.walkers - 1u) * p.n + id % p.n];
}
