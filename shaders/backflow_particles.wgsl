// backflow_particles: the second one-particle layer, z, and the pulled-back output rows of every particle.
//
//   a2 = V_h^T h1 + V_g^T g1 + V_y^T y1 + c2,  h2 = h1 + sp(a2),  z = x + W^T h2 + b.   With W_a column a of W:
//   beta = W_a s(a2), rho2 = V_y beta, kappa = V_g beta, rho1 = V1 [(W_a + V_h beta) s1]: adjoints of y1, g1 and y0 for output (i,a)
//   x [walker][n][DIM]; sums of backflow_sums; mean g [walker][rows][H4], row 0
//   -> z [walker][n][DIM]; rows [walker][n DIM] of rho1 (2), rho2 (T4) vec4; kappa [walker][ld][H4], padding 0; a2 [walker][n][H4]
// One invocation a particle. Trips: DIM + 4.
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> z: array<f32>;
@group(0) @binding(6) var<storage, read_write> rows: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> kappas: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> a2: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let at = id * SUMS;
  let g = w * p.rows * H4;
  let y0 = unpacked(sums[at], sums[at + 1u]);
  var y1: Two; var h1: One; var s1: One; var g1: One;
  #for c in T4
  y1[$c] = sums[at + 2u + $cu];
  #end
  let a1 = one_of_features(y0);
  #for c in H4
  {
    let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
    h1[$c] = s.v; s1[$c] = s.s;
    g1[$c] = mean[g + $cu];
  }
  #end
  let fromh = one_of_one(h1, VH); let fromg = one_of_one(g1, VG); let fromy = one_of_two(y1, VY);
  var s2: One; var h2: One;
  #for c in H4
  {
    let a = fromh[$c] + fromg[$c] + fromy[$c] + weights[C2 + $cu];
    let s = softplus_jet4(a);
    a2[id * H4 + $cu] = a;
    s2[$c] = s.s; h2[$c] = h1[$c] + s.v;
  }
  #end
  for (var a = 0u; a < DIM; a++) {
    var value = weights[BO][a];
    var beta: One; var weight: One;
    #for c in H4
    weight[$c] = weights[WT + a * H4 + $cu];
    value += dot(weight[$c], h2[$c]);
    beta[$c] = weight[$c] * s2[$c];
    #end
    z[id * DIM + a] = x[id * DIM + a] + value;
    let row = (id * DIM + a) * (2u + T4);
    let rho = two_of_one(beta, VYT);
    #for c in T4
    rows[row + 2u + $cu] = rho[$c];
    #end
    let kappa = one_of_one(beta, VGT);
    let back = one_of_one(beta, VHT);
    var below: One;
    #for c in H4
    kappas[(w * p.ld + i * DIM + a) * H4 + $cu] = kappa[$c];
    below[$c] = (weight[$c] + back[$c]) * s1[$c];
    #end
    let rho1 = packed(features_of_one(below));
    rows[row] = rho1[0];
    rows[row + 1u] = rho1[1];
  }  if (i + 1u == p.n) {
    for (var r = p.n * DIM; r < p.ld; r++) {
      #for c in H4
      kappas[(w * p.ld + r) * H4 + $cu] = vec4<f32>();
      #end
    }
  }
}
