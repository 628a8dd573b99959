// linear: Y_b = X_b W_b (+ bias) (+ Y_b), batched row-major matrices, last dimension padded to 4.
//
//   X_b  rows x 4 in4     at x_offset + b x_stride   (vec4 units)
//   W_b  4 in4 x 4 out4   at w_offset + (b / w_div) w_stride; one W for all: batches = 1
//   Y_b  rows x 4 out4    at y_offset + b y_stride
//   bias 4 out4           at b_offset of W's buffer, added to rows r with r % period == 0 (flag 1)
//   flag 2: add to what Y holds
// One invocation owns 8 rows x 4 columns in registers. Trips: in4 + 1. Padding of X and W must be 0.
struct Params {
  batches: u32, rows: u32, in4: u32, out4: u32,
  x_offset: u32, x_stride: u32, w_offset: u32, w_stride: u32,
  w_div: u32, y_offset: u32, y_stride: u32, b_offset: u32,
  period: u32, flags: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn dot4(a: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
  return a.x * w0 + a.y * w1 + a.z * w2 + a.w * w3;
}

fn put(b: u32, row: u32, col: u32, value: vec4<f32>) {
  if (row >= p.rows) { return; }
  let at = p.y_offset + b * p.y_stride + row * p.out4 + col;
  var v = value;
  if ((p.flags & 1u) != 0u && row % p.period == 0u) { v += w[p.b_offset + col]; }
  if ((p.flags & 2u) != 0u) { v += y[at]; }
  y[at] = v;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let tiles = (p.rows + 7u) / 8u;
  let col = id % p.out4;
  let tile = (id / p.out4) % tiles;
  let b = id / (p.out4 * tiles);
  if (b >= p.batches) { return; }
  let row = tile * 8u;
  let last = p.rows - 1u;
  let xb = p.x_offset + b * p.x_stride;
  let x0 = xb + row * p.in4;
  let x1 = xb + min(row + 1u, last) * p.in4;
  let x2 = xb + min(row + 2u, last) * p.in4;
  let x3 = xb + min(row + 3u, last) * p.in4;
  let x4 = xb + min(row + 4u, last) * p.in4;
  let x5 = xb + min(row + 5u, last) * p.in4;
  let x6 = xb + min(row + 6u, last) * p.in4;
  let x7 = xb + min(row + 7u, last) * p.in4;
  var at = p.w_offset + (b / p.w_div) * p.w_stride + col;
  var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
  var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
  for (var k = 0u; k < p.in4; k++) {
    let w0 = w[at]; let w1 = w[at + p.out4]; let w2 = w[at + 2u * p.out4]; let w3 = w[at + 3u * p.out4];
    at += 4u * p.out4;
    a0 += dot4(x[x0 + k], w0, w1, w2, w3);
    a1 += dot4(x[x1 + k], w0, w1, w2, w3);
    a2 += dot4(x[x2 + k], w0, w1, w2, w3);
    a3 += dot4(x[x3 + k], w0, w1, w2, w3);
    a4 += dot4(x[x4 + k], w0, w1, w2, w3);
    a5 += dot4(x[x5 + k], w0, w1, w2, w3);
    a6 += dot4(x[x6 + k], w0, w1, w2, w3);
    a7 += dot4(x[x7 + k], w0, w1, w2, w3);
  }
  put(b, row, col, a0); put(b, row + 1u, col, a1); put(b, row + 2u, col, a2); put(b, row + 3u, col, a3);
  put(b, row + 4u, col, a4); put(b, row + 5u, col, a5); put(b, row + 6u, col, a6); put(b, row + 7u, col, a7);
}
