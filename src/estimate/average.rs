//! The average over steps of a run, with an error bar that is known, or a lower bound that says so.
//!
//! A step's mean m_i over c_i walkers comes with its own error σ_i, from the spread of the walkers, which are independent
//! of each other within a step. What steps have to do with each other depends on how walkers are drawn:
//!
//! - exact draws are independent from step to step: τ = 1 by construction, and the error of m = Σ c_i m_i / Σ c_i is
//!   √(Σ (c_i σ_i)²)/Σ c_i. The scatter of the m_i adds nothing to it but a check: [`Scatter`].
//! - chains remember: the error is longer by √τ, τ the integrated autocorrelation time of the m_i in steps. The variance of
//!   an m_i is known from its walkers, so that the m_i are needed for their correlations alone. Too few steps do not tell τ:
//!   the error is then a lower bound.

use super::blocking::{Blocked, blocking};

/// A step's mean over its walkers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Batch {
    /// Over the walkers counted.
    pub mean: f64,
    /// Standard error of the mean for independent walkers.
    pub error: f64,
    /// Walkers that counted.
    pub walkers: usize,
}

/// What the walkers of successive steps have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// Walkers that know nothing of each other, nor of those of other steps: exact draws.
    Independent,
    /// Walkers that remember: Metropolis chains.
    Chains,
}

/// How far the means of steps scatter, as a check of their errors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scatter {
    /// Σ c_i (m_i - m)²/v, v the variance of a walker, pooled over all steps.
    pub chi2: f64,
    /// Degrees of freedom of χ².
    pub degrees: usize,
}

impl Scatter {
    /// Standard deviations by which χ² lies above what chance gives (below: negative); by Wilson and Hilferty's cube root.
    pub fn deviations(&self) -> f64 {
        let k = 2.0 / (9.0 * self.degrees as f64);
        ((self.chi2 / self.degrees as f64).cbrt() - (1.0 - k)) / k.sqrt()
    }
}

/// An average over steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average {
    /// Over all steps.
    pub mean: f64,
    /// One standard error.
    pub error: f64,
    /// The error is a lower bound: there are too few steps to know how long they remember.
    pub at_least: bool,
    /// Autocorrelation time in steps; 1 by construction for independent draws, NaN where it is not known.
    pub tau: f64,
    /// How the steps scatter beside what their errors say.
    pub scatter: Scatter,
    /// The error by blocking of the steps of chains, which knows nothing of τ; none where it is not known.
    pub blocked: Option<Blocked>,
}

impl Average {
    /// How much longer the error by blocking is, where it is off by more than a third and by three times what it does not know.
    pub fn disagreement(&self) -> Option<f64> {
        let blocked = self.blocked.filter(|_| !self.at_least)?;
        let ratio = blocked.error / self.error;
        // either may be the longer one
        let off = ratio.max(1.0 / ratio) - 1.0;
        (off > 1.0 / 3.0 && off > 3.0 * blocked.uncertainty).then_some(ratio)
    }
}

/// Steps of chains that are needed for an error bar: over these, and over [`MEMORIES`] τ, error bars cover the truth as
/// often as they say (a test measures it); below, τ itself is little known.
pub const LEAST_STEPS: usize = 100;
/// Length of a series in autocorrelation times from which on τ is believed.
pub const MEMORIES: f64 = 30.0;

/// Average of steps in their order. A step whose mean or error is not a number makes the average unknown (NaN).
pub fn average(steps: &[Batch], draws: Draws) -> Average {
    let sum = |f: &dyn Fn(&Batch) -> f64| steps.iter().map(f).sum::<f64>();
    let walkers = sum(&|b| b.walkers as f64);
    let mean = sum(&|b| b.walkers as f64 * b.mean) / walkers;
    let within = sum(&|b| (b.walkers as f64 * b.error).powi(2)).sqrt() / walkers;
    // c σ² is the variance of a walker, known from c - 1 differences
    let pooled = sum(&|b| (b.walkers as f64 - 1.0) * b.walkers as f64 * b.error.powi(2)) / sum(&|b| b.walkers as f64 - 1.0);
    let chi2 = sum(&|b| b.walkers as f64 * (b.mean - mean).powi(2)) / pooled;
    let scatter = Scatter { chi2, degrees: steps.len().saturating_sub(1) };
    if draws == Draws::Independent || steps.len() == 1 {
        let tau = if draws == Draws::Independent { 1.0 } else { f64::NAN };
        return Average { mean, error: within, at_least: false, tau, scatter, blocked: None };
    }
    let series: Vec<f64> = steps.iter().map(|b| (b.walkers as f64 / pooled).sqrt() * (b.mean - mean)).collect();
    let tau = memory(&series);
    // deviations in units of a step's error
    let blocked = blocking(&series).map(|b| Blocked { error: within * (series.len() as f64).sqrt() * b.error, ..b });
    let known = steps.len() >= LEAST_STEPS && tau.is_some_and(|tau| steps.len() as f64 >= MEMORIES * tau);
    // the scatter itself is a lower bound where its correlations are not known
    let least = tau.unwrap_or(1.0).max(chi2 / scatter.degrees.max(1) as f64);
    match (tau, known) {
        (Some(tau), true) => Average { mean, error: within * tau.sqrt(), at_least: false, tau, scatter, blocked },
        _ => Average { mean, error: within * least.sqrt(), at_least: true, tau: f64::NAN, scatter, blocked },
    }
}

