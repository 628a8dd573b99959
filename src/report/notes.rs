//! What a reader should know before quoting a run's numbers.

use super::read::mean;
use crate::run::{StepRecord, Summary};

/// Notes drawn from the run itself: drift, sampling, non-finite numbers, what was not corrected.
pub fn notes(s: &Summary, records: &[StepRecord]) -> Vec<String> {
    let mut notes = Vec::new();
    let unit = &s.energy_unit;
    if s.ended != "finished" {
        notes.push(format!("the run ended early: {}", s.ended));
    }
    if let Some(fall) = drift(records) {
        notes.push(format!(
            "F still changes by {fall:+.1e} {unit} per electron in a quarter of the run: train longer for a converged bound"
        ));
    } else if records.len() < 100 {
        notes.push(format!("{} steps are too few to tell whether training has converged", records.len()));
    }
    if s.acceptance < 0.15 || s.acceptance > 0.85 {
        notes.push(format!("acceptance {:.2}: proposals are too {}", s.acceptance, if s.acceptance < 0.15 { "wide" } else { "narrow" }));
    }
    let chains = s.acceptance.is_finite();
    if s.tau > 5.0 && chains {
        notes.push(format!("the energy is correlated over {:.0} steps: raise mc_steps", s.tau));
    }
    if s.nonfinite > 0 {
        notes.push(format!("{} local energies were not finite and were left out of the means", s.nonfinite));
    }
    if s.rs > 0.0 {
        let bias = if chains { " and to sampling bias" } else { "" };
        notes.push(format!(
            "F is an upper bound of the exact free energy of these n electrons in this box, up to its error{bias}; no finite-size correction is made"
        ));
    }
    notes
}

/// The change of F from the third to the last quarter of training, if it is over three errors.
fn drift(records: &[StepRecord]) -> Option<f64> {
    let quarter = records.len() / 4;
    if quarter < 10 {
        return None;
    }
    let f = |range: &[StepRecord]| mean(range, |r| r.f);
    let (before, last) = (f(&records[2 * quarter..3 * quarter]), f(&records[3 * quarter..]));
    let change = last.value - before.value;
    (change.abs() > 3.0 * before.error.hypot(last.error)).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_seen_and_noise_is_not() {
        let run = |slope: f64| -> Vec<StepRecord> {
            (0..400).map(|i| StepRecord { step: i, f: slope * i as f64 + ((i * 7919) % 101) as f64 * 1e-5, ..Default::default() }).collect()
        };
        assert!(drift(&run(0.0)).is_none());
        assert!(drift(&run(-1e-4)).is_some_and(|d| d < 0.0));
    }
}
