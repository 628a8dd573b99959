// backflow_row_pairs: sums over pairs of the two-particle layer t1 = sp(W1^T t0 + b1) along each output row's own direction.
//
//   With e as in backflow_row_sums, per row: y1 = (1/n) sum_j t1'.e, lap = (2/n) sum_j grad(tr t1'').e; per own coordinate k:
//   own = sum_j t1'_k; per (k,a): turn = sum_j t1''_k.e. Chain rule with w_k = W1^T t0'_k, w_e = W1^T t0'.e, and so on:
//   t1'_k = s w_k,  t1''_k.e = s' w_k w_e + s w_ke,  tr t1'' = s w_L + s' sum_k w_k^2,
//   grad(tr t1'').e = s' w_e w_L + s w_Le + s'' w_e sum_k w_k^2 + 2 s' sum_k w_k w_ke
//   x [walker][n][DIM]; inverse J^-1 [walker][ld][ld] -> row [walker][n], second part: (y1, lap) per a, own per k, turn per (k,a), T4 vec4 each
// One invocation a particle and TB column blocks; group.z counts them. Trips: n.
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read_write> row: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let block = group.z * TB;
  let xi = particle(id);
  let kk = 6.283185307179586 / p.length;
  let rows = w * p.ld * p.ld + i * DIM;
  var yi: array<Point, DIM>;
  #for a in DIM
  #for k in DIM
  yi[$a][$k] = inverse[rows + (i * DIM + $ku) * p.ld + $au];
  #end
  #end
  var y1: array<array<vec4<f32>, TB>, DIM>; var lap: array<array<vec4<f32>, TB>, DIM>;
  var own: array<array<vec4<f32>, TB>, DIM>; var turn: array<array<vec4<f32>, TB>, DIM * DIM>;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    let other = unlike(i, j);
    let f = features(t);
    var e: array<Point, DIM>; var q1: Point; var q3: Point; var q2: array<Point, DIM>;
    #for a in DIM
    #for k in DIM
    e[$a][$k] = yi[$a][$k] - inverse[rows + (j * DIM + $ku) * p.ld + $au];
    #end
    #end
    // q along the rows: third derivatives, and second by k
    #for a in DIM
    #for k in DIM
    q3[$a] += t.q3[$k] * e[$a][$k];
    #for l in DIM
    q2[$a][$k] += t.q2[$ku * DIM + $lu] * e[$a][$l];
    #end
    #end
    #end
    #for c in TB
    {
      let column = W1 + block + $cu;
      var a1 = of_pair(B1 + block + $cu, other);
      #for f in F
      a1 += f[$f] * of_pair(column + $fu * T4, other);
      #end
      let s = softplus_jet4(a1);
      let wq = of_pair(column + 2u * DIM * T4, other);
      var wl = t.ql * wq;
      var square = vec4<f32>();
      // w_k, and its parts without q: first (wave) and second (bend) derivatives
      var wave_: array<vec4<f32>, DIM>; var bend: array<vec4<f32>, DIM>; var wk: array<vec4<f32>, DIM>;
      #for k in DIM
      {
        let wc = of_pair(column + $ku * T4, other); let ws = of_pair(column + (DIM + $ku) * T4, other);
        wave_[$k] = t.c1[$k] * wc + t.s1[$k] * ws;
        bend[$k] = kk * (t.c1[$k] * ws - t.s1[$k] * wc);
        wk[$k] = wave_[$k] + t.q1[$k] * wq;
        wl += bend[$k];
        square += wk[$k] * wk[$k];
        own[$k][$c] += s.s * wk[$k];
      }
      #end
      #for a in DIM
      {
        var we = vec4<f32>(); var third = q3[$a] * wq; var cross = vec4<f32>();
        #for k in DIM
        we += e[$a][$k] * wk[$k];
        third -= kk * kk * e[$a][$k] * wave_[$k];
        #end
        #for k in DIM
        {
          let wke = e[$a][$k] * bend[$k] + q2[$a][$k] * wq;
          cross += wk[$k] * wke;
          turn[$ku * DIM + $au][$c] += s.s1 * wk[$k] * we + s.s * wke;
        }
        #end
        y1[$a][$c] += s.s * we;
        lap[$a][$c] += s.s1 * (we * wl + 2.0 * cross) + s.s * third + s.s2 * we * square;
      }
      #end
    }
    #end
  }
  let inv = 1.0 / f32(p.n);
  let at = id * ROW + ROW_PAIRS + block;
  #for c in TB
  #for k in DIM
  row[at + 2u * $ku * T4 + $cu] = inv * y1[$k][$c];
  row[at + (2u * $ku + 1u) * T4 + $cu] = 2.0 * inv * lap[$k][$c];
  row[at + (2u * DIM + $ku) * T4 + $cu] = own[$k][$c];
  #for a in DIM
  row[at + (3u * DIM + $ku * DIM + $au) * T4 + $cu] = turn[$ku * DIM + $au][$c];
  #end
  #end
  #end
}
