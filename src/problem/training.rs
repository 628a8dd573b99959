//! How much is drawn, and how often: settings that every system takes.

use crate::config::Range;

crate::config::settings! {
    /// How much is drawn, and how often.
    pub struct Training, TRAINING
    "training" {
        batch: usize = "auto", Range::Within(2.0, 16_777_216.0), "walkers", "walkers a step, 2 at least for an error bar; auto: by the device";
        chunk: usize = "auto", Range::Within(1.0, 32_768.0), "walkers", "walkers in device memory at a time; auto: as many as fit";
        seed: u64 = "42", Range::AtLeast(0.0), "", "seed of all random numbers";
        steps: usize = "3000", Range::Within(0.0, 1e9), "", "training steps";
        eval_steps: usize = "50", Range::Within(0.0, 1e9), "", "steps with frozen parameters after, for the final averages";
    }
}

impl Training {
    /// What clashes.
    pub fn mistakes(&self) -> Option<String> {
        let clash = self.batch != 0 && self.chunk > self.batch;
        clash.then(|| format!("chunk={} is larger than batch={}: a chunk is a part of the batch", self.chunk, self.batch))
    }
}
