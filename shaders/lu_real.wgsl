// lu_real: ln|det A|, sign det A and (inverse = 1) A^-1 of a batch of real matrices.
//
//   matrices, work, inverse_out   [batch][ld][ld] f32 (ld = 4 ld4, order <= ld, padding zero); input kept
//   logdet, sign                  [batch] f32; status [batch] u32: 1 zero or non-finite pivot, 2 pivots
//                                 differ by more than 1e3, 4 a pivot was not finite
// A workgroup owns a matrix; WG is 8 on CPU drivers, 64 .. 256 on GPUs. Panels of 4 columns (one vec4 a
// row) are reduced by Gauss-Jordan steps with partial pivoting, which leaves C = -A_IJ A_JJ^-1 in the
// panel; then A_Ic += C A_Jc. Rows below the panel alone give the determinant, all rows the inverse
// (Higham, Accuracy and Stability, ch. 14). Pivots compare on 13 bits, ties to the smaller row.
// The determinant is a product of mantissas with separate exponents: no overflow, no sum of logarithms.
// Trips: see determinant.rs.
struct Params { batch: u32, order: u32, ld4: u32, inverse: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrices: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> logdet: array<f32>;
@group(0) @binding(4) var<storage, read_write> sign_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> inverse_out: array<vec4<f32>>;

var<workgroup> best_key: array<atomic<u32>, 2>;
var<workgroup> swapped: array<u32, 1024>;
var<workgroup> source_column: array<u32, 1024>;

fn pivot_key(x: f32, row: u32) -> u32 {
  return (bitcast<u32>(abs(x)) & 0xfffffc00u) | (1023u - row);
}

fn entry(base: u32, row: u32, column: u32) -> f32 {
  if (column >= p.order) { return 0.0; }
  let at = source_column[column];
  return work[base + row * p.ld4 + at / 4u][at % 4u];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = flat_group(group, groups);
  if (b >= p.batch) { return; }
  let m = p.order;
  let ld4 = p.ld4;
  let full = p.inverse != 0u;
  let base = b * 4u * ld4 * ld4;
  for (var e = lane; e < 4u * ld4 * ld4; e += WG) { work[base + e] = matrices[base + e]; }
  if (lane < 2u) { atomicStore(&best_key[lane], 0u); }
  storageBarrier();
  workgroupBarrier();

  var mantissa = 1.0;
  var exponent = 0;
  var largest = 0.0;
  var smallest = 3e38;
  var flags = 0u;
  for (var k0 = 0u; k0 < m; k0 += 4u) {
    let col = k0 / 4u;
    let end = min(k0 + 4u, m);
    var best = 0u;
    for (var i = k0 + lane; i < m; i += WG) { best = max(best, pivot_key(work[base + i * ld4 + col].x, i)); }
    if (best != 0u) { atomicMax(&best_key[0], best); }
    for (var k = k0; k < end; k++) {
      storageBarrier();
      workgroupBarrier();
      let q = k - k0;
      let winner = atomicLoad(&best_key[k & 1u]);
      let r = 1023u - (winner & 1023u);
      let pivot_row = work[base + r * ld4 + col];
      let displaced = work[base + k * ld4 + col];
      if (lane == 0u) {
        atomicStore(&best_key[(k + 1u) & 1u], 0u);
        swapped[k] = r;
      }
      storageBarrier();
      workgroupBarrier();
      let pivot = pivot_row[q];
      let size = abs(pivot);
      largest = max(largest, size);
      smallest = min(smallest, size);
      var reciprocal = 0.0;
      if (!finite(pivot)) {
        flags |= 5u;
      } else if (size < 1.2e-38) {
        flags |= 1u;
      } else {
        reciprocal = 1.0 / pivot;
        let e = exponent_of(pivot);
        mantissa *= pivot * power_of_two(-e);
        let f = exponent_of(mantissa);
        mantissa *= power_of_two(-f);
        exponent += e + f;
      }
      if (r != k) { mantissa = -mantissa; }
      let here = vec4<bool>(q == 0u, q == 1u, q == 2u, q == 3u);
      let next = min(q + 1u, 3u);
      best = 0u;
      for (var i = select(k, 0u, full) + lane; i < m; i += WG) {
        let at = base + i * ld4 + col;
        if (i == k) {
          work[at] = select(pivot_row * reciprocal, vec4<f32>(reciprocal), here);
        } else {
          var v = displaced;
          if (i != r) { v = work[at]; }
          let factor = v[q] * reciprocal;
          v = select(v - factor * pivot_row, vec4<f32>(-factor), here);
          work[at] = v;
          if (i > k) { best = max(best, pivot_key(v[next], i)); }
        }
      }
      if (k + 1u < end && best != 0u) { atomicMax(&best_key[(k + 1u) & 1u], best); }
    }
    storageBarrier();
    workgroupBarrier();

    let first = select(col + 1u, 0u, full);
    let columns = ld4 - first;
    for (var c = first + lane; c < ld4; c += WG) {
      if (c == col) { continue; }
      for (var k = k0; k < end; k++) {
        let r = swapped[k];
        if (r != k) {
          let held = work[base + k * ld4 + c];
          work[base + k * ld4 + c] = work[base + r * ld4 + c];
          work[base + r * ld4 + c] = held;
        }
      }
    }
    storageBarrier();
    workgroupBarrier();
    let split = max(1u, WG / max(columns, 1u));
    for (var t = lane; t < columns * split; t += WG) {
      let c = first + t % columns;
      if (c == col) { continue; }
      let at = base + k0 * ld4 + c;
      let a0 = work[at]; let a1 = work[at + ld4]; let a2 = work[at + 2u * ld4]; let a3 = work[at + 3u * ld4];
      for (var i = select(k0 + 4u, 0u, full) + t / columns; i < m; i += split) {
        if (i - k0 < 4u) { continue; }
        let row = base + i * ld4;
        let f = work[row + col];
        work[row + c] += f.x * a0 + f.y * a1 + f.z * a2 + f.w * a3;
      }
    }
    storageBarrier();
    workgroupBarrier();
    if (full) {
      for (var c = lane; c < ld4; c += WG) {
        if (c == col) { continue; }
        let at = base + k0 * ld4 + c;
        let a0 = work[at]; let a1 = work[at + ld4]; let a2 = work[at + 2u * ld4]; let a3 = work[at + 3u * ld4];
        for (var i = k0; i < k0 + 4u; i++) {
          let row = base + i * ld4;
          let f = work[row + col];
          work[row + c] = f.x * a0 + f.y * a1 + f.z * a2 + f.w * a3;
        }
      }
      storageBarrier();
      workgroupBarrier();
    }
  }

  if (largest > 1e3 * smallest) { flags |= 2u; }
  let singular = (flags & 1u) != 0u;
  if (lane == 0u) {
    logdet[b] = select(ln_scaled(abs(mantissa), exponent), -1e30, singular);
    sign_out[b] = select(sign(mantissa), 0.0, singular);
    status[b] = flags;
  }
  if (!full) { return; }
  for (var j = lane; j < m; j += WG) { source_column[j] = j; }
  workgroupBarrier();
  if (lane == 0u) {
    for (var k = m; k > 0u; k--) {
      let r = swapped[k - 1u];
      let held = source_column[k - 1u];
      source_column[k - 1u] = source_column[r];
      source_column[r] = held;
    }
  }
  workgroupBarrier();
  for (var e = lane; e < 4u * ld4 * ld4; e += WG) {
    let i = e / ld4;
    let j = 4u * (e % ld4);
    var v = vec4<f32>();
    if (i < m && !singular) { v = vec4<f32>(entry(base, i, j), entry(base, i, j + 1u), entry(base, i, j + 2u), entry(base, i, j + 3u)); }
    inverse_out[base + e] = v;
  }
}
