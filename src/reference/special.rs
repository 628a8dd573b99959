//! Twin of `special`: the same functions in float64.

pub use crate::number::special::{erfc, sincos2pi};

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
