//! Twin of `independence`.

use super::philox::{philox, uniform4};
use crate::kernels::philox::Stream;

/// R, E and m² of a sample.
pub type Sample = [f64; 3];

/// What a chain leaves of a batch.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Its present sample.
    pub state: Option<Sample>,
    /// Times counted, moves accepted, Σ dE, Σ dE², Σ dm², Σ (dm²)².
    pub sums: [f64; 6],
    /// How far the closest random number was from the other choice, over the change of R that this is.
    pub margin: f64,
}

impl Chain {
    /// Goes on from `state` through the samples, of which those that are not finite are left out.
    pub fn run(at: Stream, chain: u32, mut state: Option<Sample>, samples: &[Sample], centre: [f64; 2], skip: usize) -> Chain {
        let (mut sums, mut margin) = ([0.0; 6], f64::INFINITY);
        for (t, sample) in samples.iter().enumerate() {
            let walker = at.first_walker.wrapping_add(chain);
            let u = uniform4(philox(at.key(), [t as u32 / 4, walker, at.step, at.purpose]))[t % 4];
            let usable = sample.iter().all(|v| v.is_finite());
            let moves = usable
                && state.is_none_or(|present| {
                    margin = margin.min((u.ln() - (present[0] - sample[0])).abs());
                    u < (present[0] - sample[0]).exp()
                });
            if moves {
                state = Some(*sample);
            }
            if let Some([_, e, square]) = state.filter(|_| t >= skip) {
                let d = [e - centre[0], square - centre[1]];
                let terms = [1.0, moves as u32 as f64, d[0], d[0] * d[0], d[1], d[1] * d[1]];
                sums.iter_mut().zip(terms).for_each(|(sum, v)| *sum += v);
            }
        }
        Chain { state, sums, margin }
    }
}
