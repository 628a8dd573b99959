//! The settings of an electron-gas run: one table with default, range, unit and meaning.

use super::value::{Baseline, Feature, Gauge, Laplacian, Optimizer, Prior, Range, Sampler, Value, compact};

/// One row of the table of settings.
#[derive(Debug)]
pub struct Key {
    pub group: &'static str,
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: &'static str,
    /// Text of the default; empty: must be given; `auto`: derived from other settings or the device.
    pub default: &'static str,
    pub range: Range,
    pub unit: &'static str,
    pub meaning: &'static str,
}

/// What a setting is to parameters made with another value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// They would be other functions, or of other orbitals: not to be used.
    Meaning,
    /// They start elsewhere in the same space: to be said.
    Start,
    /// Nothing.
    None,
}

impl Key {
    /// What another value means for parameters from a file.
    pub fn bearing(&self) -> Bearing {
        match (self.group, self.name) {
            // the twist orders the orbitals, emax counts them
            ("model", _) | (_, "dim" | "emax" | "twist") => Bearing::Meaning,
            // how V is summed has no part in them; chains do not notice a flow that is not invertible; the gauge fixes the parameters' global phase
            (_, "kappa" | "gmax" | "ewald_tolerance") => Bearing::None,
            ("system", _) | (_, "sampler" | "gauge") => Bearing::Start,
            _ => Bearing::None,
        }
    }

    /// What it takes, in words.
    pub fn takes(&self) -> String {
        let range = self.range.text();
        let auto = if self.default == "auto" { " or auto" } else { "" };
        format!("{}{}{range}{auto}", self.kind, if range.is_empty() { "" } else { " " })
    }
}

