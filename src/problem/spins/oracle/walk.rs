//! Sweeps of parallel tempering with what they leave: energies, magnetisations and exchanges of every chain.

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::Chunk;
use crate::kernels::tempering::Tempering;
use crate::number::philox::{Stream, purpose};
use crate::system::spins::Couplings;

/// Rounds of a recording.
pub const ROUNDS: usize = 16;
/// Sweeps of a round: exchanges of even rungs, then of odd ones.
pub const SWEEPS: usize = 2;

/// Chains `[rung][ladder]` on a device.
pub struct Walk {
    pub chains: Tempering,
    count: usize,
    seed: u64,
    /// Sweeps so far.
    sweep: u32,
    energies: Buffer,
    magnetisations: Buffer,
    swaps: Buffer,
}

/// All chains after a round.
pub struct Round<'r> {
    /// E without a model's offset, and M; `[rung][ladder]`.
    pub energies: &'r [f32],
    pub magnetisations: &'r [f32],
    /// Exchanges so far after each sweep of the round, with the parity of the first rung asked.
    pub swaps: [(usize, &'r [u32]); SWEEPS],
}

impl Walk {
    /// Chains at these temperatures that go on in the stream of `seed` from sweep `sweep` on.
    ///
    /// # Errors
    /// Those of [`Tempering::new`].
    pub fn new(model: &Couplings, betas: &[f64], ladders: usize, seed: u64, sweep: u32) -> Result<Walk> {
        let count = betas.len() * ladders;
        Ok(Walk {
            chains: Tempering::new(model.n(), &model.dense(), model.fields(), betas, ladders, seed)?,
            count,
            seed,
            sweep,
            energies: Buffer::result("energies of rounds", ROUNDS * count),
            magnetisations: Buffer::result("magnetisations of rounds", ROUNDS * count),
            swaps: Buffer::result("swaps of rounds", SWEEPS * ROUNDS * count),
        })
    }

    /// The chains of a temperature.
    pub fn rung(&self, rung: usize) -> Chunk {
        self.chains.rung(rung)
    }

    /// Sweeps that were made.
    pub fn sweeps(&self) -> u32 {
        self.sweep
    }

    /// Makes rounds `first..end`: `more` may record what else is done with the spins after each, `read` has what it left.
    ///
    /// # Errors
    /// Those of the device, and of `read`.
    pub fn rounds(
        &mut self,
        gpu: &Gpu,
        (first, end): (usize, usize),
        mut more: impl FnMut(usize, usize, &Tempering, &mut Recording),
        mut read: impl FnMut(usize, Round) -> Result<()>,
    ) -> Result<()> {
        let count = self.count;
        for begin in (first..end).step_by(ROUNDS) {
            let here = ROUNDS.min(end - begin);
            let parity = self.sweep as usize;
            let mut rec = Recording::new();
            if self.sweep == 0 || begin == first {
                self.chains.record_observables(&mut rec);
            }
            for slot in 0..here {
                for k in 0..SWEEPS {
                    let at = Stream { seed: self.seed, step: self.sweep, purpose: purpose::METROPOLIS, first_walker: 0 };
                    self.chains.record_sweep(&mut rec, at);
                    rec.copy_range(&self.chains.swaps, 0, &self.swaps, (SWEEPS * slot + k) * count, count);
                    self.sweep += 1;
                }
                // anew, against rounding
                self.chains.record_observables(&mut rec);
                rec.copy_range(&self.chains.energy, 0, &self.energies, slot * count, count);
                rec.copy_range(&self.chains.magnetisation, 0, &self.magnetisations, slot * count, count);
                more(begin + slot, slot, &self.chains, &mut rec);
            }
            gpu.run(&rec)?;
            let energies: Vec<f32> = gpu.read_words(&self.energies, here * count)?;
            let magnetisations: Vec<f32> = gpu.read_words(&self.magnetisations, here * count)?;
            let swaps: Vec<u32> = gpu.read_words(&self.swaps, SWEEPS * here * count)?;
            for slot in 0..here {
                let row = |k: usize| (parity + k, &swaps[(SWEEPS * slot + k) * count..][..count]);
                let round = Round {
                    energies: &energies[slot * count..][..count],
                    magnetisations: &magnetisations[slot * count..][..count],
                    swaps: [0, 1].map(row).map(|(step, counts)| (step % 2, counts)),
                };
                read(begin + slot, round)?;
            }
        }
        Ok(())
    }
}
