//! Values that follow from others, and rules across settings: one function each.

use super::{Feature, KEYS, Key, Laplacian, Optimizer, Origin, Prior, Resolved, Sampler, Settings, compact};
use crate::error;
use crate::model::backflow::{self, Backflow};
use crate::model::occupation::{self, Occupation};
use crate::system::electron_gas::MOST_EMAX;
use crate::system::{ElectronGas, splitting};

/// A condition on all settings together; the error says which values clash and what to change.
type Rule = fn(&Settings) -> Result<(), String>;

pub(super) const RULES: &[Rule] = &[
    physical,
    twist_length,
    coulomb_sum,
    heads_divide_width,
    chunk_in_batch,
    probes_used,
    sampler_settings,
    optimizer_settings,
    pretraining_needed,
];

/// Fills in what was left to the program and needs no device.
pub(super) fn derive(resolved: &mut Resolved) -> Result<(), String> {
    let s = &mut resolved.settings;
    let (n, dim) = (s.n, s.dim);
    if *resolved.origins.get("twist").unwrap_or(&Origin::Default) == Origin::Default {
        s.twist = ElectronGas::default_twist(dim)[..dim].to_vec();
    } else if s.twist.len() == 1 && dim > 1 {
        s.twist = vec![s.twist[0]; dim];
        let why = format!("{}, the same in each direction", resolved.origin("twist"));
        resolved.origins.insert("twist", Origin::Derived(why));
    }
    let mut twist = [0.0; 3];
    twist[..dim].iter_mut().zip(&resolved.settings.twist).for_each(|(t, given)| *t = *given);
    if resolved.settings.emax == 0 && *resolved.origin("emax") == Origin::Default {
        let emax = ElectronGas::default_emax(n, dim, resolved.settings.theta, twist).map_err(|e| e.to_string())?;
        if emax > MOST_EMAX {
            return Err(format!(
                "theta={} needs orbitals up to |m|² = {emax}, of {MOST_EMAX} at most: lower theta, or set emax, which cuts",
                compact(resolved.settings.theta)
            ));
        }
        resolved.derive("emax", emax as usize, "from n, dim, theta and twist");
    }
    split(resolved)
}

/// κ and Gmax where they were left to the program; `physical` complains about a gas that is none.
fn split(resolved: &mut Resolved) -> Result<(), String> {
    let s = &resolved.settings;
    let left = ["kappa", "gmax"].map(|name| *resolved.origin(name) == Origin::Default);
    let Ok(gas) = s.gas() else { return Ok(()) };
    if left == [false, false] {
        return Ok(());
    }
    let (kappa, gmax) = ((!left[0]).then_some(s.kappa), (!left[1]).then_some(s.gmax as u32));
    let (kappa, gmax) = splitting::choose(&gas, s.ewald_tolerance, kappa, gmax).map_err(|e| e.to_string())?;
    for (name, left, value) in [("kappa", left[0], kappa as usize), ("gmax", left[1], gmax as usize)] {
        if left {
            resolved.derive(name, value, "from ewald_tolerance and n");
        }
    }
    Ok(())
}

/// Enough orbitals, and whatever else the gas itself asks for.
fn physical(s: &Settings) -> Result<(), String> {
    if s.twist.len() != s.dim {
        return Ok(());
    }
    s.gas().map(|_| ()).map_err(|e| e.to_string())
}

fn twist_length(s: &Settings) -> Result<(), String> {
    if s.twist.len() == s.dim {
        return Ok(());
    }
    Err(format!("twist has {} numbers, dim={} needs {} (or one for all directions)", s.twist.len(), s.dim, s.dim))
}

/// Cut-offs of the Coulomb sum given by hand: V must not be wrong by an amount that matters to anybody.
fn coulomb_sum(s: &Settings) -> Result<(), String> {
    let Ok(gas) = s.gas() else { return Ok(()) };
    let (kappa, gmax) = (s.kappa, s.gmax as u32);
    let error = splitting::error_of(&gas, kappa, gmax);
    // an ideal gas has no V
    if s.rs == 0.0 || error <= splitting::REFUSED {
        return Ok(());
    }
    let (best, g) = splitting::choose(&gas, s.ewald_tolerance, None, None).map_err(|e| e.to_string())?;
    Err(format!(
        "kappa={kappa} gmax={gmax}: V may be {error:.1e} Ry/rs per electron too low, more than {:.0e} is refused; give kappa={best} gmax={g}, or leave both to the program (auto)",
        splitting::REFUSED
    ))
}

