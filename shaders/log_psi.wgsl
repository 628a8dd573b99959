// log_psi: ln|Psi| = ln|det M| + (1/2) ln|det J| + norm, per walker.
//
//   A matrix that is singular or not finite has ln|det| = -1e30 (determinant kernels): ln|Psi| is then about -1e30
//   and no move there is accepted. slater, jacobian [w] -> out [w]. No loops.
struct Params { walkers: u32, norm: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slater: array<f32>;
@group(0) @binding(2) var<storage, read> jacobian: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  out[w] = slater[w] + 0.5 * jacobian[w] + p.norm;
}
