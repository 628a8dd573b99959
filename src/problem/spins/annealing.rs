//! How β rises from 0 while a network learns.

crate::config::choice!(
    /// How β rises.
    Schedule, "linear or adaptive":
        /// Evenly.
        Linear = "linear",
        /// As fast as the network follows.
        #[default]
        Adaptive = "adaptive");

/// Most of √⟨(δβ ΔE)²⟩, the distance of exact distributions at β and β + δβ, in a step of a network that follows.
const REACH: f64 = 0.1;
/// Effective shares of the samples below which β waits, and above which it moves at full speed.
const WAITS: f64 = 0.2;
const RUNS: f64 = 0.6;

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
                // without a spread, or with one that is not known, evenly
                (follows * REACH / deviation).max(even)
            }
        };
        self.now = if step.is_finite() { (self.now + step).min(self.target) } else { self.now + even };
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
        // 0.1 / 2 a step
        assert!(fast[0] == 0.0 && (fast[10] - 0.5).abs() < 1e-9 && fast[41] == 2.0, "{:?}", &fast[..45]);
        // one that does not is not waited for beyond its steps
        let slow = run(Schedule::Adaptive, 1000, |_| (2.0, 0.1));
        // the first of 500 steps is at 0
        assert!((slow[250] - 250.0 * 2.0 / 499.0).abs() < 1e-9 && slow[501] == 2.0, "{} {}", slow[250], slow[501]);
        // half way between: half of it
        let half = run(Schedule::Adaptive, 1000, |_| (2.0, 0.4));
        assert!((half[10] - 0.25).abs() < 1e-9, "{}", half[10]);
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
