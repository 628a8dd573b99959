// convolution: Y(i, c) = sum over taps t and channels d of X(i + o_t, d) W_t(d, c) (+ bias c) (+ Y(i, c)), on a square lattice.
//
// A site i = (row, column) of side x side sees what comes before it in row-major order: tap t has the offset
// o_t = (t / (2 h + 1) - h, t % (2 h + 1) - h); beyond the edges X is 0. Taps behind the last are neither stored nor visited.
//   X     rows of x4 vec4, unit (i, d) at word i inputs + d; IN1 = 1, IN4 = 0: one input; else a multiple of 4
//   W     from vec4 w_offset on: taps x inputs rows of ceil(outputs / 4) vec4, padding 0
//   bias  from vec4 b_offset of the same buffer on (flag 1)
//   Y     rows of y4 vec4, unit (i, c) at word i outputs + c, OUT1 and OUT4 as IN1 and IN4; padding becomes 0
//   flag 2: add to what Y holds; flag 4: offsets -o_t, with W_t transposed the reverse mode
// One invocation owns ROWS samples x 4 COLS channels of one site in registers: ROWS + 4 COLS loads of vec4 for 16 ROWS COLS
// multiply-adds, and neighbouring lanes share both through the caches: bound by multiply-adds on GPUs, by loads on CPU
// drivers. Trips: taps (1 + inputs / 4) + 4.
struct Params {
  rows: u32, side: u32, half: u32, taps: u32,
  inputs: u32, outputs: u32, x4: u32, y4: u32,
  w_offset: u32, b_offset: u32, flags: u32, pad0: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
#for o in OUT4
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn put(row: u32, site: u32, col: u32, value: vec4<f32>) {
  let out4 = p.outputs / 4u;
  if (row >= p.rows || col >= out4) { return; }
  let at = row * p.y4 + site * out4 + col;
  var v = value;
  if ((p.flags & 1u) != 0u) { v += w[p.b_offset + col]; }
  if ((p.flags & 2u) != 0u) { v += y[at]; }
  y[at] = v;
}
#end
#for o in OUT1
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn put(row: u32, site: u32, col: u32, value: vec4<f32>) {
  if (row >= p.rows) { return; }
  let at = 4u * row * p.y4 + site;
  var v = value.x;
  if ((p.flags & 1u) != 0u) { v += w[p.b_offset].x; }
  if ((p.flags & 2u) != 0u) { v += y[at]; }
  y[at] = v;
  if (site + 1u == p.side * p.side) { for (var k = at + 1u; k < 4u * (row + 1u) * p.y4; k++) { y[k] = 0.0; } }
}
#end

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let sites = p.side * p.side;
  let out4 = (p.outputs + 3u) / 4u;
  let columns = (out4 + COLS - 1u) / COLS;
  let col = id % columns * COLS;
  let site = (id / columns) % sites;
  let row = id / (columns * sites) * ROWS;
  if (row >= p.rows) { return; }
  #for r in ROWS
  let x$r = min(row + $ru, p.rows - 1u) * p.x4;
  #end
  #for c in COLS
  let col$c = min(col + $cu, out4 - 1u);
  #end
  var a: array<vec4<f32>, ROWS * COLS>;
  // below 0 they wrap to large numbers
  let reverse = (p.flags & 4u) != 0u;
  let stride = select(1u, 0xffffffffu, reverse);
  let above = site / p.side - stride * p.half;
  let left = site % p.side - stride * p.half;
  var dy = 0u;
  var dx = 0u;
  var at = p.w_offset;
  for (var t = 0u; t < p.taps; t++) {
    let i = above + stride * dy;
    let j = left + stride * dx;
    if (i < p.side && j < p.side) {
      let source = i * p.side + j;
      #for o in IN1
      #for c in COLS
      let m$c = w[at + col$c];
      #end
      #for r in ROWS
      {
        let v = x[x$r + source / 4u][source % 4u];
        #for c in COLS
        a[$cu * ROWS + $ru] += v * m$c;
        #end
      }
      #end
      #end
      #for o in IN4
      let in4 = p.inputs / 4u;
      for (var k = 0u; k < in4; k++) {
        let m = at + 4u * k * out4;
        #for c in COLS
        let p$c = w[m + col$c]; let q$c = w[m + out4 + col$c]; let r$c = w[m + 2u * out4 + col$c]; let s$c = w[m + 3u * out4 + col$c];
        #end
        #for r in ROWS
        {
          let v = x[x$r + source * in4 + k];
          #for c in COLS
          a[$cu * ROWS + $ru] += v.x * p$c + v.y * q$c + v.z * r$c + v.w * s$c;
          #end
        }
        #end
      }
      #end
    }
    at += p.inputs * out4;
    dx++;
    if (dx > 2u * p.half) { dx = 0u; dy++; }
  }
  #for r in ROWS
  #for c in COLS
  put(row + $ru, site, col + $cu, a[$cu * ROWS + $ru]);
  #end
  #end
}
