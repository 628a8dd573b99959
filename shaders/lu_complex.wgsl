// lu_complex: ln|det A|, arg det A and (inverse = 1) A^-1 of a batch of complex matrices.
//
//   matrices, inverse_out   [batch][order][order] vec2 (re, im), row-major, no padding; input kept
//   work                    [batch][4 ld4 rows][2][ld4] vec4: real and imaginary parts apart, padding zero
//   logdet, phase           [batch] f32, phase in (-pi, pi]; status [batch] u32 as in lu_real
// The algorithm and the mapping of lu_real. Pivots compare by the larger of |re| and |im|.
// Trips: see determinant.rs.
struct Params { batch: u32, order: u32, ld4: u32, inverse: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrices: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> logdet: array<f32>;
@group(0) @binding(4) var<storage, read_write> phase_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> inverse_out: array<vec2<f32>>;

var<workgroup> best_key: array<atomic<u32>, 2>;
var<workgroup> swapped: array<u32, 1024>;
var<workgroup> source_column: array<u32, 1024>;

fn pivot_key(x: vec2<f32>, row: u32) -> u32 {
  return (bitcast<u32>(size_of(x)) & 0xfffffc00u) | (1023u - row);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = flat_group(group, groups);
  if (b >= p.batch) { return; }
  let m = p.order;
  let ld4 = p.ld4;
  let full = p.inverse != 0u;
  let base = b * 8u * ld4 * ld4;
  let stride = 2u * ld4;
  for (var e = lane; e < 4u * ld4 * ld4; e += WG) {
    let i = e / ld4;
    let j = 4u * (e % ld4);
    var re = vec4<f32>();
    var im = vec4<f32>();
    for (var q = 0u; q < min(4u, m - min(j, m)); q++) {
      if (i < m) {
        let v = matrices[(b * m + i) * m + j + q];
        re[q] = v.x;
        im[q] = v.y;
      }
    }
    work[base + i * stride + e % ld4] = re;
    work[base + i * stride + ld4 + e % ld4] = im;
  }
  if (lane < 2u) { atomicStore(&best_key[lane], 0u); }
  storageBarrier();
  workgroupBarrier();

  var mantissa = vec2<f32>(1.0, 0.0);
  var exponent = 0;
  var largest = 0.0;
  var smallest = 3e38;
  var flags = 0u;
  for (var k0 = 0u; k0 < m; k0 += 4u) {
    let col = k0 / 4u;
    let end = min(k0 + 4u, m);
    var best = 0u;
    for (var i = k0 + lane; i < m; i += WG) {
      let at = base + i * stride + col;
      best = max(best, pivot_key(vec2<f32>(work[at].x, work[at + ld4].x), i));
    }
    if (best != 0u) { atomicMax(&best_key[0], best); }
    for (var k = k0; k < end; k++) {
      storageBarrier();
      workgroupBarrier();
      let q = k - k0;
      let winner = atomicLoad(&best_key[k & 1u]);
      let r = 1023u - (winner & 1023u);
      let pivot_re = work[base + r * stride + col];
      let pivot_im = work[base + r * stride + ld4 + col];
      let displaced_re = work[base + k * stride + col];
      let displaced_im = work[base + k * stride + ld4 + col];
      if (lane == 0u) {
        atomicStore(&best_key[(k + 1u) & 1u], 0u);
        swapped[k] = r;
      }
      storageBarrier();
      workgroupBarrier();
      let pivot = vec2<f32>(pivot_re[q], pivot_im[q]);
      let size = size_of(pivot);
      largest = max(largest, size);
      smallest = min(smallest, size);
      var reciprocal = vec2<f32>();
      if (!finite(size)) {
        flags |= 5u;
      } else if (size < 1.2e-38) {
        flags |= 1u;
      } else {
        // scaled to [1, 2) so that no square over- or underflows
        let e = exponent_of(size);
        let scaled = pivot * power_of_two(-e);
        reciprocal = (vec2<f32>(scaled.x, -scaled.y) / dot(scaled, scaled)) * power_of_two(-e);
        mantissa = times(mantissa, scaled);
        let f = exponent_of(size_of(mantissa));
        mantissa *= power_of_two(-f);
        exponent += e + f;
      }
      if (r != k) { mantissa = -mantissa; }
      let here = vec4<bool>(q == 0u, q == 1u, q == 2u, q == 3u);
      let next = min(q + 1u, 3u);
      best = 0u;
      for (var i = select(k, 0u, full) + lane; i < m; i += WG) {
        let at = base + i * stride + col;
        if (i == k) {
          work[at] = select(pivot_re * reciprocal.x - pivot_im * reciprocal.y, vec4<f32>(reciprocal.x), here);
          work[at + ld4] = select(pivot_re * reciprocal.y + pivot_im * reciprocal.x, vec4<f32>(reciprocal.y), here);
        } else {
          var re = displaced_re;
          var im = displaced_im;
          if (i != r) { re = work[at]; im = work[at + ld4]; }
          let factor = times(vec2<f32>(re[q], im[q]), reciprocal);
          re = select(re - factor.x * pivot_re + factor.y * pivot_im, vec4<f32>(-factor.x), here);
          im = select(im - factor.x * pivot_im - factor.y * pivot_re, vec4<f32>(-factor.y), here);
          work[at] = re;
          work[at + ld4] = im;
          if (i > k) { best = max(best, pivot_key(vec2<f32>(re[next], im[next]), i)); }
        }
      }
      if (k + 1u < end && best != 0u) { atomicMax(&best_key[(k + 1u) & 1u], best); }
    }
    storageBarrier();
    workgroupBarrier();

    let first = select(col + 1u, 0u, full);
    let columns = ld4 - first;
    // swaps: every column of real parts, then of imaginary parts
    for (var t = lane; t < 2u * columns; t += WG) {
      let c = first + t % columns;
      if (c == col) { continue; }
      let top = base + c + (t / columns) * ld4;
      for (var k = k0; k < end; k++) {
        let r = swapped[k];
        if (r != k) {
          let held = work[top + k * stride];
          work[top + k * stride] = work[top + r * stride];
          work[top + r * stride] = held;
        }
      }
    }
    storageBarrier();
    workgroupBarrier();
    let split = max(1u, WG / max(columns, 1u));
    for (var t = lane; t < columns * split; t += WG) {
      let c = first + t % columns;
      if (c == col) { continue; }
      var at = base + k0 * stride + c;
      let a0 = work[at]; let b0 = work[at + ld4]; at += stride;
      let a1 = work[at]; let b1 = work[at + ld4]; at += stride;
      let a2 = work[at]; let b2 = work[at + ld4]; at += stride;
      let a3 = work[at]; let b3 = work[at + ld4];
      for (var i = select(k0 + 4u, 0u, full) + t / columns; i < m; i += split) {
        if (i - k0 < 4u) { continue; }
        let row = base + i * stride;
        let f = work[row + col];
        let g = work[row + ld4 + col];
        work[row + c] += (f.x * a0 + f.y * a1 + f.z * a2 + f.w * a3) - (g.x * b0 + g.y * b1 + g.z * b2 + g.w * b3);
        work[row + ld4 + c] += (f.x * b0 + f.y * b1 + f.z * b2 + f.w * b3) + (g.x * a0 + g.y * a1 + g.z * a2 + g.w * a3);
      }
    }
    storageBarrier();
    workgroupBarrier();
    if (full) {
      for (var c = lane; c < ld4; c += WG) {
        if (c == col) { continue; }
        var at = base + k0 * stride + c;
        let a0 = work[at]; let b0 = work[at + ld4]; at += stride;
        let a1 = work[at]; let b1 = work[at + ld4]; at += stride;
        let a2 = work[at]; let b2 = work[at + ld4]; at += stride;
        let a3 = work[at]; let b3 = work[at + ld4];
        for (var i = k0; i < k0 + 4u; i++) {
          let row = base + i * stride;
          let f = work[row + col];
          let g = work[row + ld4 + col];
          work[row + c] = (f.x * a0 + f.y * a1 + f.z * a2 + f.w * a3) - (g.x * b0 + g.y * b1 + g.z * b2 + g.w * b3);
          work[row + ld4 + c] = (f.x * b0 + f.y * b1 + f.z * b2 + f.w * b3) + (g.x * a0 + g.y * a1 + g.z * a2 + g.w * a3);
        }
      }
      storageBarrier();
      workgroupBarrier();
    }
  }

  if (largest > 1e3 * smallest) { flags |= 2u; }
  let singular = (flags & 1u) != 0u;
  if (lane == 0u) {
    // |mantissa| <= 2 sqrt 2: the larger part lies in [1, 2)
    logdet[b] = select(ln_scaled(length(mantissa), exponent), -1e30, singular);
    phase_out[b] = select(angle(mantissa.x, mantissa.y), 0.0, singular);
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
  for (var e = lane; e < m * m; e += WG) {
    let j = source_column[e % m];
    let at = base + (e / m) * stride + j / 4u;
    var v = vec2<f32>();
    if (!singular) { v = vec2<f32>(work[at][j % 4u], work[at + ld4][j % 4u]); }
    inverse_out[b * m * m + e] = v;
  }
}
