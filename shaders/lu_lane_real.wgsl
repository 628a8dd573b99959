// lu_lane_real: P A = L U, ln|det A|, sign det A and (inverse = 1) A^-1 = U^-1 L^-1 P of a batch of real matrices.
//
//   matrices, inverse_out   [batch][4 ld4][4 ld4] f32, padding zero; input kept
//   work                    [batch][size] vec4: rows [8 blocks][stride] of L and U (8 blocks columns) and of a block of
//                           8 columns of the inverse, then the row order [2 blocks] as exact floats
//   logdet, sign            [batch] f32; status [batch] u32: 1 zero or non-finite pivot, 2 pivots differ by more than
//                           1e3, 4 a pivot was not finite
// An invocation owns a matrix: for CPU drivers, where a load costs as much as tens of multiply-adds whoever shares it.
// Tiles of 8 x 8 live in registers and take all their products before they are stored once (left-looking, Golub and
// Van Loan, ch. 3). Rows never move: `order` says which row stands where. Panels of 4 columns are searched without being
// stored: the pivot rows so far are in registers and reduce each row again as it is loaded. Columns of the inverse, in
// the order of the pivots, pass through L and U as further columns of A and are scattered at the end. Blocks past the
// order hold a unit matrix; 1/pivot stands on the diagonal of U.
// The determinant is a product of mantissas with separate exponents: no overflow, no sum of logarithms.
// Loops test at their end where they can: drivers that mask lanes run the body once more otherwise. Trips: see lane.rs.
struct Params { batch: u32, order: u32, ld4: u32, blocks: u32, inverse: u32, stride: u32, size: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrices: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> logdet: array<f32>;
@group(0) @binding(4) var<storage, read_write> sign_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> inverse_out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = flat_group(group, groups) * WG + lane;
  if (b >= p.batch) { return; }
  let ld4 = p.ld4;
  let base = b * p.size;
  let order = base + 8u * p.blocks * p.stride;
  let source = b * 4u * ld4 * ld4;
  for (var g = 0u; g < 2u * p.blocks; g++) { work[order + g] = f32(4u * g) + vec4<f32>(0.0, 1.0, 2.0, 3.0); }

