//! What the training of spins is told.

use super::Schedule;
use crate::optimize::{Optimisation, Optimizer};
use crate::problem::Training;

/// How spins are trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// β.
    pub beta: f64,
    /// Share of the training steps in which β rises from 0.
    pub anneal: f64,
    /// How it rises.
    pub schedule: Schedule,
    /// q(s) = q(-s), by drawing from the mean of a network's distribution and its mirror image.
    pub z2: bool,
    /// A group of permutations of the sites that leave E as it is, the first of which leaves all alone (spin i of an image is
    /// spin p\[i\] of the sample); q is then the same for all images of s. Empty: none.
    pub images: Vec<Vec<usize>>,
    /// Batch and chunk (both given), seed, steps.
    pub training: Training,
    /// How parameters are updated.
    pub optimisation: Optimisation,
}

impl Options {
    /// Batches of `batch` samples in one chunk, `steps` of Adam; β = 1, not annealed, no symmetry.
    pub fn adam(batch: usize, steps: usize, learning_rate: f64) -> Options {
        let training = Training { batch, chunk: batch, seed: 42, steps, eval_steps: 0 };
        // the gradient of a uniform q is rounding alone, which no step should follow
        let optimisation = Optimisation { optimizer: Optimizer::Adam, learning_rate, epsilon: 1e-3, ..Optimisation::default() };
        Options { beta: 1.0, anneal: 0.0, schedule: Schedule::Linear, z2: false, images: Vec::new(), training, optimisation }
    }
}
