// amplitude: Psi of each walker, but for a constant factor, as logarithm and phase.
//
//   out vec2 [w] = (ln|det M| + (1/2) ln|det J|, arg det M), no numbers where a matrix was not finite (bit 4 of a status)
//   slater, phase, jacobian f32 [w];  slater_status, jacobian_status u32 [w], as the determinants leave them
// A singular matrix has ln|det| = -1e30: Psi is 0 there. No loops.
struct Params { walkers: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slater: array<f32>;
@group(0) @binding(2) var<storage, read> phase: array<f32>;
@group(0) @binding(3) var<storage, read> slater_status: array<u32>;
@group(0) @binding(4) var<storage, read> jacobian: array<f32>;
@group(0) @binding(5) var<storage, read> jacobian_status: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  let lost = ((slater_status[w] | jacobian_status[w]) & 4u) != 0u;
  let value = vec2<f32>(slater[w] + 0.5 * jacobian[w], phase[w]);
  out[w] = bitcast<vec2<f32>>(select(bitcast<vec2<u32>>(value), vec2<u32>(0x7fc00000u), lost));
}
