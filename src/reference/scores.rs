//! Twin of the `score_*` products: O v and Oᵀ w of a row-major matrix.

/// O v: `o` rows x `width`.
pub fn apply(o: &[f64], v: &[f64]) -> Vec<f64> {
    o.chunks(v.len()).map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum()).collect()
}

/// Oᵀ w: `Σ_r w_r O[r][p]`.
pub fn weighted_sum(o: &[f64], w: &[f64], width: usize) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    for (row, w) in o.chunks(width).zip(w) {
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += w * x);
    }
    sum
}
