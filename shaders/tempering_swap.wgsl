// tempering_swap: neighbouring temperatures r, r + 1 exchange their spins with P = min(1, e^((beta_r - beta_(r+1)) (E_r - E_(r+1)))).
//
//   r = parity, parity + 2, ...; chain of rung r in ladder l: r ladders + l; spins of chain c at c sites
//   swaps u32 [chain]: how often chain c and that of the rung above were exchanged
// Random numbers: Philox counter (2^32 - 1, first_walker + chain of rung r, step, purpose), the first of its numbers.
// One invocation a pair of chains. Trips: sites + 10.
// Hukushima, Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996), doi 10.1143/JPSJ.65.1604.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, pairs: u32, ladders: u32, rungs: u32,
  sites: u32, parity: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> betas: array<f32>;
@group(0) @binding(2) var<storage, read_write> spins: array<f32>;
@group(0) @binding(3) var<storage, read_write> energy: array<f32>;
@group(0) @binding(4) var<storage, read_write> swaps: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.pairs * p.ladders) { return; }
  let r = 2u * (id / p.ladders) + p.parity;
  let a = r * p.ladders + id % p.ladders;
  let b = a + p.ladders;
  let counter = vec4<u32>(0xffffffffu, p.first_walker + a, p.step, p.purpose);
  let u = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter)).x;
  let ea = energy[a];
  let eb = energy[b];
  if (u >= exp(min((betas[r] - betas[r + 1u]) * (ea - eb), 0.0))) { return; }
  for (var i = 0u; i < p.sites; i++) {
    let s = spins[a * p.sites + i];
    spins[a * p.sites + i] = spins[b * p.sites + i];
    spins[b * p.sites + i] = s;
  }
  energy[a] = eb;
  energy[b] = ea;
  swaps[a] += 1u;
}
