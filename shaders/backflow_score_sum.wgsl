// flow_score_sum: sums particles' shares of a weight gradient into the rows of scores.
//
//   x [walker][n][probes][rows][4 W4] (`probes`: 1, or 2 for Re and Im) -> scores word first + walker step + part bias + r forward_rows + c,
//   of row r < rows and column c < forward_rows (the columns that are not padding); flag 2: the last row goes to word `place`;
//   flag 1: add to what the scores hold.
// One invocation a word. Trips: n.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let words = p.probes * p.rows * p.forward_rows;
  if (id >= p.walkers * words) { return; }
  let w = id / words;
  let e = id - w * words;
  let r = e / p.forward_rows;
  let c = e - r * p.forward_rows;
  let part = r / p.rows;
  let row = r - part * p.rows;
  let stride = p.probes * p.rows * 4u * W4;
  var sum = 0.0;
  for (var i = 0u; i < p.n; i++) { sum += x[(w * p.n + i) * stride + r * 4u * W4 + c]; }
  var to = p.first + row * p.forward_rows;
  if ((p.flags & 2u) != 0u && row + 1u == p.rows) { to = p.place; }
  to += w * p.step + part * p.bias + c;
  if ((p.flags & 1u) != 0u) { sum += scores[to]; }
  scores[to] = sum;
}
