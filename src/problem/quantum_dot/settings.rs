//! The settings of a quantum dot: what they are, what follows from them, which clash.

use crate::config::{Bearing, Group, Origin, Range, Resolved, System, Values, compact};
use crate::error;
use crate::gpu::{DeviceType, Gpu};
use crate::kernels::pad4;
use crate::kernels::trap::Shape;
use crate::model::continuous::Continuous;
use crate::optimize::{OPTIMISATION, Optimisation};
use crate::problem::{TRAINING, Training};
use crate::system::oscillator::{self, Dot};

crate::config::settings! {
    /// Settings of a quantum-dot run.
    #[allow(non_snake_case)] // Z
    pub struct Settings, KEYS
    "system" {
        n: usize = "", Range::Within(1.0, 16.0), "", "number of electrons, all of one spin, in the two-dimensional harmonic trap";
        Z: f64 = "", Range::ZeroOr(1e-3, 100.0), "", "strength of the repulsion Z/r: the trap's length √(ħ/mω) over Bohr's radius (0: none)";
        beta: f64 = "none", Range::Within(0.05, 1e3), "1/ħω", "inverse temperature; none: the ground state of one determinant";
        delta_e: usize = "auto", Range::Within(0.0, 100.0), "ħω", "determinants up to this energy over the lowest are listed; auto: 2, or more until F of free electrons is right to 1e-4 or 500 determinants are listed; without beta there is one";
    }
    "flow" {
        units: usize = "50", Range::Within(1.0, 64.0), "", "logistic functions of η, and of μ: the flow is dr_i/dt = Σ_j η(r_ij)(r_i - r_j) + μ(r_i²) r_i";
        n_steps: usize = "10", Range::Within(1.0, 200.0), "", "steps of its integrator (Runge and Kutta, fourth order)";
        tolerance: f64 = "0.001", Range::Within(1e-6, 1.0), "", "largest error of the integrator: distance of a walker from where it was drawn when it is carried back, and change of E when steps are halved; beyond it updates are taken back, and no result is given";
    }
    "gradient" {
        clip: f64 = "5", Range::Within(0.01, 1e6), "mean abs. dev.", "window to which local energies are clipped in gradients";
    }
    and {
        /// Batch, seed, steps.
        training: Training,
        /// How parameters are updated.
        optimisation: Optimisation,
    }
}

/// Quanta over the lowest determinant that are listed at least, as published.
const LEAST: usize = 2;
/// Determinants that are listed at most where their number is left to the program.
const LISTED: usize = 500;
/// Error of the free energy from those that are not, ħω.
const LEFT_OUT: f64 = 1e-4;

/// The quantum dot as its settings describe it.
pub static SYSTEM: System = System {
    name: "quantum-dot",
    example: &[("n", "3"), ("Z", "2"), ("beta", "10")],
    keys: &[KEYS, TRAINING, OPTIMISATION],
    // damping: a batch of fewer than a few walkers a parameter has much too small eigenvalues of its Fisher matrix, along which
    // steps were so long that the energy rose
    defaults: &[("steps", "150"), ("max_norm", "0.005"), ("damping", "0.03"), ("cooling", "0.5")],
    derive,
    mistakes: |values| {
        let s = Settings::read(values);
        s.mistakes(values).into_iter().chain(s.training.mistakes()).chain(Optimisation::mistakes(values, &[])).collect()
    },
    bearing: |key| match key.name {
        "n" | "delta_e" | "units" => Bearing::Meaning,
        "Z" | "beta" | "n_steps" => Bearing::Start,
        _ => Bearing::None,
    },
};

fn derive(resolved: &mut Resolved) -> Result<(), String> {
    let s: Settings = resolved.read();
    if *resolved.origin("delta_e") == Origin::Default {
        let (above, why) = match s.inverse_temperature() {
            None => (0, "one determinant without beta"),
            Some(beta) => (enough(s.n, beta).map_err(|e| e.to_string())?, "from n and beta"),
        };
        resolved.derive("delta_e", &above.to_string(), why);
    }
    Ok(())
}

/// The smallest energy of a list that is long enough.
fn enough(n: usize, beta: f64) -> error::Result<usize> {
    let exact = oscillator::free(n, beta)?.free_energy;
    // repulsion brings levels together: what lies that high may come down
    let mut above = LEAST;
    loop {
        let (dot, next) = (Dot::new(n, above)?, Dot::new(n, above + 1));
        let longer = next.is_ok_and(|next| next.states.len() <= LISTED && next.states.len() > dot.states.len());
        if dot.truncated(beta).free_energy - exact < LEFT_OUT || !longer {
            return Ok(above);
        }
        above += 1;
    }
}

impl Settings {
    /// From `key=value` words, as the command line takes them.
    ///
    /// # Errors
    /// [`error::Error::User`] with everything that is wrong.
    pub fn of(line: &str) -> error::Result<Settings> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Ok(Resolved::from_command(&[&SYSTEM], SYSTEM.name, &words)?.read())
    }

    /// β, if there is a temperature.
    pub fn inverse_temperature(&self) -> Option<f64> {
        (self.beta > 0.0).then_some(self.beta)
    }

    /// The determinants these settings list.
    ///
    /// # Errors
    /// [`error::Error::User`] for too many.
    pub fn dot(&self) -> error::Result<Dot> {
        if self.inverse_temperature().is_some() { Dot::new(self.n, self.delta_e) } else { Dot::ground(self.n) }
    }

    /// The flow these settings describe.
    pub fn flow(&self) -> Continuous {
        Continuous { units: self.units }
    }

    /// Sizes of walkers.
    pub fn shape(&self, walkers: usize) -> Shape {
        Shape { n: self.n, units: self.units, steps: self.n_steps, walkers }
    }

    fn mistakes(&self, values: &Values) -> Vec<String> {
        let mut all: Vec<String> = [self.dot().err(), self.shape(1).check().err()].into_iter().flatten().map(|e| e.to_string()).collect();
        // settled runs have their own number there
        if self.inverse_temperature().is_none() && values.get::<usize>("delta_e") > 0 {
            all.push(format!("delta_e={} has no use without beta, where there is one determinant: drop it or give beta", self.delta_e));
        }
        if self.training.chunk != 0 && self.training.chunk != self.training.batch {
            all.push(format!("chunk={}: walkers of a dot are few words, and a batch is one chunk: drop it", self.training.chunk));
        }
        all
    }
}

/// Walkers a step: what two CPU cores train in seconds, or what fills a GPU.
fn default_batch(gpu: &Gpu) -> usize {
    if gpu.info.device_type == DeviceType::Cpu { 1024 } else { 8192 }
}

/// Batch and chunk, which are the same.
///
/// # Errors
/// [`error::Error::Device`] where the arrays of a batch are more than the device can bind.
pub fn settle(gpu: &Gpu, s: &Settings) -> error::Result<(usize, usize)> {
    let batch = if s.training.batch == 0 { default_batch(gpu) } else { s.training.batch };
    let each = s.shape(1).stage_words().max(pad4(s.shape(1).parameters()));
    let most = gpu.max_words() / each;
    if batch > most {
        return Err(error::Error::Device(format!(
            "batch = {batch}: {} can bind arrays of {most} walkers of n = {} and n_steps = {}; lower batch",
            gpu.info.name,
            s.n,
            compact(s.n_steps as f64)
        )));
    }
    Ok((batch, batch))
}
