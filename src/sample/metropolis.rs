//! Metropolis sampling with all-electron Gaussian moves of an adapted width.
//!
//! The walkers keep their positions from round to round while their occupied states change, as in the
//! published runs; whether a round is long enough is what [`Round::tau`] tells.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::metropolis::{self, Accept, AdaptParams, Move, STATE};
use crate::number::philox::{Stream, purpose};
use crate::number::statistics::chains_time;
use crate::wave_function::WaveFunction;

use super::{Chunk, LogPsi, Round, Sampler};

/// Chains whose ln|Ψ|² is kept, sweep by sweep.
const TRACKED: usize = 256;

/// Root mean square distance of its coordinates from where they began below which a chain has not moved, rs a0.
const STILL: f64 = 0.05;

/// Sizes and choices of a sampler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Walkers of the batch on this device.
    pub walkers: usize,
    /// Walkers a launch.
    pub chunk: usize,
    /// Global number of the first walker (other devices have others).
    pub first: usize,
    /// n dim.
    pub size: usize,
    /// Side of the box, units of rs a0.
    pub length: f64,
    /// Sweeps of a round; published: 50.
    pub sweeps: usize,
    /// First width of proposals, units of rs a0; published: 0.1.
    pub width: f64,
    /// Wanted acceptance, usually 0.5; `None` keeps the width, as published.
    pub acceptance: Option<f64>,
    /// Of the run.
    pub seed: u64,
}

/// Metropolis chains, one a walker.
pub struct Metropolis {
    /// Sizes and choices.
    pub settings: Settings,
    chunks: Vec<Chunk>,
    proposal: Buffer,
    proposed: Buffer,
    counts: Buffer,
    series: Buffer,
    state: Buffer,
    step: u32,
    /// Where the tracked chains began.
    origin: Vec<f32>,
}

impl Metropolis {
    /// Chains that start from uniform positions (a function of seed and walker number only).
    ///
    /// # Errors
    /// [`Error::User`] for no walkers, sweeps or chunk, and for widths and acceptances out of range.
    pub fn new(settings: Settings) -> Result<Self> {
        let s = settings;
        let wrong = |text: String| Err(Error::User(format!("metropolis: {text}")));
        if s.walkers == 0 || s.chunk == 0 || s.size == 0 {
            return wrong(format!("{} walkers in chunks of {} with {} coordinates; all must be positive", s.walkers, s.chunk, s.size));
        }
        if s.sweeps == 0 {
            return wrong("0 sweeps a round; give at least 1, usually 50".into());
        }
        if !(s.width > 0.0 && s.width.is_finite()) {
            return wrong(format!("width = {}; give a positive length in units of rs a0, usually 0.1", s.width));
        }
        if let Some(a) = s.acceptance.filter(|a| !(*a > 0.0 && *a < 1.0)) {
            return wrong(format!("acceptance = {a}; give a number between 0 and 1, usually 0.5"));
        }
        let mut chunks = Vec::new();
        let mut first = 0;
        while first < s.walkers {
            let walkers = s.chunk.min(s.walkers - first);
            chunks.push(Chunk {
                first,
                walkers,
                x: Buffer::starting("x", walkers * s.size, move || start(&s, first, walkers)),
                // made anew where a round begins
                log_psi: Buffer::result("ln|psi| of the chains", walkers),
            });
            first += walkers;
        }
        let largest = chunks[0].walkers;
        Ok(Metropolis {
            settings,
            proposal: Buffer::new("proposed x", largest * s.size),
            proposed: Buffer::new("ln|psi| proposed", largest),
            counts: Buffer::new("accepted", 2 * s.walkers),
            series: Buffer::new("chain of ln|psi|^2", s.sweeps * TRACKED.min(s.walkers)),
            state: Buffer::starting("metropolis", STATE, move || vec![s.width as f32, 0.0, 0.0, 0.0]),
            chunks,
            step: 0,
            origin: start(&s, 0, TRACKED.min(s.walkers)),
        })
    }

    /// Mean squared distance of a coordinate from its origin, and the share of the tracked chains that stayed there.
    fn displacement(&self, gpu: &Gpu) -> Result<(f64, f64)> {
        let s = &self.settings;
        let tracked = self.origin.len() / s.size;
        let mut x: Vec<f32> = Vec::with_capacity(self.origin.len());
        for chunk in self.chunks.iter().take_while(|c| c.first < tracked) {
            x.extend(gpu.read_words::<f32>(&chunk.x, chunk.walkers.min(tracked - chunk.first) * s.size)?);
        }
        Ok(displacement(&self.origin, &x, s.length, s.size))
    }

