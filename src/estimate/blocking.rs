//! The error of the mean of a correlated series by blocking: means of neighbouring pairs, of pairs of these, …, know less and less
//! of each other, and the error that follows from their scatter grows to a plateau.
//!
//! Flyvbjerg, Petersen, J. Chem. Phys. 91, 461 (1989), doi 10.1063/1.457480. The plateau is taken at the shortest blocks of B with
//! B³ > 2 N (σ_B/σ_1)⁴, where what is left of the correlations is as large as the noise of the error: Lee, Conduit, Nemec, López
//! Ríos, Drummond, Phys. Rev. E 83, 066706 (2011), doi 10.1103/PhysRevE.83.066706.

/// An error by blocking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blocked {
    /// Standard error of the mean.
    pub error: f64,
    /// Its own relative standard error, 1/√(2 (blocks - 1)).
    pub uncertainty: f64,
    /// Length of a block.
    pub length: usize,
}

/// Blocks below which their scatter is no error.
const LEAST_BLOCKS: usize = 4;

/// Of the mean of a series in its order; `None` where no blocks are long enough, or a number is not finite.
pub fn blocking(series: &[f64]) -> Option<Blocked> {
    let mut blocks = series.to_vec();
    let (mut length, mut first) = (1, None);
    while blocks.len() >= LEAST_BLOCKS {
        let count = blocks.len() as f64;
        let mean = blocks.iter().sum::<f64>() / count;
        let variance = blocks.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let error = (variance / count).sqrt();
        if !error.is_finite() {
            return None;
        }
        let ratio = if error > 0.0 { error / *first.get_or_insert(error) } else { 1.0 };
        if (length as f64).powi(3) > 2.0 * series.len() as f64 * ratio.powi(4) {
            return Some(Blocked { error, uncertainty: 1.0 / (2.0 * (count - 1.0)).sqrt(), length });
        }
        blocks = blocks.as_chunks::<2>().0.iter().map(|[a, b]| 0.5 * (a + b)).collect();
        length *= 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;

    /// 300 chains of 4096 with τ = 1, 4, 19: the errors, on average of their squares, are √(τ/N), lower by the correlations that are
    /// left between blocks (some τ/B of the square); and each is off by no more than its own uncertainty says.
    #[test]
    fn errors_of_chains_are_known() {
        let (mut noise, length) = (Noise(23), 4096);
        for (phi, tau) in [(0.0, 1.0), (0.6, 4.0), (0.9, 19.0)] {
            let want = (tau / length as f64).sqrt();
            let all: Vec<Blocked> = (0..300).map(|_| blocking(&noise.chain(phi, length)).unwrap()).collect();
            let square = (all.iter().map(|b| b.error * b.error).sum::<f64>() / 300.0).sqrt();
            let far = all.iter().filter(|b| (b.error / want - 1.0).abs() > 2.0 * b.uncertainty).count();
            println!("φ = {phi}: {:.3} of the error, {far} of 300 off by two, blocks of {}", square / want, all[0].length);
            assert!((square / want - 1.0).abs() < 0.08, "φ = {phi}: {square} for {want}");
            // 5 % and what is left of the correlations
            assert!(far < 45, "φ = {phi}: {far} of 300");
            // without blocks it is the error of independent numbers
            let naive = 1.0 / (length as f64).sqrt();
            assert!(tau == 1.0 || naive < 0.6 * square, "φ = {phi}");
        }
    }

    #[test]
    fn short_or_broken_series_have_no_error() {
        let mut noise = Noise(2);
        assert!(blocking(&noise.chain(0.0, 7)).is_none() && blocking(&[]).is_none());
        // longer memory than the series
        assert!(blocking(&noise.chain(0.999, 200)).is_none());
        let mut broken = noise.chain(0.0, 400);
        broken[7] = f64::NAN;
        assert!(blocking(&broken).is_none());
        assert_eq!(blocking(&[2.0; 64]).map(|b| b.error), Some(0.0));
    }
}
