// gram: C_IJ = beta C_IJ + alpha sum_k X[i][k] Y[j][k] for blocks of BLOCK x BLOCK, all in f32.
//
//   rows X: source row x_row + i, Y: source row y_row + j, from column 4 column4 on, 4 depth4 columns;
//   source row-major with 4 source_ld4 columns; target row-major with 4 target_ld4 columns, block (0, 0)
//   at row target_row and column 4 target_column4; block_columns = 0: lower triangle of block_rows blocks
// Serves Gram matrices (X = Y), the trailing update of a Cholesky factorisation (alpha = -1, beta = 1) and
// its panel (Y = inverse of the diagonal block). A workgroup owns a block, an invocation 8 ROWS x 8 ROWS of it in
// registers: ROWS 1 on GPUs, 2 on CPU drivers, where loads are what costs. Skipped if gate[SKIP_FACTOR] = 1. Trips: depth4.
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

fn put(at: u32, value: vec4<f32>) {
  var a = p.alpha * value;
  if (p.beta != 0.0) { a += p.beta * target_matrix[at]; }
  target_matrix[at] = a;
}

const TILE = 8u * ROWS;
const SIDE = BLOCK / TILE;

@compute @workgroup_size(SIDE * SIDE)
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
  let i = BLOCK * bi + TILE * (lane / SIDE);
  let j = BLOCK * bj + TILE * (lane % SIDE);
  var x = (p.x_row + i) * p.source_ld4 + p.column4;
  var y = (p.y_row + j) * p.source_ld4 + p.y_column4;
  let s = p.source_ld4;
  // row r, column block c: sum[r][c]
  var sum: array<array<vec4<f32>, 2u * ROWS>, TILE>;
  for (var k = 0u; k < p.depth4; k++) {
    var columns: array<mat4x4<f32>, 2u * ROWS>;
    #for h in ROWS
    columns[2u * $hu] = transpose(mat4x4<f32>(source[y + 8u * $hu * s], source[y + (8u * $hu + 1u) * s], source[y + (8u * $hu + 2u) * s], source[y + (8u * $hu + 3u) * s]));
    columns[2u * $hu + 1u] = transpose(mat4x4<f32>(source[y + (8u * $hu + 4u) * s], source[y + (8u * $hu + 5u) * s], source[y + (8u * $hu + 6u) * s], source[y + (8u * $hu + 7u) * s]));
    #end
    #for g in ROWS
    #for r in 8
    {
      let v = source[x + (8u * $gu + $ru) * s];
      #for h in ROWS
      sum[8u * $gu + $ru][2u * $hu] += dot4(v, columns[2u * $hu]);
      sum[8u * $gu + $ru][2u * $hu + 1u] += dot4(v, columns[2u * $hu + 1u]);
      #end
    }
    #end
    #end
    x += 1u;
    y += 1u;
  }
  let at = (p.target_row + i) * p.target_ld4 + p.target_column4 + j / 4u;
  #for g in ROWS
  #for r in 8
  #for h in ROWS
  put(at + (8u * $gu + $ru) * p.target_ld4 + 2u * $hu, sum[8u * $gu + $ru][2u * $hu]);
  put(at + (8u * $gu + $ru) * p.target_ld4 + 2u * $hu + 1u, sum[8u * $gu + $ru][2u * $hu + 1u]);
  #end
  #end
  #end
}
