//! Batch averages of energies, finished in float64 from the sums a device made about a rounded centre.

use crate::kernels::estimators::COLUMNS;

/// Mean over the walkers of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// Over the walkers counted.
    pub mean: f64,
    /// Variance of one walker.
    pub variance: f64,
    /// Standard error √(variance/(walkers - 1)) for independent walkers.
    pub error: f64,
}

/// Averages of one batch; energies in Ry/rs² for all electrons together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Energies {
    /// Walkers that count.
    pub counted: usize,
    /// Walkers left out because a number of theirs is not finite.
    pub failed: usize,
    /// Local kinetic energy.
    pub kinetic: Mean,
    /// Imaginary part of the kinetic (and local) energy: 0 up to its error.
    pub imaginary: Mean,
    /// Local potential energy.
    pub potential: Mean,
    /// S = -⟨ln p⟩ in units of k_B.
    pub entropy: Mean,
    /// Their sum.
    pub energy: Mean,
    /// E - TS.
    pub free_energy: Mean,
    /// The kinetic energy again, after a partial integration that narrows its spread (E\[∇²l\] = -2 E\[∇l·Re ∇ ln Ψ\],
    /// l = ½ ln|det J|): the same mean over |Ψ|², but not of each walker, so that gradients cannot be made from it.
    pub mixed_kinetic: Mean,
    /// The potential energy again, as E minus the mixed kinetic energy.
    pub mixed_potential: Mean,
    /// Mean absolute deviation of F from its mean.
    pub spread_free_energy: f64,
    /// Mean modulus of E (complex) minus its mean.
    pub spread_energy: f64,
}

impl Energies {
    /// From `centre` (24 numbers) and the sums about it (rows of 24): see
    /// [`crate::kernels::estimators::Estimators`].
    pub fn finish(centre: &[f32], partial: &[f32]) -> Energies {
        let mut sums = [0.0f64; COLUMNS];
        for row in partial.chunks_exact(COLUMNS) {
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum += *v as f64;
            }
        }
        let count = sums[0].max(1.0);
        let error = |variance: f64| (variance / (count - 1.0).max(1.0)).sqrt();
        let column = |c: usize| {
            let shift = sums[c] / count;
            let variance = (sums[c + 8] / count - shift * shift).max(0.0);
            Mean { mean: centre[c] as f64 + shift, variance, error: error(variance) }
        };
        let log_probability = column(4);
        let (energy, mixed) = (column(5), column(8));
        let shift = (sums[5] - sums[8]) / count;
        let rest = (sums[20] / count - shift * shift).max(0.0);
        Energies {
            counted: sums[0] as usize,
            failed: sums[19] as usize,
            kinetic: column(1),
            imaginary: column(6),
            potential: column(3),
            entropy: Mean { mean: -log_probability.mean, ..log_probability },
            energy,
            free_energy: column(7),
            mixed_kinetic: mixed,
            mixed_potential: Mean { mean: energy.mean - mixed.mean, variance: rest, error: error(rest) },
            spread_free_energy: sums[17] / count,
            spread_energy: sums[18] / count,
        }
    }
}
