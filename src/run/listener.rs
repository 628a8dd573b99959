//! What a run tells while it goes on.

use super::StepRecord;

/// Shows what a run tells; the run knows nothing of how.
pub trait Listener {
    /// From now on steps are those of a stage of `total`, pretraining, training, measuring, of which `done` were made before.
    fn begin(&mut self, name: &'static str, done: usize, total: usize);

    /// A step was made.
    fn step(&mut self, record: &StepRecord);

    /// What is going on while no steps are made.
    fn phase(&mut self, text: &str);

    /// `done` of `all` parts of what is going on.
    fn progress(&mut self, what: &str, done: usize, all: usize);

    /// A line of text.
    fn line(&self, text: &str);

    /// Something the user must hear, however quiet the run is to be.
    fn warning(&mut self, text: &str);

    /// No more steps come.
    fn finish(&mut self);
}
