//! Twin of `weighted_rows` and the product behind it.

/// Σ w s_i s_j/Σ w over states of n spins with R, w = e^{-R}; what is not finite is left out.
pub fn weighted(n: usize, states: &[f64], reduced: &[f64]) -> Vec<f64> {
    let low = reduced.iter().filter(|r| r.is_finite()).fold(f64::INFINITY, |m, r| m.min(*r));
    let weights: Vec<f64> = reduced.iter().map(|r| if r.is_finite() { (low - r).exp() } else { 0.0 }).collect();
    let total: f64 = weights.iter().sum();
    let product = |i: usize, j: usize| weights.iter().zip(states.chunks(n)).map(|(w, s)| w * s[i] * s[j]).sum::<f64>();
    (0..n * n).map(|at| product(at / n, at % n) / total).collect()
}
