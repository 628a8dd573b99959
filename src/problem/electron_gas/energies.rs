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

/// Least squares of a number of each walker over Σ k² of its state; not a number where all states have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slope {
    /// Covariance over variance.
    pub value: f64,
    /// Standard error √(residual variance/((walkers - 2) var Σ k²)) for independent walkers.
    pub error: f64,
}

impl Slope {
    fn new(covariance: f64, of: &Mean, over: &Mean, count: f64) -> Slope {
        let value = covariance / over.variance;
        let residual = (of.variance - value * covariance).max(0.0);
        Slope { value, error: (residual / ((count - 2.0).max(1.0) * over.variance)).sqrt() }
    }
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
    /// Σ k² of the occupied states: their energy in the ideal gas.
    pub ideal: Mean,
    /// Slope of the local energy over Σ k²: ε_k = slope · k² is the least-squares energy of a quasi-particle.
    pub energy_slope: Slope,
    /// Slope of -ln p over Σ k², (Ry/rs²)⁻¹: β times that of the energy where p(K) is Boltzmann's distribution of the E_K.
    pub probability_slope: Slope,
    /// Mean absolute deviation of F from its mean.
    pub spread_free_energy: f64,
    /// Mean modulus of E (complex) minus its mean.
    pub spread_energy: f64,
}

impl Energies {
    /// From `centre` and the sums about it, [`COLUMNS`] numbers a row: see [`crate::kernels::estimators::Estimators`].
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
        // Σ k² and its products with E and ln p
        let moved = sums[21] / count;
        let variance = sums[22] / count - moved * moved;
        let centred = centre[21] as f64 + moved;
        // what single precision makes of equal states or equal shells is no spread
        let differ = variance.max(0.0).sqrt() > 64.0 * f32::EPSILON as f64 * centred;
        let ideal = Mean { mean: centred, variance: variance.max(0.0), error: error(variance.max(0.0)) };
        let slope = |product: usize, column: usize, of: &Mean| match differ {
            true => Slope::new(sums[product] / count - moved * sums[column] / count, of, &ideal, count),
            false => Slope { value: f64::NAN, error: f64::NAN },
        };
        let falling = slope(24, 4, &log_probability);
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
            ideal,
            energy_slope: slope(23, 5, &energy),
            probability_slope: Slope { value: -falling.value, ..falling },
            spread_free_energy: sums[17] / count,
            spread_energy: sums[18] / count,
        }
    }
}
