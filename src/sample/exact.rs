//! Exact, independent draws: ζ from the free-fermion determinant |Φ_K(ζ)|², then x = z⁻¹(ζ) by Newton iterations.
//!
//! |Ψ_K(x)|² dx = |Φ_K(ζ)|² dζ for ζ = z(x), and z is one-to-one on the torus where det ∂z/∂x > 0 everywhere: z(x) - x
//! is periodic, so z has degree one. No Markov chain, no equilibration, no memory of earlier draws. The idea of a
//! determinantal base density under a flow: Freedman, Rozenberg, Bronstein, arXiv:2406.00047. Where the flow is not
//! one-to-one the Ψ_K are not orthonormal and F is no bound: walkers then fail, and [`Round::usable`] says so.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::dpp::{self, Draw};
use crate::kernels::newton::{self, Inputs, Iteration, Phase};
use crate::number::philox::{Stream, purpose};
use crate::system::ElectronGas;
use crate::wave_function::WaveFunction;

use super::{Chunk, Round, Sampler};

/// Evaluations of the flow before it is asked whether all walkers have converged.
const FIRST: usize = 4;
/// Of these, the first ones come with their own J⁻¹; the others step with the last one, whose error squares the residual no
/// more but still multiplies it by the distance moved. Evaluations beyond FIRST are for walkers that go slowly: with J⁻¹ again.
const FRESH: usize = 2;
/// Most evaluations; trained flows take 3 or 4.
const MOST: usize = 10;

/// Sizes and choices of an exact sampler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Walkers of the batch on this device.
    pub walkers: usize,
    /// Walkers a launch.
    pub chunk: usize,
    /// Global number of the first walker (other devices have others).
    pub first: usize,
    /// Of the run.
    pub seed: u64,
    /// Largest max |z(x) - ζ| of a draw, units of rs a0. Everything is evaluated at the x found, so it biases nothing
    /// to first order; rounding ends near 3e-5.
    pub tolerance: f64,
    /// Also ln|Ψ| and det J at the x found; else det J is that of the last evaluation with J⁻¹, where the residual was already small,
    /// and [`Chunk::log_psi`] stays as it is: a caller that computes local energies next has both from there.
    pub log_psi: bool,
}

impl Settings {
    /// With a tolerance of 1e-4 rs a0, and ln|Ψ|.
    pub fn new(walkers: usize, chunk: usize, seed: u64) -> Settings {
        Settings { walkers, chunk, first: 0, seed, tolerance: 1e-4, log_psi: true }
    }
}

/// Exact sampler of one gas.
pub struct Exact {
    /// Sizes and choices.
    pub settings: Settings,
    gas: ElectronGas,
    chunks: Vec<Chunk>,
    /// Points and scratch of a chunk; `progress` of every chunk.
    fermions: Vec<dpp::Outputs>,
    iterations: Vec<Iteration>,
    step: u32,
}

impl Exact {
    /// A sampler of the gas's occupied states.
    ///
    /// # Errors
    /// [`Error::User`] for no walkers or chunk, and for more electrons than the kernels take.
    pub fn new(gas: &ElectronGas, settings: Settings) -> Result<Exact> {
        let (s, size) = (settings, gas.n * gas.dim);
        if s.walkers == 0 || s.chunk == 0 {
            return Err(Error::User(format!("exact sampling: {} walkers in chunks of {}; both must be positive", s.walkers, s.chunk)));
        }
        if gas.n > dpp::MAX_PARTICLES {
            return Err(dpp::too_many(gas.n));
        }
        let largest = s.chunk.min(s.walkers);
        // scratch is shared by all chunks, what is read back is not
        let (points, scratch) = (dpp::Outputs::new(gas.n, gas.dim, largest), Iteration::new(largest, size)?);
        let mut sampler = Exact { settings, gas: gas.clone(), chunks: Vec::new(), fermions: Vec::new(), iterations: Vec::new(), step: 0 };
        let mut first = 0;
        while first < s.walkers {
            let walkers = s.chunk.min(s.walkers - first);
            sampler.chunks.push(Chunk {
                first,
                walkers,
                x: Buffer::result("x", walkers * size),
                log_psi: Buffer::result("ln|psi| of the draws", walkers),
            });
            sampler.fermions.push(dpp::Outputs { progress: Buffer::result("free fermions placed", 4 * walkers), ..points.clone() });
            let (state, status) = (Buffer::new("newton", 4 * walkers), Buffer::new("newton status", walkers));
            sampler.iterations.push(Iteration { state, status, line: scratch.line.clone() });
            first += walkers;
        }
        Ok(sampler)
    }

    /// ζ of the last chunk drawn, f32 `[walker][n][dim]`.
    pub fn free_fermions(&self) -> &Buffer {
        &self.fermions[0].z
    }

    fn newton(&self, rec: &mut Recording, wave: &WaveFunction, index: usize, phase: Phase) {
        let (chunk, s) = (&self.chunks[index], &self.settings);
        let settings =
            newton::Settings { walkers: chunk.walkers, size: self.gas.n * self.gas.dim, length: self.gas.length(), tolerance: s.tolerance };
        let zeta = &self.fermions[index].z;
        let inputs = Inputs { z: &wave.flow.z, zeta, inverse: wave.inverse_jacobian(), sign: &wave.jacobian.sign };
        newton::record(rec, wave.profile, phase, settings, inputs, &chunk.x, &self.iterations[index]);
    }

