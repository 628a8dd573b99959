// backflow_score_sum: sums particles' shares of a weight gradient into the rows of scores.
//
//   x [walker][n][parts][rows][width] (`parts`: 1, or 2 for Re and Im) -> scores word first + walker step + part part_step + r cols + c,
//   of row r < rows and column c < cols (those that are not padding); flag 2: the last row goes to word `place`;
//   flag 1: add to what the scores hold.
// One invocation a word. Trips: n.
struct Params {
  walkers: u32, n: u32, parts: u32, rows: u32,
  cols: u32, width: u32, first: u32, place: u32,
  step: u32, part_step: u32, flags: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let words = p.parts * p.rows * p.cols;
  if (id >= p.walkers * words) { return; }
  let w = id / words;
  let e = id - w * words;
  let r = e / p.cols;
  let c = e - r * p.cols;
  let part = r / p.rows;
  let row = r - part * p.rows;
  let stride = p.parts * p.rows * p.width;
  var sum = 0.0;
  for (var i = 0u; i < p.n; i++) { sum += x[(w * p.n + i) * stride + r * p.width + c]; }
  var to = p.first + row * p.cols;
  if ((p.flags & 2u) != 0u && row + 1u == p.rows) { to = p.place; }
  to += w * p.step + part * p.part_step + c;
  if ((p.flags & 1u) != 0u) { sum += scores[to]; }
  scores[to] = sum;
}
