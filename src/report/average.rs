//! Mean of a correlated series with its error by blocking.

use crate::run::Estimate;

/// Mean and standard error of a series of correlated numbers: the largest error over block lengths
/// that leave at least 16 blocks (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)); the plain
/// one for shorter series. NaN entries are left out.
pub fn blocked(series: &[f64]) -> Estimate {
    let x: Vec<f64> = series.iter().copied().filter(|v| !v.is_nan()).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let mut error = f64::NAN;
    let mut length = 1;
    while length == 1 || x.len() / length >= 16 {
        let blocks: Vec<f64> = x.chunks_exact(length).map(|b| b.iter().sum::<f64>() / length as f64).collect();
        let m = blocks.iter().sum::<f64>() / blocks.len() as f64;
        let variance = blocks.iter().map(|b| (b - m).powi(2)).sum::<f64>() / (blocks.len() as f64 - 1.0);
        error = error.max((variance / blocks.len() as f64).sqrt());
        length *= 2;
    }
    Estimate { value: mean, error }
}

#[cfg(test)]
mod tests {
    use super::blocked;

    /// For x_i = a x_(i-1) + noise the error of the mean is larger than that of independent numbers
    /// by sqrt((1 + a) / (1 - a)) = 3 for a = 0.8.
    #[test]
    fn blocking_sees_correlation() {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let mut x = 0.0;
        let series: Vec<f64> = (0..20_000)
            .map(|_| {
                x = 0.8 * x + uniform();
                x
            })
            .collect();
        let sigma = (1.0 / 12.0 / (1.0 - 0.64_f64)).sqrt();
        let ratio = blocked(&series).error / (sigma / (series.len() as f64).sqrt());
        assert!((2.2..4.5).contains(&ratio), "{ratio}");
        assert!(blocked(&[1.0]).error.is_nan());
        assert_eq!(blocked(&[1.0, f64::NAN, 3.0]).value, 2.0);
    }
}
