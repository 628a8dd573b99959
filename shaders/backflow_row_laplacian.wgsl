// backflow_row_laplacian: Laplacian of z and each particle's share in the Laplacian of q = sum_ia Y_ia . grad z_ia, Y = J^-T frozen.
//
//   With delta the derivative along Y_ia and sums from backflow_row_sums, backflow_row_pairs and backflow_cross:
//   delta Lap h1 = s1 delta Lap a1 + (s1' Lap a1 + s1'' squares1) delta a1 + 2 s1' cross1,    squares = sum_b (d_b a)^2
//   delta Lap h2 = delta Lap h1 + s2 delta Lap a2 + (s2' Lap a2 + s2'' squares2) delta a2 + 2 s2' cross2,  cross = sum_b d_b a delta d_b a
//   Lap z_a = W_a . Lap h2,  share_i = sum_a W_a . delta Lap h2; without the mean field in delta Lap a2 (backflow_mean_laplacian) and
//   in delta d_b a2 (probed). Also adjoints for grad q: with omega1 = s1' (W_a + V_h W_a s2), omega2 = W_a s2',
//   rho1 = sum_a V1 [omega1 delta a1 + s1 V_h omega2 delta a2], rho2 = sum_a V_y omega2 delta a2, kappa = sum_a V_g omega2 delta a2
//   sums (with Laplacians); mean [walker][2][H4]; a2 [walker][n][H4]; row; vdg = V_g^T dg [walker][n DIM][H4];
//   ydg = Y dg [walker][n DIM][H4] -> lap_z [walker][ld]; turned [walker][n] of (delta a1, delta a2) (H4 each) per a,
//   rho1 (2), rho2 (T4), kappa (H4), share (1) vec4
// One invocation a particle. Trips: DIM (2 + 2 DIM + F) + 4.
@group(0) @binding(2) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> a2: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> row: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> vdg: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> ydg: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> lap_z: array<f32>;
@group(0) @binding(9) var<storage, read_write> turned: array<vec4<f32>>;

fn pairs(at: u32) -> Two {
  var v: Two;
  #for c in T4
  v[$c] = row[at + $cu];
  #end
  return v;
}

