// backflow_row_sums: sums over pairs of features along each output row's own direction.
//
//   Row (i,a) moves along Y_ia, Y = J^-T; a pair then moves by e = Y_ia,i - Y_ia,j (DIM numbers). Per row:
//   y0 = (1/n) sum_j t0'.e, lap = (2/n) sum_j grad(tr t0'').e (features) and cross = sum_b d_b a1 (delta d_b a1) (H, over all b);
//   per own coordinate k: own = sum_j t0'_k; per (k,a): turn = sum_j t0''_k.e, both three numbers (cos, sin, q)
//   x [walker][n][DIM]; inverse J^-1 [walker][ld][ld] -> row [walker][n], first part:
//   y0 (2) and lap (2) per a, cross (H4) per a, own (1) per k, turn (1) per (k,a), vec4
// One invocation a particle. Trips: n.
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read_write> row: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let xi = particle(id);
  let kk = 6.283185307179586 / p.length;
  let rows = w * p.ld * p.ld + i * DIM;
  var yi: array<Point, DIM>;
  #for a in DIM
  #for k in DIM
  yi[$a][$k] = inverse[rows + (i * DIM + $ku) * p.ld + $au];
  #end
  #end
  var y0: array<Features, DIM>; var lap: array<Features, DIM>; var cross: array<One, DIM>;
  var own: array<vec3<f32>, DIM>; var turn: array<vec3<f32>, DIM * DIM>;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    var slope: array<One, DIM>;
    #for k in DIM
    own[$k] += vec3<f32>(t.c1[$k], t.s1[$k], t.q1[$k]);
    slope[$k] = one_of_slope($ku, t.c1[$k], t.s1[$k], t.q1[$k]);
    #end
    #for a in DIM
    {
      var e: Point;
      #for k in DIM
      e[$k] = yi[$a][$k] - inverse[rows + (j * DIM + $ku) * p.ld + $au];
      #end
      #for k in DIM
      {
        y0[$a][$k] += t.c1[$k] * e[$k]; y0[$a][DIM + $ku] += t.s1[$k] * e[$k]; y0[$a][2u * DIM] += t.q1[$k] * e[$k];
        lap[$a][$k] -= kk * kk * t.c1[$k] * e[$k]; lap[$a][DIM + $ku] -= kk * kk * t.s1[$k] * e[$k]; lap[$a][2u * DIM] += t.q3[$k] * e[$k];
        var bend = 0.0;
        #for l in DIM
        bend += t.q2[$ku * DIM + $lu] * e[$l];
        #end
        let v = vec3<f32>(-kk * t.s1[$k] * e[$k], kk * t.c1[$k] * e[$k], bend);
        turn[$ku * DIM + $au] += v;
        let u = one_of_slope($ku, v.x, v.y, v.z);
        #for c in H4
        cross[$a][$c] += slope[$k][$c] * u[$c];
        #end
      }
      #end
    }
    #end
  }
  let inv = 1.0 / f32(p.n);
  let at = id * ROW;
  #for k in DIM
  {
    row[at + DIM * (4u + H4) + $ku] = vec4<f32>(own[$k], 0.0);
    let v = one_of_slope($ku, own[$k].x, own[$k].y, own[$k].z);
    #for a in DIM
    {
      let t = turn[$ku * DIM + $au];
      row[at + DIM * (5u + H4) + $ku * DIM + $au] = vec4<f32>(t, 0.0);
      let u = one_of_slope($ku, t.x, t.y, t.z);
      #for c in H4
      cross[$a][$c] += v[$c] * u[$c];
      #end
    }
    #end
  }
  #end
  #for a in DIM
  {
    #for f in F
    y0[$a][$f] *= inv; lap[$a][$f] *= 2.0 * inv;
    #end
    let u = packed(y0[$a]); let v = packed(lap[$a]);
    row[at + 4u * $au] = u[0]; row[at + 4u * $au + 1u] = u[1];
    row[at + 4u * $au + 2u] = v[0]; row[at + 4u * $au + 3u] = v[1];
    #for c in H4
    row[at + 4u * DIM + $au * H4 + $cu] = inv * inv * cross[$a][$c];
    #end
  }
  #end
}
