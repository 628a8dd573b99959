// neighbours: energies E = -sum_bonds J_ij s_i s_j - sum_i h_i s_i of sparse couplings, and M = sum_i s_i.
//
//   spins of sample first + w at (first + w) sites, +-1
//   bonds vec2<u32> (j, bits of J_ij): those of site i are starts[i] .. starts[i + 1] - 1, each bond at one of its ends alone
//   starts u32 [sites + 1], fields f32 [sites]
//   energy[first + w], magnetisation[first + w]
// Whole J and h give exact sums below 2^24. One invocation a sample; four partial sums of sites. Trips: sites + bonds.
struct Params { count: u32, sites: u32, first: u32, bonds: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> bonds: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> fields: array<f32>;
@group(0) @binding(5) var<storage, read_write> energy: array<f32>;
@group(0) @binding(6) var<storage, read_write> magnetisation: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let at = (p.first + w) * p.sites;
  var sum = vec4<f32>();
  var spin = 0.0;
  var b = 0u;
  for (var i = 0u; i < p.sites; i++) {
    let end = min(starts[i + 1u], p.bonds);
    var field = fields[i];
    for (; b < end; b++) {
      let bond = bonds[b];
      field += bitcast<f32>(bond.y) * spins[at + min(bond.x, p.sites - 1u)];
    }
    let s = spins[at + i];
    sum[i & 3u] += s * field;
    spin += s;
  }
  energy[p.first + w] = -((sum.x + sum.y) + (sum.z + sum.w));
  magnetisation[p.first + w] = spin;
}
