// linear: Y_b = X_b W_b (+ bias) (+ Y_b), batched row-major matrices, last dimension padded to 4.
//
//   X_b  rows x 4 in4     at x_offset + b x_stride   (vec4 units)
//   W_b  4 in4 x 4 out4   at w_offset + (b / w_div) w_stride; one W for all: batches = 1
//   Y_b  rows x 4 out4    at y_offset + b y_stride
//   bias 4 out4           at b_offset of W's buffer, added to rows r with r % period == 0 (flag 1)
//   flag 2: add to what Y holds
// MASK 1: W is 0 where a mask by sites forbids (x_site units of X and y_site of Y a site), and units of X that no column of an
//   invocation's sees are not read: columns of site i see the sites j < i (flag 16), j > i (flag 4), and j = i too (flag 8);
//   with all three flags j = i alone. Without it the last two Params mean nothing.
// One invocation owns ROWS rows x 4 COLS columns in registers: 8 x 12 at the most on GPUs, 16 x 16 of large products where loads
// are what costs. Trips: in4 + 1. Padding of X and W must be 0.
struct Params {
  batches: u32, rows: u32, in4: u32, out4: u32,
  x_offset: u32, x_stride: u32, w_offset: u32, w_stride: u32,
  w_div: u32, y_offset: u32, y_stride: u32, b_offset: u32,
  period: u32, flags: u32, x_site: u32, y_site: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn dot4(a: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
  return a.x * w0 + a.y * w1 + a.z * w2 + a.w * w3;
}

fn put(b: u32, row: u32, col: u32, value: vec4<f32>) {
  if (row >= p.rows || col >= p.out4) { return; }
  let at = p.y_offset + b * p.y_stride + row * p.out4 + col;
  var v = value;
  if ((p.flags & 1u) != 0u && row % p.period == 0u) { v += w[p.b_offset + col]; }
  if ((p.flags & 2u) != 0u) { v += y[at]; }
  y[at] = v;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let tiles = (p.rows + ROWS - 1u) / ROWS;
  let columns = (p.out4 + COLS - 1u) / COLS;
  let col = id % columns * COLS;
  let tile = (id / columns) % tiles;
  let b = id / (columns * tiles);
  if (b >= p.batches) { return; }
  let row = tile * ROWS;
  let last = p.rows - 1u;
  let xb = p.x_offset + b * p.x_stride;
  #for r in ROWS
  let x$r = xb + min(row + $ru, last) * p.in4;
  #end
  var at = p.w_offset + (b / p.w_div) * p.w_stride;
  #for c in COLS
  let col$c = min(col + $cu, p.out4 - 1u);
  #end
  var a: array<vec4<f32>, ROWS * COLS>;
  var begin = 0u;
  var end = p.in4;
  if (MASK == 1u) {
    let own = (p.flags >> 3u) & 1u;
    if ((p.flags & 16u) != 0u) { end = min(end, (((4u * (col + COLS) - 1u) / p.y_site + own) * p.x_site + 3u) / 4u); }
    if ((p.flags & 4u) != 0u) { begin = (4u * col / p.y_site + 1u - own) * p.x_site / 4u; }
    at += 4u * begin * p.out4;
  }
  for (var k = begin; k < end; k++) {
    #for c in COLS
    let w0_$c = w[at + col$c]; let w1_$c = w[at + p.out4 + col$c]; let w2_$c = w[at + 2u * p.out4 + col$c]; let w3_$c = w[at + 3u * p.out4 + col$c];
    #end
    at += 4u * p.out4;
    #for r in ROWS
    {
      let v = x[x$r + k];
      #for c in COLS
      a[$cu * ROWS + $ru] += dot4(v, w0_$c, w1_$c, w2_$c, w3_$c);
      #end
    }
    #end
  }
  #for r in ROWS
  #for c in COLS
  put(b, row + $ru, col + $cu, a[$cu * ROWS + $ru]);
  #end
  #end
}
