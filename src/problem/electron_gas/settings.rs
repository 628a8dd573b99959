//! The settings of an electron gas: what they are, what follows from them, which clash.

use crate::config::{Bearing, Group, Origin, Range, Resolved, System, Values, compact};
use crate::error;
use crate::kernels::backflow::WIDEST;
use crate::kernels::estimators::Baseline;
use crate::model::backflow::{Backflow, Feature};
use crate::model::occupation::{Occupation, Prior};
use crate::optimize::{Gauge, OPTIMISATION, Optimisation};
use crate::problem::{TRAINING, Training};
use crate::system::electron_gas::MOST_EMAX;
use crate::system::{ElectronGas, splitting};

crate::config::choice!(
    /// How positions are drawn.
    Sampler, "exact or metropolis":
        /// Exactly and independently.
        #[default]
        Exact = "exact",
        /// By Metropolis chains.
        Metropolis = "metropolis");
crate::config::choice!(
    /// Laplacian of the log Jacobian.
    Laplacian, "exact, probes or hutchinson":
        /// Exact.
        Exact = "exact",
        /// Random probes for one of its traces.
        #[default]
        Probes = "probes",
        /// Random probes for all of it.
        Hutchinson = "hutchinson");

crate::config::settings! {
    /// Settings of an electron-gas run.
    pub struct Settings, KEYS
    "system" {
        n: usize = "", Range::Within(1.0, 256.0), "", "number of electrons in the periodic box; kernels take 192 in 2D (256 with sampler=metropolis) and 170 in 3D, memory may take fewer: see `helmholtz check`";
        polarisation: f64 = "1", Range::Within(0.0, 1.0), "", "(n↑ - n↓)/n: 1 with all electrons of one spin, 0 with half of them of either; rs is that of all electrons, T_F that of spin up";
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
        prior: Prior = "quasiparticle", Range::Any, "", "what the occupation network is added to: the exact ideal gas (ideal), that of quasi-particles whose mass follows the local energies (quasiparticle), or nothing (none, as published)";
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
        mc_steps: usize = "50", Range::Within(1.0, 1e4), "", "Metropolis steps between two training steps (metropolis)";
        mc_width: f64 = "0.1", Range::Within(1e-9, 1e3), "rs a0", "standard deviation of a proposed move, or where its adaptation starts (metropolis)";
        mc_acceptance: f64 = "0.5", Range::ZeroOr(0.01, 0.99), "", "acceptance the width is adapted to; 0: fixed width, as published (metropolis)";
        therm_steps: usize = "500", Range::Within(0.0, 1e9), "", "Metropolis steps before the first training step (metropolis)";
    }
    "local energy" {
        laplacian: Laplacian = "probes", Range::Any, "", "Laplacian of the log Jacobian: exact, with random probes for one of its traces (probes), or for all (hutchinson)";
        probes: usize = "1", Range::Within(1.0, 1024.0), "", "random probes a walker, unless laplacian=exact";
    }
    "observables" {
        displacements: usize = "2", Range::Within(0.0, 1024.0), "", "with frozen parameters: electrons of a walker moved, one at a time, to measure n(k); its error falls as one over the root; 0: no n(k)";
    }
    "gradient" {
        gauge: Gauge = "fixed", Range::Any, "", "project the global phase out of the flow's Fisher matrix (fixed) or keep it (published) (sr)";
        baseline: Baseline = "energy", Range::Any, "", "what local energies lose in the flow's gradient: a line in Σ k² of the state, which takes noise away (energy), or their mean (mean, as published)";
        clip: f64 = "5", Range::Within(0.01, 1e6), "mean abs. dev.", "window to which local energies are clipped in gradients";
        pretrain_steps: usize = "1000", Range::Within(0.0, 1e9), "", "with prior=none and no --params: most steps (sr with damping 3e-4 and max_norm 0.1) towards the ideal gas before; they end when it is reached; 0: none";
    }
    and {
        /// Batch, seed, steps.
        training: Training,
        /// How parameters are updated.
        optimisation: Optimisation,
    }
}

