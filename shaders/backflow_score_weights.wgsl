// backflow_score_weights: each particle's share in the scores of the two-particle layer's weights W1 and bias b1, those of pairs of
// like spins or (flag 1) of unlike ones.
//
//   With y the adjoints of y1 (Re, Im), rho2_a those of backflow_particles, e_a = Y_ia,i - Y_ia,j, w_a = W1^T t0'.e_a:
//   c_ij = (1/n) [ y s + (1/2) sum_a rho2_a s' w_a ],  bias: sum_j c_ij,  feature f: sum_j [ c_ij t0_f + (1/2n) sum_a rho2_a s (t0'.e_a)_f ];
//   Im: y_im s alone
//   x [walker][n][DIM]; inverse J^-1 [walker][ld][ld]; rows of backflow_particles; score of backflow_score_bottom
//   -> out [walker][n][2][F + 1][T4], features then bias. One invocation a particle and TB column blocks (group.z). Trips: n.
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> score: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let block = group.z * TB;
  let inv = 1.0 / f32(p.n);
  let xi = particle(id);
  let at = w * p.ld * p.ld + i * DIM;
  var yi: array<Point, DIM>; var rho: array<array<vec4<f32>, TB>, DIM>;
  var re: array<vec4<f32>, TB>; var im: array<vec4<f32>, TB>;
  #for c in TB
  re[$c] = inv * score[id * SCORE + SCORE_Y1 + block + $cu];
  im[$c] = inv * score[id * SCORE + SCORE_Y1 + T4 + block + $cu];
  #for a in DIM
  rho[$a][$c] = 0.5 * inv * rows[(id * DIM + $au) * (2u + T4) + 2u + block + $cu];
  #end
  #end
  #for a in DIM
  #for k in DIM
  yi[$a][$k] = inverse[at + (i * DIM + $ku) * p.ld + $au];
  #end
  #end
  var gre: array<array<vec4<f32>, F + 1u>, TB>; var gim: array<array<vec4<f32>, F + 1u>, TB>;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    let other = unlike(i, j);
    if (UNLIKE > 0u && other != (p.flags == 1u)) { continue; }
    let f = features(t);
    var along: array<Features, DIM>;
    #for a in DIM
    #for k in DIM
    {
      let e = yi[$a][$k] - inverse[at + (j * DIM + $ku) * p.ld + $au];
      along[$a][$k] = t.c1[$k] * e; along[$a][DIM + $ku] = t.s1[$k] * e; along[$a][2u * DIM] += t.q1[$k] * e;
    }
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
      var value = re[$c] * s.s;
      let imaginary = im[$c] * s.s;
      #for a in DIM
      {
        var wa = vec4<f32>();
        let r = rho[$a][$c] * s.s;
        #for f in F
        wa += along[$a][$f] * of_pair(column + $fu * T4, other);
        gre[$c][$f] += along[$a][$f] * r;
        #end
        value += rho[$a][$c] * s.s1 * wa;
      }
      #end
      #for f in F
      gre[$c][$f] += f[$f] * value;
      gim[$c][$f] += f[$f] * imaginary;
      #end
      gre[$c][F] += value;
      gim[$c][F] += imaginary;
    }
    #end
  }
  let to = id * 2u * (F + 1u) * T4 + block;
  #for c in TB
  #for f in F
  out[to + $fu * T4 + $cu] = gre[$c][$f];
  out[to + (F + 1u + $fu) * T4 + $cu] = gim[$c][$f];
  #end
  out[to + F * T4 + $cu] = gre[$c][F];
  out[to + (2u * F + 1u) * T4 + $cu] = gim[$c][F];
  #end
}
