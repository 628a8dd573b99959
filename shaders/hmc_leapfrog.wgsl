// hmc_leapfrog: a kick and a drift of Hamiltonian Monte Carlo with unit masses, of H = V(q) + p.p/2, dV/dq = force + base q:
//
//   p <- p - kick (force + base q);  q <- q + drift p
//   force, p, q f32 [4 blocks]; base 1: V holds -ln N(q), whose slope is not in force; 0: it does not
// An invocation owns 4 numbers. No loops.
// Duane, Kennedy, Pendleton, Roweth, Phys. Lett. B 195, 216 (1987), doi 10.1016/0370-2693(87)91197-X.
struct Params { blocks: u32, kick: f32, drift: f32, base: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> force: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> momentum: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> q: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.blocks) { return; }
  let at = q[id];
  let kicked = momentum[id] - p.kick * (force[id] + p.base * at);
  momentum[id] = kicked;
  q[id] = at + p.drift * kicked;
}