/// The electron gas as its settings describe it.
pub static SYSTEM: System = System {
    name: "electron-gas",
    example: &[("n", "13"), ("rs", "10"), ("theta", "0.15")],
    keys: &[KEYS, TRAINING, OPTIMISATION],
    defaults: &[],
    derive,
    mistakes: |values| {
        let s = Settings::read(values);
        let own = RULES.iter().filter_map(|rule| rule(&s, values).err());
        own.chain(s.training.mistakes()).chain(Optimisation::mistakes(values, &["gauge"])).collect()
    },
    bearing: |key| match (key.group, key.name) {
        // the twist orders the orbitals, emax counts them, for each spin
        ("model", _) | (_, "dim" | "emax" | "twist" | "polarisation") => Bearing::Meaning,
        // how V is summed has no part in them; chains do not notice a flow that is not invertible; the gauge fixes the parameters' global phase
        (_, "kappa" | "gmax" | "ewald_tolerance") => Bearing::None,
        ("system", _) | (_, "sampler" | "gauge") => Bearing::Start,
        _ => Bearing::None,
    },
};

/// A condition on all settings together; the error says which values clash and what to change.
type Rule = fn(&Settings, &Values) -> Result<(), String>;

const RULES: &[Rule] =
    &[whole_spins, spin_flow, physical, twist_length, coulomb_sum, heads_divide_width, probes_used, sampler_settings, pretraining_needed];

/// Fills in what was left to the program and needs no device.
fn derive(resolved: &mut Resolved) -> Result<(), String> {
    let s: Settings = resolved.read();
    let dim = s.dim;
    let mut twist = [0.0; 3];
    if *resolved.origin("twist") == Origin::Default {
        twist = ElectronGas::default_twist(dim);
        resolved.set_default("twist", &numbers(&twist[..dim]));
    } else if s.twist.len() == 1 && dim > 1 {
        twist[..dim].fill(s.twist[0]);
        let why = format!("{}, the same in each direction", resolved.origin("twist"));
        resolved.derive("twist", &numbers(&twist[..dim]), why);
    } else {
        twist[..dim].iter_mut().zip(&s.twist).for_each(|(t, given)| *t = *given);
    }
    if *resolved.origin("emax") == Origin::Default {
        let emax = ElectronGas::default_emax(s.spins(), dim, s.theta, twist).map_err(|e| e.to_string())?;
        if emax > MOST_EMAX {
            return Err(format!(
                "theta={} needs orbitals up to |m|² = {emax}, of {MOST_EMAX} at most: lower theta, or set emax, which cuts",
                compact(s.theta)
            ));
        }
        resolved.derive(
            "emax",
            &emax.to_string(),
            if s.spins()[1] > 0 { "from n, polarisation, dim, theta and twist" } else { "from n, dim, theta and twist" },
        );
    }
    split(resolved)
}

fn numbers(values: &[f64]) -> String {
    values.iter().map(|v| compact(*v)).collect::<Vec<_>>().join(",")
}

/// κ and Gmax where they were left to the program; `physical` complains about a gas that is none.
fn split(resolved: &mut Resolved) -> Result<(), String> {
    let s: Settings = resolved.read();
    let left = ["kappa", "gmax"].map(|name| *resolved.origin(name) == Origin::Default);
    let Ok(gas) = s.gas() else { return Ok(()) };
    if left == [false, false] {
        return Ok(());
    }
    let (kappa, gmax) = ((!left[0]).then_some(s.kappa), (!left[1]).then_some(s.gmax as u32));
    let (kappa, gmax) = splitting::choose(&gas, s.ewald_tolerance, kappa, gmax).map_err(|e| e.to_string())?;
    for (name, left, value) in [("kappa", left[0], compact(kappa)), ("gmax", left[1], gmax.to_string())] {
        if left {
            resolved.derive(name, &value, "from ewald_tolerance and n");
        }
    }
    Ok(())
}

/// How far from a whole number n↑ may be: a polarisation of n = 256 in three digits.
const ROUNDED: f64 = 0.07;

/// A polarisation that so many electrons can have.
fn whole_spins(s: &Settings, values: &Values) -> Result<(), String> {
    let (n, up) = (s.n as f64, 0.5 * s.n as f64 * (1.0 + s.polarisation));
    if (up - up.round()).abs() <= ROUNDED {
        return Ok(());
    }
    let of = |up: f64| format!("{} ({up} up, {} down)", compact((1e4 * (2.0 * up / n - 1.0)).round() / 1e4), n - up);
    let near = [up.floor(), up.ceil()].into_iter().filter(|up| 2.0 * up >= n).map(of).collect::<Vec<_>>();
    Err(format!(
        "polarisation={} of n={} electrons: n (1 + polarisation)/2 = {} are no whole number of spin up; give polarisation={}",
        values.text("polarisation"),
        s.n,
        compact(up),
        near.join(" or ")
    ))
}

