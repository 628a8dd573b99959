// backflow_score_top: inputs and adjoints of the output layer and of the second one-particle layer, for the scores d ln Psi/d theta.
//
//   Re ln Psi moves by S_z . dz + (1/2) sum_ia d(delta_ia z_ia), delta_ia along Y_ia, Y = J^-T; Im ln Psi by Im S_z . dz.
//   With lambda = S_z, W_a column a of W and tangents delta_a:  adjoint of a2: s2 sum_a lambda_a W_a + (1/2) sum_a W_a s2' delta_a a2,
//   of delta_a a2: (1/2) W_a s2;  of z: lambda, of delta_a z_a: 1/2
//   sums; mean g1 [walker][2][H4]; row, turned, ydg as in backflow_row_laplacian; slater S_z [walker][n DIM] complex
//   -> score [walker][n], first four parts (shared/backflow_places.wgsl); adjoint [walker][n][2][H4] of a2, Re and Im
// One invocation a particle. Trips: DIM.
@group(0) @binding(2) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> row: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> ydg: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> slater: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> score: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> adjoint: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let at = id * SUMS;
  let to = id * SCORE;
  let a1 = one_of_features(unpacked(sums[at], sums[at + 1u]));
  var h1: One; var s1: One; var g1: One; var y1: Two;
  #for c in H4
  {
    let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
    h1[$c] = s.v; s1[$c] = s.s; g1[$c] = mean[2u * w * H4 + $cu];
    score[to + $cu] = h1[$c];
    score[to + H4 + $cu] = g1[$c];
  }
  #end
  #for c in T4
  y1[$c] = sums[at + 2u + $cu];
  score[to + 2u * H4 + $cu] = y1[$c];
  #end
  let fromh = one_of_one(h1, VH); let fromg = one_of_one(g1, VG); let fromy = one_of_two(y1, VY);
  var s2: One; var ds2: One; var re: One; var im: One;
  #for c in H4
  {
    let s = softplus_jet4(fromh[$c] + fromg[$c] + fromy[$c] + weights[C2 + $cu]);
    s2[$c] = s.s; ds2[$c] = s.s1;
    score[to + SCORE_H + $cu] = h1[$c] + s.v;
  }
  #end
  var lambda: array<vec4<f32>, 2>;
  for (var a = 0u; a < DIM; a++) {
    let l = slater[id * DIM + a];
    lambda[0][a] = l.x; lambda[1][a] = l.y;
    let rows = to + (1u + a) * (2u * H4 + T4);
    #for c in H4
    {
      let weight = weights[WT + a * H4 + $cu];
      let da1 = turned[id * TURNED + 2u * a * H4 + $cu];
      let da2 = turned[id * TURNED + (2u * a + 1u) * H4 + $cu];
      let dh1 = s1[$c] * da1;
      re[$c] += l.x * s2[$c] * weight + 0.5 * weight * ds2[$c] * da2;
      im[$c] += l.y * s2[$c] * weight;
      score[rows + $cu] = dh1;
      score[rows + H4 + $cu] = ydg[(id * DIM + a) * H4 + $cu];
      score[to + SCORE_ABOVE + (1u + a) * H4 + $cu] = 0.5 * weight * s2[$c];
      score[to + SCORE_H + (1u + a) * H4 + $cu] = dh1 + s2[$c] * da2;
    }
    #end
    #for c in T4
    score[rows + 2u * H4 + $cu] = row[id * ROW + ROW_PAIRS + 2u * a * T4 + $cu];
    #end
    score[to + SCORE_Z + 1u + a] = 0.5 * vec4<f32>(vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(a));
  }
  score[to + SCORE_Z] = lambda[0];
  score[to + SCORE_Z + 1u + DIM] = lambda[1];
  #for c in H4
  score[to + SCORE_ABOVE + $cu] = re[$c];
  score[to + SCORE_ABOVE + (1u + DIM) * H4 + $cu] = im[$c];
  adjoint[2u * id * H4 + $cu] = re[$c];
  adjoint[(2u * id + 1u) * H4 + $cu] = im[$c];
  #end
}
