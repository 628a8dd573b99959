//! The error bar that steps with frozen parameters go on for.

use super::StepRecord;
use super::result::average_of;
use crate::config::Values;
use crate::estimate::{Average, Estimate};
use crate::problem::{Kind, Quantity};

/// Steps below which no error bar is believed, whatever it says. An error of the result is pooled over the walkers of
/// all steps, so that ten steps of a few hundred walkers know it to some per cent; those of chains need more and say so.
const LEAST: usize = 10;

/// One standard error of a quantity that is small enough.
#[derive(Clone)]
pub struct Goal {
    pub quantity: &'static Quantity,
    /// In the run's unit.
    pub error: f64,
    /// Steps after which it is looked at next.
    next: usize,
}

impl Goal {
    /// `1e-4` of F, or `E=1e-4`.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str, kind: &Kind) -> Result<Goal, String> {
        let (name, number) = text.split_once('=').unwrap_or((kind.quantities[0].name, text));
        let Some(quantity) = kind.averaged().find(|q| q.name == name.trim()) else {
            let names: Vec<&str> = kind.averaged().map(|q| q.name).collect();
            return Err(format!("{name}: no average of this system; there is {}", names.join(", ")));
        };
        match number.trim().parse::<f64>() {
            Ok(error) if error > 0.0 && error.is_finite() => Ok(Goal { quantity, error, next: LEAST }),
            _ => Err(format!("{number}: not a positive number; give one standard error, for example {}=1e-4", quantity.name)),
        }
    }

    /// Whether these steps have reached it. Looks at the average now and then only: all steps are gone through for it.
    pub fn reached(&mut self, kind: &Kind, s: &Values, steps: &[StepRecord]) -> bool {
        if steps.len() < self.next {
            return false;
        }
        let average = average_of(self.quantity, kind, s, steps);
        if self.met(&average) {
            return true;
        }
        // half the steps that are missing, as errors fall with the root of steps, and no more than a tenth of those made
        let missing = 0.5 * (self.needs(average.into(), steps.len()) - steps.len() as f64);
        let most = (steps.len() / 10).max(1) as f64;
        self.next = steps.len() + if missing.is_finite() { missing.clamp(1.0, most) as usize } else { 1 };
        false
    }

    fn met(&self, average: &Average) -> bool {
        !average.at_least && average.error <= self.error
    }

    /// Steps that would reach it, by those that left this error.
    fn needs(&self, e: Estimate, steps: usize) -> f64 {
        steps as f64 * (e.error / self.error).powi(2)
    }

    /// What the result says where so many `steps` have not reached it.
    pub fn unmet(&self, e: Estimate, steps: usize, unit: &str) -> Option<String> {
        let (name, error) = (self.quantity.name, self.error);
        let short = steps < LEAST;
        if !short && !e.at_least && e.error <= error {
            return None;
        }
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let why = match () {
            () if short => format!("{steps} steps are too few to believe one, {LEAST} are needed"),
            () if !e.error.is_finite() => "it is not known".into(),
            () if e.at_least => "it is a lower bound still: the chains are too short".into(),
            () => format!("it is {:.1e}, some {:.0} steps would do", e.error, self.needs(e, steps).ceil()),
        };
        Some(format!("stopped before the error of {name} was {error:.1e}{unit}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;
    use crate::problem::resolve;

    fn glass(more: &str) -> crate::config::Resolved {
        let words = format!("n=8 beta=1 batch=100 {more}");
        resolve("sk", &words.split_whitespace().map(String::from).collect::<Vec<_>>()).unwrap()
    }

    /// A step of 100 walkers about 3 with variance 4; their own spread tells the error.
    fn step(noise: &mut Noise) -> StepRecord {
        let walkers: Vec<f64> = (0..100).map(|_| 3.0 + 2.0 * noise.normal()).collect();
        let mean = walkers.iter().sum::<f64>() / 100.0;
        let variance = walkers.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 99.0;
        StepRecord { values: [("F", Estimate::new(mean, (variance / 100.0).sqrt()))].into(), ..StepRecord::default() }
    }

    #[test]
    fn goals_are_read_and_refused() {
        let kind = glass("").kind();
        let goal = |text: &str| Goal::parse(text, kind).map(|g| (g.quantity.name, g.error));
        assert_eq!((goal("1e-4"), goal("E=0.5"), goal("m2 = 2e-3")), (Ok(("F", 1e-4)), Ok(("E", 0.5)), Ok(("m2", 2e-3))));
        for (bad, why) in [
            ("0", "not a positive number"),
            ("-1e-3", "not a positive number"),
            ("F=nan", "not a positive number"),
            ("F=", "for example F=1e-4"),
            ("K=1e-3", "there is F, E, S, m2"),
            ("acceptance=1", "no average of this system"),
        ] {
            assert!(goal(bad).is_err_and(|e| e.contains(why)), "{bad}: {:?}", goal(bad));
        }
    }

    /// 600 runs that stop when their own error bar is short enough: it still covers the truth in 0.683 and 0.954 of them (0.019 and
    /// 0.0085 by chance; four of each are allowed), is no longer than asked, and hardly shorter.
    #[test]
    fn bars_of_runs_that_stop_by_them_cover_the_truth() {
        let resolved = glass("");
        let (mut noise, runs, asked) = (Noise(17), 600, 0.04);
        let (mut one, mut two, mut made) = (0, 0, 0);
        for _ in 0..runs {
            let mut goal = Goal::parse("0.04", resolved.kind()).unwrap();
            let mut steps = Vec::new();
            while !goal.reached(resolved.kind(), &resolved.values, &steps) {
                steps.push(step(&mut noise));
            }
            let a = average_of(goal.quantity, resolved.kind(), &resolved.values, &steps);
            assert!(a.error <= asked && a.error > 0.93 * asked, "{a:?}");
            let off = (a.mean - 3.0).abs() / a.error;
            (one, two, made) = (one + (off <= 1.0) as usize, two + (off <= 2.0) as usize, made + steps.len());
        }
        let [one, two, made] = [one, two, made].map(|count| count as f64 / runs as f64);
        println!("{one:.3} and {two:.3} of the runs, {made:.1} steps each");
        assert!((one - 0.683).abs() < 4.0 * 0.019 && (two - 0.954).abs() < 4.0 * 0.0085, "{one} {two}");
        // 4/100 per step: 25 of them, looked at every other step at the most
        assert!((made - 25.5).abs() < 1.0, "{made}");
    }

    /// 400 chains of a known τ, whose bars hang on the τ that they find: they cover the truth in 0.683 and 0.954 of them (0.0233 and
    /// 0.0105 by chance; four of each are allowed) although they stop where the bars are short, and stop where they should.
    #[test]
    fn bars_of_chains_that_stop_by_them_cover_the_truth() {
        let words = ["n=3", "rs=1", "theta=0.5", "sampler=metropolis", "batch=100"].map(String::from);
        let resolved = resolve("electron-gas", &words).unwrap();
        let (mut noise, runs) = (Noise(29), 400);
        for (phi, tau, steps) in [(0.0, 1.0, 400.0), (0.6, 4.0, 400.0), (0.6, 4.0, 1600.0), (0.8, 9.0, 1600.0)] {
            let asked = 0.2 * f64::sqrt(tau / steps);
            let (mut one, mut two, mut made) = (0, 0, 0);
            for _ in 0..runs {
                let mut goal = Goal::parse(&format!("{asked}"), resolved.kind()).unwrap();
                let series = noise.chain(phi, 4 * steps as usize);
                let step = |x: &f64| StepRecord { values: [("F", Estimate::new(3.0 + 0.2 * x, 0.2))].into(), ..StepRecord::default() };
                let all: Vec<StepRecord> = series.iter().map(step).collect();
                let last = (0..all.len()).find(|n| goal.reached(resolved.kind(), &resolved.values, &all[..*n])).unwrap();
                let a = average_of(goal.quantity, resolved.kind(), &resolved.values, &all[..last]);
                let off = (a.mean - 3.0).abs() / a.error;
                (one, two, made) = (one + (off <= 1.0) as usize, two + (off <= 2.0) as usize, made + last);
            }
            let [one, two, made] = [one, two, made].map(|count| count as f64 / runs as f64);
            println!("φ = {phi}: {one:.3} and {two:.3} of the runs, {made:.0} steps each of {steps}");
            assert!((one - 0.683).abs() < 4.0 * 0.0233 && (two - 0.954).abs() < 4.0 * 0.0105, "φ = {phi}: {one} {two}");
            assert!((made / steps - 1.0).abs() < 0.1, "φ = {phi}: {made} for {steps}");
        }
    }

    #[test]
    fn a_goal_that_was_not_reached_says_what_is_missing() {
        let goal = Goal::parse("1e-3", glass("").kind()).unwrap();
        let said = |e: Estimate, steps: usize| goal.unmet(e, steps, "J");
        assert_eq!(said(Estimate::new(1.0, 1e-3), 10), None);
        assert!(said(Estimate::new(1.0, 1e-5), 9).unwrap().contains("9 steps are too few"));
        let text = said(Estimate::new(1.0, 3e-3), 50).unwrap();
        assert!(text.contains("the error of F was 1.0e-3 J: it is 3.0e-3, some 450 steps would do"), "{text}");
        assert!(said(Estimate { at_least: true, ..Estimate::new(1.0, 1e-9) }, 50).unwrap().contains("lower bound"));
        assert!(said(Estimate::new(1.0, f64::NAN), 50).unwrap().ends_with("it is not known"));
    }
}
