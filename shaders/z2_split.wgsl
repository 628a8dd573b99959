// z2_split: the factor of d ln q(s) of a sample, shared by d ln q0(s) and d ln q0(-s): (f w, f (1 - w)), w = q0(s)/[q0(s) + q0(-s)].
//
//   plus, minus f32 [count]: ln q0(s), ln q0(-s);  factor of sample w: word first + step w of factors
//   forward, backward f32 [count]. One invocation a sample. No loops.
struct Params { count: u32, first: u32, step: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> plus: array<f32>;
@group(0) @binding(2) var<storage, read> minus: array<f32>;
@group(0) @binding(3) var<storage, read> factors: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward: array<f32>;
@group(0) @binding(5) var<storage, read_write> backward: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let d = plus[w] - minus[w];
  let e = exp(-abs(d));
  let larger = 1.0 / (1.0 + e);
  let f = factors[p.first + p.step * w];
  forward[w] = f * select(e * larger, larger, d > 0.0);
  backward[w] = f * select(larger, e * larger, d > 0.0);
}
