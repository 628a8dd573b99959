// backflow_mean_laplacian: sum_c B_c . grad (Lap g1_c) for g1 = mean of h1, one direction B_c a channel c.
//
//   B = J^-1 kappa collects the output rows' adjoints of g1. A pair moves by e_k = B_mk - B_jk, channel by channel:
//   moments_f = (1/n) sum_j sum_k t0'_k,f e_k,  delta a1 = sum_f V1_f moments_f,  delta Lap a1 = (2/n) sum_j V1^T grad(tr t0'').e,
//   cross = (1/n^2) [ sum_jk (V1^T t0'_k)(V1^T t0''_k.e) + sum_k (sum_j V1^T t0'_k)(sum_j V1^T t0''_k.e) ],
//   share_m = (1/n) [ s1 delta Lap a1 + (s1' Lap a1 + s1'' squares1) delta a1 + 2 s1' cross ]
//   x [walker][n][DIM]; sums (with Laplacians); directions B [walker][ld][H4] -> share [walker][n][H4];
//   slope [walker][n][H4] = s1' delta a1; moments [walker][n][F][H4]
// One invocation a particle and HB column blocks; group.z counts them. Trips: n.
@group(0) @binding(3) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> directions: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> share: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> slope: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moments: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let w = id / p.n;
  let i = id - w * p.n;
  let first = w * p.n;
  let block = group.z * HB;
  let xi = particle(id);
  let kk = 6.283185307179586 / p.length;
  let inv = 1.0 / f32(p.n);
  let b = w * p.ld * H4 + block;
  var mine: array<array<vec4<f32>, HB>, DIM>; var turn: array<array<vec4<f32>, HB>, DIM>;
  var own: array<vec3<f32>, DIM>;
  var m: array<array<vec4<f32>, HB>, F>; var lap: array<vec4<f32>, HB>; var cross: array<vec4<f32>, HB>;
  #for k in DIM
  #for c in HB
  mine[$k][$c] = directions[b + (i * DIM + $ku) * H4 + $cu];
  #end
  #end
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, j == i));
    #for k in DIM
    own[$k] += vec3<f32>(t.c1[$k], t.s1[$k], t.q1[$k]);
    #end
    #for c in HB
    {
      let column = V1 + block + $cu;
      let wq = weights[column + 2u * DIM * H4];
      var e: array<vec4<f32>, DIM>;
      #for k in DIM
      e[$k] = mine[$k][$c] - directions[b + (j * DIM + $ku) * H4 + $cu];
      #end
      #for k in DIM
      {
        let wc = weights[column + $ku * H4]; let ws = weights[column + (DIM + $ku) * H4];
        let plain = t.c1[$k] * wc + t.s1[$k] * ws;
        var along = vec4<f32>();
        #for l in DIM
        along += t.q2[$ku * DIM + $lu] * e[$l];
        #end
        let v = kk * (t.c1[$k] * ws - t.s1[$k] * wc) * e[$k] + along * wq;
        m[$k][$c] += t.c1[$k] * e[$k];
        m[DIM + $ku][$c] += t.s1[$k] * e[$k];
        m[2u * DIM][$c] += t.q1[$k] * e[$k];
        lap[$c] += (t.q3[$k] * wq - kk * kk * plain) * e[$k];
        cross[$c] += (plain + t.q1[$k] * wq) * v;
        turn[$k][$c] += v;
      }
      #end
    }
    #end
  }
  let at = id * SUMS;
  let y0 = unpacked(sums[at], sums[at + 1u]);
  let l0 = unpacked(sums[at + 2u + T4 + H4], sums[at + 3u + T4 + H4]);
  #for c in HB
  {
    let column = V1 + block + $cu;
    var a1 = weights[C1 + block + $cu]; var la1 = vec4<f32>(); var da1 = vec4<f32>(); var both = cross[$c];
    #for f in F
    a1 += y0[$f] * weights[column + $fu * H4];
    la1 += l0[$f] * weights[column + $fu * H4];
    da1 += inv * m[$f][$c] * weights[column + $fu * H4];
    moments[(id * F + $fu) * H4 + block + $cu] = inv * m[$f][$c];
    #end
    #for k in DIM
    both += turn[$k][$c] * (own[$k].x * weights[column + $ku * H4] + own[$k].y * weights[column + (DIM + $ku) * H4]
      + own[$k].z * weights[column + 2u * DIM * H4]);
    #end
    let s = softplus_jet4(a1);
    let square = sums[at + 4u + 2u * T4 + H4 + block + $cu];
    let value = s.s * 2.0 * inv * lap[$c] + (s.s1 * la1 + s.s2 * square) * da1 + 2.0 * s.s1 * inv * inv * both;
    share[id * H4 + block + $cu] = inv * value;
    slope[id * H4 + block + $cu] = s.s1 * da1;
  }
  #end
}
