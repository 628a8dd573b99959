// leave_out: ln|Psi| = -1e30, which every average leaves out, for walkers that were not drawn.
//
//   status u32 [walker] of `newton`: 0 usable;  progress u32 [walker][4] of `dpp`: usable from `particles` on
//   log_psi f32 [walker]
// One invocation a walker, no loops.
struct Params { walkers: u32, particles: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> status: array<u32>;
@group(0) @binding(2) var<storage, read> progress: array<u32>;
@group(0) @binding(3) var<storage, read_write> log_psi: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.walkers) { return; }
  if (status[w] != 0u || progress[4u * w] < p.particles) { log_psi[w] = -1e30; }
}