macro_rules! settings {
    ($($group:literal { $($name:ident: $type:ty = $default:literal, $range:expr, $unit:literal, $meaning:literal;)* })*) => {
        /// Settings of an electron-gas run (see [`KEYS`] for units, ranges and defaults).
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Settings {
            $($(#[doc = $meaning] #[doc = concat!("(unit: ", $unit, ")")] pub $name: $type,)*)*
        }

        /// Every setting with its default, range, unit and meaning.
        pub static KEYS: &[Key] = &[$($(Key {
            group: $group, name: stringify!($name), kind: <$type as Value>::KIND,
            default: $default, range: $range, unit: $unit, meaning: $meaning,
        },)*)*];

        impl Settings {
            /// Reads one setting from text; the error says what is wrong with the value.
            pub(super) fn set(&mut self, key: &Key, text: &str) -> Result<(), String> {
                // 0 stands for what is not known yet
                let auto = key.default == "auto" && text.trim() == "auto";
                let text = if auto { "0" } else { text };
                match key.name {
                    $($(stringify!($name) => {
                        let value = <$type as Value>::parse(text)?;
                        if let Some(v) = value.numbers().into_iter().find(|v| !auto && !key.range.holds(*v)) {
                            return Err(format!("{} is out of range", compact(v)));
                        }
                        self.$name = value;
                    })*)*
                    _ => return Err("unknown key".into()),
                }
                Ok(())
            }

            /// One setting as it is given in `key=value`.
            pub fn text(&self, key: &Key) -> String {
                let text = match key.name {
                    $($(stringify!($name) => Value::text(&self.$name),)*)*
                    _ => String::new(),
                };
                if key.default == "auto" && text == "0" { "auto".into() } else { text }
            }

            /// Whether `text` gives the value that is set.
            pub fn reads_as(&self, key: &Key, text: &str) -> bool {
                let mut other = self.clone();
                other.set(key, text).is_ok() && other == *self
            }

            /// One setting as TOML.
            pub fn toml(&self, key: &Key) -> String {
                let text = match key.name {
                    $($(stringify!($name) => Value::toml(&self.$name),)*)*
                    _ => String::new(),
                };
                if key.default == "auto" && matches!(text.as_str(), "0" | "0.0") { "\"auto\"".into() } else { text }
            }
        }
    };
}

settings! {
    "system" {
        n: usize = "", Range::Within(1.0, 256.0), "", "number of electrons, all of one spin, in the periodic box; kernels take 192 in 2D (256 with sampler=metropolis) and 170 in 3D, memory may take fewer: see `helmholtz check`";
        dim: usize = "2", Range::Either(2.0, 3.0), "", "dimension of space";
        rs: f64 = "", Range::ZeroOr(1e-3, 1e3), "a0", "Wigner–Seitz radius: the density (0: no interaction)";
        theta: f64 = "", Range::Within(1e-4, 1e3), "T_F", "temperature over the Fermi temperature";
        emax: usize = "auto", Range::Within(1.0, 10_000.0), "(2π/L)²", "orbitals with |m|² up to this, m integer; auto: as published, or more where theta, twist and n need it";
        twist: Vec<f64> = "auto", Range::AboveTo(-0.5, 0.5), "2π/L", "twist of the boundary, one number for each direction or one for all; auto: 1/4 in 2D, 0 in 3D";
        kappa: f64 = "auto", Range::Within(0.1, 30.0), "1/L", "splitting parameter of the Ewald sum; auto: the smallest that ewald_tolerance allows";
        gmax: usize = "auto", Range::Within(1.0, 40.0), "2π/L", "cut-off of the reciprocal Ewald sum; auto: the smallest that ewald_tolerance allows";
        ewald_tolerance: f64 = "5e-7", Range::Within(1e-10, 1e-3), "Ry/rs", "largest error of V per electron from kappa and gmax; V itself is -1 to -2 Ry/rs";
    }
    "model" {
        prior: Prior = "ideal", Range::Any, "", "start the occupation network from the exact ideal gas (ideal) or from nothing (none, as published)";
        nlayers: usize = "2", Range::Within(1.0, 64.0), "", "layers of the occupation transformer";
        modelsize: usize = "16", Range::Within(1.0, 4096.0), "", "its width";
        nheads: usize = "4", Range::Within(1.0, 256.0), "", "its attention heads; they divide modelsize";
        nhidden: usize = "32", Range::Within(1.0, 8192.0), "", "width of its hidden layers";
        depth: usize = "2", Range::Within(1.0, 32.0), "", "layers of the flow of coordinates";
        spsize: usize = "16", Range::Within(1.0, 1024.0), "", "its one-electron features";
        tpsize: usize = "16", Range::Within(1.0, 1024.0), "", "its two-electron features";
        feature: Feature = "half", Range::Any, "", "distance feature: |sin(π r/L)| (half) or |sin(2π r/L)| (legacy, the published runs)";
    }
    "sampling" {
        sampler: Sampler = "exact", Range::Any, "", "positions by exact, independent draws (exact) or by Markov chains (metropolis, as published)";
        batch: usize = "auto", Range::Within(2.0, 16_777_216.0), "walkers", "walkers a step, 2 at least for an error bar; auto: by the device";
        chunk: usize = "auto", Range::Within(1.0, 32_768.0), "walkers", "walkers in device memory at a time; auto: as many as fit";
        mc_steps: usize = "50", Range::Within(1.0, 1e4), "", "Metropolis steps between two training steps (metropolis)";
        mc_width: f64 = "0.1", Range::Within(1e-9, 1e3), "rs a0", "standard deviation of a proposed move, or where its adaptation starts (metropolis)";
        mc_acceptance: f64 = "0.5", Range::ZeroOr(0.01, 0.99), "", "acceptance the width is adapted to; 0: fixed width, as published (metropolis)";
        therm_steps: usize = "500", Range::Within(0.0, 1e9), "", "Metropolis steps before the first training step (metropolis)";
        seed: u32 = "42", Range::AtLeast(0.0), "", "seed of all random numbers";
    }
    "local energy" {
        laplacian: Laplacian = "probes", Range::Any, "", "Laplacian of the log Jacobian: exact, with random probes for one of its traces (probes), or for all (hutchinson)";
        probes: usize = "1", Range::Within(1.0, 1024.0), "", "random probes a walker, unless laplacian=exact";
    }
    "optimisation" {
        optimizer: Optimizer = "sr", Range::Any, "", "stochastic reconfiguration (sr) or adam";
        steps: usize = "3000", Range::Within(0.0, 1e9), "", "training steps";
        pretrain_steps: usize = "1000", Range::Within(0.0, 1e9), "", "with prior=none and no --params: most steps (sr with damping 3e-4 and max_norm 0.1) towards the ideal gas before; they end when it is reached; 0: none";
        eval_steps: usize = "50", Range::Within(0.0, 1e9), "", "steps with frozen parameters after, for the final averages";
        damping: f64 = "0.001", Range::Within(1e-8, 1e3), "", "added to the diagonal of the Fisher matrices (sr)";
        max_norm: f64 = "0.001", Range::Within(1e-12, 1e3), "", "largest squared step in the Fisher norm (sr)";
        gauge: Gauge = "fixed", Range::Any, "", "project the global phase out of the flow's Fisher matrix (fixed) or keep it (published) (sr)";
        baseline: Baseline = "energy", Range::Any, "", "what local energies lose in the flow's gradient: a line in Σ k² of the state, which takes noise away (energy), or their mean (mean, as published)";
        learning_rate: f64 = "0.001", Range::Within(1e-10, 10.0), "", "learning rate (adam)";
        decay: f64 = "0", Range::ZeroOr(1.0, 1e9), "steps", "update t is shortened by 1/(1 + t/decay); 0: not at all, as published";
        clip: f64 = "5", Range::Within(0.01, 1e6), "mean abs. dev.", "window to which local energies are clipped in gradients";
    }
}
