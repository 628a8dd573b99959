//! Twin of `occupied`.

/// Total momentum (dim numbers, units of 2π/L) and Σ k² of one state; `momenta`: M x dim (m + t), `wave` = 2π/L.
pub fn occupied(state: &[u32], momenta: &[f64], dim: usize, wave: f64) -> (Vec<f64>, f64) {
    let (mut total, mut energy) = (vec![0.0; dim], 0.0);
    for &s in state {
        for (c, m) in momenta[s as usize * dim..][..dim].iter().enumerate() {
            total[c] += m;
            energy += (wave * m).powi(2);
        }
    }
    (total, energy)
}
