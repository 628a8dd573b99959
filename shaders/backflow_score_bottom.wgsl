// backflow_score_bottom: inputs and adjoints of the first one-particle layer and of y1, for the scores.
//
//   adjoint of h1: sum_a lambda_a W_a + V_h ab2 + V_g mean(ab2), of delta_a h1: (1/2) (W_a + V_h W_a s2);  ab2 that of a2
//   of a1: s1 (adjoint of h1) + sum_a s1' delta_a a1 (adjoint of delta_a h1) + (1/2n) s1' delta a1 along the channels' directions,
//   of delta_a a1: s1 (adjoint of delta_a h1);  of y1: V_y ab2;  the channels give V1_f another (1/2n) sum_m s1 moments_f
//   mean of the adjoints of a2 [walker][2][H4]; sums; row, turned as in backflow_row_laplacian; slope of backflow_mean_laplacian
//   -> score, last three parts; moments [walker][n][F][H4] multiplied by s1/(2n)
// One invocation a particle. Trips: DIM.
@group(0) @binding(2) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> row: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> slope: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moments: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> score: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let at = id * SUMS;
  let to = id * SCORE;
  let half = 0.5 / f32(p.n);
  let low = sums[at]; let high = sums[at + 1u];
  let a1 = one_of_features(unpacked(low, high));
  score[to + SCORE_Y0] = low;
  score[to + SCORE_Y0 + 1u] = high;
  var re: One; var im: One; var mre: One; var mim: One; var s1: One; var ds1: One;
  #for c in H4
  {
    let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
    s1[$c] = s.s; ds1[$c] = s.s1;
    re[$c] = score[to + SCORE_ABOVE + $cu];
    im[$c] = score[to + SCORE_ABOVE + (1u + DIM) * H4 + $cu];
    mre[$c] = mean[2u * w * H4 + $cu];
    mim[$c] = mean[(2u * w + 1u) * H4 + $cu];
  }
  #end
  let hre = one_of_one(re, VHT); let him = one_of_one(im, VHT); let gre = one_of_one(mre, VGT); let gim = one_of_one(mim, VGT);
  let yre = two_of_one(re, VYT); let yim = two_of_one(im, VYT);
  #for c in T4
  score[to + SCORE_Y1 + $cu] = yre[$c];
  score[to + SCORE_Y1 + T4 + $cu] = yim[$c];
  #end
  var below: One; var imaginary: One;
  #for c in H4
  below[$c] = s1[$c] * (hre[$c] + gre[$c]) + half * slope[id * H4 + $cu];
  imaginary[$c] = s1[$c] * (him[$c] + gim[$c]);
  #for f in F
  moments[(id * F + $fu) * H4 + $cu] *= half * s1[$c];
  #end
  #end
  let lre = score[to + SCORE_Z]; let lim = score[to + SCORE_Z + 1u + DIM];
  for (var a = 0u; a < DIM; a++) {
    var tangent: One;
    #for c in H4
    tangent[$c] = score[to + SCORE_ABOVE + (1u + a) * H4 + $cu];
    #end
    let back = one_of_one(tangent, VHT);
    #for c in H4
    {
      let weight = weights[WT + a * H4 + $cu];
      let h = 0.5 * weight + back[$c];
      below[$c] += lre[a] * s1[$c] * weight + h * ds1[$c] * turned[id * TURNED + 2u * a * H4 + $cu];
      imaginary[$c] += lim[a] * s1[$c] * weight;
      score[to + SCORE_BELOW + (1u + a) * H4 + $cu] = s1[$c] * h;
    }
    #end
    score[to + SCORE_Y0 + 2u * (1u + a)] = row[id * ROW + 4u * a];
    score[to + SCORE_Y0 + 2u * (1u + a) + 1u] = row[id * ROW + 4u * a + 1u];
  }
  #for c in H4
  score[to + SCORE_BELOW + $cu] = below[$c];
  score[to + SCORE_BELOW + (1u + DIM) * H4 + $cu] = imaginary[$c];
  #end
}
