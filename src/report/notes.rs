//! What a reader should know before quoting a run's numbers.

use crate::estimate::{Batch, Draws, Estimate, average};
use crate::run::record::Phase;
use crate::run::{StepRecord, Summary};

/// Fewest training steps that show whether F still falls.
const FEWEST: usize = 100;
/// Standard deviations of the steps' scatter that are no chance: 1 in 16 000, for each of a few quantities.
const UNLIKELY: f64 = 4.0;
/// Split R-hat above which chains are not called mixed: Vehtari et al., Bayesian Anal. 16, 667 (2021).
const MIXED: f64 = 1.01;

/// Notes drawn from the run itself: drift, sampling, non-finite numbers, what was not corrected.
pub fn notes(s: &Summary, records: &[StepRecord]) -> Vec<String> {
    let mut notes = Vec::new();
    let (unit, per) = (&s.energy_unit, s.kind.per);
    if s.ended != "finished" {
        notes.push(format!("the run ended early: {}", s.ended));
    }
    let settled = |r: &&StepRecord| r.phase == Phase::Training && records.last().is_some_and(|last| r.like(last));
    if let Some(change) = drift(s, &records.iter().filter(settled).collect::<Vec<_>>()) {
        notes.push(format!(
            "F still changes by {change:+.1e} {unit} per {per} in a quarter of the training: train longer for a converged bound"
        ));
    } else if (1..FEWEST).contains(&s.steps) {
        notes.push(format!("{} training steps are too few to tell whether training has converged", s.steps));
    }
    if s.scatter.abs() > UNLIKELY {
        let (more, longer) = if s.scatter > 0.0 { ("more", "short") } else { ("less", "long") };
        notes.push(format!(
            "steps scatter {more} than their walkers do, by {:.1} standard deviations of chance: error bars may be too {longer}",
            s.scatter.abs()
        ));
    }
    if s.acceptance < 0.15 || s.acceptance > 0.85 {
        notes.push(format!("acceptance {:.2}: proposals are too {}", s.acceptance, if s.acceptance < 0.15 { "wide" } else { "narrow" }));
    }
    let chains = s.acceptance.is_finite();
    if s.tau > 5.0 && chains {
        notes.push(format!("F is correlated over {:.0} steps: raise mc_steps", s.tau));
    }
    if s.r_hat > MIXED {
        notes.push(format!(
            "split R-hat of F is {:.3}, above {MIXED}: chains are short beside what they remember; give more eval_steps, or raise mc_steps",
            s.r_hat
        ));
    }
    if s.nonfinite > 0 {
        notes.push(format!("{} walkers were left out of the means: not drawn, or without a finite local energy", s.nonfinite));
    }
    notes.extend((s.kind.caveat)(&s.parameters, chains));
    notes
}

/// The change of F from the third to the last quarter of training, if it is over three errors.
fn drift(s: &Summary, training: &[&StepRecord]) -> Option<f64> {
    let quarter = training.len() / 4;
    if training.len() < FEWEST {
        return None;
    }
    let f = |range: &[&StepRecord]| {
        let f = s.kind.quantities[0].name;
        let batch = |r: &&StepRecord| {
            let Estimate { value, error, .. } = r.values[f];
            Batch { mean: value, error, walkers: s.batch.saturating_sub(r.nonfinite) }
        };
        // with chains, whose memory is not known here, their scatter counts
        average(&range.iter().map(batch).collect::<Vec<_>>(), Draws::Chains)
    };
    let (before, last) = (f(&training[2 * quarter..3 * quarter]), f(&training[3 * quarter..]));
    let change = last.mean - before.mean;
    (change.abs() > 3.0 * before.error.hypot(last.error)).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Named, given};

    fn summary(steps: usize) -> Summary {
        let run = given("n=5 rs=2 theta=0.3 batch=100");
        Summary::new(run.kind(), &run.values, "device", steps, 1.0, Named::default(), "")
    }

    /// F falls by `slope` a step while training, then a frozen tail that is 1 higher.
    fn run(slope: f64, steps: usize) -> Vec<StepRecord> {
        let noise = |i: usize| ((i * 7919) % 101) as f64 * 1e-5;
        let record = |i: usize, f: f64| StepRecord {
            step: i,
            phase: if i < steps { Phase::Training } else { Phase::Frozen },
            values: [("F", Estimate::new(f + noise(i), 3e-4))].into(),
            ..Default::default()
        };
        let training = (0..steps).map(|i| record(i, slope * i as f64));
        training.chain((steps..steps + 100).map(|i| record(i, 1.0))).collect()
    }

    fn says(s: &Summary, records: &[StepRecord], what: &str) -> bool {
        notes(s, records).iter().any(|n| n.contains(what))
    }

    #[test]
    fn drift_is_that_of_training_alone() {
        assert!(!says(&summary(400), &run(0.0, 400), "still changes"));
        assert!(says(&summary(400), &run(-1e-4, 400), "still changes by -"));
        assert!(!says(&summary(400), &run(0.0, 400), "too few"));
        assert!(says(&summary(99), &run(-1e-2, 99), "99 training steps are too few"));
        let frozen = notes(&summary(0), &run(0.0, 0));
        assert!(!frozen.iter().any(|n| n.contains("training")), "{frozen:?}");
    }

    #[test]
    fn notes_are_true_for_their_case() {
        let s = Summary { tau: 1.0, ..summary(0) };
        let none = notes(&s, &[]);
        assert!(none.len() == 1 && none[0].contains("upper bound") && !none[0].contains("sampling bias"), "{none:?}");
        for (s, what) in [
            (Summary { scatter: 5.0, ..s.clone() }, "scatter more than their walkers do, by 5.0"),
            (Summary { scatter: -5.0, ..s.clone() }, "too long"),
            (Summary { acceptance: 0.1, ..s.clone() }, "too wide"),
            (Summary { acceptance: 0.9, ..s.clone() }, "too narrow"),
            (Summary { acceptance: 0.5, tau: 7.0, ..s.clone() }, "over 7 steps: raise mc_steps"),
            (Summary { acceptance: 0.5, ..s.clone() }, "sampling bias"),
            (Summary { r_hat: 1.02, ..s.clone() }, "split R-hat of F is 1.020, above 1.01"),
            (Summary { nonfinite: 3, ..s.clone() }, "3 walkers were left out"),
            (Summary { ended: "numerics".into(), ..s.clone() }, "ended early: numerics"),
        ] {
            assert!(says(&s, &[], what), "{what}: {:?}", notes(&s, &[]));
        }
        let mut free = s.clone();
        free.parameters.set("rs", 0.0.into());
        for (s, what) in
            [(Summary { scatter: 3.9, ..s.clone() }, "scatter"), (Summary { r_hat: 1.009, ..s.clone() }, "R-hat"), (free, "bound")]
        {
            assert!(!says(&s, &[], what), "{what}");
        }
    }
}
