// outer: G_b = sum over rows of X_row^T Y_row, the weight gradient of a linear layer, per batch b.
//
//   row (i, q), i < outer, q < inner:  X at x_offset + b x_stride + i x_outer + q x_inner  (vec4 units)
//   G_b is unpadded rows_out x cols (scalars) at g_offset + b g_stride; flag 1: add to what it holds;
//   flag 2: X is the column (1, 0, 0, 0), so that G is the bias gradient (rows_out = 1).
// One invocation owns an 8 x 8 block; blocks past the last row or column read the last one again. Trips: outer * (inner + 1).
struct Params {
  batches: u32, outer: u32, inner: u32, rows_out: u32,
  cols: u32, x_offset: u32, x_stride: u32, x_outer: u32,
  x_inner: u32, y_offset: u32, y_stride: u32, y_outer: u32,
  y_inner: u32, g_offset: u32, g_stride: u32, flags: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> g: array<f32>;

fn put(b: u32, row: u32, col: u32, value: f32) {
  if (row >= p.rows_out || col >= p.cols) { return; }
  let at = p.g_offset + b * p.g_stride + row * p.cols + col;
  if ((p.flags & 1u) != 0u) { g[at] += value; } else { g[at] = value; }
}

fn put4(b: u32, row: u32, col: u32, v: vec4<f32>) {
  put(b, row, col, v.x); put(b, row, col + 1u, v.y); put(b, row, col + 2u, v.z); put(b, row, col + 3u, v.w);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let cols4 = (p.cols + 3u) / 4u;
  let rows4 = (p.rows_out + 3u) / 4u;
  let cols8 = (cols4 + 1u) / 2u;
  let rows8 = (rows4 + 1u) / 2u;
  let c = 2u * (id % cols8);
  let f = 2u * ((id / cols8) % rows8);
  let b = id / (cols8 * rows8);
  if (b >= p.batches) { return; }
  let ones = (p.flags & 2u) != 0u;
  let next_x = select(0u, 1u, f + 1u < rows4);
  let next_y = select(0u, 1u, c + 1u < cols4);
  // rows 0 to 3 (a) and 4 to 7 (e) by columns 0 to 3 and 4 to 7
  var a: array<vec4<f32>, 8>; var e: array<vec4<f32>, 8>;
  for (var i = 0u; i < p.outer; i++) {
    var xi = p.x_offset + b * p.x_stride + i * p.x_outer + f;
    var yi = p.y_offset + b * p.y_stride + i * p.y_outer + c;
    for (var q = 0u; q < p.inner; q++) {
      var v = vec4<f32>(1.0, 0.0, 0.0, 0.0);
      var w = vec4<f32>();
      if (!ones) { v = x[xi]; w = x[xi + next_x]; }
      let u = y[yi];
      let t = y[yi + next_y];
      a[0] += v.x * u; a[1] += v.y * u; a[2] += v.z * u; a[3] += v.w * u;
      a[4] += v.x * t; a[5] += v.y * t; a[6] += v.z * t; a[7] += v.w * t;
      e[0] += w.x * u; e[1] += w.y * u; e[2] += w.z * u; e[3] += w.w * u;
      e[4] += w.x * t; e[5] += w.y * t; e[6] += w.z * t; e[7] += w.w * t;
      xi += p.x_inner; yi += p.y_inner;
    }
  }
  #for r in 4
  put4(b, 4u * f + $ru, 4u * c, a[$r]);
  put4(b, 4u * f + 4u + $ru, 4u * c, e[$r]);
  if (next_y == 1u) {
    put4(b, 4u * f + $ru, 4u * c + 4u, a[4 + $r]);
    put4(b, 4u * f + 4u + $ru, 4u * c + 4u, e[4 + $r]);
  }
  #end
}
