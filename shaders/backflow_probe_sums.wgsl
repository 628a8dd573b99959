// backflow_probe_sums: derivatives of the first layers along one direction v for all particles.
//
//   A pair moves by e = v_i - v_j:  d_v a1 = V1^T (1/n) sum_j t0'.e,  d_v y1 = (1/n) sum_j s(W1^T t0 + b1) W1^T t0'.e
//   x [walker][n][DIM]; sums of backflow_sums; directions [walker][probes][n DIM]
//   -> dh [walker][probes][n][H4] = s1 d_v a1; slope likewise = s1' d_v a1; dy [walker][probes][n][T4] = d_v y1
// One invocation a particle of a probe. Trips: n.
@group(0) @binding(3) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> directions: array<f32>;
@group(0) @binding(5) var<storage, read_write> dh: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> slope: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dy: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.probes * p.n) { return; }
  let probe = id / p.n;
  let i = id - probe * p.n;
  let first = probe / p.probes * p.n;
  let xi = particle(first + i);
  var vi: Point;
  #for k in DIM
  vi[$k] = directions[id * DIM + $ku];
  #end
  var d0: Features; var d1: Two;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    let other = unlike(i, j);
    var f: Features;
    #for k in DIM
    {
      let e = vi[$k] - directions[(probe * p.n + j) * DIM + $ku];
      f[$k] = t.c1[$k] * e; f[DIM + $ku] = t.s1[$k] * e; f[2u * DIM] += t.q1[$k] * e;
    }
    #end
    #for f in F
    d0[$f] += f[$f];
    #end
    let a = two_of_features(features(t), other); let e1 = two_of_features(f, other);
    #for c in T4
    d1[$c] += softplus_jet4(a[$c] + of_pair(B1 + $cu, other)).s * e1[$c];
    #end
  }
  let inv = 1.0 / f32(p.n);
  #for f in F
  d0[$f] *= inv;
  #end
  let at = (first + i) * SUMS;
  let a1 = one_of_features(unpacked(sums[at], sums[at + 1u])); let da1 = one_of_features(d0);
  #for c in H4
  {
    let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
    dh[id * H4 + $cu] = s.s * da1[$c];
    slope[id * H4 + $cu] = s.s1 * da1[$c];
  }
  #end
  #for c in T4
  dy[id * T4 + $cu] = inv * d1[$c];
  #end
}
