// mean_field: naive mean field of spins from many starts at once: m_i = tanh beta_t (sum_j J_ij m_j + h_i), one spin at a time,
// each the minimum of F over itself, and beta F = -beta/2 sum_i m_i (sum_j J_ij m_j + 2 h_i) - sum_i H(m_i).
//
// Update u is one of site u % sites in pass u / sites. Pass 0 draws m in (-1, 1); of the first start all are 1. In passes 1 to
// `sweeps` beta_t rises evenly for `rising` passes, from the share (1 - start/starts)^2 of beta up to beta: the first start is
// quenched, the last ones are annealed from the hottest. The last pass sums beta F of each 64 sites.
//   table    vec2<u32>: (first entry, bits of h_i) of every site and of one more, then entries (j, bits of J_ij)
//   m        f32 [group][site][start of the group]
//   energy   f32 [ceil(sites / 64)][starts]
// Random numbers: Philox counter (i / 4, first_walker + start, step, purpose), number i % 4.
// SPLIT lanes share the neighbours of a site, of TILE starts, which share the loads of the couplings; a group has
// WG / SPLIT x TILE starts, and `starts` is a multiple of that. A launch makes updates first to end - 1, either of pass 0 or of others,
// and goes on where the one before ended, within a sum too. Trips: an update 1 and its entries / SPLIT, SPLIT more where that is
// not 1, each loop met two more; of pass 0 an update 1, and 10 TILE for each four of them.
// |m| is at most 1 - 2^-24 in H, which is wrong by 1e-6 there.
// Annealing: Peterson, Soderberg, Int. J. Neural Syst. 1, 3 (1989), doi 10.1142/S0129065789000414.
struct Params {
  seed_low: u32, seed_high: u32, step: u32, purpose: u32,
  first_walker: u32, starts: u32, sites: u32, first: u32,
  end: u32, sweeps: u32, rising: u32, beta: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> energy: array<f32>;

const PLACES = WG / SPLIT;
const ROW = PLACES * TILE;
var<workgroup> parts: array<f32, WG * TILE>;

fn entropy(value: f32) -> f32 {
  let m = clamp(value, -0.99999994, 0.99999994);
  return 0.6931471806 - 0.5 * ((1.0 + m) * log1p_(m) + (1.0 - m) * log1p_(-m));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = flat_group(group, groups);
  if (tile * ROW >= p.starts) { return; }
  let place = lane / SPLIT;
  let part = lane % SPLIT;
  let own = tile * p.sites * ROW + place;
  #for t in TILE
  let start$t = tile * ROW + $tu * PLACES + place;
  let quenched$t = 1.0 - f32(start$t) / f32(p.starts);
  var numbers$t = vec4<f32>();
  var sum$t = 0.0;
  #end
  for (var u = p.first; u < p.end; u++) {
    let site = u % p.sites;
    let pass_ = u / p.sites;
    let here = own + site * ROW;
    if (pass_ == 0u) {
      #for t in TILE
      if (u == p.first || site % 4u == 0u) {
        let counter = vec4<u32>(site / 4u, p.first_walker + start$t, p.step, p.purpose);
        numbers$t = uniform4(philox(vec2<u32>(p.seed_low, p.seed_high), counter));
      }
      if (part == 0u) { m[here + $tu * PLACES] = select(2.0 * numbers$t[site % 4u] - 1.0, 1.0, start$t == 0u); }
      #end
      continue;
    }
    #for t in TILE
    var field$t = 0.0;
    #end
    let last = table[site + 1u].x;
    for (var k = table[site].x + part; k < last; k += SPLIT) {
      let entry = table[k];
      let near = own + min(entry.x, p.sites - 1u) * ROW;
      #for t in TILE
      field$t += bitcast<f32>(entry.y) * m[near + $tu * PLACES];
      #end
    }
    if (SPLIT > 1u) {
      #for t in TILE
      parts[$tu * WG + lane] = field$t;
      field$t = 0.0;
      #end
      workgroupBarrier();
      for (var k = 0u; k < SPLIT; k++) {
        #for t in TILE
        field$t += parts[$tu * WG + place * SPLIT + k];
        #end
      }
    }
    let h = bitcast<f32>(table[site].y);
    if (pass_ <= p.sweeps) {
      let risen = min(1.0, f32(pass_) / f32(p.rising));
      #for t in TILE
      let m$t = tanh_(p.beta * mix(quenched$t * quenched$t, 1.0, risen) * (field$t + h));
      if (part == 0u) { m[here + $tu * PLACES] = m$t; }
      #end
    } else if (part == 0u) {
      let block = site / 64u * p.starts;
      #for t in TILE
      if (site % 64u == 0u) { sum$t = 0.0; } else if (u == p.first) { sum$t = energy[block + start$t]; }
      let m$t = m[here + $tu * PLACES];
      sum$t -= 0.5 * p.beta * m$t * (field$t + 2.0 * h) + entropy(m$t);
      if (site % 64u == 63u || u + 1u == p.end) { energy[block + start$t] = sum$t; }
      #end
    }
    // before others read this m, and write their parts
    if (SPLIT > 1u) { storageBarrier(); }
  }
}