/// What the flow of two spins is: that of two layers with everything in registers.
fn spin_flow(s: &Settings, _: &Values) -> Result<(), String> {
    if s.spins()[1] == 0 {
        return Ok(());
    }
    if s.depth != 2 || s.spsize.max(s.tpsize) > WIDEST {
        return Err(format!(
            "depth={} spsize={} tpsize={}: with electrons of both spins the flow has depth=2, and spsize and tpsize up to {WIDEST}",
            s.depth, s.spsize, s.tpsize
        ));
    }
    if s.laplacian == Laplacian::Hutchinson {
        return Err(
            "laplacian=hutchinson is there for one spin alone: with electrons of both give laplacian=probes, which is less noisy, or exact"
                .into(),
        );
    }
    Ok(())
}

/// Enough orbitals, and whatever else the gas itself asks for.
fn physical(s: &Settings, _: &Values) -> Result<(), String> {
    if s.twist.len() != s.dim {
        return Ok(());
    }
    s.gas().map(|_| ()).map_err(|e| e.to_string())
}

fn twist_length(s: &Settings, _: &Values) -> Result<(), String> {
    if s.twist.len() == s.dim {
        return Ok(());
    }
    Err(format!("twist has {} numbers, dim={} needs {} (or one for all directions)", s.twist.len(), s.dim, s.dim))
}

/// Cut-offs of the Coulomb sum given by hand: V must not be wrong by an amount that matters to anybody.
fn coulomb_sum(s: &Settings, _: &Values) -> Result<(), String> {
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

fn heads_divide_width(s: &Settings, _: &Values) -> Result<(), String> {
    if s.modelsize.is_multiple_of(s.nheads) {
        return Ok(());
    }
    Err(format!("nheads={} does not divide modelsize={}: each head gets modelsize/nheads channels", s.nheads, s.modelsize))
}

fn probes_used(s: &Settings, values: &Values) -> Result<(), String> {
    if s.laplacian != Laplacian::Exact || !values.moved("probes") {
        return Ok(());
    }
    Err(format!("probes={} has no use with laplacian=exact: drop it or set laplacian=probes", s.probes))
}

fn sampler_settings(s: &Settings, values: &Values) -> Result<(), String> {
    let set: Vec<&str> = ["mc_steps", "mc_width", "mc_acceptance", "therm_steps"]
        .into_iter()
        .filter(|k| s.sampler == Sampler::Exact && values.moved(k))
        .collect();
    if set.is_empty() {
        return Ok(());
    }
    Err(format!("{} has no use with sampler=exact, which draws without a chain: drop it or set sampler=metropolis", set.join(", ")))
}

fn pretraining_needed(s: &Settings, values: &Values) -> Result<(), String> {
    if s.prior == Prior::None || !values.moved("pretrain_steps") {
        return Ok(());
    }
    Err(format!(
        "pretrain_steps={} has no use with prior={}, which starts at the ideal gas: drop it or set prior=none",
        s.pretrain_steps,
        values.text("prior")
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
    /// From `key=value` words, as the command line takes them.
    ///
    /// # Errors
    /// [`error::Error::User`] with everything that is wrong.
    pub fn of(line: &str) -> error::Result<Settings> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Ok(Resolved::from_command(&[&SYSTEM], SYSTEM.name, &words)?.read())
    }

    /// These settings as values under their names.
    pub fn values(&self) -> Values {
        let mut values = SYSTEM.values();
        self.write(&mut values);
        values
    }

    /// The gas these settings describe.
    pub fn gas(&self) -> error::Result<ElectronGas> {
        ElectronGas::of_spins(self.spins(), self.dim, self.rs, self.theta, Some(self.emax as u32), Some(&self.twist))
    }

    /// Electrons of spin up and down.
    pub fn spins(&self) -> [usize; 2] {
        let up = (0.5 * self.n as f64 * (1.0 + self.polarisation)).round() as usize;
        [up, self.n - up.min(self.n)]
    }

    /// The flow these settings describe.
    pub fn backflow(&self) -> Backflow {
        Backflow {
            dim: self.dim,
            depth: self.depth,
            one: self.spsize,
            pair: self.tpsize,
            feature: self.feature,
            unlike: self.spins()[1] > 0,
        }
    }

    /// The occupation network these settings describe, over the orbitals of their gas.
    pub fn occupation(&self, gas: &ElectronGas) -> Occupation {
        Occupation {
            n: self.n,
            orbitals: gas.orbital_count(),
            dim: gas.label_count(),
            model_size: self.modelsize,
            heads: self.nheads,
            hidden: self.nhidden,
            layers: self.nlayers,
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