    /// Records ζ and the starting points of a chunk.
    fn record_start(&self, rec: &mut Recording, wave: &WaveFunction, states: &Buffer, index: usize) -> Result<()> {
        let (chunk, s) = (&self.chunks[index], &self.settings);
        let at = Stream { seed: s.seed, step: self.step, purpose: purpose::POSITIONS, first_walker: (s.first + chunk.first) as u32 };
        let draw = Draw { at, walkers: chunk.walkers };
        rec.phase("free fermions");
        dpp::record(rec, wave.profile, &self.gas, draw, states, &wave.orbitals, &self.fermions[index])?;
        rec.phase("inverse flow");
        wave.flow.record_positions(rec, &self.fermions[index].z, chunk.walkers);
        self.newton(rec, wave, index, Phase::Start);
        Ok(())
    }

    /// Records evaluations of the flow, each followed by a Newton step.
    fn record_steps(&self, rec: &mut Recording, wave: &WaveFunction, index: usize, evaluations: std::ops::Range<usize>) {
        rec.phase("inverse flow");
        let chunk = &self.chunks[index];
        for evaluation in evaluations {
            if (FRESH..FIRST).contains(&evaluation) {
                wave.flow.record_positions(rec, &chunk.x, chunk.walkers);
            } else {
                wave.record_jacobian(rec, &chunk.x, chunk.walkers);
            }
            self.newton(rec, wave, index, Phase::Step);
        }
    }

    /// Records the last touch: x into the box, ln|Ψ|, walkers that failed.
    fn record_finish(&self, rec: &mut Recording, wave: &WaveFunction, states: &Buffer, index: usize) {
        rec.phase("inverse flow");
        let chunk = &self.chunks[index];
        if self.settings.log_psi {
            wave.record_jacobian_determinant(rec, &chunk.x, chunk.walkers);
            wave.record_log_psi_of_jacobian(rec, states, chunk.walkers, &chunk.log_psi);
        }
        self.newton(rec, wave, index, Phase::Finish);
        if self.settings.log_psi {
            self.record_leave_out(rec, index, &chunk.log_psi);
        }
    }
}

impl Sampler for Exact {
    fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    fn record(&mut self, rec: &mut Recording, wave: &WaveFunction, states: &[Buffer]) -> Result<()> {
        for (index, states) in states.iter().enumerate() {
            self.record_start(rec, wave, states, index)?;
            self.record_steps(rec, wave, index, 0..FIRST);
            self.record_finish(rec, wave, states, index);
        }
        self.step = self.step.wrapping_add(1);
        Ok(())
    }

    fn draw(&mut self, gpu: &Gpu, wave: &WaveFunction, states: &[Buffer]) -> Result<Round> {
        for (index, states) in states.iter().enumerate() {
            let mut rec = Recording::new();
            self.record_start(&mut rec, wave, states, index)?;
            let mut evaluations = 0;
            while evaluations < MOST {
                let next = if evaluations == 0 { FIRST } else { 1 };
                self.record_steps(&mut rec, wave, index, evaluations..evaluations + next);
                gpu.run(&rec)?;
                rec = Recording::new();
                evaluations += next;
                if gpu.read_words::<u32>(&self.iterations[index].status, self.chunks[index].walkers)?.iter().all(|s| *s != 0) {
                    break;
                }
            }
            self.record_finish(&mut rec, wave, states, index);
            gpu.run(&rec)?;
        }
        self.step = self.step.wrapping_add(1);
        self.round(gpu)
    }

    fn round(&self, gpu: &Gpu) -> Result<Round> {
        let mut round = Round { tau: 1.0, width: f64::NAN, moved: f64::NAN, smallest: f64::INFINITY, ..Round::default() };
        let mut candidates = 0.0;
        for ((chunk, fermions), it) in self.chunks.iter().zip(&self.fermions).zip(&self.iterations) {
            let progress: Vec<u32> = gpu.read_words(&fermions.progress, 4 * chunk.walkers)?;
            let status: Vec<u32> = gpu.read_words(&it.status, chunk.walkers)?;
            let state: Vec<f32> = gpu.read_words(&it.state, 4 * chunk.walkers)?;
            for ((p, status), s) in progress.chunks(4).zip(status).zip(state.chunks(4)) {
                candidates += p[2] as f64;
                round.walkers += 1;
                round.iterations = round.iterations.max(s[3] as usize);
                if status & newton::NOT_CONVERGED == 0 {
                    round.smallest = round.smallest.min(1.0 / s[2] as f64);
                    round.residual = round.residual.max(s[0] as f64);
                }
                round.failed += (status != 0 || (p[0] as usize) < self.gas.n) as usize;
            }
        }
        round.acceptance = (round.walkers * self.gas.n) as f64 / candidates;
        Ok(round)
    }

    fn record_leave_out(&self, rec: &mut Recording, index: usize, log_psi: &Buffer) {
        let (walkers, progress) = (self.chunks[index].walkers, &self.fermions[index].progress);
        newton::record_leave_out(rec, walkers, self.gas.n, &self.iterations[index].status, progress, log_psi);
    }

    /// Draws so far, which number the random numbers.
    fn state(&mut self, a: &mut Archive) -> Result<()> {
        a.value("draws", &mut self.step)
    }

    fn load(&mut self, gpu: &Gpu, x: &[f32]) {
        super::write(gpu, &self.chunks, x);
        for ((chunk, fermions), it) in self.chunks.iter().zip(&self.fermions).zip(&self.iterations) {
            let placed: Vec<u32> = (0..4 * chunk.walkers).map(|_| self.gas.n as u32).collect();
            gpu.write(&fermions.progress, &placed);
            gpu.write(&it.status, &vec![0u32; chunk.walkers]);
        }
    }
}
