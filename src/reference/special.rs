//! Twin of `special`: the same functions in float64.

use std::f64::consts::PI;

/// (sin, cos) of 2 pi t.
pub fn sincos2pi(t: f64) -> (f64, f64) {
    (2.0 * PI * (t - t.round())).sin_cos()
}

/// Complementary error function, relative error below 1e-14: the all-positive Taylor series of erf
/// for |x| < 1, the continued fraction (Abramowitz and Stegun 7.1.14) above.
pub fn erfc(x: f64) -> f64 {
    let a = x.abs();
    let front = (-a * a).exp() / PI.sqrt();
    let tail = if a < 1.0 {
        let (mut term, mut sum) = (2.0 * a, 2.0 * a);
        for k in 1..60 {
            term *= 2.0 * a * a / (2 * k + 1) as f64;
            sum += term;
        }
        1.0 - front * sum
    } else {
        let mut fraction = a;
        for k in (1..400).rev() {
            fraction = a + 0.5 * k as f64 / fraction;
        }
        front / fraction
    };
    if x < 0.0 { 2.0 - tail } else { tail }
}

/// ln(1 + exp(x)).
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// ln of the logistic function.
pub fn log_sigmoid(x: f64) -> f64 {
    -softplus(-x)
}

/// softplus and its first three derivatives.
pub fn softplus_jet(x: f64) -> [f64; 4] {
    let e = (-x.abs()).exp();
    let s = if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
    let ds = e / ((1.0 + e) * (1.0 + e));
    [softplus(x), s, ds, ds * (-0.5 * x).tanh()]
}
