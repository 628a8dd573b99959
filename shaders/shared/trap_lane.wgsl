// The flow of electrons in a trap, for kernels with an invocation for each walker: the lanes of a CPU driver are different
// walkers, which read one weight at a time, from a uniform buffer at an index that the text knows.
// Constant: QUADS vec4 of logistic functions of eta, and of mu. Weights: b, W1, W2 of eta, then of mu, padded with zeros.
@group(0) @binding(1) var<uniform> weights: array<vec4<f32>, 6u * QUADS>;

// Four logistic functions and their first two derivatives.
struct Logistic { s: vec4<f32>, s1: vec4<f32>, s2: vec4<f32> }

fn logistic4(t: vec4<f32>) -> Logistic {
  let e = exp(-abs(t));
  let h = 1.0 / (1.0 + e);
  let s1 = e * h * h;
  let up = t >= vec4<f32>();
  let slope = (1.0 - e) * h;
  return Logistic(select(e * h, h, up), s1, s1 * select(slope, -slope, up));
}

// sum W2 s(W1 q + b) and its first three derivatives by q.
fn four(b: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, q: f32) -> vec4<f32> {
  let l = logistic4(w1 * q + b);
  let a = w2 * w1;
  let c = a * w1;
  return vec4<f32>(dot(w2, l.s), dot(a, l.s1), dot(c, l.s2), dot(c * w1, l.s1 * (1.0 - 6.0 * l.s1)));
}

// radial0: eta of a distance, radial1: mu of a square; with three derivatives.
#for part in 2
fn radial$part(q: f32) -> vec4<f32> {
  var f = vec4<f32>();
  #for k in QUADS
  f += four(weights[3u * $partu * QUADS + $ku], weights[(3u * $partu + 1u) * QUADS + $ku], weights[(3u * $partu + 2u) * QUADS + $ku], q);
  #end
  return f;
}
#end
