// backflow_cross: sums over other particles' coordinates b = (j,k), j != i, of derivatives of the second layer's preactivations a2.
//
//   d_b a2 = -(1/n) [ U t0'_k + V_y^T t1'_k ] + V_g^T d_b g1,  U = V_h^T diag(s1) V1^T (columns U_f by feature):
//   squares = sum_b (d_b a2)^2,  moments_f = -(1/n) sum_b t0'_k,f d_b a2, and, with E_l = sum_a W_a e_a,l (e as in backflow_row_sums),
//   cross = -(1/n) s2' sum_b d_b a2 sum_l E_l [U t0''_kl + V_y^T t1''_kl]: what pairs give of sum_a W_a s2' sum_b d_b a2 (delta_ia d_b a2)
//   x [walker][n][DIM]; inverse J^-1 [walker][ld][ld]; sums of backflow_sums (s1); a2 [walker][n][H4]; vdg = V_g^T dg [walker][n DIM][H4]
//   -> row [walker][n], third part: squares, cross, moments_f (F of them), H4 vec4 each
// One invocation a particle and HB column blocks; group.z counts them. Trips: n.
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> a2: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> vdg: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> row: array<vec4<f32>>;

// One column block of V_y^T x, x block t of a two-particle vector.
fn by_vy(x: vec4<f32>, t: u32, column: u32) -> vec4<f32> { return product4(x, VY + t * 4u * H4 + column, H4); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let block = group.z * HB;
  let xi = particle(id);
  let kk = 6.283185307179586 / p.length;
  let inv = 1.0 / f32(p.n);
  let rows = w * p.ld * p.ld + i * DIM;
  var yi: array<Point, DIM>;
  #for a in DIM
  #for k in DIM
  yi[$a][$k] = inverse[rows + (i * DIM + $ku) * p.ld + $au];
  #end
  #end
  var u: array<array<vec4<f32>, F>, HB>;
  #for k in H4
  {
    let s1 = sums[id * SUMS + 2u + T4 + $ku];
    #for f in F
    {
      let v = s1 * weights[V1 + $fu * H4 + $ku];
      #for c in HB
      u[$c][$f] += product4(v, VH + $ku * 4u * H4 + block + $cu, H4);
      #end
    }
    #end
  }
  #end
  var squares: array<vec4<f32>, HB>; var cross: array<vec4<f32>, HB>; var moments: array<array<vec4<f32>, F>, HB>;
  for (var j = 0u; j < p.n; j++) {
    let live = select(1.0, 0.0, j == i);
    let t = wave(xi, particle(first + j), live);
    let other = unlike(i, j);
    let f = features(t);
    var e: array<Point, DIM>;
    #for a in DIM
    #for k in DIM
    e[$a][$k] = yi[$a][$k] - inverse[rows + (j * DIM + $ku) * p.ld + $au];
    #end
    #end
    // V_y^T t1'_k and V_y^T t1''_kl (k <= l), block by block of t1
    var first_: array<array<vec4<f32>, DIM>, HB>; var second: array<array<vec4<f32>, DIM * DIM>, HB>;
    #for t in T4
    {
      var a1 = of_pair(B1 + $tu, other);
      #for f in F
      a1 += f[$f] * of_pair(W1 + $fu * T4 + $tu, other);
      #end
      let s = softplus_jet4(a1);
      let wq = of_pair(W1 + 2u * DIM * T4 + $tu, other);
      var wk: array<vec4<f32>, DIM>; var bend: array<vec4<f32>, DIM>;
      #for k in DIM
      {
        let wc = of_pair(W1 + $ku * T4 + $tu, other); let ws = of_pair(W1 + (DIM + $ku) * T4 + $tu, other);
        wk[$k] = t.c1[$k] * wc + t.s1[$k] * ws + t.q1[$k] * wq;
        bend[$k] = kk * (t.c1[$k] * ws - t.s1[$k] * wc);
        let v = s.s * wk[$k];
        #for c in HB
        first_[$c][$k] += by_vy(v, $tu, block + $cu);
        #end
      }
      #end
      #for k in DIM
      #for l in DIM
      if ($k <= $l) {
        let v = s.s1 * wk[$k] * wk[$l] + s.s * (select(vec4<f32>(), bend[$k], $k == $l) + t.q2[$ku * DIM + $lu] * wq);
        #for c in HB
        second[$c][$ku * DIM + $lu] += by_vy(v, $tu, block + $cu);
        #end
      }
      #end
      #end
    }
    #end
    #for c in HB
    {
      let column = block + $cu;
      var d: array<vec4<f32>, DIM>; var turn: array<vec4<f32>, DIM>;
      #for k in DIM
      {
        let v = t.c1[$k] * u[$c][$k] + t.s1[$k] * u[$c][DIM + $ku] + t.q1[$k] * u[$c][2u * DIM] + first_[$c][$k];
        d[$k] = live * vdg[((first + j) * DIM + $ku) * H4 + column] - inv * v;
        squares[$c] += d[$k] * d[$k];
        moments[$c][$k] -= inv * t.c1[$k] * d[$k];
        moments[$c][DIM + $ku] -= inv * t.s1[$k] * d[$k];
        moments[$c][2u * DIM] -= inv * t.q1[$k] * d[$k];
        #for a in DIM
        turn[$k] += e[$a][$k] * weights[WT + $au * H4 + column];
        #end
      }
      #end
      #for k in DIM
      #for l in DIM
      if ($k <= $l) {
        let bend = select(vec4<f32>(), kk * (t.c1[$k] * u[$c][DIM + $ku] - t.s1[$k] * u[$c][$k]), $k == $l);
        let v = second[$c][$ku * DIM + $lu] + bend + t.q2[$ku * DIM + $lu] * u[$c][2u * DIM];
        cross[$c] -= inv * v * select(d[$k] * turn[$l] + d[$l] * turn[$k], d[$k] * turn[$k], $k == $l);
      }
      #end
      #end
    }
    #end
  }
  let at = id * ROW + ROW_CROSS + block;
  #for c in HB
  row[at + $cu] = squares[$c];
  row[at + H4 + $cu] = softplus_jet4(a2[id * H4 + block + $cu]).s1 * cross[$c];
  #for f in F
  row[at + (2u + $fu) * H4 + $cu] = moments[$c][$f];
  #end
  #end
}
