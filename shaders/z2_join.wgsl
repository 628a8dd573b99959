// z2_join: ln q(s) = ln [q0(s) + q0(-s)] - ln 2 of each sample from the two logarithms.
//
//   plus, minus, log_q f32 [count]. What is not finite stays so, by bits. One invocation a sample. No loops.
struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> plus: array<f32>;
@group(0) @binding(2) var<storage, read> minus: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_q: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let a = plus[w];
  let b = minus[w];
  let joined = max(a, b) + (log1p_(exp(-abs(a - b))) - 0.6931471806);
  log_q[w] = select(select(joined, b, !finite(b)), a, !finite(a));
}
