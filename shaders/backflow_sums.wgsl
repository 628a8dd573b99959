// backflow_sums: sums over pairs that the first one-particle layer is made of, for each particle.
//
//   y0_i = (1/n) sum_j t0(r_ij), y1_i = (1/n) sum_j sp(W1 t0 + b1), a1 = V1^T y0 + c1, h1 = sp(a1), s1 = sp'(a1);
//   LAPLACE = 1: Lap y0 = (2/n) sum_j tr t0'', Lap y1 likewise, squares = sum_b (d_b a1)^2 over all coordinates b,
//   Lap h1 = s1 V1^T Lap y0 + s1' squares.
//   x [walker][n][DIM] -> sums [walker][n] of y0 (2), y1 (T4), s1 (H4), Lap y0 (2), Lap y1 (T4), squares (H4) vec4;
//   h [walker][n][1 + LAPLACE][H4] = h1, Lap h1
// One invocation a particle, everything in registers. Trips: n.
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> h: array<vec4<f32>>;

fn put_features(at: u32, t: Features) {
  let v = packed(t);
  sums[at] = v[0];
  sums[at + 1u] = v[1];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = flat_group(group, groups) * WG + lane;
  if (id >= p.walkers * p.n) { return; }
  let first = id / p.n * p.n;
  let xi = particle(id);
  var y0: Features; var l0: Features;
  var y1: Two; var l1: Two;
  var own: array<f32, 3u * DIM>;
  var squares: One;
  let kk = 6.283185307179586 / p.length;
  for (var j = 0u; j < p.n; j++) {
    let t = wave(xi, particle(first + j), select(1.0, 0.0, first + j == id));
    let other = unlike(id - first, j);
    let f = features(t);
    #for f in F
    y0[$f] += f[$f];
    #end
    let a = two_of_features(f, other);
    if (LAPLACE == 0u) {
      #for c in T4
      y1[$c] += softplus_jet4(a[$c] + of_pair(B1 + $cu, other)).v;
      #end
    } else {
      // tr t0'' and W1^T tr t0'', sum_k (W1^T t0'_k)^2
      var lap: Features;
      var square: Two;
      #for k in DIM
      {
        lap[$k] = -kk * t.s1[$k]; lap[DIM + $ku] = kk * t.c1[$k];
        let w = two_of_slope($ku, t.c1[$k], t.s1[$k], t.q1[$k], other);
        #for c in T4
        square[$c] += w[$c] * w[$c];
        #end
        let v = one_of_slope($ku, t.c1[$k], t.s1[$k], t.q1[$k]);
        #for c in H4
        squares[$c] += v[$c] * v[$c];
        #end
        own[$k] += t.c1[$k]; own[DIM + $ku] += t.s1[$k]; own[2u * DIM + $ku] += t.q1[$k];
      }
      #end
      lap[2u * DIM] = t.ql;
      #for f in F
      l0[$f] += lap[$f];
      #end
      let wl = two_of_features(lap, other);
      #for c in T4
      {
        let s = softplus_jet4(a[$c] + of_pair(B1 + $cu, other));
        y1[$c] += s.v;
        l1[$c] += s.s * wl[$c] + s.s1 * square[$c];
      }
      #end
    }
  }
  let inv = 1.0 / f32(p.n);
  #for f in F
  y0[$f] *= inv; l0[$f] *= 2.0 * inv;
  #end
  let a1 = one_of_features(y0);
  let at = id * SUMS;
  put_features(at, y0);
  #for c in T4
  sums[at + 2u + $cu] = inv * y1[$c];
  #end
  if (LAPLACE == 0u) {
    #for c in H4
    {
      let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
      sums[at + 2u + T4 + $cu] = s.s;
      h[id * H4 + $cu] = s.v;
    }
    #end
  } else {
    #for k in DIM
    {
      let v = one_of_slope($ku, own[$k], own[DIM + $ku], own[2u * DIM + $ku]);
      #for c in H4
      squares[$c] += v[$c] * v[$c];
      #end
    }
    #end
    let la = one_of_features(l0);
    put_features(at + 2u + T4 + H4, l0);
    #for c in T4
    sums[at + 4u + T4 + H4 + $cu] = 2.0 * inv * l1[$c];
    #end
    #for c in H4
    {
      let s = softplus_jet4(a1[$c] + weights[C1 + $cu]);
      let square = inv * inv * squares[$c];
      sums[at + 2u + T4 + $cu] = s.s;
      sums[at + 4u + 2u * T4 + H4 + $cu] = square;
      h[id * 2u * H4 + $cu] = s.v;
      h[(id * 2u + 1u) * H4 + $cu] = s.s * la[$c] + s.s1 * square;
    }
    #end
  }
}