fn sloped(at: u32, k: u32) -> One { let v = row[at]; return one_of_slope(k, v.x, v.y, v.z); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let inv = 1.0 / f32(p.n);
  let at = id * SUMS;
  let own = id * ROW;
  let a1 = one_of_features(unpacked(sums[at], sums[at + 1u]));
  let la1 = one_of_features(unpacked(sums[at + 2u + T4 + H4], sums[at + 3u + T4 + H4]));
  var ly: Two;
  #for c in T4
  ly[$c] = sums[at + 4u + T4 + H4 + $cu];
  #end
  var s1: One; var ds1: One; var bend1: One; var lh1: One; var lg: One;
  #for c in H4
  {
    let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
    let square = sums[at + 4u + 2u * T4 + H4 + $cu];
    s1[$c] = s.s; ds1[$c] = s.s1;
    bend1[$c] = s.s1 * la1[$c] + s.s2 * square;
    lh1[$c] = s.s * la1[$c] + s.s1 * square;
    lg[$c] = mean[(2u * w + 1u) * H4 + $cu];
  }
  #end
  // d_ik a2 of the particle's own coordinates
  var mine: array<One, DIM>;
  var squares: One;
  #for k in DIM
  {
    var v = sloped(own + DIM * (4u + H4) + $ku, $ku);
    #for c in H4
    v[$c] *= s1[$c];
    #end
    let x = one_of_one(v, VH); let y = one_of_two(pairs(own + ROW_PAIRS + (2u * DIM + $ku) * T4), VY);
    #for c in H4
    mine[$k][$c] = inv * (x[$c] + y[$c]) + vdg[(id * DIM + $ku) * H4 + $cu];
    squares[$c] += mine[$k][$c] * mine[$k][$c];
    #end
  }
  #end
  let lh = one_of_one(lh1, VH); let lm = one_of_one(lg, VG); let lp = one_of_two(ly, VY);
  var s2: One; var ds2: One; var bend2: One; var lh2: One;
  var share = 0.0;
  #for c in H4
  {
    let s = softplus_jet4(a2[id * H4 + $cu]);
    let la2 = lh[$c] + lm[$c] + lp[$c];
    let square = squares[$c] + row[own + ROW_CROSS + $cu];
    s2[$c] = s.s; ds2[$c] = s.s1;
    bend2[$c] = s.s1 * la2 + s.s2 * square;
    lh2[$c] = lh1[$c] + s.s * la2 + s.s1 * square;
    share += 2.0 * dot(row[own + ROW_CROSS + H4 + $cu], vec4<f32>(1.0));
  }
  #end
  var rho1: Features; var rho2: Two; var kappa: One;
  for (var a = 0u; a < DIM; a++) {
    var weight: One; var lz = 0.0;
    #for c in H4
    weight[$c] = weights[WT + a * H4 + $cu];
    lz += dot(weight[$c], lh2[$c]);
    #end
    lap_z[w * p.ld + i * DIM + a] = lz;
    let da1 = one_of_features(unpacked(row[own + 4u * a], row[own + 4u * a + 1u]));
    let dla1 = one_of_features(unpacked(row[own + 4u * a + 2u], row[own + 4u * a + 3u]));
    var dh1: One; var dlh1: One; var turn: One; var dg: One;
    #for c in H4
    dh1[$c] = s1[$c] * da1[$c];
    dlh1[$c] = s1[$c] * dla1[$c] + bend1[$c] * da1[$c] + 2.0 * ds1[$c] * row[own + 4u * DIM + a * H4 + $cu];
    turn[$c] = ds1[$c] * da1[$c];
    dg[$c] = ydg[(id * DIM + a) * H4 + $cu];
    #end
    let x = one_of_one(dh1, VH); let y = one_of_one(dg, VG); let z = one_of_two(pairs(own + ROW_PAIRS + 2u * a * T4), VY);
    let lx = one_of_one(dlh1, VH); let lz_ = one_of_two(pairs(own + ROW_PAIRS + (2u * a + 1u) * T4), VY);
    // cross2: features of other particles' coordinates, then the particle's own coordinates
    var cross: One;
    for (var f = 0u; f < F; f++) {
      var v: One;
      #for c in H4
      v[$c] = turn[$c] * weights[V1 + f * H4 + $cu];
      #end
      let u = one_of_one(v, VH);
      #for c in H4
      cross[$c] += u[$c] * row[own + ROW_CROSS + (2u + f) * H4 + $cu];
      #end
    }
    #for k in DIM
    {
      let first = sloped(own + DIM * (4u + H4) + $ku, $ku); let second = sloped(own + DIM * (5u + H4) + $ku * DIM + a, $ku);
      var v: One;
      #for c in H4
      v[$c] = s1[$c] * second[$c] + turn[$c] * first[$c];
      #end
      let u = one_of_one(v, VH); let t = one_of_two(pairs(own + ROW_PAIRS + (3u * DIM + $ku * DIM + a) * T4), VY);
      #for c in H4
      cross[$c] += inv * mine[$k][$c] * (u[$c] + t[$c]);
      #end
    }
    #end
    var beta: One; var omega: One;
    let to = id * TURNED + 2u * a * H4;
    #for c in H4
    {
      let da2 = x[$c] + y[$c] + z[$c];
      let dlh2 = dlh1[$c] + s2[$c] * (lx[$c] + lz_[$c]) + bend2[$c] * da2 + 2.0 * ds2[$c] * cross[$c];
      share += dot(weight[$c], dlh2);
      turned[to + $cu] = da1[$c];
      turned[to + H4 + $cu] = da2;
      beta[$c] = weight[$c] * s2[$c];
      omega[$c] = weight[$c] * ds2[$c] * da2;
    }
    #end
    let back = one_of_one(beta, VHT); let through = one_of_one(omega, VHT);
    let r2 = two_of_one(omega, VYT); let r3 = one_of_one(omega, VGT);
    var below: One;
    #for c in H4
    below[$c] = turn[$c] * (weight[$c] + back[$c]) + s1[$c] * through[$c];
    kappa[$c] += r3[$c];
    #end
    #for c in T4
    rho2[$c] += r2[$c];
    #end
    let r1 = features_of_one(below);
    #for f in F
    rho1[$f] += r1[$f];
    #end
  }
  let to = id * TURNED + 2u * DIM * H4;
  let r = packed(rho1);
  turned[to] = r[0]; turned[to + 1u] = r[1];
  #for c in T4
  turned[to + 2u + $cu] = rho2[$c];
  #end
  #for c in H4
  turned[to + 2u + T4 + $cu] = kappa[$c];
  #end
  turned[to + 2u + T4 + H4] = vec4<f32>(share, 0.0, 0.0, 0.0);
  if (i + 1u == p.n) {
    for (var c = p.n * DIM; c < p.ld; c++) { lap_z[w * p.ld + c] = 0.0; }
  }
}
