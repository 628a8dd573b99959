//! What spins in training go on from.

use super::Spins;
use crate::archive::Archive;
use crate::error::Result;
use crate::gpu::{Gpu, Recording};

impl Spins {
    /// See [`crate::Problem::state`].
    pub(super) fn keep(&mut self, a: &mut Archive) -> Result<()> {
        self.learner.state(a)?;
        a.value("draws", &mut self.draws)?;
        a.schedule(|a| {
            self.annealing.state(a)?;
            a.part("frozen", |a| self.frozen.state(a))
        })?;
        self.gone |= a.restores();
        Ok(())
    }

    /// Makes the samples of the last frozen step again, where a run was restored after them: pictures show them.
    pub(super) fn draw_again(&mut self, gpu: &Gpu) -> Result<()> {
        if !self.gone || self.frozen.sums().is_none() {
            return Ok(());
        }
        self.draws = self.draws.wrapping_sub(1);
        let mut rec = Recording::new();
        self.record_draw(&mut rec);
        self.record_measure(&mut rec, self.options.beta);
        gpu.run(&rec)
    }
}