fn heads_divide_width(s: &Settings) -> Result<(), String> {
    if s.modelsize.is_multiple_of(s.nheads) {
        return Ok(());
    }
    Err(format!("nheads={} does not divide modelsize={}: each head gets modelsize/nheads channels", s.nheads, s.modelsize))
}

fn chunk_in_batch(s: &Settings) -> Result<(), String> {
    if s.batch == 0 || s.chunk <= s.batch {
        return Ok(());
    }
    Err(format!("chunk={} is larger than batch={}: a chunk is a part of the batch", s.chunk, s.batch))
}

/// Whether a setting was moved from its default.
fn moved(s: &Settings, name: &str) -> bool {
    KEYS.iter().find(|k| k.name == name).is_some_and(|key| {
        let mut plain = s.clone();
        plain.set(key, key.default).is_ok() && plain.toml(key) != s.toml(key)
    })
}

fn probes_used(s: &Settings) -> Result<(), String> {
    if s.laplacian != Laplacian::Exact || !moved(s, "probes") {
        return Ok(());
    }
    Err(format!("probes={} has no use with laplacian=exact: drop it or set laplacian=probes", s.probes))
}

fn sampler_settings(s: &Settings) -> Result<(), String> {
    let set: Vec<&str> = ["mc_steps", "mc_width", "mc_acceptance", "therm_steps"]
        .into_iter()
        .filter(|k| s.sampler == Sampler::Exact && moved(s, k))
        .collect();
    if set.is_empty() {
        return Ok(());
    }
    Err(format!("{} has no use with sampler=exact, which draws without a chain: drop it or set sampler=metropolis", set.join(", ")))
}

fn optimizer_settings(s: &Settings) -> Result<(), String> {
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

fn pretraining_needed(s: &Settings) -> Result<(), String> {
    if s.prior == Prior::None || !moved(s, "pretrain_steps") {
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

impl Settings {
    /// The gas these settings describe.
    pub fn gas(&self) -> error::Result<ElectronGas> {
        ElectronGas::with(self.n, self.dim, self.rs, self.theta, Some(self.emax as u32), Some(&self.twist))
    }

    /// The same with another value of a size; an automatic cut-off follows n. `None` where it is out of range.
    pub fn with_size(&self, key: &Key, value: usize) -> Option<Settings> {
        let mut other = self.clone();
        other.set(key, &value.to_string()).ok()?;
        let mut twist = [0.0; 3];
        twist.iter_mut().zip(&self.twist).for_each(|(t, given)| *t = *given);
        let automatic = |n: usize| ElectronGas::default_emax(n, self.dim, self.theta, twist).ok().map(|e| e as usize);
        if Some(self.emax) == automatic(self.n) {
            other.emax = automatic(other.n)?;
        }
        Some(other)
    }

    /// The flow these settings describe.
    pub fn backflow(&self) -> Backflow {
        let feature = match self.feature {
            Feature::Half => backflow::Feature::Half,
            Feature::Legacy => backflow::Feature::Legacy,
        };
        Backflow { dim: self.dim, depth: self.depth, one: self.spsize, pair: self.tpsize, feature }
    }

    /// The occupation network these settings describe, over `orbitals` orbitals.
    pub fn occupation(&self, orbitals: usize) -> Occupation {
        Occupation {
            n: self.n,
            orbitals,
            dim: self.dim,
            model_size: self.modelsize,
            heads: self.nheads,
            hidden: self.nhidden,
            layers: self.nlayers,
        }
    }

    /// How positions are drawn, in words.
    pub fn sampling(&self) -> String {
        match self.sampler {
            Sampler::Exact => "exact draws".into(),
            Sampler::Metropolis => format!("{} Metropolis sweeps", self.mc_steps),
        }
    }

    /// What the occupation network starts from.
    pub fn occupation_prior(&self) -> occupation::Prior {
        match self.prior {
            Prior::Ideal => occupation::Prior::Ideal,
            Prior::None => occupation::Prior::None,
        }
    }

    /// Units in which results are printed: per electron.
    pub fn units(&self) -> Units {
        let n = self.n as f64;
        match self.rs {
            0.0 => Units { energy: 1.0 / n, entropy: 1.0 / n, energy_name: "Ry/rs²" },
            rs => Units { energy: 1.0 / (n * rs * rs), entropy: 1.0 / n, energy_name: "Ry" },
        }
    }
}