  var mantissa = 1.0;
  var exponent = 0;
  var largest = 0.0;
  var smallest = 3e38;
  var flags = 0u;
  for (var job = 0u; job < select(p.blocks, 2u * p.blocks, p.inverse != 0u); job++) {
    // a block of columns: of A, or of the inverse
    let solve = job >= p.blocks;
    let c = select(job, job - p.blocks, solve);
    let cq = select(2u * c, 2u * p.blocks, solve);
    for (var t = select(0u, c, solve); t < select(p.blocks, 2u * p.blocks, solve); t++) {
      // a tile: down the column, then for the inverse up again with U and the rows of the tile reversed
      let back = t >= p.blocks;
      let i = select(t, 2u * p.blocks - 1u - t, back);
      let first = work[order + 2u * i + select(0u, 1u, back)];
      let second = work[order + 2u * i + select(1u, 0u, back)];
      let row0 = vec4<u32>(select(first, first.wzyx, back));
      let row1 = vec4<u32>(select(second, second.wzyx, back));
      let at0 = base + row0 * p.stride;
      let at1 = base + row1 * p.stride;
      let unit = !back && i == c;
      #for h in 2
      #for r in 4
      let one$h$r = select(vec4<f32>(), vec4<f32>(vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>($ru)), unit && (solve || row$h[$r] >= p.order));
      var x$h$r = select(vec4<f32>(), one$h$r, $h == 0);
      var y$h$r = select(vec4<f32>(), one$h$r, $h == 1);
      #end
      #end
      if (back && i >= c) {
        #for h in 2
        #for r in 4
        x$h$r = work[at$h[$r] + cq];
        y$h$r = work[at$h[$r] + cq + 1u];
        #end
        #end
      }
      if (!solve) {
        let wide = cq + 1u < ld4;
        #for h in 2
        #for r in 4
        if (row$h[$r] < p.order) {
          x$h$r = matrices[source + row$h[$r] * ld4 + cq];
          if (wide) { y$h$r = matrices[source + row$h[$r] * ld4 + cq + 1u]; }
        }
        #end
        #end
      }
      var k = select(select(0u, 2u * c, solve), 2u * i + 2u, back);
      let end = select(2u * select(min(i, c), i, solve), ld4, back);
      if (k < end) {
        loop {
          let source_rows = base + vec4<u32>(work[order + k]) * p.stride + cq;
          #for j in 4
          let u$j = work[source_rows[$j]];
          let v$j = work[source_rows[$j] + 1u];
          #end
          #for h in 2
          #for r in 4
          let l$h$r = work[at$h[$r] + k];
          x$h$r -= l$h$r.x * u0 + l$h$r.y * u1 + l$h$r.z * u2 + l$h$r.w * u3;
          y$h$r -= l$h$r.x * v0 + l$h$r.y * v1 + l$h$r.z * v2 + l$h$r.w * v3;
          #end
          #end
          continuing {
            k++;
            break if k >= end;
          }
        }
      }
      if (solve || i < c) {
        // the triangle on the diagonal: L from above, U from below
        #for h in 2
        #for r in 4
        let d$h$r = work[at$h[$r] + 2u * i + select(0u, 1u, back)];
        let e$h$r = work[at$h[$r] + 2u * i + select(1u, 0u, back)];
        let f$h$r = select(vec4<f32>(), select(d$h$r, d$h$r.wzyx, back), vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(4u * $hu + $ru));
        let g$h$r = select(vec4<f32>(), select(e$h$r, e$h$r.wzyx, back), vec4<u32>(4u, 5u, 6u, 7u) < vec4<u32>(4u * $hu + $ru));
        x$h$r -= f$h$r.x * x00 + f$h$r.y * x01 + f$h$r.z * x02 + f$h$r.w * x03 + g$h$r.x * x10 + g$h$r.y * x11 + g$h$r.z * x12;
        y$h$r -= f$h$r.x * y00 + f$h$r.y * y01 + f$h$r.z * y02 + f$h$r.w * y03 + g$h$r.x * y10 + g$h$r.y * y11 + g$h$r.z * y12;
        let scale$h$r = select(1.0, select(select(d$h$r, d$h$r.wzyx, back), select(e$h$r, e$h$r.wzyx, back), $h == 1)[$r], back);
        x$h$r *= scale$h$r;
        y$h$r *= scale$h$r;
        #end
        #end
      }
      #for h in 2
      #for r in 4
      work[at$h[$r] + cq] = x$h$r;
      work[at$h[$r] + cq + 1u] = y$h$r;
      #end
      #end
    }
    if (solve) {
      // back from the order of the pivots; padding and singular matrices give zero
      let to0 = work[order + 2u * c];
      let to1 = work[order + 2u * c + 1u];
      let wide = 2u * c + 1u < ld4;
      for (var g = 0u; g < ld4; g++) {
        let rows = base + vec4<u32>(work[order + g]) * p.stride + cq;
        #for r in 4
        let out$r = 4u * source + (4u * g + $ru) * 4u * ld4;
        let keep$r = 4u * g + $ru < p.order && (flags & 1u) == 0u;
        let x$r = select(vec4<f32>(), work[rows[$r]], keep$r);
        #for j in 4
        inverse_out[out$r + u32(to0[$j])] = x$r[$j];
        #end
        if (wide) {
          let y$r = select(vec4<f32>(), work[rows[$r] + 1u], keep$r);
          #for j in 4
          inverse_out[out$r + u32(to1[$j])] = y$r[$j];
          #end
        }
        #end
      }
      continue;
    }
    for (var col = cq; col < min(cq + 2u, ld4); col++) {
      let left = col == cq;
      #for q in 4
      var pivot$q = vec4<f32>();
      var right$q = vec4<f32>();
      var at$q = 0u;
      var recip$q = 0.0;
      var low$q = vec4<f32>();
      #end
      for (var q = 0u; q < 4u; q++) {
        let place = 4u * col + q;
        var best = 0u;
        var winner = place;
        for (var g = col; g < ld4; g++) {
          let rows = base + vec4<u32>(work[order + g]) * p.stride + col;
          #for r in 4
          var v$r = work[rows[$r]];
          v$r -= (v$r.x * recip0) * pivot0;
          v$r -= (v$r.y * recip1) * pivot1;
          v$r -= (v$r.z * recip2) * pivot2;
          let key$r = bitcast<u32>(abs(select(select(v$r.x, v$r.y, q == 1u), select(v$r.z, v$r.w, q == 3u), q > 1u)));
          let take$r = key$r > best && 4u * g + $ru >= place;
          best = select(best, key$r, take$r);
          winner = select(winner, 4u * g + $ru, take$r);
          #end
        }
        let row = work[order + winner / 4u][winner % 4u];
        work[order + winner / 4u][winner % 4u] = work[order + col][q];
        work[order + col][q] = row;
        let at = base + u32(row) * p.stride + col;
        var v = work[at];
        let f0 = v.x * recip0; v -= f0 * pivot0;
        let f1 = v.y * recip1; v -= f1 * pivot1;
        let f2 = v.z * recip2; v -= f2 * pivot2;
        let pivot = v[q];
        let size = abs(pivot);
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
        if (place < p.order) {
          largest = max(largest, size);
          smallest = min(smallest, size);
        }
        if (winner != place) { mantissa = -mantissa; }
        #for k in 4
        if (q == $ku) {
          pivot$k = v;
          at$k = at;
          recip$k = reciprocal;
          low$k = vec4<f32>(f0, f1, f2, 0.0);
        }
        #end
      }
      if (left) {
        #for q in 4
        right$q = work[at$q + 1u] - low$q.x * right0 - low$q.y * right1 - low$q.z * right2;
        work[at$q + 1u] = right$q;
        #end
      }
      #for q in 4
      let here$q = vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>($qu);
      let below$q = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>($qu);
      work[at$q] = select(select(pivot$q, low$q, below$q), vec4<f32>(recip$q), here$q);
      #end
      for (var g = col + 1u; g < ld4; g++) {
        let rows = base + vec4<u32>(work[order + g]) * p.stride + col;
        #for r in 4
        var v$r = work[rows[$r]];
        let m0$r = v$r.x * recip0; v$r -= m0$r * pivot0;
        let m1$r = v$r.y * recip1; v$r -= m1$r * pivot1;
        let m2$r = v$r.z * recip2; v$r -= m2$r * pivot2;
        let m3$r = v$r.w * recip3;
        work[rows[$r]] = vec4<f32>(m0$r, m1$r, m2$r, m3$r);
        if (left) { work[rows[$r] + 1u] -= m0$r * right0 + m1$r * right1 + m2$r * right2 + m3$r * right3; }
        #end
      }
    }
  }
  if (largest > 1e3 * smallest) { flags |= 2u; }
  let singular = (flags & 1u) != 0u;
  logdet[b] = select(ln_scaled(abs(mantissa), exponent), -1e30, singular);
  sign_out[b] = select(sign(mantissa), 0.0, singular);
  status[b] = flags;
}
