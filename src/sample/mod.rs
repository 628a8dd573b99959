//! Drawing electron positions from |Ψ_K(x)|².

pub mod metropolis;

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recording};

pub use metropolis::{Metropolis, Settings};

/// Walkers that one launch treats together.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Place of its first walker in the batch.
    pub first: usize,
    pub walkers: usize,
    /// Positions, f32 \[walker\]\[n dim\], in [0, L), units of rs a0.
    pub x: Buffer,
    /// ln|Ψ| of these positions, f32 \[walker\].
    pub log_psi: Buffer,
}

/// Records ln|Ψ| (third buffer, f32 \[walker\]) of positions (second, f32 \[walker\]\[n dim\]) of a chunk whose
/// occupied states the caller knows.
pub type LogPsi<'a> = dyn FnMut(&mut Recording, &Chunk, &Buffer, &Buffer) + 'a;

/// How a round of sampling went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Round {
    /// Share of accepted proposals.
    pub acceptance: f64,
    /// Share of proposals refused because ln|Ψ| was not finite.
    pub non_finite: f64,
    /// Width of the next round's proposals, units of rs a0.
    pub width: f64,
    /// Integrated autocorrelation time of ln|Ψ|² in sweeps; at most half the sweeps of a round.
    pub tau: f64,
}

/// A source of positions for given occupied states.
pub trait Sampler {
    /// The batch, chunk by chunk; positions are those of the last recorded round.
    fn chunks(&self) -> &[Chunk];

    /// Records a round: afterwards every chunk's `x` is a new draw and `log_psi` belongs to it.
    fn record(&mut self, rec: &mut Recording, log_psi: &mut LogPsi);

    /// Reads how the last round went.
    fn round(&self, gpu: &Gpu) -> Result<Round>;
}
