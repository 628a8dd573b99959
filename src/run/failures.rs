//! Walkers that fail, judged over many steps.

use std::collections::VecDeque;

use crate::archive::Archive;
use crate::error::{Error, Result};

/// Share of walkers left out above which a run stops.
const MOST_FAILED: f64 = 0.05;
/// Walkers over which the share is judged, of as many of the last steps as hold them: with 5 % of 4096 allowed, chance
/// moves the share by 0.3 %.
const JUDGED: usize = 4096;

/// Counted and failed walkers of the last steps.
#[derive(Default)]
pub struct Failures {
    steps: VecDeque<(usize, usize)>,
}

impl Failures {
    /// The steps that are judged.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        let mut flat: Vec<f64> = self.steps.iter().flat_map(|(counted, failed)| [*counted as f64, *failed as f64]).collect();
        a.list("judged", &mut flat)?;
        self.steps = flat.as_chunks::<2>().0.iter().map(|[counted, failed]| (*counted as usize, *failed as usize)).collect();
        Ok(())
    }

    /// Takes a step in.
    ///
    /// # Errors
    /// [`Error::Numerics`] where more than a twentieth of the last 4096 walkers (or of the step, if it has more) failed,
    /// those not drawn yet counted as sound, or where a step has fewer than two walkers left and so no average.
    pub fn add(&mut self, step: usize, counted: usize, failed: usize) -> Result<()> {
        self.steps.push_back((counted, failed));
        let sums = |steps: &VecDeque<(usize, usize)>| steps.iter().fold((0, 0), |(all, bad), (c, f)| (all + c + f, bad + f));
        while let Some((c, f)) = self.steps.front()
            && sums(&self.steps).0 - (c + f) >= JUDGED
        {
            self.steps.pop_front();
        }
        let (all, bad) = sums(&self.steps);
        if counted >= 2 && bad as f64 <= MOST_FAILED * all.max(JUDGED) as f64 {
            return Ok(());
        }
        let steps = self.steps.len();
        let over = if steps == 1 { String::new() } else { format!(", {bad} of {all} in the last {steps} steps") };
        Err(Error::Numerics(format!(
            "step {step}: {failed} of {} walkers are not drawn or have no finite local energy{over}; try a smaller max_norm or learning_rate, or another seed",
            counted + failed
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of `batch` walkers with `failed(step)` failures until it stops.
    fn last(batch: usize, failed: impl Fn(usize) -> usize) -> Option<usize> {
        let mut failures = Failures::default();
        (0..10_000).find(|step| failures.add(*step, batch - failed(*step), failed(*step)).is_err())
    }

    #[test]
    fn a_share_is_judged_over_many_steps() {
        // one of 16 walkers now and then is no more than a few per cent
        assert_eq!(last(16, |step| (step % 2) * usize::from(step > 3)), None);
        // but one of 16 for ever is 6 %: 205 of 4096 are too many
        assert_eq!(last(16, |_| 1), Some(204));
        assert_eq!(last(16, |step| if step > 5000 { 1 } else { 0 }), Some(5205));
        // a large batch is judged at once
        assert_eq!((last(16_384, |_| 820), last(16_384, |_| 819)), (Some(0), None));
        // no average without walkers
        assert_eq!((last(16, |step| if step == 7 { 16 } else { 0 }), last(16, |step| if step == 7 { 14 } else { 0 })), (Some(7), None));
    }
}
