// flow_score_scatter: adjoint of the pair means: from the adjoints of y_i and d y_i to those of t_ij and t'_ij.
//
//   value yb_i/n;  first (yb_i,(i,k) - yb_i,(j,k))/n, 0 for j = i;  last (Im) yb_i,im/n.
//   yb [w][i][rows = n d + 2][4 width4] -> tb [w][i][j][DIM + 2][4 width4]; flag 1: add to what tb holds.
// One invocation an element block. No loops.
@group(0) @binding(1) var<storage, read> yb: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> tb: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let c = id % p.width4;
  let jet = (id / p.width4) % (DIM + 2u);
  let pair = id / (p.width4 * (DIM + 2u));
  let particle = pair / p.n;
  if (particle >= p.walkers * p.n) { return; }
  let i = particle % p.n;
  let j = pair % p.n;
  let at = particle * p.rows * p.width4 + c;
  var v = vec4<f32>();
  if (jet == 0u) {
    v = yb[at];
  } else if (jet == DIM + 1u) {
    v = yb[at + (p.rows - 1u) * p.width4];
  } else if (i != j) {
    v = yb[at + (i * DIM + jet) * p.width4] - yb[at + (j * DIM + jet) * p.width4];
  }
  v *= 1.0 / f32(p.n);
  if ((p.flags & 1u) != 0u) { v += tb[id]; }
  tb[id] = v;
}
