// backflow_pull_jacobian: J = dz/dx from the pulled-back output rows.
//
//   J_(ia)(jk) = -(1/n) back_ia . t0'_k(r_ij) + kappa_ia . d g1/dx_jk  (j != i),  back_ia = rho1_ia + W1 [rho2_ia s(W1^T t0 + b1)];
//   the first term of j = i is minus the sum of the others, and 1 on the diagonal
//   x [walker][n][DIM]; rows, kappa of backflow_particles; dg of backflow_mean_gradient -> jacobian [walker][ld][ld], padding 0
// One invocation a particle i and all its rows; those past n write the padding. Trips: n + DIM ld + 4 ld.
@group(0) @binding(3) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> kappas: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> dg: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> jacobian: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let order = p.n * DIM;
  let xi = particle(id);
  var rho1: array<Features, DIM>; var rho2: array<Two, DIM>; var kappa: array<One, DIM>;
  #for a in DIM
  {
    let row = (id * DIM + $au) * (2u + T4);
    rho1[$a] = unpacked(rows[row], rows[row + 1u]);
    #for c in T4
    rho2[$a][$c] = rows[row + 2u + $cu];
    #end
    #for c in H4
    kappa[$a][$c] = kappas[(w * p.ld + i * DIM + $au) * H4 + $cu];
    #end
  }
  #end
  let inv = 1.0 / f32(p.n);
  let base = w * p.ld * p.ld + i * DIM * p.ld;
  var own: array<f32, DIM * DIM>;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    let other = unlike(i, j);
    var s = two_of_features(features(t), other);
    #for c in T4
    s[$c] = softplus_jet4(s[$c] + of_pair(B1 + $cu, other)).s;
    #end
    #for a in DIM
    {
      var r: Two;
      #for c in T4
      r[$c] = rho2[$a][$c] * s[$c];
      #end
      let back = features_of_two(r, other);
      #for k in DIM
      {
        let v = inv * ((rho1[$a][$k] + back[$k]) * t.c1[$k] + (rho1[$a][DIM + $ku] + back[DIM + $ku]) * t.s1[$k]
          + (rho1[$a][2u * DIM] + back[2u * DIM]) * t.q1[$k]);
        own[$au * DIM + $ku] += v;
        var m = -v;
        #for c in H4
        m += dot(kappa[$a][$c], dg[((first + j) * DIM + $ku) * H4 + $cu]);
        #end
        jacobian[base + $au * p.ld + j * DIM + $ku] = m;
      }
      #end
    }
    #end
  }
  #for a in DIM
  {
    let row = base + $au * p.ld;
    #for k in DIM
    jacobian[row + i * DIM + $ku] += own[$au * DIM + $ku] + select(0.0, 1.0, $au == $ku);
    #end
    for (var c = order; c < p.ld; c++) { jacobian[row + c] = 0.0; }
  }
  #end
  if (i + 1u == p.n) {
    for (var e = order * p.ld; e < p.ld * p.ld; e++) { jacobian[w * p.ld * p.ld + e] = 0.0; }
  }
}
