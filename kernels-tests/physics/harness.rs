//! The device, settings from their text, and wave functions and energies of given positions.

use std::sync::OnceLock;

use helmholtz::Settings;
use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::backflow::Directions;
use helmholtz::model::backflow::Backflow;
use helmholtz::problem::electron_gas::LocalEnergy;
use helmholtz::system::ewald::DEVICE;
use helmholtz::{ElectronGas, Trainer, WaveFunction};

use crate::devices;
pub use crate::noise::Noise;

pub const EPS: f64 = f32::EPSILON as f64;

/// This test's device.
pub fn device() -> &'static Gpu {
    static OPEN: [OnceLock<Gpu>; devices::MOST] = [const { OnceLock::new() }; devices::MOST];
    OPEN[devices::mine()].get_or_init(|| Gpu::open_checked(None).expect("a Vulkan driver; see README"))
}

/// Settings as a user would write them; the batch is one chunk unless said otherwise.
pub fn settings(text: &str) -> Settings {
    let mut s = Settings::of(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    s.training.chunk = if s.training.chunk == 0 { s.training.batch } else { s.training.chunk };
    s
}

pub fn trainer(text: &str) -> Trainer {
    Trainer::new(device(), &settings(text), None, None).unwrap()
}

impl Noise {
    pub fn normals(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        (0..count).map(|_| (deviation * self.normal()) as f32).collect()
    }

    /// n different orbitals out of m, ascending.
    pub fn state(&mut self, n: usize, m: usize) -> Vec<u32> {
        let mut all: Vec<u32> = (0..m as u32).collect();
        for i in 0..n {
            let j = i + (self.uniform() * (m - i) as f64) as usize;
            all.swap(i, j);
        }
        let mut state = all[..n].to_vec();
        state.sort_unstable();
        state
    }
}

/// Mean and its standard error for independent numbers.
pub fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// A wave function with its energies, for a fixed number of walkers.
pub struct Wave {
    pub wave: WaveFunction,
    pub walkers: usize,
    energy: LocalEnergy,
}

/// One walker.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// ln|Ψ| and the phase (of the plane waves' determinant; det J > 0 assumed).
    pub ln: f64,
    pub phase: f64,
    /// Kinetic energy, real and imaginary part, and Σ|∇ ln Ψ|², Ry/rs².
    pub kinetic: [f64; 2],
    pub square: f64,
    pub potential: f64,
}

impl Wave {
    pub fn new(gas: &ElectronGas, model: Backflow, parameters: &[f32], walkers: usize) -> Wave {
        let gpu = device();
        let wave = WaveFunction::new(gpu, gas, model, walkers).unwrap();
        let mut rec = Recording::new();
        wave.flow.record_pack(&mut rec, &gpu.upload("parameters", parameters));
        gpu.run(&rec).unwrap();
        Wave { wave, walkers, energy: LocalEnergy::new(gas, DEVICE, walkers).unwrap() }
    }

    /// Everything at x (`[walker][n][d]`) in the states (`[walker][n]`).
    pub fn at(&self, x: &[f32], states: &[u32]) -> Vec<Value> {
        let (gpu, wave) = (device(), &self.wave);
        let (x, states) = (gpu.upload("x", x), gpu.upload("states", states));
        let mut rec = Recording::new();
        wave.record_derivatives(&mut rec, &x, &states, self.walkers, Directions::Exact);
        self.energy.record(&mut rec, wave, &x, self.walkers);
        gpu.run(&rec).unwrap();
        let read = |b: &Buffer| -> Vec<f64> { gpu.read::<f32>(b).unwrap().iter().map(|v| *v as f64).collect() };
        let (ln, phase) = (read(&wave.log_psi), read(&wave.slater.sign));
        let (kinetic, potential) = (read(&self.energy.kinetic), read(&self.energy.potential));
        (0..self.walkers)
            .map(|w| Value {
                ln: ln[w],
                phase: phase[w],
                kinetic: [kinetic[4 * w], kinetic[4 * w + 1]],
                square: kinetic[4 * w + 3],
                potential: potential[w],
            })
            .collect()
    }

    /// ln|Ψ|, phase and sign of det J alone.
    pub fn amplitudes(&self, x: &Buffer, states: &[u32]) -> Vec<[f64; 3]> {
        let (gpu, wave) = (device(), &self.wave);
        let mut rec = Recording::new();
        wave.record_log_psi(&mut rec, x, &gpu.upload("states", states), self.walkers, &wave.log_psi);
        gpu.run(&rec).unwrap();
        let read = |b: &Buffer| gpu.read::<f32>(b).unwrap();
        let (ln, phase, sign) = (read(&wave.log_psi), read(&wave.slater.sign), read(&wave.jacobian.sign));
        (0..self.walkers).map(|w| [ln[w] as f64, phase[w] as f64, sign[w] as f64]).collect()
    }
}

/// The difference of two phases, folded into (-π, π].
pub fn turn(a: f64, b: f64) -> f64 {
    let d = (a - b).rem_euclid(std::f64::consts::TAU);
    if d > std::f64::consts::PI { d - std::f64::consts::TAU } else { d }
}
