// lu_lane_real: P A = L U, ln|det A|, sign det A and (inverse = 1) A^-1 = U^-1 L^-1 P of a batch of real matrices.
//
//   matrices, inverse_out   [batch][4 ld4][4 ld4] f32, padding zero; input kept
//   work                    [batch][8 blocks rows][2 blocks] vec4: L below, U above, 1/pivot on the diagonal
//   logdet, sign            [batch] f32; status [batch] u32: 1 zero or non-finite pivot, 2 pivots differ by more than
//                           1e3, 4 a pivot was not finite
// An invocation owns a matrix. For CPU drivers that carry out a load from a buffer lane by lane: there it costs as much
// as 80 multiply-adds of vec4, a load from a private array 6, whatever is shared. So the algorithm is left-looking (Golub
// and Van Loan, ch. 3): a block of 8 columns is fetched once into private arrays m(row % 4)[2 (row / 4) + quad], takes all
// its products in tiles of 8 x 8 registers, is searched for pivots there, and is stored once. Rows of `work` never move;
// `order` says which stands where. Columns of the inverse, in the order of the pivots, pass through L, then U, as
// further columns and are scattered at the end. Blocks past the order hold a unit matrix.
// The determinant is a product of mantissas with separate exponents: no overflow, no sum of logarithms.
// mat4x4 holds four rows as its columns: x * l is the row l times those rows.
// GROUPS >= 2 blocks, SLOTS = 2 GROUPS. Loops test at their end where it matters: drivers that mask lanes run the body once more otherwise.
// Trips: see lane.rs.
struct Params { batch: u32, order: u32, ld4: u32, blocks: u32, inverse: u32, pad0: u32, pad1: u32, pad2: u32 }
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
  let stride = 2u * p.blocks;
  let base = b * 8u * p.blocks * stride;
  let source = b * 4u * ld4 * ld4;
  var order: array<vec4<u32>, GROUPS>;
  #for r in 4
  var m$r: array<vec4<f32>, SLOTS>;
  #end
  for (var g = 0u; g < stride; g++) { order[g] = 4u * g + FOUR; }

  var mantissa = 1.0;
  var exponent = 0;
  var largest = 0.0;
  var smallest = 3e38;
  var flags = 0u;
  for (var job = 0u; job < select(p.blocks, stride, p.inverse != 0u); job++) {
    // a block of columns: of A, or of the inverse
    let solve = job >= p.blocks;
    let c = select(job, job - p.blocks, solve);
    for (var slot = 0u; slot < 2u * stride; slot++) {
      let rows = order[slot / 2u];
      let quad = 2u * c + slot % 2u;
      #for r in 4
      let real$r = !solve && rows[$r] < p.order;
      let unit$r = select(rows[$r], 2u * (slot & ~1u) + $ru, solve);
      var fetched$r = select(vec4<f32>(vec4<u32>(unit$r) == 4u * quad + FOUR), vec4<f32>(), real$r);
      if (real$r && quad < ld4) { fetched$r = matrices[source + rows[$r] * ld4 + quad]; }
      m$r[slot] = fetched$r;
      #end
    }
    for (var t = select(0u, c, solve); t < select(p.blocks, stride, solve); t++) {
      // a tile: down the columns with L, then for the inverse up again with U
      let back = t >= p.blocks;
      let i = select(t, stride - 1u - t, back);
      #for h in 2
      let at$h = base + order[2u * i + $hu] * stride;
      #for c in 2
      let slot$c$h = 4u * i + 2u * $hu + $cu;
      var x$c$h = mat4x4<f32>(m0[slot$c$h], m1[slot$c$h], m2[slot$c$h], m3[slot$c$h]);
      #end
      #end
      var k = select(select(0u, 2u * c, solve), 2u * i + 2u, back);
      let end = select(2u * select(min(i, c), i, solve), ld4, back);
      if (k < end) {
        loop {
          #for c in 2
          let u$c = mat4x4<f32>(m0[2u * k + $cu], m1[2u * k + $cu], m2[2u * k + $cu], m3[2u * k + $cu]);
          #end
          #for h in 2
          #for r in 4
          let l$h$r = work[at$h[$r] + k];
          #for c in 2
          x$c$h[$r] -= u$c * l$h$r;
          #end
          #end
          #end
          continuing {
            k++;
            break if k >= end;
          }
        }
      }
      if (solve || i < c) {
        // the triangles on the diagonal, and the square beside or below them
        let side = select(at1 + 2u * i, at0 + 2u * i + 1u, back);
        #for h in 2
        let corner$h = at$h + 2u * i + $hu;
        let d$h = mat4x4<f32>(work[corner$h.x], work[corner$h.y], work[corner$h.z], work[corner$h.w]);
        #end
        let s = mat4x4<f32>(work[side.x], work[side.y], work[side.z], work[side.w]);
        #for c in 2
        if (back) {
          up(&x$c1, d1);
          x$c0 -= x$c1 * s;
          up(&x$c0, d0);
        } else {
          down(&x$c0, d0);
          x$c1 -= x$c0 * s;
          down(&x$c1, d1);
        }
        #end
      }
      #for h in 2
      #for c in 2
      #for r in 4
      m$r[slot$c$h] = x$c$h[$r];
      #end
      #end
      #end
    }
    for (var col = 2u * c; col < select(min(2u * c + 2u, ld4), 0u, solve); col++) {
      let left = col == 2u * c;
      let half = col % 2u;
      #for q in 4
      var pivot$q = vec4<f32>();
      var right$q = vec4<f32>();
      var stays$q = vec4<f32>();
      var recip$q = 0.0;
      #end
      for (var q = 0u; q < 4u; q++) {
        // the pivot rows so far reduce each row again as it is searched: a store would cost more
        let place = 4u * col + q;
        var best = 0u;
        var winner = place;
        for (var g = col; g < ld4; g++) {
          #for r in 4
          var v$r = m$r[2u * g + half];
          v$r -= (v$r.x * recip0) * pivot0;
          v$r -= (v$r.y * recip1) * pivot1;
          v$r -= (v$r.z * recip2) * pivot2;
          let key$r = bitcast<u32>(abs(component(v$r, q)));
          let take$r = key$r > best && 4u * g + $ru >= place;
          best = select(best, key$r, take$r);
          winner = select(winner, 4u * g + $ru, take$r);
          #end
        }
        let w = winner / 4u;
        let mine = FOUR == vec4<u32>(q);
        let theirs = FOUR == vec4<u32>(winner % 4u);
        var v = vec4<f32>();
        var beside = vec4<f32>();
        for (var quad = 0u; quad < 2u; quad++) {
          var chosen = vec4<f32>();
          var displaced = vec4<f32>();
          #for r in 4
          chosen = select(chosen, m$r[2u * w + quad], theirs[$r]);
          displaced = select(displaced, m$r[2u * col + quad], mine[$r]);
          #end
          #for r in 4
          if (theirs[$r]) { m$r[2u * w + quad] = displaced; }
          #end
          if (quad == half) { v = chosen; } else { beside = chosen; }
        }
        let chosen_row = dot(select(vec4<u32>(), order[w], theirs), vec4<u32>(1u));
        let displaced_row = dot(select(vec4<u32>(), order[col], mine), vec4<u32>(1u));
        order[w] = select(order[w], vec4<u32>(displaced_row), theirs);
        order[col] = select(order[col], vec4<u32>(chosen_row), mine);
        let f0 = v.x * recip0; v -= f0 * pivot0;
        let f1 = v.y * recip1; v -= f1 * pivot1;
        let f2 = v.z * recip2; v -= f2 * pivot2;
        let pivot = component(v, q);
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
        // the row as it stays: L, 1/pivot, U
        let stays = select(select(v, vec4<f32>(f0, f1, f2, 0.0), FOUR < vec4<u32>(q)), vec4<f32>(reciprocal), mine);
        if (left) { beside -= f0 * right0 + f1 * right1 + f2 * right2; }
        #for k in 4
        if (q == $ku) {
          stays$k = stays;
          pivot$k = v;
          recip$k = reciprocal;
          right$k = beside;
        }
        #end
      }
      #for q in 4
      m$q[2u * col + half] = stays$q;
      m$q[2u * col + 1u - half] = right$q;
      #end
      for (var g = col + 1u; g < ld4; g++) {
        #for r in 4
        var v$r = m$r[2u * g + half];
        let m0$r = v$r.x * recip0; v$r -= m0$r * pivot0;
        let m1$r = v$r.y * recip1; v$r -= m1$r * pivot1;
        let m2$r = v$r.z * recip2; v$r -= m2$r * pivot2;
        let m3$r = v$r.w * recip3;
        m$r[2u * g + half] = vec4<f32>(m0$r, m1$r, m2$r, m3$r);
        if (left) { m$r[2u * g + 1u] -= m0$r * right0 + m1$r * right1 + m2$r * right2 + m3$r * right3; }
        #end
      }
    }
    // columns of the inverse go back to where the pivots came from; padding and singular matrices give zero
    for (var slot = 0u; slot < 2u * stride; slot++) {
      let quad = 2u * c + slot % 2u;
      let rows = order[slot / 2u];
      let columns = order[quad];
      #for r in 4
      let kept$r = m$r[slot];
      if (!solve) {
        work[base + rows[$r] * stride + quad] = kept$r;
      } else if (slot < 2u * ld4 && quad < ld4) {
        let place$r = 2u * (slot & ~1u) + $ru;
        let value$r = select(vec4<f32>(), kept$r, place$r < p.order && (flags & 1u) == 0u);
        #for j in 4
        inverse_out[4u * (source + place$r * ld4) + columns[$j]] = value$r[$j];
        #end
      }
      #end
    }
  }
  if (largest > 1e3 * smallest) { flags |= 2u; }
  let singular = (flags & 1u) != 0u;
  logdet[b] = select(ln_scaled(abs(mantissa), exponent), -1e30, singular);
  sign_out[b] = select(sign(mantissa), 0.0, singular);
  status[b] = flags;
}