    /// Records a round for any ln|Ψ|.
    pub fn record_moves(&mut self, rec: &mut Recording, log_psi: &mut LogPsi) {
        let s = self.settings;
        rec.clear(&self.counts);
        for chunk in &self.chunks {
            // the states are new: so is ln|Ψ| of the old positions
            log_psi(rec, chunk, &chunk.x, &chunk.log_psi);
            for sweep in 0..s.sweeps {
                let step = self.step.wrapping_add(sweep as u32);
                let at = Stream { seed: s.seed, step, purpose: purpose::METROPOLIS, first_walker: (s.first + chunk.first) as u32 };
                let m = Move { at, walkers: chunk.walkers, size: s.size };
                metropolis::record_propose(rec, m, &chunk.x, &self.state, &self.proposal);
                log_psi(rec, chunk, &self.proposal, &self.proposed);
                let accept = Accept {
                    x: &chunk.x,
                    proposal: &self.proposal,
                    log_psi: &chunk.log_psi,
                    proposed: &self.proposed,
                    counts: &self.counts,
                    series: &self.series,
                    here: chunk.first,
                    tracked: TRACKED.min(s.walkers),
                    sweep,
                    length: s.length,
                };
                metropolis::record_accept(rec, m, accept);
            }
        }
        self.step = self.step.wrapping_add(s.sweeps as u32);
        let adapt = AdaptParams {
            walkers: s.walkers as u32,
            moves: (s.walkers * s.sweeps) as f32,
            goal: s.acceptance.unwrap_or(0.5) as f32,
            gain: if s.acceptance.is_some() { 1.0 } else { 0.0 },
            // a width beyond the box changes nothing; one of 1e-4 of it does not move
            smallest: (s.width.min(1e-4 * s.length)) as f32,
            largest: s.width.max(s.length) as f32,
            pad: [0; 2],
        };
        metropolis::record_adapt(rec, adapt, &self.counts, &self.state);
    }
}

impl Sampler for Metropolis {
    fn shorten(&mut self) {
        // every sweep launches the same
        self.settings.sweeps = 1;
    }

    fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    fn record(&mut self, rec: &mut Recording, wave: &WaveFunction, states: &[Buffer]) -> Result<()> {
        rec.phase("metropolis");
        let size = self.settings.chunk;
        self.record_moves(rec, &mut |rec, chunk, x, out| {
            wave.record_log_psi(rec, x, &states[chunk.first / size], chunk.walkers, out);
        });
        Ok(())
    }

    fn round(&self, gpu: &Gpu) -> Result<Round> {
        let state: Vec<f32> = gpu.read_words(&self.state, STATE)?;
        let tracked = TRACKED.min(self.settings.walkers);
        let series: Vec<f32> = gpu.read_words(&self.series, self.settings.sweeps * tracked)?;
        let series: Vec<f64> = series.iter().map(|&v| v as f64).collect();
        let (moved, still) = self.displacement(gpu)?;
        Ok(Round {
            moved,
            still,
            acceptance: state[1] as f64,
            non_finite: state[2] as f64,
            width: state[0] as f64,
            tau: chains_time(&series, tracked),
            ..Round::default()
        })
    }

    /// Sweeps, width and walkers, whatever their chunks. Where chains began follows from the seed.
    fn state(&mut self, a: &mut Archive) -> Result<()> {
        a.value("sweeps", &mut self.step)?;
        a.floats("width", &self.state, STATE)?;
        let size = self.settings.size;
        a.chunks("walkers", &self.chunks.iter().map(|c| (&c.x, c.walkers * size)).collect::<Vec<_>>())
    }

    fn load(&mut self, gpu: &Gpu, x: &[f32]) {
        super::write(gpu, &self.chunks, x);
        self.origin = x[..TRACKED.min(self.settings.walkers) * self.settings.size].to_vec();
    }
}

/// Mean squared difference of a coordinate between two sets of positions \[walker\]\[n dim\], nearest images, and the share
/// of walkers in which it is below [`STILL`]² on average.
fn displacement(from: &[f32], to: &[f32], length: f64, size: usize) -> (f64, f64) {
    let (mut sum, mut still, walkers) = (0.0, 0.0, from.len() / size);
    for (a, b) in from.chunks(size).zip(to.chunks(size)) {
        let square = |(a, b): (&f32, &f32)| {
            let r = (*a as f64 - *b as f64) / length;
            (length * (r - r.round())).powi(2)
        };
        let mean = a.iter().zip(b).map(square).sum::<f64>() / size as f64;
        sum += mean;
        // a chain that is not finite does not move either
        still += (mean.is_nan() || mean < STILL * STILL) as usize as f64;
    }
    (sum / walkers as f64, still / walkers as f64)
}

/// Uniform positions in the box of `walkers` walkers from `first` on.
fn start(s: &Settings, first: usize, walkers: usize) -> Vec<f32> {
    let mut x = Vec::with_capacity(walkers * s.size);
    for w in first..first + walkers {
        let stream = Stream { seed: s.seed, step: 0, purpose: purpose::START, first_walker: (s.first + w) as u32 };
        x.extend(stream.uniforms().take(s.size).map(|u| (u * s.length) as f32));
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displacements_are_to_the_nearest_image() {
        // two walkers of two electrons in a box of side 4: one stays, of the other one electron crosses the edge
        let from = [0.1, 0.2, 3.9, 1.0, 0.1, 0.2, 3.9, 1.0];
        let to = [0.1, 0.2, 3.9, 1.05, 0.1, 0.25, 0.1, 1.0];
        let (moved, still) = displacement(&from, &to, 4.0, 4);
        assert!((moved - (2.0 * 0.05 * 0.05 + 0.2 * 0.2) / 8.0).abs() < 1e-6 && still == 0.5, "{moved} {still}");
        assert_eq!(displacement(&from, &[f32::NAN; 8], 4.0, 4).1, 1.0);
    }
}
