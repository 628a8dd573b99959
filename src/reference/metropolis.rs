//! Twin of `metropolis_propose`, `metropolis_accept` and `metropolis_adapt`.

use super::philox::{normal4, philox, uniform4};

/// Positions moved by `width` times normal numbers; `x` of one walker.
pub fn propose(x: &[f64], width: f64, key: [u32; 2], walker: u32, step: u32, purpose: u32) -> Vec<f64> {
    let noise = |c: usize| normal4(philox(key, [c as u32 / 4, walker, step, purpose]))[c % 4];
    x.iter().enumerate().map(|(c, v)| v + width * noise(c)).collect()
}

/// Whether a walker takes the proposal; ln|Ψ| below -1e29 or not finite is no amplitude.
pub fn accepts(before: f64, after: f64, key: [u32; 2], walker: u32, step: u32, purpose: u32) -> bool {
    let usable = |v: f64| v.is_finite() && v > -1e29;
    let uniform = uniform4(philox(key, [u32::MAX, walker, step, purpose]))[0];
    usable(after) && (!usable(before) || uniform.ln() < 2.0 * (after - before))
}

/// x in [0, length).
pub fn fold(x: f64, length: f64) -> f64 {
    x - length * (x / length).floor()
}

/// New width of proposals.
pub fn adapt(width: f64, acceptance: f64, goal: f64, gain: f64, smallest: f64, largest: f64) -> f64 {
    (width * (gain * (acceptance - goal)).exp()).clamp(smallest, largest)
}
