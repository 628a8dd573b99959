//! Twin of `gray`: sums over all states in float64, each energy from scratch.

use super::couplings::energy;

/// ln Z, ⟨E⟩, β² Var E, ⟨m²⟩, ⟨m⟩ at `beta`, the least energy and the number of states within 1e-9 of it.
pub fn enumerate(couplings: &[f64], fields: &[f64], beta: f64) -> [f64; 7] {
    let n = fields.len();
    let states: Vec<[f64; 2]> = (0..1u32 << n)
        .map(|state| {
            let spins: Vec<f64> = (0..n).map(|i| if state >> i & 1 == 1 { 1.0 } else { -1.0 }).collect();
            [energy(&spins, couplings, fields), spins.iter().sum::<f64>() / n as f64]
        })
        .collect();
    let least = states.iter().fold(f64::INFINITY, |m, s| m.min(s[0]));
    let weights: Vec<f64> = states.iter().map(|s| (-beta * (s[0] - least)).exp()).collect();
    let sum = weights.iter().sum::<f64>();
    let mean = |f: &dyn Fn(&[f64; 2]) -> f64| states.iter().zip(&weights).map(|(s, w)| w * f(s)).sum::<f64>() / sum;
    let e = mean(&|s| s[0]);
    let degeneracy = states.iter().filter(|s| s[0] - least < 1e-9).count() as f64;
    [sum.ln() - beta * least, e, beta * beta * mean(&|s| (s[0] - e).powi(2)), mean(&|s| s[1] * s[1]), mean(&|s| s[1]), least, degeneracy]
}
