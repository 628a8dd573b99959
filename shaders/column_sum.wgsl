// column_sum: G_b = sum over rows of Y_row, per batch b: the bias gradient of a layer, and that of slopes.
//
//   row r < rows: Y at y_offset + b y_stride + (r / inner) y_outer + (r % inner) y_inner  (vec4 units)
//   G_b is `cols` scalars at g_offset + b g_stride; flag 1: add to what it holds.
// A workgroup owns COLS columns of 4 of one batch; its lanes take the rows by turns, WG / COLS at a time, and a tree in
// workgroup memory adds up what they have. One load for 4 additions: bound by memory. Trips: rows COLS / WG + log2 WG.
struct Params {
  batches: u32, rows: u32, inner: u32, cols: u32,
  y_offset: u32, y_stride: u32, y_outer: u32, y_inner: u32,
  g_offset: u32, g_stride: u32, flags: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> g: array<f32>;

var<workgroup> sums: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups);
  let cols4 = (p.cols + 3u) / 4u;
  let blocks = (cols4 + COLS - 1u) / COLS;
  let b = id / blocks;
  if (b >= p.batches) { return; }
  let c = id % blocks * COLS + lane % COLS;
  var sum = vec4<f32>();
  let first = p.y_offset + b * p.y_stride + min(c, cols4 - 1u);
  for (var r = lane / COLS; r < p.rows; r += WG / COLS) { sum += y[first + r / p.inner * p.y_outer + r % p.inner * p.y_inner]; }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half >= COLS; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane >= COLS) { return; }
  for (var k = 0u; k < 4u; k++) {
    if (4u * c + k >= p.cols) { break; }
    let at = p.g_offset + b * p.g_stride + 4u * c + k;
    if ((p.flags & 1u) != 0u) { g[at] += sums[lane][k]; } else { g[at] = sums[lane][k]; }
  }
}
