// cholesky: the steps between the block products of A + regularisation = L L^T, blocks of BLOCK.
//
//   matrix [4 ld4][4 ld4], lower block triangle; rows past `order` are zero
//   phase 0 (before the Gram matrix): attempt 0 starts afresh; a later one only if the former broke down
//   phase 1 (after it): TRACE = tr A; REGULARISED = damping + shift TRACE; not finite: STATUS |= 1
//   phase 2: diagonal block `block`: adds REGULARISED (1 in rows past `order`), then replaces the block
//            by the inverse of its Cholesky factor (lower triangle, zeros above): elimination without
//            pivoting in place leaves the inverse of the unit factor below the diagonal. A pivot that is
//            not positive stops the attempt (BREAKDOWN).
//   phase 3 (after the last attempt): a breakdown becomes STATUS |= 2, SKIP_SOLVE = 1
// One workgroup. Trips: order / WG + 8, or BLOCK (2 + BLOCK^2 / 4 / WG).
struct Params { phase: u32, order: u32, ld4: u32, block: u32, damping: f32, shift: f32, attempt: u32, pad0: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> matrix: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;

const BLOCK4 = BLOCK / 4u;

var<workgroup> partial: array<f32, WG>;
var<workgroup> factor: array<f32, BLOCK>;
var<workgroup> diagonal: array<f32, BLOCK>;
var<workgroup> word: u32;

// A state word, the same for the whole workgroup.
fn state_word(index: u32, lane: u32) -> u32 {
  if (lane == 0u) { word = state[index]; }
  return workgroupUniformLoad(&word);
}

fn trace_of(lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < p.order; i += WG) { sum += matrix[i * p.ld4 + i / 4u][i % 4u]; }
  partial[lane] = sum;
  workgroupBarrier();
  for (var s = WG / 2u; s > 0u; s >>= 1u) {
    if (lane < s) { partial[lane] += partial[lane + s]; }
    workgroupBarrier();
  }
  if (lane == 0u) {
    let trace = partial[0];
    state[TRACE] = bitcast<u32>(trace);
    state[REGULARISED] = bitcast<u32>(p.damping + p.shift * shift_factor(state[RAISED]) * trace);
    if (!is_finite(trace)) {
      state[STATUS] |= 1u;
      state[SKIP_FACTOR] = 1u;
      state[BREAKDOWN] = 0u;
    }
  }
}

fn diagonal_block(lane: u32) {
  let base = BLOCK * p.block * p.ld4 + BLOCK4 * p.block;
  let regularised = bitcast<f32>(state_word(REGULARISED, lane));
  for (var j = 0u; j < BLOCK; j++) {
    let added = select(1.0, regularised, BLOCK * p.block + j < p.order);
    let d = matrix[base + j * p.ld4 + j / 4u][j % 4u] + added;
    if (lane == 0u) { diagonal[j] = d; }
    for (var i = j + 1u + lane; i < BLOCK; i += WG) { factor[i] = matrix[base + i * p.ld4 + j / 4u][j % 4u] / d; }
    storageBarrier();
    workgroupBarrier();
    for (var e = lane; e < (BLOCK - 1u - j) * BLOCK4; e += WG) {
      let i = j + 1u + e / BLOCK4;
      let c = e % BLOCK4;
      var v = matrix[base + i * p.ld4 + c] - factor[i] * matrix[base + j * p.ld4 + c];
      if (c == j / 4u) { v[j % 4u] = -factor[i]; }
      matrix[base + i * p.ld4 + c] = v;
    }
    storageBarrier();
    workgroupBarrier();
  }
  for (var e = lane; e < BLOCK * BLOCK4; e += WG) {
    let i = e / BLOCK4;
    let c = e % BLOCK4;
    let column = vec4<u32>(4u * c, 4u * c + 1u, 4u * c + 2u, 4u * c + 3u);
    var v = select(matrix[base + i * p.ld4 + c], vec4<f32>(1.0), column == vec4<u32>(i));
    v = select(v, vec4<f32>(), column > vec4<u32>(i));
    matrix[base + i * p.ld4 + c] = v / sqrt(diagonal[i]);
  }
  if (lane == 0u) {
    for (var j = 0u; j < BLOCK; j++) {
      if (!(diagonal[j] > 0.0) || !is_finite(diagonal[j])) {
        state[BREAKDOWN] = 1u;
        state[SKIP_FACTOR] = 1u;
      }
    }
  }
}

fn start() {
  if (p.attempt == 0u) {
    for (var i = 0u; i < 16u; i++) { state[i] = 0u; }
  } else {
    state[SKIP_FACTOR] = select(1u, 0u, state[BREAKDOWN] == 1u);
  }
  if (state[SKIP_FACTOR] == 0u) { state[ATTEMPTS] += 1u; }
  state[BREAKDOWN] = 0u;
}

fn finish() {
  if (state[BREAKDOWN] == 1u) { state[STATUS] |= 2u; }
  if (state[STATUS] != 0u) { state[SKIP_SOLVE] = 1u; }
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  // no invocation leaves before the others where barriers follow
  if (p.phase == 0u || p.phase == 3u) {
    if (lane == 0u) {
      if (p.phase == 0u) { start(); } else { finish(); }
    }
    return;
  }
  if (state_word(SKIP_FACTOR, lane) == 1u) { return; }
  if (p.phase == 1u) { trace_of(lane); } else { diagonal_block(lane); }
}
