// backflow_mean_hessian: second derivatives of g1 = mean of h1, by every coordinate and along given directions.
//
//   CHANNELS = 0: d_v d_b g1 for one direction v [walker][probes][n DIM]; CHANNELS = 1: B_c . grad d_b g1_c, a direction each channel c,
//   B [walker][ld][4 H4]. With e = v_j - v_m of a pair, b = (j,k):
//   (1/n^2) [ s1_j sum_m V1^T t0''_k(r_jm).e + s1'_j d_v a1_j sum_m V1^T t0'_k(r_jm)
//             - sum_m ( s1_m V1^T t0''_k(r_mj).(-e) + s1'_m d_v a1_m V1^T t0'_k(r_mj) ) ];  under r -> -r derivatives change by parity
//   x [walker][n][DIM]; sums of backflow_sums (s1); slope = s1' d_v a1 [walker][probes][n][H4] -> out [walker][probes][n DIM][H4]
// One invocation a particle of a probe and HB column blocks; group.z counts them. Trips: n.
@group(0) @binding(3) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> slope: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> directions: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;

fn direction(probe: u32, b: u32, column: u32) -> vec4<f32> {
  if (CHANNELS == 0u) { return vec4<f32>(directions[probe * p.n * DIM + b]); }
  let at = ((probe * p.ld + b) * H4 + column) * 4u;
  return vec4<f32>(directions[at], directions[at + 1u], directions[at + 2u], directions[at + 3u]);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.probes * p.n) { return; }
  let probe = id / p.n;
  let j = id - probe * p.n;
  let first = probe / p.probes * p.n;
  let block = group.z * HB;
  let xj = particle(first + j);
  let kk = 6.283185307179586 / p.length;
  var mine: array<array<vec4<f32>, HB>, DIM>; var bent: array<array<vec4<f32>, HB>, DIM>; var others: array<array<vec4<f32>, HB>, DIM>;
  var own: array<vec3<f32>, DIM>;
  #for k in DIM
  #for c in HB
  mine[$k][$c] = direction(probe, j * DIM + $ku, block + $cu);
  #end
  #end
  for (var m = 0u; m < p.n; m++) {
    let t = wave(xj, particle(first + m), select(1.0, 0.0, m == j));
    #for k in DIM
    own[$k] += vec3<f32>(t.c1[$k], t.s1[$k], t.q1[$k]);
    #end
    #for c in HB
    {
      let column = V1 + block + $cu;
      let s1 = sums[(first + m) * SUMS + 2u + T4 + block + $cu];
      let turn = slope[(probe * p.n + m) * H4 + block + $cu];
      let wq = weights[column + 2u * DIM * H4];
      var e: array<vec4<f32>, DIM>;
      #for k in DIM
      e[$k] = mine[$k][$c] - direction(probe, m * DIM + $ku, block + $cu);
      #end
      #for k in DIM
      {
        let wc = weights[column + $ku * H4]; let ws = weights[column + (DIM + $ku) * H4];
        var along = vec4<f32>();
        #for l in DIM
        along += t.q2[$ku * DIM + $lu] * e[$l];
        #end
        let even = kk * t.s1[$k] * e[$k] * wc; let odd = kk * t.c1[$k] * e[$k] * ws;
        bent[$k][$c] += odd - even + along * wq;
        others[$k][$c] += s1 * (odd + even - along * wq) + turn * (t.s1[$k] * ws - t.c1[$k] * wc - t.q1[$k] * wq);
      }
      #end
    }
    #end
  }
  let inv = 1.0 / f32(p.n * p.n);
  #for c in HB
  {
    let column = V1 + block + $cu;
    let s1 = sums[(first + j) * SUMS + 2u + T4 + block + $cu];
    let turn = slope[id * H4 + block + $cu];
    #for k in DIM
    {
      let v = own[$k].x * weights[column + $ku * H4] + own[$k].y * weights[column + (DIM + $ku) * H4] + own[$k].z * weights[column + 2u * DIM * H4];
      out[(id * DIM + $ku) * H4 + block + $cu] = inv * (s1 * bent[$k][$c] + turn * v - others[$k][$c]);
    }
    #end
  }
  #end
}