/// Integrated autocorrelation time of deviations from their own mean whose variance is known to be 1 (the scatter beyond it
/// counts as correlation): the sum stops at the first lag of 2 τ. Each lag misses τ/N because the deviations are those
/// from the series' own mean. At least 1. `None` if the window does not close, or a number is not finite.
fn memory(deviations: &[f64]) -> Option<f64> {
    let n = deviations.len();
    let product = |t: usize| (0..n - t).map(|s| deviations[s] * deviations[s + t]).sum::<f64>() / (n - t) as f64;
    let mut sum = 1.0;
    for lag in 1..n / 2 {
        sum += 2.0 * product(lag);
        let tau = (sum / (1.0 - (2.0 * lag as f64 + 1.0) / n as f64)).max(1.0);
        if !sum.is_finite() {
            return None;
        }
        if lag as f64 >= 2.0 * tau {
            return Some(tau);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;

    /// Steps of `walkers` walkers about 3 with variance 4; their means are a chain with x' = φ x + ….
    fn steps(noise: &mut Noise, phi: f64, count: usize, walkers: usize) -> Vec<Batch> {
        let error = 2.0 / (walkers as f64).sqrt();
        let spread = (2.0 / (walkers as f64 - 1.0)).sqrt();
        let means = noise.chain(phi, count);
        // the variance of walkers is known from their own spread
        means
            .iter()
            .map(|m| Batch { mean: 3.0 + error * m, error: error * (1.0 + spread * noise.normal()).max(0.1).sqrt(), walkers })
            .collect()
    }

    /// Shares of repetitions that call the error known, and, of these, whose truth lies within one and two error bars.
    fn coverage(phi: f64, count: usize, draws: Draws) -> [f64; 3] {
        let (mut noise, repetitions) = (Noise(7 + count as u64), 1000);
        let mut hits = [0.0; 3];
        for _ in 0..repetitions {
            let a = average(&steps(&mut noise, phi, count, 100), draws);
            let off = (a.mean - 3.0).abs() / a.error;
            assert_eq!(a.at_least, a.tau.is_nan());
            for (hit, yes) in hits.iter_mut().zip([true, off <= 1.0, off <= 2.0]) {
                *hit += (yes && !a.at_least) as u32 as f64;
            }
        }
        [hits[0] / repetitions as f64, hits[1] / hits[0], hits[2] / hits[0]]
    }

    /// 1000 repetitions: 0.683 ± 0.015 and 0.954 ± 0.007; four deviations are allowed.
    #[test]
    fn exact_draws_cover_the_truth_at_any_number_of_steps() {
        for count in [1, 4, 8, 16, 50] {
            let [known, one, two] = coverage(0.0, count, Draws::Independent);
            assert!(known == 1.0 && (one - 0.683).abs() < 0.06 && (two - 0.954).abs() < 0.027, "{count} steps: {one} {two}");
        }
    }

    /// A chain of 8, 16 or 50 steps has no error bar and says so. Over 100 steps: the bars that are called known cover what
    /// they say (less where chance lets few of the long-remembering series through: these are held to be few and wrong
    /// in no more than 8 of 100 repetitions, where an exact bar would be in 5).
    #[test]
    fn chains_cover_the_truth_or_say_that_their_errors_are_unknown() {
        for phi in [0.0, 0.4, 0.8] {
            for count in [8, 16, 50] {
                assert_eq!(coverage(phi, count, Draws::Chains)[0], 0.0, "φ = {phi}, {count} steps");
            }
            for count in [100, 200, 400, 1000] {
                let [known, one, two] = coverage(phi, count, Draws::Chains);
                let wrong = if known > 0.0 { known * (1.0 - two) } else { 0.0 };
                assert!(wrong < 0.08, "φ = {phi}, {count} steps: wrong {wrong}");
                // τ = 1, 2.3, 9
                if count as f64 > 1.5 * MEMORIES * (1.0 + phi) / (1.0 - phi) {
                    assert!(known > 0.6 && (one - 0.683).abs() < 0.08 && two > 0.91, "φ = {phi}, {count} steps: {known} {one} {two}");
                }
            }
        }
    }

    /// Two ways to one error: of 200 series of 4096 steps with τ = 1, 4 and 19 hardly any disagrees; of steps that also have a slow
    /// part, which the window of τ is too short for, most do, and blocking has the longer error.
    #[test]
    fn blocking_and_autocorrelation_agree() {
        let mut noise = Noise(12);
        for phi in [0.0, 0.6, 0.9] {
            let all: Vec<Average> = (0..200).map(|_| average(&steps(&mut noise, phi, 4096, 100), Draws::Chains)).collect();
            let ratio = all.iter().map(|a| a.blocked.unwrap().error / a.error).sum::<f64>() / 200.0;
            let noted = all.iter().filter(|a| a.disagreement().is_some()).count();
            println!("φ = {phi}: {ratio:.3}, {noted} of 200 noted");
            assert!((ratio - 1.0).abs() < 0.06 && noted <= 4, "φ = {phi}: {ratio}, {noted}");
        }
        let slow = |noise: &mut Noise| -> Vec<Batch> {
            let (fast, slow) = (steps(noise, 0.0, 8192, 100), noise.chain(0.996, 8192));
            fast.iter().zip(slow).map(|(b, s)| Batch { mean: b.mean + 0.05 * s, ..*b }).collect()
        };
        let all: Vec<Average> = (0..50).map(|_| average(&slow(&mut noise), Draws::Chains)).collect();
        let noted = all.iter().filter(|a| a.disagreement().is_some_and(|ratio| ratio > 4.0 / 3.0)).count();
        println!("slow: {noted} of 50 noted");
        assert!(noted > 25, "{noted}");
        assert_eq!(average(&steps(&mut noise, 0.0, 400, 100), Draws::Independent).blocked, None);
    }

    /// The bound that a short chain gives is no longer than the error, on average, and grows with what can be seen.
    #[test]
    fn lower_bounds_are_lower_bounds() {
        for (phi, count) in [(0.0, 8), (0.5, 16), (0.9, 50)] {
            let mut noise = Noise(5);
            let (mut square, mut bound) = (0.0, 0.0);
            for _ in 0..500 {
                let a = average(&steps(&mut noise, phi, count, 100), Draws::Chains);
                square += (a.mean - 3.0).powi(2);
                bound += a.error.powi(2);
            }
            let ratio = (bound / square).sqrt();
            assert!(ratio < 1.25 && ratio > 0.3, "φ = {phi}, {count} steps: {ratio} of the error");
        }
    }

    /// Two steps of 90 and 10 walkers are one of 100.
    #[test]
    fn steps_weigh_what_their_walkers_weigh() {
        let mut noise = Noise(3);
        let walkers: Vec<f64> = (0..100).map(|_| noise.normal()).collect();
        let batch = |x: &[f64]| {
            let n = x.len() as f64;
            let mean = x.iter().sum::<f64>() / n;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            Batch { mean, error: (variance / n).sqrt(), walkers: x.len() }
        };
        let whole = batch(&walkers);
        for draws in [Draws::Independent, Draws::Chains] {
            let a = average(&[batch(&walkers[..90]), batch(&walkers[90..])], draws);
            assert!((a.mean - whole.mean).abs() < 1e-12, "{a:?}");
            assert!((a.error / whole.error - 1.0).abs() < 0.1 || draws == Draws::Chains, "{a:?} {whole:?}");
        }
        // coverage with uneven steps, every fourth of a tenth of the walkers
        let (mut hits, repetitions) = (0.0, 1000);
        for _ in 0..repetitions {
            let all: Vec<Batch> = (0..8).flat_map(|i| steps(&mut noise, 0.0, 1, if i % 4 == 0 { 30 } else { 300 })).collect();
            let a = average(&all, Draws::Independent);
            hits += ((a.mean - 3.0).abs() <= a.error) as u32 as f64 / repetitions as f64;
        }
        assert!((hits - 0.683_f64).abs() < 0.06, "{hits}");
    }

    #[test]
    fn scatter_is_a_check() {
        let mut noise = Noise(11);
        let mut all = Vec::new();
        for _ in 0..400 {
            all.push(average(&steps(&mut noise, 0.0, 20, 100), Draws::Independent).scatter);
        }
        let mean = all.iter().map(|s| s.chi2 / s.degrees as f64).sum::<f64>() / 400.0;
        let far = all.iter().filter(|s| s.deviations().abs() > 2.0).count();
        assert!((mean - 1.0).abs() < 0.07 && (8..36).contains(&far), "χ² {mean}, {far} of 400 beyond two deviations");
        // error bars three times too long or too short are seen
        for (factor, sign) in [(3.0, -1.0), (1.0 / 3.0, 1.0)] {
            let wrong: Vec<Batch> = steps(&mut noise, 0.0, 20, 100).iter().map(|b| Batch { error: factor * b.error, ..*b }).collect();
            assert!(sign * average(&wrong, Draws::Independent).scatter.deviations() > 4.0);
        }
    }

    #[test]
    fn unknown_numbers_stay_unknown() {
        let good = Batch { mean: 1.0, error: 0.1, walkers: 10 };
        for bad in [Batch { mean: f64::NAN, ..good }, Batch { error: f64::NAN, ..good }] {
            for draws in [Draws::Independent, Draws::Chains] {
                let a = average(&[good, bad, good], draws);
                assert!(a.error.is_nan() || a.mean.is_nan(), "{a:?}");
            }
        }
        assert!(average(&[], Draws::Independent).mean.is_nan());
        assert_eq!(average(&[good], Draws::Independent).error, 0.1);
    }
}
