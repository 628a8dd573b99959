// backflow_probe_jacobian: derivative of J along a direction v, contracted from pulled-back rows.
//
//   With e = v_i - v_j, w_e = W1^T t0'.e, and rho', kappa' the rows of backflow_probe_rows:
//   d_v J_(ia)(jk) = -(1/n) [ back1 . t0'_k + back2 . t0''_k.e ] + kappa' . d_jk g1 + kappa . d_v d_jk g1   (j != i),
//   back1 = rho1' + W1 [rho2' s + rho2 s' w_e], back2 = rho1 + W1 [rho2 s];  the bracket of j = i: minus the sum of the others
//   x [walker][n][DIM]; directions [walker][probes][n DIM]; rows, kappa of backflow_particles; turned: rows of backflow_probe_rows;
//   dg [walker][n DIM][H4]; ddg = d_v dg [walker][probes][n DIM][H4] -> out [walker][probes][ld][ld], padding 0
// One invocation a particle of a probe and AB of its rows; group.z counts them. Trips: n + 5 ld.
@group(0) @binding(3) var<storage, read> directions: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> kappas: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> turned: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> dg: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> ddg: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.probes * p.n) { return; }
  let probe = id / p.n;
  let i = id - probe * p.n;
  let w = probe / p.probes;
  let first = w * p.n;
  let order = p.n * DIM;
  let kk = 6.283185307179586 / p.length;
  let inv = 1.0 / f32(p.n);
  let xi = particle(first + i);
  var vi: Point;
  #for k in DIM
  vi[$k] = directions[id * DIM + $ku];
  #end
  var rho1: array<Features, AB>; var rho2: array<Two, AB>; var kappa: array<One, AB>;
  var turn1: array<Features, AB>; var turn2: array<Two, AB>; var turn3: array<One, AB>;
  #for a in AB
  {
    let r = i * DIM + group.z * AB + $au;
    let row = (first * DIM + r) * (2u + T4);
    let at = (probe * order + r) * (2u + T4 + H4);
    rho1[$a] = unpacked(rows[row], rows[row + 1u]);
    turn1[$a] = unpacked(turned[at], turned[at + 1u]);
    #for c in T4
    rho2[$a][$c] = rows[row + 2u + $cu];
    turn2[$a][$c] = turned[at + 2u + $cu];
    #end
    #for c in H4
    kappa[$a][$c] = kappas[(w * p.ld + r) * H4 + $cu];
    turn3[$a][$c] = turned[at + 2u + T4 + $cu];
    #end
  }
  #end
  let base = probe * p.ld * p.ld + (i * DIM + group.z * AB) * p.ld;
  var own: array<f32, AB * DIM>;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    let other = unlike(i, j);
    var e: Point; var fe: Features;
    #for k in DIM
    e[$k] = vi[$k] - directions[(probe * p.n + j) * DIM + $ku];
    fe[$k] = t.c1[$k] * e[$k]; fe[DIM + $ku] = t.s1[$k] * e[$k]; fe[2u * DIM] += t.q1[$k] * e[$k];
    #end
    let f = two_of_features(features(t), other); let we = two_of_features(fe, other);
    var s: Two; var ds: Two;
    #for c in T4
    {
      let jet = softplus_jet4(f[$c] + of_pair(B1 + $cu, other));
      s[$c] = jet.s; ds[$c] = jet.s1 * we[$c];
    }
    #end
    #for a in AB
    {
      var r1: Two; var r2: Two;
      #for c in T4
      r1[$c] = turn2[$a][$c] * s[$c] + rho2[$a][$c] * ds[$c];
      r2[$c] = rho2[$a][$c] * s[$c];
      #end
      let b1 = features_of_two(r1, other); let b2 = features_of_two(r2, other);
      let q1 = turn1[$a][2u * DIM] + b1[2u * DIM]; let q2 = rho1[$a][2u * DIM] + b2[2u * DIM];
      #for k in DIM
      {
        var bend = 0.0;
        #for l in DIM
        bend += t.q2[$ku * DIM + $lu] * e[$l];
        #end
        let v = inv * ((turn1[$a][$k] + b1[$k]) * t.c1[$k] + (turn1[$a][DIM + $ku] + b1[DIM + $ku]) * t.s1[$k] + q1 * t.q1[$k]
          + kk * e[$k] * ((rho1[$a][DIM + $ku] + b2[DIM + $ku]) * t.c1[$k] - (rho1[$a][$k] + b2[$k]) * t.s1[$k]) + q2 * bend);
        own[$au * DIM + $ku] += v;
        var m = -v;
        #for c in H4
        m += dot(turn3[$a][$c], dg[((first + j) * DIM + $ku) * H4 + $cu]) + dot(kappa[$a][$c], ddg[((probe * p.n + j) * DIM + $ku) * H4 + $cu]);
        #end
        out[base + $au * p.ld + j * DIM + $ku] = m;
      }
      #end
    }
    #end
  }
  #for a in AB
  #for k in DIM
  out[base + $au * p.ld + i * DIM + $ku] += own[$au * DIM + $ku];
  #end
  for (var c = order; c < p.ld; c++) { out[base + $au * p.ld + c] = 0.0; }
  #end
  if (i + 1u == p.n && group.z == 0u) {
    for (var c = order * p.ld; c < p.ld * p.ld; c++) { out[probe * p.ld * p.ld + c] = 0.0; }
  }
}
