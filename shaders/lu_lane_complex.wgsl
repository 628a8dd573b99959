// lu_lane_complex: P A = L U, ln|det A|, arg det A and (inverse = 1) A^-1 = U^-1 L^-1 P of a batch of complex matrices.
//
//   matrices, inverse_out   [batch][order][order] vec2 (re, im), row-major, no padding; input kept
//   work                    [batch][8 blocks rows][2 blocks][re, im] vec4: L below, U above, 1/pivot on the diagonal
//   logdet, phase           [batch] f32, phase in (-pi, pi]; status [batch] u32 as in lu_lane_real
// The algorithm and the mapping of lu_lane_real; blocks of 4 columns in private arrays m(row % 4)[2 (row / 4) + part],
// tiles of 8 x 4. Pivots compare by the larger of |re| and |im|. mat4x4 holds four rows as its columns: x * l is the
// row l times those rows. Trips: see lane.rs.
struct Params { batch: u32, order: u32, ld4: u32, blocks: u32, inverse: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> matrices: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> logdet: array<f32>;
@group(0) @binding(4) var<storage, read_write> phase_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> inverse_out: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = flat_group(group, groups) * WG + lane;
  if (b >= p.batch) { return; }
  let ld4 = p.ld4;
  let quads = 2u * p.blocks;
  let stride = 2u * quads;
  let base = b * 4u * quads * stride;
  let source = b * p.order * p.order;
  var order: array<vec4<u32>, GROUPS>;
  #for r in 4
  var m$r: array<vec4<f32>, SLOTS>;
  #end
  for (var g = 0u; g < quads; g++) { order[g] = 4u * g + FOUR; }

