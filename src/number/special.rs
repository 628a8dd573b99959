//! Special functions in float64.

use std::f64::consts::PI;

/// (sin, cos) of 2 pi t.
pub fn sincos2pi(t: f64) -> (f64, f64) {
    (2.0 * PI * (t - t.round())).sin_cos()
}

/// ln(2 cosh x), without overflow.
pub fn ln_2cosh(x: f64) -> f64 {
    x.abs() + (-2.0 * x.abs()).exp().ln_1p()
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
