//! How β rises from 0 while a network learns.

use crate::archive::Archive;
use crate::error::Result;

crate::config::choice!(
    /// How β rises.
    Schedule, "linear or adaptive":
        /// Evenly.
        #[default]
        Linear = "linear",
        /// As fast as the network follows.
        Adaptive = "adaptive");

/// Most of √⟨(δβ ΔE)²⟩, the distance of exact distributions at β and β + δβ, in a step of a network that follows.
const REACH: f64 = 0.1;
/// Effective shares of the samples below which β waits, and above which it moves at full speed.
const WAITS: f64 = 0.5;
const RUNS: f64 = 0.9;
/// Most that β may be ahead of an even pace. Once energies hardly spread any more the distance says nothing, and a network that
/// is rushed there loses states.
const AHEAD: f64 = 2.0;

/// β of the present step of a run.
#[derive(Clone, Copy, Debug)]
pub struct Annealing {
    schedule: Schedule,
    target: f64,
    /// Steps in which β rises.
    rising: f64,
    now: f64,
}

impl Annealing {
    /// To `target` within `rising` steps; fewer than one: from the start.
    pub fn new(schedule: Schedule, target: f64, rising: f64) -> Annealing {
        let now = match schedule {
            _ if rising < 1.0 => target,
            Schedule::Linear => target / rising,
            Schedule::Adaptive => 0.0,
        };
        Annealing { schedule, target, rising, now: now.min(target) }
    }

    /// β of the present step.
    pub fn beta(&self) -> f64 {
        self.now
    }

    /// Where it is.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        a.value("beta", &mut self.now)
    }

    /// Goes on to the step after `updates` of them, of which the last one had samples with this standard deviation of E and this
    /// effective share. The distance that is left is never covered more slowly than evenly, so that β arrives.
    pub fn advance(&mut self, updates: usize, deviation: f64, ess: f64) {
        let left = self.rising - updates as f64;
        if left < 1.0 {
            self.now = self.target;
            return;
        }
        let even = (self.target - self.now) / left;
        let step = match self.schedule {
            Schedule::Linear => even,
            Schedule::Adaptive => {
                let follows = ((ess - WAITS) / (RUNS - WAITS)).clamp(0.0, 1.0);
                let reach = follows * REACH / deviation;
                // without a spread, or with one that is not known, evenly
                if reach.is_finite() { reach.min(AHEAD * self.target / self.rising).max(even) } else { even }
            }
        };
        self.now = (self.now + step).min(self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(schedule: Schedule, steps: usize, of: impl Fn(f64) -> (f64, f64)) -> Vec<f64> {
        let mut annealing = Annealing::new(schedule, 2.0, 0.5 * steps as f64);
        (1..=steps)
            .map(|updates| {
                let beta = annealing.beta();
                let (deviation, ess) = of(beta);
                annealing.advance(updates, deviation, ess);
                beta
            })
            .collect()
    }

    #[test]
    fn linear_schedules_are_even() {
        let betas = run(Schedule::Linear, 8, |_| (1.0, 1.0));
        for (beta, want) in betas.iter().zip([0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]) {
            assert!((beta - want).abs() < 1e-12, "{betas:?}");
        }
        assert_eq!(Annealing::new(Schedule::Adaptive, 2.0, 0.4).beta(), 2.0);
    }

    #[test]
    fn a_network_that_follows_sets_the_pace() {
        let fast = run(Schedule::Adaptive, 1000, |_| (2.0, 0.9));
        // twice as fast as evenly
        assert!(fast[0] == 0.0 && (fast[10] - 0.08).abs() < 1e-9 && fast[251] == 2.0, "{:?}", &fast[..45]);
        let spread = run(Schedule::Adaptive, 1000, |_| (20.0, 0.9));
        // 0.1 / 20 a step
        assert!((spread[10] - 0.05).abs() < 1e-9 && spread[401] == 2.0, "{:?}", &spread[..45]);
        // one that does not is not waited for beyond its steps
        let slow = run(Schedule::Adaptive, 1000, |_| (2.0, 0.1));
        // the first of 500 steps is at 0
        assert!((slow[250] - 250.0 * 2.0 / 499.0).abs() < 1e-9 && slow[501] == 2.0, "{} {}", slow[250], slow[501]);
        // half way between: half of it
        let half = run(Schedule::Adaptive, 1000, |_| (8.0, 0.7));
        assert!((half[10] - 0.0625).abs() < 1e-9, "{}", half[10]);
    }

    #[test]
    fn unknown_spreads_leave_an_even_pace() {
        for bad in [0.0, f64::NAN, f64::INFINITY] {
            let betas = run(Schedule::Adaptive, 100, |_| (bad, 0.9));
            assert!((betas[25] - 25.0 * 2.0 / 49.0).abs() < 1e-9 && betas.iter().all(|b| b.is_finite()), "{bad}: {betas:?}");
        }
        let betas = run(Schedule::Adaptive, 100, |_| (1.0, f64::NAN));
        assert!((betas[25] - 25.0 * 2.0 / 49.0).abs() < 1e-9, "{betas:?}");
    }
}
