// convolution_outer: G_b(t, d, c) = sum over rows and sites i of X(i + o_t, d) Y(i, c), and of Y(i, c) alone: gradients by the
// weights and the bias of a convolution.
//
//   offsets o_t, units of X and Y, IN1, IN4, OUT1, OUT4 as in `convolution`; rows of x4 and y4 vec4
//   row q < count of batch b is first + b inner + q
//   G_b from word g_offset + b g_stride on: (t inputs + d) outputs + c, only live taps; flag 1: the bias from word
//   bias + b g_stride on, the tap that sees 1 at every site; flag 2: add to what G holds
// One invocation owns 4 ROWS x 4 COLS entries of one tap: ROWS + COLS loads of vec4 for 16 ROWS COLS multiply-adds at every
// site that the tap reaches; bound by loads. Trips: count (1 + side (1 + side)) + 16 ROWS COLS.
struct Params {
  batches: u32, inner: u32, count: u32, first: u32,
  side: u32, half: u32, taps: u32, inputs: u32,
  outputs: u32, x4: u32, y4: u32, g_offset: u32,
  g_stride: u32, bias: u32, flags: u32, pad0: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> g: array<f32>;

fn put(at: u32, col: u32, value: vec4<f32>) {
  let end = min(p.outputs, col + 4u);
  for (var c = col; c < end; c++) {
    var v = value[c - col];
    if ((p.flags & 2u) != 0u) { v += g[at + c]; }
    g[at + c] = v;
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let in4 = (p.inputs + 3u) / 4u;
  let out4 = (p.outputs + 3u) / 4u;
  let columns = (out4 + COLS - 1u) / COLS;
  let blocks = (in4 + ROWS - 1u) / ROWS;
  let c = id % columns * COLS;
  let d = (id / columns) % blocks * ROWS;
  let t = (id / (columns * blocks)) % (p.taps + (p.flags & 1u));
  let b = id / (columns * blocks * (p.taps + (p.flags & 1u)));
  let ones = t == p.taps;
  if (b >= p.batches || (ones && d > 0u)) { return; }
  let span = 2u * p.half + 1u;
  // the tap's site is (i + up - half, j + side - half)
  let dy = select(t / span, p.half, ones);
  let dx = select(t % span, p.half, ones);
  // sites whose tap lies on the lattice; no live tap lies below its site
  let top = min(p.half - dy, p.side);
  let left = min(select(0u, p.half - dx, dx < p.half), p.side);
  let right = p.side - min(select(0u, dx - p.half, dx > p.half), p.side);
  #for r in ROWS
  let d$r = min(d + $ru, in4 - 1u);
  #end
  #for k in COLS
  let c$k = min(c + $ku, out4 - 1u);
  #end
  var a: array<vec4<f32>, 4u * ROWS * COLS>;
  for (var q = 0u; q < p.count; q++) {
    let row = p.first + b * p.inner + q;
    for (var i = top; i < p.side; i++) {
      for (var j = left; j < right; j++) {
        let to = i * p.side + j;
        let source = (i + dy - p.half) * p.side + j + dx - p.half;
        #for o in OUT1
        let y0 = vec4<f32>(y[row * p.y4 + to / 4u][to % 4u], 0.0, 0.0, 0.0);
        #end
        #for o in OUT4
        #for k in COLS
        let y$k = y[row * p.y4 + to * out4 + c$k];
        #end
        #end
        #for r in ROWS
        var x$r = vec4<f32>(1.0, 0.0, 0.0, 0.0);
        #end
        if (!ones) {
          #for o in IN1
          x0.x = x[row * p.x4 + source / 4u][source % 4u];
          #end
          #for o in IN4
          #for r in ROWS
          x$r = x[row * p.x4 + source * in4 + d$r];
          #end
          #end
        }
        #for r in ROWS
        #for k in COLS
        #for e in 4
        a[4u * ($ru * COLS + $ku) + $eu] += x$r[$e] * y$k;
        #end
        #end
        #end
      }
    }
  }
  let place = p.g_offset + b * p.g_stride + t * p.inputs * p.outputs;
  if (ones) {
    #for k in COLS
    put(p.bias + b * p.g_stride, 4u * (c + $ku), a[4u * $ku]);
    #end
    return;
  }
  #for r in ROWS
  #for e in 4
  if (4u * (d + $ru) + $eu < p.inputs) {
    #for k in COLS
    put(place + (4u * (d + $ru) + $eu) * p.outputs, 4u * (c + $ku), a[4u * ($ru * COLS + $ku) + $eu]);
    #end
  }
  #end
  #end
}
