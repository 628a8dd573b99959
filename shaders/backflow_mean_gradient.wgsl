// backflow_mean_gradient: derivatives of g1 = (1/n) sum_i h1_i with respect to all coordinates.
//
//   d g1/dx_jk = (1/n^2) sum_m [ s1_j V1^T t0'_k(r_jm) - s1_m V1^T t0'_k(r_mj) ];  under r -> -r cos' and q' are odd, sin' is even
//   x [walker][n][DIM]; sums of backflow_sums (s1) -> dg [walker][n DIM][H4]
// One invocation a particle. Trips: n.
@group(0) @binding(3) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dg: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let first = id / p.n * p.n;
  let xj = particle(id);
  var own: array<f32, 3u * DIM>;
  var others: array<One, DIM>;
  for (var m = 0u; m < p.n; m++) {
    let t = wave(xj, particle(first + m), select(1.0, 0.0, first + m == id));
    var s1: One;
    #for c in H4
    s1[$c] = sums[(first + m) * SUMS + 2u + T4 + $cu];
    #end
    #for k in DIM
    {
      let v = one_of_slope($ku, -t.c1[$k], t.s1[$k], -t.q1[$k]);
      #for c in H4
      others[$k][$c] += s1[$c] * v[$c];
      #end
      own[$k] += t.c1[$k]; own[DIM + $ku] += t.s1[$k]; own[2u * DIM + $ku] += t.q1[$k];
    }
    #end
  }
  let inv = 1.0 / f32(p.n * p.n);
  #for k in DIM
  {
    let v = one_of_slope($ku, own[$k], own[DIM + $ku], own[2u * DIM + $ku]);
    #for c in H4
    dg[(id * DIM + $ku) * H4 + $cu] = inv * (sums[id * SUMS + 2u + T4 + $cu] * v[$c] - others[$k][$c]);
    #end
  }
  #end
}
