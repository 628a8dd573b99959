// masked_outer: G_b = lower triangle, by sites, of the sum over rows of Y_row^T X_row, or its diagonal: weight gradients of a
// masked layer.
//
//   row q < inner of batch b:  Y at y_offset + (b inner + q) y4, X at x_offset + (b inner + q) x4   (vec4 units)
//   Y has `outputs` columns a site, X has `inputs`; row (i, c) of G keeps the columns of sites j < i, or j <= i where
//   flag 1 (inclusive) is set, or j = i (flags 1 and 4), and stands behind the rows before it without gaps: as masked weights
//   are stored.
//   flag 2: add to what G holds.
//   G_b from word g_offset + b g_stride on.
// One invocation owns an 8 x 8 block; blocks outside of what is kept do nothing. Trips: inner.
struct Params {
  batches: u32, inner: u32, sites: u32, outputs: u32,
  inputs: u32, flags: u32, y_offset: u32, y4: u32,
  x_offset: u32, x4: u32, g_offset: u32, g_stride: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> g: array<f32>;

// Columns that row `row` keeps: from the first up to the end.
fn begin_of(row: u32) -> u32 { return select(0u, row / p.outputs * p.inputs, (p.flags & 4u) != 0u); }
fn end_of(row: u32) -> u32 { return (row / p.outputs + (p.flags & 1u)) * p.inputs; }

// What is added to.
fn held(at: u32) -> f32 {
  if ((p.flags & 2u) == 0u) { return 0.0; }
  return g[at];
}

fn put(b: u32, row: u32, col: u32, near: vec4<f32>, far: vec4<f32>) {
  if (row >= p.sites * p.outputs) { return; }
  let site = row / p.outputs;
  let begin = begin_of(row);
  let end = end_of(row);
  // sites that the rows of all sites before see
  let triangle = site * (site + 1u) / 2u - select(site, 0u, (p.flags & 1u) == 1u);
  let before = select(triangle, site, (p.flags & 4u) != 0u);
  let at = p.g_offset + b * p.g_stride + p.outputs * p.inputs * before + row % p.outputs * (end - begin) + col - begin;
  #for k in 4
  if (col + $ku >= begin && col + $ku < end) { g[at + $ku] = near[$k] + held(at + $ku); }
  if (col + 4u + $ku >= begin && col + 4u + $ku < end) { g[at + 4u + $ku] = far[$k] + held(at + 4u + $ku); }
  #end
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  let rows = p.sites * p.outputs;
  let rows8 = (rows + 7u) / 8u;
  let cols8 = (end_of(rows - 1u) + 7u) / 8u;
  let c = 2u * (id % cols8);
  let r = 2u * ((id / cols8) % rows8);
  let b = id / (cols8 * rows8);
  if (b >= p.batches || 4u * c >= end_of(min(4u * r + 7u, rows - 1u)) || 4u * c + 8u <= begin_of(4u * r)) { return; }
  let next_y = select(0u, 1u, r + 1u < p.y4);
  let next_x = select(0u, 1u, c + 1u < p.x4);
  // rows 0 to 3 (a) and 4 to 7 (e) by columns 0 to 3 and 4 to 7
  var a: array<vec4<f32>, 8>; var e: array<vec4<f32>, 8>;
  var yi = p.y_offset + b * p.inner * p.y4 + r;
  var xi = p.x_offset + b * p.inner * p.x4 + c;
  for (var q = 0u; q < p.inner; q++) {
    let v = y[yi]; let w = y[yi + next_y];
    let u = x[xi]; let t = x[xi + next_x];
    #for k in 4
    a[$k] += v[$k] * u; a[4 + $k] += v[$k] * t;
    e[$k] += w[$k] * u; e[4 + $k] += w[$k] * t;
    #end
    yi += p.y4; xi += p.x4;
  }
  #for k in 4
  put(b, 4u * r + $ku, 4u * c, a[$k], a[4 + $k]);
  put(b, 4u * r + 4u + $ku, 4u * c, e[$k], e[4 + $k]);
  #end
}
