// fields: what is known of the logits of spins from the spins drawn before: l_i += factor (h_i + sum over j < i of J_ij s_j).
//
//   spins   of sample w < count: sign x spins[(first + w) sites + i], +-1
//   logits  `ld` words a sample, row w; l_i at word i step: 1, or 4 where each token has a row
//   table vec2<u32>: (first entry, bits of h_i) of every site and of one more, then entries (j, bits of J_ij), those of site i
//   from its first one to that of the next site; sums in this order, as the samplers make them
// One invocation owns a site of TILE samples, which share the entries. Trips: entries of a site.
struct Params { count: u32, sites: u32, ld: u32, step: u32, first: u32, factor: f32, sign: f32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let site = id % p.sites;
  let w = id / p.sites * TILE;
  if (w >= p.count) { return; }
  #for t in TILE
  let x$t = (p.first + min(w + $tu, p.count - 1u)) * p.sites;
  var sum$t = 0.0;
  #end
  let end = table[site + 1u].x;
  for (var k = table[site].x; k < end; k++) {
    let entry = table[k];
    let j = min(entry.x, site);
    #for t in TILE
    sum$t += bitcast<f32>(entry.y) * spins[x$t + j];
    #end
  }
  let h = bitcast<f32>(table[site].y);
  #for t in TILE
  if (w + $tu < p.count) { logits[(w + $tu) * p.ld + site * p.step] += p.factor * (p.sign * sum$t + h); }
  #end
}
