//! The result of a run from its records: the same for the table at the end and for `report` of a run that was killed.

use super::record::Phase;
use super::{StepRecord, Summary};
use crate::config::Values;
use crate::error::{Error, Result};
use crate::estimate::average::LEAST_STEPS;
use crate::estimate::{Average, Batch, Draws, Estimate, average};
use crate::problem::{ACCEPTANCE, Kind, Named, Quantity, Role};

/// Average of a quantity over some steps of a run of these settings.
pub fn average_of(q: &Quantity, kind: &Kind, s: &Values, records: &[StepRecord]) -> Average {
    // a batch left to the program and never settled: steps weigh the same
    let walkers = s.get::<usize>("batch").max(2);
    let batch = |r: &StepRecord| {
        let Estimate { value, error, .. } = r.values[q.name];
        Batch { mean: value, error, walkers: walkers.saturating_sub(r.nonfinite) }
    };
    average(&records.iter().map(batch).collect::<Vec<_>>(), (kind.draws)(s))
}

/// Averages of a kind's quantities over some steps.
pub fn averages(kind: &'static Kind, s: &Values, records: &[StepRecord]) -> Vec<(&'static Quantity, Average)> {
    kind.averaged().map(|q| (q, average_of(q, kind, s, records))).collect()
}

/// Averages as a summary holds them.
pub fn estimates(averages: &[(&'static Quantity, Average)]) -> Named<Estimate> {
    averages.iter().map(|(q, a)| (q.name, (*a).into())).collect()
}

impl Summary {
    /// The result of a run of these settings that made these records: averages over the steps with frozen parameters,
    /// or, where there is none, over the last half of training.
    ///
    /// # Errors
    /// [`Error::User`] if there is no such step.
    pub fn of_records(kind: &'static Kind, s: &Values, device: &str, records: &[StepRecord]) -> Result<Summary> {
        let (batch, draws) = (s.get::<usize>("batch"), (kind.draws)(s));
        let phase = |phase: Phase| -> Vec<StepRecord> { records.iter().filter(|r| r.phase == phase).cloned().collect() };
        let (mut training, frozen) = (phase(Phase::Training), phase(Phase::Frozen));
        let steps = training.len();
        // only steps of the system itself are averaged; those of a schedule were of others
        if let Some(last) = records.last() {
            training.retain(|r| r.like(last));
        }
        let (averaged, over) = if frozen.is_empty() {
            let half = &training[training.len() / 2..];
            (half, format!("the last {} of {steps} training steps of {batch} walkers", half.len()))
        } else {
            (&frozen[..], format!("{} steps of {batch} walkers with frozen parameters", frozen.len()))
        };
        let Some(last) = records.last().filter(|_| !averaged.is_empty()) else {
            return Err(Error::User("the run made no step: there is nothing to report".into()));
        };
        let averages = averages(kind, s, averaged);
        let f = averages[0].1;
        let mut summary = Summary::new(kind, s, device, steps, last.seconds, estimates(&averages), over);
        summary.errors = meaning(&f, averaged.len(), frozen.is_empty(), draws);
        summary.start =
            training.first().filter(|first| first.step == 0).map(|first| estimates(&self::averages(kind, s, std::slice::from_ref(first))));
        summary.exact = Some((kind.exact.of)(s)?);
        // the share of candidates of exact draws is a known number
        let accepted = averaged.iter().map(|r| r.values[ACCEPTANCE].value).sum::<f64>() / averaged.len() as f64;
        summary.acceptance = if draws == Draws::Independent { f64::NAN } else { accepted };
        summary.tau = f.tau;
        if !frozen.is_empty() {
            summary.blocked = f.blocked.filter(|_| !f.at_least).map_or(f64::NAN, |b| b.error);
            summary.notes.extend(disagreement(&f));
        }
        if !frozen.is_empty() && frozen.len() > 1 && draws == Draws::Independent {
            let off = averages.iter().filter(|(q, _)| q.role == Role::Result).map(|(_, a)| a.scatter.deviations());
            summary.scatter = off.fold(0.0, |m: f64, d| if d.abs() > m.abs() { d } else { m });
        }
        summary.nonfinite = training.iter().chain(&frozen).map(|r| r.nonfinite as u64).sum();
        Ok(summary)
    }
}

/// Two ways to the error of F that do not agree.
fn disagreement(f: &Average) -> Option<String> {
    let (ratio, blocked) = (f.disagreement()?, f.blocked?);
    let which = if ratio > 1.0 { "longer" } else { "shorter" };
    Some(format!(
        "the error of F by blocking ({} steps a block) is {:.1} times {which} than with the autocorrelation time of {:.1} steps: give more eval_steps, or quote the longer one",
        blocked.length,
        ratio.max(1.0 / ratio),
        f.tau
    ))
}

/// What the error bars of an average mean.
fn meaning(f: &Average, steps: usize, changing: bool, draws: Draws) -> String {
    let mut text = match draws {
        Draws::Independent => "one standard deviation, from the spread of all walkers, which are independent".to_string(),
        Draws::Chains if f.at_least => format!(
            "marked ≥ are lower bounds: {steps} steps do not tell how long the chains remember (give {LEAST_STEPS} or more with eval_steps)"
        ),
        Draws::Chains => format!("one standard deviation, times the root of the autocorrelation time of {:.1} steps", f.tau),
    };
    if changing {
        text.push_str(
            "; parameters changed during these steps: values and errors are those of the mean over them, not of the last parameters",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::resolve;

    /// Chains with a slow part that their autocorrelation time misses: the error by blocking stands beside it, and is noted.
    #[test]
    fn errors_that_do_not_agree_are_noted() {
        let words = ["n=3", "rs=1", "theta=0.5", "sampler=metropolis", "batch=100"].map(String::from);
        let run = resolve("electron-gas", &words).unwrap();
        let summary = |slow: f64| {
            let mut noise = crate::number::statistics::tests::Noise(6);
            let (fast, drift) = (noise.chain(0.0, 8192), noise.chain(0.996, 8192));
            let record = |step: usize| {
                let f = Estimate::new(-1.0 + 0.1 * (fast[step] + slow * drift[step]), 0.1);
                StepRecord { step, phase: Phase::Frozen, values: [("F", f)].into(), ..StepRecord::default() }
            };
            let records: Vec<StepRecord> = (0..8192).map(record).collect();
            Summary::of_records(run.kind(), &run.values, "device", &records).unwrap()
        };
        let [good, bad] = [summary(0.0), summary(0.25)];
        assert!((good.blocked / good.result["F"].error - 1.0).abs() < 0.25 && good.notes.is_empty(), "{good:?}");
        assert!(bad.blocked > 4.0 / 3.0 * bad.result["F"].error && bad.notes[0].contains("times longer than"), "{:?}", bad.notes);
    }

    /// Steps at another β than the last one's are no part of the result, and none of them is its start.
    #[test]
    fn steps_of_a_schedule_are_left_out() {
        let words = ["n=4", "beta=2", "batch=100", "steps=8"].map(String::from);
        let run = resolve("sk", &words).unwrap();
        let record = |step: usize| {
            let beta = (0.5 * (step + 1) as f64).min(2.0);
            let values = [("F", Estimate::new(-1.0 / beta, 0.01)), ("beta", beta.into())].into();
            StepRecord { step, values, ..StepRecord::default() }
        };
        let records: Vec<StepRecord> = (0..8).map(record).collect();
        let summary = Summary::of_records(run.kind(), &run.values, "device", &records).unwrap();
        assert!((summary.result["F"].value + 0.5).abs() < 1e-12 && summary.start.is_none(), "{:?}", summary.result);
        assert!(summary.averaged_over.contains("the last 3 of 8 training steps"), "{}", summary.averaged_over);
        // without a schedule the first step is the start
        let flat: Vec<StepRecord> = (3..8).map(record).map(|r| StepRecord { step: r.step - 3, ..r }).collect();
        assert!(Summary::of_records(run.kind(), &run.values, "device", &flat).unwrap().start.is_some());
    }
}
