//! Values that follow from others, and rules across settings: one function each.

use super::{ElectronGas, KEYS, Laplacian, Optimizer, Origin, Prior, Resolved};

/// A condition on all settings together; the error says which values clash and what to change.
type Rule = fn(&ElectronGas) -> Result<(), String>;

pub(super) const RULES: &[Rule] =
    &[twist_length, heads_divide_width, batch_of_two, chunk_in_batch, probes_used, optimizer_settings, pretraining_needed];

/// Fills in what was left to the program and needs no device.
pub(super) fn derive(resolved: &mut Resolved) {
    if resolved.settings.emax == 0 {
        let emax = sufficient_emax(&resolved.settings);
        resolved.derive("emax", emax, "from n, dim and theta");
    }
    let s = &mut resolved.settings;
    if s.twist.len() == 1 && s.dim > 1 {
        s.twist = vec![s.twist[0]; s.dim];
        if *resolved.origin("twist") != Origin::Default {
            let why = format!("{}, the same in each direction", resolved.origin("twist"));
            resolved.origins.insert("twist", Origin::Derived(why));
        }
    }
}

/// Cut-off |m|² above which an orbital of the ideal gas is occupied with probability below about
/// e^-11: (1 + 11 Θ) times the Fermi sphere's m_F². Not below the published 25 in two dimensions.
fn sufficient_emax(s: &ElectronGas) -> usize {
    let n = s.n as f64;
    let fermi = match s.dim {
        2 => n / std::f64::consts::PI,
        _ => (3.0 * n / (4.0 * std::f64::consts::PI)).powf(2.0 / 3.0),
    };
    let published = if s.dim == 2 { 25.0 } else { 4.0 };
    (fermi * (1.0 + 11.0 * s.theta)).ceil().max(published).min(1e6) as usize
}

fn twist_length(s: &ElectronGas) -> Result<(), String> {
    if s.twist.len() == s.dim {
        return Ok(());
    }
    Err(format!("twist has {} numbers, dim={} needs {} (or one for all directions)", s.twist.len(), s.dim, s.dim))
}

fn heads_divide_width(s: &ElectronGas) -> Result<(), String> {
    if s.modelsize.is_multiple_of(s.nheads) {
        return Ok(());
    }
    Err(format!("nheads={} does not divide modelsize={}: each head gets modelsize/nheads channels", s.nheads, s.modelsize))
}

fn batch_of_two(s: &ElectronGas) -> Result<(), String> {
    if s.batch != 1 {
        return Ok(());
    }
    Err("batch=1: an error bar needs at least 2 walkers".into())
}

fn chunk_in_batch(s: &ElectronGas) -> Result<(), String> {
    if s.batch == 0 || s.chunk <= s.batch {
        return Ok(());
    }
    Err(format!("chunk={} is larger than batch={}: a chunk is a part of the batch", s.chunk, s.batch))
}

/// Whether a setting was moved from its default.
fn moved(s: &ElectronGas, name: &str) -> bool {
    KEYS.iter().find(|k| k.name == name).is_some_and(|key| {
        let mut plain = s.clone();
        plain.set(key, key.default).is_ok() && plain.toml(key) != s.toml(key)
    })
}

fn probes_used(s: &ElectronGas) -> Result<(), String> {
    if s.laplacian == Laplacian::Hutchinson || !moved(s, "probes") {
        return Ok(());
    }
    Err(format!("probes={} has no use with laplacian=exact: drop it or set laplacian=hutchinson", s.probes))
}

fn optimizer_settings(s: &ElectronGas) -> Result<(), String> {
    let (name, unused): (_, &[&str]) = match s.optimizer {
        Optimizer::Sr => ("sr", &["learning_rate"]),
        Optimizer::Adam => ("adam", &["damping", "max_norm", "gauge"]),
    };
    let set: Vec<&str> = unused.iter().copied().filter(|k| moved(s, k)).collect();
    if set.is_empty() {
        return Ok(());
    }
    Err(format!("{} has no use with optimizer={name}: drop it or choose the other optimizer", set.join(", ")))
}

fn pretraining_needed(s: &ElectronGas) -> Result<(), String> {
    if s.pretrain_steps == 0 || s.prior == Prior::None {
        return Ok(());
    }
    Err(format!(
        "pretrain_steps={} has no use with prior=ideal, which starts at the ideal gas: drop it or set prior=none",
        s.pretrain_steps
    ))
}

/// Conversion from the working units (Ry/rs², total) to what is printed (Ry per electron).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Units {
    /// Factor from a total energy in Ry/rs² to a printed one.
    pub energy: f64,
    /// Factor from a total entropy in k_B to a printed one.
    pub entropy: f64,
    /// Printed energy unit: Ry, or Ry/rs² at rs = 0, where an energy in Ry has no meaning.
    pub energy_name: &'static str,
}

impl ElectronGas {
    /// Units in which results are printed: per electron.
    pub fn units(&self) -> Units {
        let n = self.n as f64;
        match self.rs {
            0.0 => Units { energy: 1.0 / n, entropy: 1.0 / n, energy_name: "Ry/rs²" },
            rs => Units { energy: 1.0 / (n * rs * rs), entropy: 1.0 / n, energy_name: "Ry" },
        }
    }
}
