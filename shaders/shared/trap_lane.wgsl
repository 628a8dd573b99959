// The flow of electrons in a trap, for kernels with an invocation for each walker: the lanes of a CPU driver are different
// walkers. They read weights from a uniform buffer, four functions at a time, for all terms: pairs i < j row by row (eta of r),
// then electrons (mu of r^2). Terms are written out, and in registers; functions are not, as the driver's compiler takes
// minutes for the loads.
// Constants: N electrons, PAIRS = N (N - 1)/2, TERMS = PAIRS + N, QUADS vec4 of functions. Weights: b, W1, W2 of eta, then of mu, padded with 0.
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
