// Registers of the kernels whose invocations own a particle: one-particle vectors of H = 4 H4 numbers, two-particle
// vectors of T = 4 T4, features (cos, sin, q) of F = 2 DIM + 1. The weights lie in a uniform buffer, which real GPUs read
// through their constant cache and CPU drivers once for all lanes; V1 (F x H), V_h, V_g (H x H), V_y (T x H), W1 (F x T),
// W (H x DIM) are places in it (vec4), a trailing t marks the transposed. Pairs of unlike spins have a W1 and b1 of their own,
// UNLIKE vec4 further: 0 where there is one spin.
alias One = array<vec4<f32>, H4>;
alias Two = array<vec4<f32>, T4>;
alias Features = array<f32, F>;
alias Point = array<f32, DIM>;
@group(0) @binding(1) var<uniform> weights: array<vec4<f32>, NW>;

fn product4(x: vec4<f32>, at: u32, stride: u32) -> vec4<f32> {
  return x.x * weights[at] + x.y * weights[at + stride] + x.z * weights[at + 2u * stride] + x.w * weights[at + 3u * stride];
}

// Whether particles i and j of a walker have unlike spins, and weights of the two-particle layer of such a pair (`other`) or of one of
// like spins.
fn unlike(i: u32, j: u32) -> bool { return (i < p.up) != (j < p.up); }

fn of_pair(at: u32, other: bool) -> vec4<f32> { return select(weights[at], weights[at + UNLIKE], other); }

// H -> H by the matrix at `at` (and likewise below).
fn one_of_one(x: One, at: u32) -> One {
  var y: One;
  #for c in H4
  #for k in H4
  y[$c] += product4(x[$k], at + $ku * 4u * H4 + $cu, H4);
  #end
  #end
  return y;
}

fn one_of_two(x: Two, at: u32) -> One {
  var y: One;
  #for c in H4
  #for k in T4
  y[$c] += product4(x[$k], at + $ku * 4u * H4 + $cu, H4);
  #end
  #end
  return y;
}

fn two_of_one(x: One, at: u32) -> Two {
  var y: Two;
  #for c in T4
  #for k in H4
  y[$c] += product4(x[$k], at + $ku * 4u * T4 + $cu, T4);
  #end
  #end
  return y;
}

fn one_of_features(t: Features) -> One {
  var y: One;
  #for c in H4
  #for f in F
  y[$c] += t[$f] * weights[V1 + $fu * H4 + $cu];
  #end
  #end
  return y;
}

fn two_of_features(t: Features, other: bool) -> Two {
  var y: Two;
  #for c in T4
  #for f in F
  y[$c] += t[$f] * of_pair(W1 + $fu * T4 + $cu, other);
  #end
  #end
  return y;
}

// Features back from H by V1^T, and from T by W1^T.
fn features_of_one(x: One) -> Features {
  var t: Features;
  #for f in F
  #for c in H4
  t[$f] += dot(weights[V1 + $fu * H4 + $cu], x[$c]);
  #end
  #end
  return t;
}

fn features_of_two(x: Two, other: bool) -> Features {
  var t: Features;
  #for f in F
  #for c in T4
  t[$f] += dot(of_pair(W1 + $fu * T4 + $cu, other), x[$c]);
  #end
  #end
  return t;
}

// The derivative by one coordinate touches three features: cos (c), sin (s) and q.
fn one_of_slope(k: u32, c: f32, s: f32, q: f32) -> One {
  var y: One;
  #for c in H4
  y[$c] = c * weights[V1 + k * H4 + $cu] + s * weights[V1 + (DIM + k) * H4 + $cu] + q * weights[V1 + 2u * DIM * H4 + $cu];
  #end
  return y;
}

fn two_of_slope(k: u32, c: f32, s: f32, q: f32, other: bool) -> Two {
  var y: Two;
  #for c in T4
  y[$c] = c * of_pair(W1 + k * T4 + $cu, other) + s * of_pair(W1 + (DIM + k) * T4 + $cu, other) + q * of_pair(W1 + 2u * DIM * T4 + $cu, other);
  #end
  return y;
}

// Features of r = x_i - x_j and their derivatives; all derivatives are 0 for i = j (live = 0).
//   c, s: cos and sin of 2 pi r_k/L; c1, s1 their first derivatives (second: -kk s1, kk c1; third: -kk^2 c1, -kk^2 s1);
//   q = |sin(b r)| with q1, q2 (DIM x DIM), ql = tr q2, q3 = grad ql. With m = sum sin^2(b r): m1 = b sin 2br,
//   m2 = 2 b^2 cos 2br, m3 = -4 b^3 sin 2br.
struct Wave {
  c: Point, s: Point, c1: Point, s1: Point, q: f32, q1: Point, q2: array<f32, DIM * DIM>, ql: f32, q3: Point,
}

fn wave(xi: Point, xj: Point, live: f32) -> Wave {
  var t: Wave;
  let kk = 6.283185307179586 / p.length;
  let b = 0.5 * p.half_turns * kk;
  var m = 0.0;
  var lap = 0.0; var square = 0.0;
  var m1: Point; var m2: Point;
  #for k in DIM
  {
    let turns = (xi[$k] - xj[$k]) / p.length;
    let full = sincos2pi(turns);
    let part = sincos2pi(0.5 * p.half_turns * turns);
    let c = full.y; let s = full.x; let sb = part.x; let cb = part.y;
    t.c[$k] = c; t.s[$k] = s;
    t.c1[$k] = -kk * live * s; t.s1[$k] = kk * live * c;
    m += sb * sb;
    m1[$k] = 2.0 * b * sb * cb;
    m2[$k] = 2.0 * b * b * (cb - sb) * (cb + sb);
    lap += m2[$k];
    square += m1[$k] * m1[$k];
  }
  #end
  t.q = live * sqrt(m);
  let v = live / select(sqrt(m), 1.0, live == 0.0);
  let v2 = v * v; let v3 = 0.5 * v * v2;
  t.ql = 0.5 * v * lap - 0.5 * v3 * square;
  #for k in DIM
  t.q1[$k] = 0.5 * v * m1[$k];
  #for l in DIM
  t.q2[$ku * DIM + $lu] = select(0.0, 0.5 * v * m2[$k], $k == $l) - 0.5 * v3 * m1[$k] * m1[$l];
  #end
  t.q3[$k] = -2.0 * b * b * v * m1[$k] - v3 * (0.5 * lap + m2[$k]) * m1[$k] + 0.75 * square * v3 * v2 * m1[$k];
  #end
  return t;
}

fn features(t: Wave) -> Features {
  var f: Features;
  #for k in DIM
  f[$k] = t.c[$k]; f[DIM + $ku] = t.s[$k];
  #end
  f[2u * DIM] = t.q;
  return f;
}

// Features as the first numbers of two vec4.
fn packed(t: Features) -> array<vec4<f32>, 2> {
  var v: array<f32, 8>;
  #for f in F
  v[$f] = t[$f];
  #end
  return array<vec4<f32>, 2>(vec4<f32>(v[0], v[1], v[2], v[3]), vec4<f32>(v[4], v[5], v[6], v[7]));
}

fn unpacked(low: vec4<f32>, high: vec4<f32>) -> Features {
  let v = array<f32, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
  var t: Features;
  #for f in F
  t[$f] = v[$f];
  #end
  return t;
}