  var mantissa = vec2<f32>(1.0, 0.0);
  var exponent = 0;
  var largest = 0.0;
  var smallest = 3e38;
  var flags = 0u;
  for (var job = 0u; job < select(quads, quads + ld4, p.inverse != 0u); job++) {
    // four columns: of A, or of the inverse
    let solve = job >= quads;
    let c = select(job, job - quads, solve);
    for (var g = 0u; g < quads; g++) {
      let rows = order[g];
      #for r in 4
      let real$r = !solve && rows[$r] < p.order;
      let unit$r = select(rows[$r], 4u * g + $ru, solve);
      var re$r = select(vec4<f32>(vec4<u32>(unit$r) == 4u * c + FOUR), vec4<f32>(), real$r);
      var im$r = vec4<f32>();
      #for j in 4
      if (real$r && 4u * c + $ju < p.order) {
        let fetched$r$j = matrices[source + rows[$r] * p.order + 4u * c + $ju];
        re$r[$j] = fetched$r$j.x;
        im$r[$j] = fetched$r$j.y;
      }
      #end
      m$r[2u * g] = re$r;
      m$r[2u * g + 1u] = im$r;
      #end
    }
    for (var t = select(0u, c / 2u, solve); t < select(p.blocks, quads, solve); t++) {
      // a tile: down the columns with L, then for the inverse up again with U
      let back = t >= p.blocks;
      let i = select(t, quads - 1u - t, back);
      #for h in 2
      let at$h = base + order[2u * i + $hu] * stride;
      var xr$h = mat4x4<f32>(m0[4u * i + 2u * $hu], m1[4u * i + 2u * $hu], m2[4u * i + 2u * $hu], m3[4u * i + 2u * $hu]);
      let odd$h = 4u * i + 2u * $hu + 1u;
      var xi$h = mat4x4<f32>(m0[odd$h], m1[odd$h], m2[odd$h], m3[odd$h]);
      #end
      var k = select(select(0u, c, solve), 2u * i + 2u, back);
      let end = select(select(min(2u * i, c), 2u * i, solve), ld4, back);
      if (k < end) {
        loop {
          let ur = mat4x4<f32>(m0[2u * k], m1[2u * k], m2[2u * k], m3[2u * k]);
          let ui = mat4x4<f32>(m0[2u * k + 1u], m1[2u * k + 1u], m2[2u * k + 1u], m3[2u * k + 1u]);
          #for h in 2
          #for r in 4
          let lr$h$r = work[at$h[$r] + 2u * k];
          let li$h$r = work[at$h[$r] + 2u * k + 1u];
          xr$h[$r] -= ur * lr$h$r - ui * li$h$r;
          xi$h[$r] -= ui * lr$h$r + ur * li$h$r;
          #end
          #end
          continuing {
            k++;
            break if k >= end;
          }
        }
      }
      if (solve || 2u * i < c) {
        // the triangles on the diagonal, and the square beside or below them
        let side = select(at1, at0, back) + select(4u * i, 4u * i + 2u, back);
        #for h in 2
        let corner$h = at$h + 4u * i + 2u * $hu;
        let dr$h = mat4x4<f32>(work[corner$h.x], work[corner$h.y], work[corner$h.z], work[corner$h.w]);
        let di$h = mat4x4<f32>(work[corner$h.x + 1u], work[corner$h.y + 1u], work[corner$h.z + 1u], work[corner$h.w + 1u]);
        #end
        if (back) { complex_up(&xr1, &xi1, dr1, di1); } else { complex_down(&xr0, &xi0, dr0, di0); }
        #for r in 4
        let sr$r = work[side[$r]];
        let si$r = work[side[$r] + 1u];
        if (back) {
          xr0[$r] -= xr1 * sr$r - xi1 * si$r;
          xi0[$r] -= xi1 * sr$r + xr1 * si$r;
        } else {
          xr1[$r] -= xr0 * sr$r - xi0 * si$r;
          xi1[$r] -= xi0 * sr$r + xr0 * si$r;
        }
        #end
        // rows 4 to 7 of a tile that reaches into the panel wait for its pivots
        if (back) { complex_up(&xr0, &xi0, dr0, di0); } else if (solve || 2u * i + 1u < c) { complex_down(&xr1, &xi1, dr1, di1); }
      }
      #for h in 2
      #for r in 4
      m$r[4u * i + 2u * $hu] = xr$h[$r];
      m$r[4u * i + 2u * $hu + 1u] = xi$h[$r];
      #end
      #end
    }
    #for q in 4
    var pr$q = vec4<f32>();
    var pi$q = vec4<f32>();
    var recip$q = vec2<f32>();
    #end
    for (var q = 0u; q < select(0u, 4u, c < ld4 && !solve); q++) {
      // the pivot rows so far reduce each row again as it is searched: a store would cost more
      let place = 4u * c + q;
      let mine = FOUR == vec4<u32>(q);
      var best = 0u;
      var winner = place;
      for (var g = c; g < ld4; g++) {
        #for r in 4
        var vr$r = m$r[2u * g];
        var vi$r = m$r[2u * g + 1u];
        #for k in 3
        let n$r$k = times(vec2<f32>(vr$r[$k], vi$r[$k]), recip$k);
        vr$r -= n$r$k.x * pr$k - n$r$k.y * pi$k;
        vi$r -= n$r$k.x * pi$k + n$r$k.y * pr$k;
        #end
        let key$r = bitcast<u32>(size_of(vec2<f32>(component(vr$r, q), component(vi$r, q))));
        let take$r = key$r > best && 4u * g + $ru >= place;
        best = select(best, key$r, take$r);
        winner = select(winner, 4u * g + $ru, take$r);
        #end
      }
      let w = winner / 4u;
      let theirs = FOUR == vec4<u32>(winner % 4u);
      var vr = vec4<f32>();
      var vi = vec4<f32>();
      for (var part = 0u; part < 2u; part++) {
        var chosen = vec4<f32>();
        var displaced = vec4<f32>();
        #for r in 4
        chosen = select(chosen, m$r[2u * w + part], theirs[$r]);
        displaced = select(displaced, m$r[2u * c + part], mine[$r]);
        #end
        #for r in 4
        if (theirs[$r]) { m$r[2u * w + part] = displaced; }
        #end
        if (part == 0u) { vr = chosen; } else { vi = chosen; }
      }
      let chosen_row = dot(select(vec4<u32>(), order[w], theirs), vec4<u32>(1u));
      let displaced_row = dot(select(vec4<u32>(), order[c], mine), vec4<u32>(1u));
      order[w] = select(order[w], vec4<u32>(displaced_row), theirs);
      order[c] = select(order[c], vec4<u32>(chosen_row), mine);
      #for k in 3
      let f$k = times(vec2<f32>(vr[$k], vi[$k]), recip$k);
      vr -= f$k.x * pr$k - f$k.y * pi$k;
      vi -= f$k.x * pi$k + f$k.y * pr$k;
      #end
      let pivot = vec2<f32>(component(vr, q), component(vi, q));
      let size = size_of(pivot);
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
      if (place < p.order) {
        largest = max(largest, size);
        smallest = min(smallest, size);
      }
      if (winner != place) { mantissa = -mantissa; }
      // the row stays as L, 1/pivot, U
      let below = FOUR < vec4<u32>(q);
      let stay_re = select(select(vr, vec4<f32>(f0.x, f1.x, f2.x, 0.0), below), vec4<f32>(reciprocal.x), mine);
      let stay_im = select(select(vi, vec4<f32>(f0.y, f1.y, f2.y, 0.0), below), vec4<f32>(reciprocal.y), mine);
      #for k in 4
      if (q == $ku) {
        m$k[2u * c] = stay_re;
        m$k[2u * c + 1u] = stay_im;
        pr$k = vr;
        pi$k = vi;
        recip$k = reciprocal;
      }
      #end
    }
    for (var g = 0u; g < quads; g++) {
      let rows = order[g];
      let columns = order[c];
      #for r in 4
      var vr$r = m$r[2u * g];
      var vi$r = m$r[2u * g + 1u];
      if (!solve) {
        if (g > c) {
          #for k in 4
          let n$r$k = times(vec2<f32>(vr$r[$k], vi$r[$k]), recip$k);
          vr$r -= n$r$k.x * pr$k - n$r$k.y * pi$k;
          vi$r -= n$r$k.x * pi$k + n$r$k.y * pr$k;
          #end
          vr$r = vec4<f32>(n$r0.x, n$r1.x, n$r2.x, n$r3.x);
          vi$r = vec4<f32>(n$r0.y, n$r1.y, n$r2.y, n$r3.y);
        }
        work[base + rows[$r] * stride + 2u * c] = vr$r;
        work[base + rows[$r] * stride + 2u * c + 1u] = vi$r;
      } else {
        // columns of the inverse go back to where the pivots came from; singular matrices give zero
        let place$r = 4u * g + $ru;
        #for j in 4
        if (place$r < p.order && 4u * c + $ju < p.order) {
          inverse_out[source + place$r * p.order + columns[$j]] = select(vec2<f32>(), vec2<f32>(vr$r[$j], vi$r[$j]), (flags & 1u) == 0u);
        }
        #end
      }
      #end
    }
  }
  if (largest > 1e3 * smallest) { flags |= 2u; }
  let singular = (flags & 1u) != 0u;
  // |mantissa| <= 2 sqrt 2: the larger part lies in [1, 2)
  logdet[b] = select(ln_scaled(length(mantissa), exponent), -1e30, singular);
  phase_out[b] = select(angle(mantissa.x, mantissa.y), 0.0, singular);
  status[b] = flags;
}
