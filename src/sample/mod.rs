//! Drawing electron positions from |Ψ_K(x)|².

pub mod exact;
pub mod metropolis;

use crate::archive::Archive;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recording};
use crate::wave_function::WaveFunction;

pub use exact::Exact;
pub use metropolis::{Metropolis, Settings};

/// Walkers that one launch treats together.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Place of its first walker in the batch.
    pub first: usize,
    /// How many.
    pub walkers: usize,
    /// Positions, f32 \[walker\]\[n dim\], in [0, L), units of rs a0.
    pub x: Buffer,
    /// ln|Ψ| of these positions, f32 \[walker\]; -1e30 for a walker that was not drawn.
    pub log_psi: Buffer,
}

/// Records ln|Ψ| (third buffer, f32 \[walker\]) of positions (second, f32 \[walker\]\[n dim\]) of a chunk whose
/// occupied states the caller knows.
pub type LogPsi<'a> = dyn FnMut(&mut Recording, &Chunk, &Buffer, &Buffer) + 'a;

/// How a round of sampling went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Round {
    /// Share of accepted proposals: of moves, or of the candidates of exact draws.
    pub acceptance: f64,
    /// Share of proposals refused because ln|Ψ| was not finite.
    pub non_finite: f64,
    /// Width of the next round's proposals, units of rs a0; NaN for exact draws.
    pub width: f64,
    /// Integrated autocorrelation time of ln|Ψ|² in sweeps, at most half the sweeps of a round; 1 for exact draws.
    pub tau: f64,
    /// Mean squared distance of a coordinate from where its chain began, to the nearest image, (rs a0)²; NaN for exact draws.
    pub moved: f64,
    /// Share of chains whose coordinates are less than 0.05 rs a0 (root mean square) from there; 0 for exact draws.
    pub still: f64,
    /// Walkers drawn, those that failed included (exact draws only).
    pub walkers: usize,
    /// Exact draws that failed: z(x) = ζ has no solution that the iteration finds, or det J ≤ 0 there. Left out of
    /// all averages.
    pub failed: usize,
    /// Smallest 1/max |entry of J⁻¹| of the draws: an upper bound of J's smallest singular value.
    pub smallest: f64,
    /// Largest residual max |z(x) - ζ| of the draws, rs a0.
    pub residual: f64,
    /// Most Newton iterations of a walker.
    pub iterations: usize,
}

/// Share of failed walkers above which exact draws are not to be used.
const MOST_FAILED: f64 = 1e-3;
/// Smallest |J| of draws to be used.
const SMALLEST: f64 = 0.02;

impl Round {
    /// Its numbers.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        a.value("acceptance", &mut self.acceptance)?;
        a.value("non_finite", &mut self.non_finite)?;
        a.value("width", &mut self.width)?;
        a.value("tau", &mut self.tau)?;
        a.value("moved", &mut self.moved)?;
        a.value("still", &mut self.still)?;
        a.value("walkers", &mut self.walkers)?;
        a.value("failed", &mut self.failed)?;
        a.value("smallest", &mut self.smallest)?;
        a.value("residual", &mut self.residual)?;
        a.value("iterations", &mut self.iterations)
    }

    /// Whether the flow was invertible for these draws: fewer than two failed walkers or 1 in 1,000, and J far from
    /// singular. Otherwise the parameters are to be taken back.
    pub fn usable(&self) -> bool {
        let few = self.failed < 2 || self.failed as f64 <= MOST_FAILED * self.walkers as f64;
        self.walkers == 0 || (few && self.failed < self.walkers && self.smallest >= SMALLEST)
    }
}

/// A source of positions for given occupied states.
pub trait Sampler {
    /// The batch, chunk by chunk; positions are those of the last recorded round.
    fn chunks(&self) -> &[Chunk];

    /// Records a round: afterwards every chunk's `x` is a new draw and `log_psi` belongs to it. The flow's parameters
    /// must be packed. `states`: u32 \[walker\]\[n\] of every chunk.
    fn record(&mut self, rec: &mut Recording, wave: &WaveFunction, states: &[Buffer]) -> Result<()>;

    /// Runs a round, with as many launches as it turns out to need.
    fn draw(&mut self, gpu: &Gpu, wave: &WaveFunction, states: &[Buffer]) -> Result<Round> {
        let mut rec = Recording::new();
        self.record(&mut rec, wave, states)?;
        gpu.run(&rec)?;
        self.round(gpu)
    }

    /// Reads how the last round went.
    fn round(&self, gpu: &Gpu) -> Result<Round>;

    /// Records only the first of launches that repeat from now on, in the same memory: for plans.
    fn shorten(&mut self) {}

    /// Records ln|Ψ| = -1e30 for the walkers of a chunk that averages are to leave out.
    fn record_leave_out(&self, _rec: &mut Recording, _chunk: usize, _log_psi: &Buffer) {}

    /// What the next round goes on from.
    fn state(&mut self, a: &mut Archive) -> Result<()>;

    /// Replaces the positions of the batch, f32 \[walker\]\[n dim\].
    fn load(&mut self, gpu: &Gpu, x: &[f32]);
}

fn write(gpu: &Gpu, chunks: &[Chunk], x: &[f32]) {
    let size = x.len() / chunks.iter().map(|c| c.walkers).sum::<usize>().max(1);
    for chunk in chunks {
        gpu.write(&chunk.x, &x[chunk.first * size..][..chunk.walkers * size]);
    }
}
