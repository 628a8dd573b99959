// gram: C_IJ = beta C_IJ + alpha sum_k X[i][k] Y[j][k] for blocks of 64 x 64, all in f32.
//
//   rows X: source row x_row + i, Y: source row y_row + j, from column 4 column4 on, 4 depth4 columns;
//   source row-major with 4 source_ld4 columns; target row-major with 4 target_ld4 columns, block (0, 0)
//   at row target_row and column 4 target_column4; block_columns = 0: lower triangle of block_rows blocks
// Serves Gram matrices (X = Y), the trailing update of a Cholesky factorisation (alpha = -1, beta = 1) and
// its panel (Y = inverse of the diagonal block). A workgroup of 64 owns a block, an invocation 8 x 8 of
// it in registers. Skipped if gate[SKIP_FACTOR] = 1. Trips: depth4.
struct Params {
  block_rows: u32, block_columns: u32, depth4: u32, column4: u32,
  x_row: u32, y_row: u32, y_column4: u32, source_ld4: u32,
  target_row: u32, target_column4: u32, target_ld4: u32, pad0: u32,
  alpha: f32, beta: f32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> target_matrix: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gate: array<u32>;

fn dot4(a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
  return a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}

fn put(at: u32, low: vec4<f32>, high: vec4<f32>) {
  var a = p.alpha * low;
  var b = p.alpha * high;
  if (p.beta != 0.0) {
    a += p.beta * target_matrix[at];
    b += p.beta * target_matrix[at + 1u];
  }
  target_matrix[at] = a;
  target_matrix[at + 1u] = b;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups);
  if (gate[SKIP_FACTOR] == 1u) { return; }
  var bi = 0u;
  var bj = 0u;
  if (p.block_columns == 0u) {
    // the block row of the id-th block of a lower triangle
    bi = u32((sqrt(8.0 * f32(id) + 1.0) - 1.0) * 0.5);
    if (bi * (bi + 1u) / 2u > id) { bi -= 1u; }
    if ((bi + 1u) * (bi + 2u) / 2u <= id) { bi += 1u; }
    bj = id - bi * (bi + 1u) / 2u;
  } else {
    bi = id / p.block_columns;
    bj = id % p.block_columns;
  }
  if (bi >= p.block_rows) { return; }
  let i = 64u * bi + 8u * (lane / 8u);
  let j = 64u * bj + 8u * (lane % 8u);
  var x = (p.x_row + i) * p.source_ld4 + p.column4;
  var y = (p.y_row + j) * p.source_ld4 + p.y_column4;
  let s = p.source_ld4;
  var l0 = vec4<f32>(); var h0 = vec4<f32>();
  var l1 = vec4<f32>(); var h1 = vec4<f32>();
  var l2 = vec4<f32>(); var h2 = vec4<f32>();
  var l3 = vec4<f32>(); var h3 = vec4<f32>();
  var l4 = vec4<f32>(); var h4 = vec4<f32>();
  var l5 = vec4<f32>(); var h5 = vec4<f32>();
  var l6 = vec4<f32>(); var h6 = vec4<f32>();
  var l7 = vec4<f32>(); var h7 = vec4<f32>();
  for (var k = 0u; k < p.depth4; k++) {
    let low = transpose(mat4x4<f32>(source[y], source[y + s], source[y + 2u * s], source[y + 3u * s]));
    let high = transpose(mat4x4<f32>(source[y + 4u * s], source[y + 5u * s], source[y + 6u * s], source[y + 7u * s]));
    let x0 = source[x];
    l0 += dot4(x0, low); h0 += dot4(x0, high);
    let x1 = source[x + s];
    l1 += dot4(x1, low); h1 += dot4(x1, high);
    let x2 = source[x + 2u * s];
    l2 += dot4(x2, low); h2 += dot4(x2, high);
    let x3 = source[x + 3u * s];
    l3 += dot4(x3, low); h3 += dot4(x3, high);
    let x4 = source[x + 4u * s];
    l4 += dot4(x4, low); h4 += dot4(x4, high);
    let x5 = source[x + 5u * s];
    l5 += dot4(x5, low); h5 += dot4(x5, high);
    let x6 = source[x + 6u * s];
    l6 += dot4(x6, low); h6 += dot4(x6, high);
    let x7 = source[x + 7u * s];
    l7 += dot4(x7, low); h7 += dot4(x7, high);
    x += 1u;
    y += 1u;
  }
  let at = (p.target_row + i) * p.target_ld4 + p.target_column4 + j / 4u;
  let t = p.target_ld4;
  put(at, l0, h0);
  put(at + t, l1, h1);
  put(at + 2u * t, l2, h2);
  put(at + 3u * t, l3, h3);
  put(at + 4u * t, l4, h4);
  put(at + 5u * t, l5, h5);
  put(at + 6u * t, l6, h6);
  put(at + 7u * t, l7, h7);
}
