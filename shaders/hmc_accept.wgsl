// hmc_accept: both ends of a trajectory of Hamiltonian Monte Carlo, H = V - ln N(p) up to a constant:
//
//   base 0: V = energy;  base 1: V = energy + log_q - normal, of latent variables whose samples have ln q and U = energy
//   flag 1 (before it): kept <- q, state <- (H, m^2, 0, 0);  m = per_site magnetisation
//   flag 0 (behind it): with P = min(1, e^(H - H')) state <- (H', m^2', 1, H' - H), otherwise q <- kept, state <- (H, m^2, 0, H' - H)
//   energy, log_q, normal: ln N(q), kinetic: ln N(p), magnetisation f32 [chain]; kept, q f32 [chain][4 blocks]; state f32 [chain][4]
// An H' that is not finite is refused. log_q and normal are not read with base 0.
// Random numbers: Philox counter (2^32 - 1, first_walker + chain, step, purpose), the first of four.
// A workgroup owns a chain; its lanes take blocks of 4 by turns. Trips: 10 + blocks/WG.
// Duane, Kennedy, Pendleton, Roweth, Phys. Lett. B 195, 216 (1987), doi 10.1016/0370-2693(87)91197-X.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, chains: u32, blocks: u32, flags: u32,
  base: f32, per_site: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> energy: array<f32>;
@group(0) @binding(2) var<storage, read> log_q: array<f32>;
@group(0) @binding(3) var<storage, read> normal: array<f32>;
@group(0) @binding(4) var<storage, read> kinetic: array<f32>;
@group(0) @binding(5) var<storage, read> magnetisation: array<f32>;
@group(0) @binding(6) var<storage, read_write> kept: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> chain: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups);
  let there = w < p.chains;
  var next = vec4<f32>();
  if (there) {
    var h = energy[w] - kinetic[w];
    if (p.base > 0.0) { h += log_q[w] - normal[w]; }
    let m = p.per_site * magnetisation[w];
    next = vec4<f32>(h, m * m, 0.0, 0.0);
    if ((p.flags & 1u) != 0u) {
      for (var b = lane; b < p.blocks; b += WG) { kept[w * p.blocks + b] = q[w * p.blocks + b]; }
    } else {
      let old = chain[w];
      let counter = vec4<u32>(0xffffffffu, p.first_walker + w, p.step, p.purpose);
      let number = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter)).x;
      let change = h - old.x;
      if (finite(h) && number < exp(min(-change, 0.0))) {
        next = vec4<f32>(h, m * m, 1.0, change);
      } else {
        next = vec4<f32>(old.x, old.y, 0.0, change);
        for (var b = lane; b < p.blocks; b += WG) { q[w * p.blocks + b] = kept[w * p.blocks + b]; }
      }
    }
  }
  // every lane has read the chain's row
  storageBarrier();
  if (lane == 0u && there) { chain[w] = next; }
}
