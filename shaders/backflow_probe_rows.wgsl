// backflow_probe_rows: output rows pulled back through the layers' derivatives along v: what d_v J is contracted from.
//
//   d_v a2 = V_h^T d_v h1 + V_g^T d_v g1 + V_y^T d_v y1;  omega = W_a s2' d_v a2,  rho2 = V_y omega,  kappa = V_g omega,
//   rho1 = V1 [s1' d_v a1 (W_a + V_h W_a s2) + s1 V_h omega]: the coefficients of d_b y1, d_b g1, d_b y0 in d_v d_b z_a
//   sums of backflow_sums (s1); a2 [walker][n][H4]; dh, slope, dy of backflow_probe_sums; mean: d_v g1 [walker][probes][H4]
//   -> rows [walker][probes][n DIM] of rho1 (2), rho2 (T4), kappa (H4) vec4
// One invocation a particle of a probe. Trips: DIM.
@group(0) @binding(2) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> a2: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dh: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> slope: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> rows: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.probes * p.n) { return; }
  let probe = id / p.n;
  let particle = probe / p.probes * p.n + id - probe * p.n;
  var h: One; var g: One; var y: Two; var s1: One; var turn: One;
  #for c in H4
  h[$c] = dh[id * H4 + $cu]; g[$c] = mean[probe * H4 + $cu];
  turn[$c] = slope[id * H4 + $cu];
  s1[$c] = sums[particle * SUMS + 2u + T4 + $cu];
  #end
  #for c in T4
  y[$c] = dy[id * T4 + $cu];
  #end
  let fromh = one_of_one(h, VH); let fromg = one_of_one(g, VG); let fromy = one_of_two(y, VY);
  var s2: One; var along: One;
  #for c in H4
  {
    let s = softplus_jet4(a2[particle * H4 + $cu]);
    s2[$c] = s.s; along[$c] = s.s1 * (fromh[$c] + fromg[$c] + fromy[$c]);
  }
  #end
  for (var a = 0u; a < DIM; a++) {
    var w: One; var beta: One; var omega: One;
    #for c in H4
    w[$c] = weights[WT + a * H4 + $cu];
    beta[$c] = w[$c] * s2[$c]; omega[$c] = w[$c] * along[$c];
    #end
    let back = one_of_one(beta, VHT); let through = one_of_one(omega, VHT);
    let rho2 = two_of_one(omega, VYT); let kappa = one_of_one(omega, VGT);
    let at = (id * DIM + a) * (2u + T4 + H4);
    var below: One;
    #for c in H4
    below[$c] = turn[$c] * (w[$c] + back[$c]) + s1[$c] * through[$c];
    rows[at + 2u + T4 + $cu] = kappa[$c];
    #end
    #for c in T4
    rows[at + 2u + $cu] = rho2[$c];
    #end
    let rho1 = packed(features_of_one(below));
    rows[at] = rho1[0];
    rows[at + 1u] = rho1[1];
  }
}
