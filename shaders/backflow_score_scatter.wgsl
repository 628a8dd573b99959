// backflow_score_scatter: adjoint of the pair means: from the adjoints of y_i and d y_i to those of t_ij and t'_ij.
//
//   value yb_i/n;  first (yb_i,(i,k) - yb_i,(j,k))/n, 0 for j = i;  last (Im) yb_i,im/n.
//   yb [w][i][rows = n d + 2][4 W4] -> tb [w][i][j][DIM + 2][4 W4]; flag 1: add to what tb holds.
// One invocation an element block. No loops.
@group(0) @binding(1) var<storage, read> yb: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> tb: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = group.x * WG + lane;
  let c = id % W4;
  let jet = (id / W4) % (DIM + 2u);
  let pair = id / (W4 * (DIM + 2u));
  let i = quotient(pair, p.n);
  let j = pair - i * p.n;
  if (i >= p.n) { return; }
  let at = (group.y * p.n + i) * p.rows * W4 + c;
  let here = group.y * p.n * p.n * (DIM + 2u) * W4 + id;
  var v = vec4<f32>();
  if (jet == 0u) {
    v = yb[at];
  } else if (jet == DIM + 1u) {
    v = yb[at + (p.rows - 1u) * W4];
  } else if (i != j) {
    v = yb[at + (i * DIM + jet) * W4] - yb[at + (j * DIM + jet) * W4];
  }
  v *= 1.0 / f32(p.n);
  if ((p.flags & 1u) != 0u) { v += tb[here]; }
  tb[here] = v;
}
