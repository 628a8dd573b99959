// backflow_gradient_pairs: what each pair gives of the gradient of q = sum_ia Y_ia . grad z_ia, Y = J^-T frozen.
//
//   d_jk q has -(1/n) sum_i c_ijk, d_ik q has (1/n) sum_j c_ijk, with e_a = Y_ia,i - Y_ia,j, w_a = W1^T t0'.e_a:
//   c_ijk = back . t0'_k + sum_a back_a . t0''_k.e_a,  back_a = rho1_ia + W1 [rho2_ia s],
//   back = rho1 + W1 [rho2 s + sum_a rho2_ia s' w_a], rho1 and rho2 without row those of backflow_row_laplacian
//   x [walker][n][DIM]; inverse J^-1 [walker][ld][ld]; rows of backflow_particles; turned of backflow_row_laplacian
//   -> pairs [walker][i][j][DIM]. One invocation a particle i. Trips: n.
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> pairs: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let kk = 6.283185307179586 / p.length;
  let xi = particle(id);
  let y = w * p.ld * p.ld + i * DIM;
  var yi: array<Point, DIM>; var rho1: array<Features, DIM>; var rho2: array<Two, DIM>;
  #for a in DIM
  {
    let row = (id * DIM + $au) * (2u + T4);
    rho1[$a] = unpacked(rows[row], rows[row + 1u]);
    #for c in T4
    rho2[$a][$c] = rows[row + 2u + $cu];
    #end
    #for k in DIM
    yi[$a][$k] = inverse[y + (i * DIM + $ku) * p.ld + $au];
    #end
  }
  #end
  let at = id * TURNED + 2u * DIM * H4;
  let turn1 = unpacked(turned[at], turned[at + 1u]);
  var turn2: Two;
  #for c in T4
  turn2[$c] = turned[at + 2u + $cu];
  #end
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    let other = unlike(i, j);
    let f = two_of_features(features(t), other);
    var s: Two; var ds: Two; var acc: Two;
    #for c in T4
    {
      let jet = softplus_jet4(f[$c] + of_pair(B1 + $cu, other));
      s[$c] = jet.s; ds[$c] = jet.s1;
      acc[$c] = turn2[$c] * jet.s;
    }
    #end
    var value: Point;
    #for a in DIM
    {
      var e: Point; var fe: Features;
      #for k in DIM
      e[$k] = yi[$a][$k] - inverse[y + (j * DIM + $ku) * p.ld + $au];
      fe[$k] = t.c1[$k] * e[$k]; fe[DIM + $ku] = t.s1[$k] * e[$k]; fe[2u * DIM] += t.q1[$k] * e[$k];
      #end
      let we = two_of_features(fe, other);
      var r: Two;
      #for c in T4
      r[$c] = rho2[$a][$c] * s[$c];
      acc[$c] += rho2[$a][$c] * ds[$c] * we[$c];
      #end
      let b = features_of_two(r, other);
      #for k in DIM
      {
        var bend = 0.0;
        #for l in DIM
        bend += t.q2[$ku * DIM + $lu] * e[$l];
        #end
        value[$k] += kk * e[$k] * ((rho1[$a][DIM + $ku] + b[DIM + $ku]) * t.c1[$k] - (rho1[$a][$k] + b[$k]) * t.s1[$k])
          + (rho1[$a][2u * DIM] + b[2u * DIM]) * bend;
      }
      #end
    }
    #end
    let b = features_of_two(acc, other);
    #for k in DIM
    pairs[(id * p.n + j) * DIM + $ku] = value[$k] + (turn1[$k] + b[$k]) * t.c1[$k] + (turn1[DIM + $ku] + b[DIM + $ku]) * t.s1[$k]
      + (turn1[2u * DIM] + b[2u * DIM]) * t.q1[$k];
    #end
  }
}
