// tempering_sweep: Metropolis updates of spins site .. end - 1 in order, P = min(1, e^(-beta dE)), dE = 2 s_i (sum_j J_ij s_j + h_i).
//
//   chain c < chains at inverse temperature betas[c / ladders]
//   table    vec4: J, 4 ld4 rows of ld4, then h; padding 0, ld4 = ceil(sites / 4)
//   spins    of chain c at c sites, +-1;  energy[c] follows its spins
// Random numbers: Philox counter (i / 4, first_walker + c, step, purpose), number i % 4.
// One invocation a chain, its spins as bits of WORDS words; the couplings are the same loads for all chains.
// Trips: 33 WORDS + (end - site) (ld4 + 2) + 10 ((end - site) / 4 + 2).
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, chains: u32, ladders: u32, rungs: u32,
  sites: u32, site: u32, end: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> betas: array<f32>;
@group(0) @binding(3) var<storage, read_write> spins: array<f32>;
@group(0) @binding(4) var<storage, read_write> energy: array<f32>;

var<private> state: array<u32, WORDS>;

// Spins 4 q to 4 q + 3; those of the padding are anything.
fn spins4(q: u32) -> vec4<f32> {
  let bits = vec4<u32>(state[q / 8u] >> (4u * (q % 8u))) >> vec4<u32>(0u, 1u, 2u, 3u);
  return 2.0 * vec4<f32>(bits & vec4<u32>(1u)) - 1.0;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = flat_group(group, groups) * WG + lane;
  if (c >= p.chains) { return; }
  let ld4 = (p.sites + 3u) / 4u;
  let beta = betas[min(c / p.ladders, p.rungs - 1u)];
  let at = c * p.sites;
  for (var v = 0u; v < WORDS; v++) {
    var word = 0u;
    for (var b = 0u; b < min(32u, p.sites - 32u * v); b++) { word |= select(0u, 1u << b, spins[at + 32u * v + b] > 0.0); }
    state[v] = word;
  }
  var e = energy[c];
  var numbers = vec4<f32>();
  for (var i = p.site; i < p.end; i++) {
    if (i == p.site || i % 4u == 0u) {
      let counter = vec4<u32>(i / 4u, p.first_walker + c, p.step, p.purpose);
      numbers = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
    }
    var sum = vec4<f32>();
    for (var q = 0u; q < ld4; q++) { sum += table[i * ld4 + q] * spins4(q); }
    let field = (sum.x + sum.y) + (sum.z + sum.w) + table[4u * ld4 * ld4 + i / 4u][i % 4u];
    let d = 2.0 * spins4(i / 4u)[i % 4u] * field;
    if (numbers[i % 4u] < exp(min(-beta * d, 0.0))) {
      state[i / 32u] ^= 1u << (i % 32u);
      e += d;
    }
    spins[at + i] = spins4(i / 4u)[i % 4u];
  }
  energy[c] = e;
}
