// stencil: energies E = -J sum_bonds s s' - h M, M = sum_i s_i, of a square or triangular lattice of side x side sites.
//
//   site (i, j) at i side + j; bonds to (i + 1, j) and (i, j + 1), flag 1: to (i + 1, j + 1) as well; flag 2: periodic
//   spins of sample first + w at (first + w) side^2, +-1;  energy[first + w], magnetisation[first + w]
// Bonds and M are whole numbers below 2^24: exact. One invocation a sample, two loads a site: the spin to the right and that
// below it become the present ones. Trips: side (side + 1).
struct Params { count: u32, side: u32, first: u32, flags: u32, coupling: f32, field: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> spins: array<f32>;
@group(0) @binding(2) var<storage, read_write> energy: array<f32>;
@group(0) @binding(3) var<storage, read_write> magnetisation: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let w = flat_group(group, groups) * WG + lane;
  if (w >= p.count) { return; }
  let at = (p.first + w) * p.side * p.side;
  let diagonal = f32(p.flags & 1u);
  // a bond across the edge counts if the lattice is periodic
  let edge = f32((p.flags >> 1u) & 1u);
  var bonds = 0.0;
  var spin = 0.0;
  for (var i = 0u; i < p.side; i++) {
    let last = i + 1u == p.side;
    let row = at + i * p.side;
    let next = at + select((i + 1u) * p.side, 0u, last);
    let down = select(1.0, edge, last);
    var here = spins[row];
    var below = spins[next];
    for (var j = 0u; j < p.side; j++) {
      let wraps = j + 1u == p.side;
      let column = select(j + 1u, 0u, wraps);
      let across = select(1.0, edge, wraps);
      let right = spins[row + column];
      let corner = spins[next + column];
      bonds += here * (across * right + down * (below + diagonal * across * corner));
      spin += here;
      here = right;
      below = corner;
    }
  }
  energy[p.first + w] = -p.coupling * bonds - p.field * spin;
  magnetisation[p.first + w] = spin;
}
