//! When p(K) trained to the ideal gas is near enough to it.
//!
//! The relative entropy D to the ideal gas is the mean of ln(p/p₀) over walkers drawn from p, which scatters by √(2 D):
//! a few hundred walkers know it to about itself. It is averaged over steps until that is enough.
//!
//! Estimators that scatter less (ln(p/p₀) + p₀/p - 1 has the same mean) are no choice: they do not see the states that p
//! lacks, which is what remains to be learnt.

use crate::archive::Archive;
use crate::error::Result;

/// Relative entropy to the ideal gas in nats per electron that pretraining has to reach.
pub const WANTED: f64 = 5e-4;
/// Steps that are averaged at least. Later ones are a quarter of all: p(K) still comes nearer meanwhile, so that the average
/// is rather above what is reached.
const WINDOW: usize = 20;
/// Standard errors by which the average has to lie below what is wanted.
const SURE: f64 = 2.0;

/// The relative entropies of the steps so far.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    steps: Vec<(f64, f64)>,
}

impl Progress {
    /// Adds a step's relative entropy and error, nats per electron.
    pub fn push(&mut self, value: f64, error: f64) {
        self.steps.push((value, error));
    }

    /// All steps.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        let mut flat: Vec<f64> = self.steps.iter().flat_map(|s| [s.0, s.1]).collect();
        a.list("relative_entropies", &mut flat)?;
        self.steps = flat.as_chunks::<2>().0.iter().map(|[value, error]| (*value, *error)).collect();
        Ok(())
    }

    /// Average over the last steps with its standard error: from the steps' own errors, or from their scatter if that is more,
    /// since rare states that p(K) still overrates show in few steps only.
    pub fn average(&self) -> (f64, f64) {
        let window = &self.steps[self.steps.len() - self.window().min(self.steps.len())..];
        let count = window.len() as f64;
        let mean = window.iter().map(|s| s.0).sum::<f64>() / count;
        let own = window.iter().map(|s| s.1 * s.1).sum::<f64>() / (count * count);
        let scatter = window.iter().map(|s| (s.0 - mean).powi(2)).sum::<f64>() / (count * (count - 1.0).max(1.0));
        (mean, own.max(scatter).sqrt())
    }

    fn window(&self) -> usize {
        WINDOW.max(self.steps.len() / 4)
    }

    /// Whether the average lies below [`WANTED`] beyond doubt.
    pub fn reached(&self) -> bool {
        let (mean, error) = self.average();
        self.steps.len() >= self.window() && mean + SURE * error < WANTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_does_not_end_it() {
        let run = |value: fn(usize) -> f64, error: f64| {
            let mut p = Progress::default();
            (1..=400).find(|&i| {
                p.push(value(i), error);
                p.reached()
            })
        };
        // just below, but not beyond doubt; well below; above with one lucky stretch; falling
        assert_eq!(run(|_| 4.5e-4, 4e-4), None);
        assert_eq!(run(|_| 2e-4, 1e-4), Some(20));
        assert_eq!(run(|i| if i % 40 < 8 { 1e-5 } else { 1e-3 }, 1e-5), None);
        let falling = run(|i| 1.0 / (i * i) as f64, 1e-5).unwrap();
        assert!((45..80).contains(&falling), "{falling}");
        // a step that is not a number never counts as reached
        assert_eq!(run(|i| if i % 5 == 0 { f64::NAN } else { 1e-5 }, 1e-5), None);
    }
}
