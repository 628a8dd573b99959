//! The uniform electron gas: its quantities, units and words.

mod beginning;
mod chains;
pub mod cutoffs;
pub mod energies;
pub mod landau;
mod learning;
pub mod local_energy;
pub mod masses;
pub mod momentum;
pub mod observables;
pub mod pretraining;
pub mod quasiparticles;
pub mod settings;
pub mod settle;
pub mod trainer;
mod walkers;

use serde_json::json;

pub use cutoffs::Cutoffs;
pub use energies::{Energies, Mean, Slope};
pub use landau::Landau;
pub use local_energy::LocalEnergy;
pub use momentum::Momentum;
pub use observables::Observables;
pub use quasiparticles::Quasiparticles;
pub use settings::{Laplacian, Sampler, Settings};
pub use trainer::Trainer;

use super::{Beside, Exact, Kind, Means, Measured, Named, Parameter, Quantity, Unit};
use crate::config::Group;
use crate::error::Result;
use crate::estimate::{Draws, Estimate};
use crate::model::occupation::Prior;
use crate::system::{Complete, ElectronGas};

/// F, E, K, V in Ry (at rs = 0 in Ry/rs²) and S in k_B, all per electron.
pub static KIND: Kind = Kind {
    system: &settings::SYSTEM,
    per: "electron",
    count: "*n*",
    quantities: &[
        Quantity::result("F", "free energy", "E − TS", Unit::Energy, Beside::Own),
        Quantity::result("E", "energy", "K + V", Unit::Energy, Beside::Own),
        // K after a partial integration that takes noise away, and V = E - K; an ideal gas has no V
        Quantity::result("K", "kinetic energy", "", Unit::Energy, Beside::Equal("E")),
        Quantity::result("V", "potential energy", "", Unit::Energy, Beside::Number(0.0)),
        // of the occupation distribution
        Quantity::result("S", "entropy", "", Unit::Entropy, Beside::Own),
        Quantity::logged("K_local", "kinetic energy without the partial integration"),
        Quantity::logged("V_local", "potential energy as the Coulomb sum itself"),
        Quantity::logged("K_0", "energy Σ k² of the occupied states, that of an ideal gas in them"),
        Quantity { unit: Unit::Of(""), ..Quantity::logged("slope_E", "slope of the local energies over Σ k²: m/m* of the energies") },
        Quantity { unit: Unit::Of(""), ..Quantity::logged("slope_p", "slope of −kT ln p(K) over Σ k²: m/m* of the occupations") },
        Quantity::diagnostic("acceptance", "accepted share of proposals: Metropolis moves, or candidates of exact draws", ""),
        Quantity::diagnostic("tau", "autocorrelation time of ln|Ψ|² along the chains (exact draws: 1)", "sweeps"),
        Quantity::diagnostic("width", "standard deviation of a proposed Metropolis move", "rs a0"),
        Quantity::diagnostic("inverse_mass", "m/m* of the quasi-particle prior of p(K)", ""),
        Quantity::diagnostic("step_prior", "by how much a step moved it", ""),
        Quantity::diagnostic("grad_van", "Euclidean norm of the gradient of p(K)", "Ry/rs²"),
        Quantity::diagnostic("grad_flow", "Euclidean norm of the gradient of the flow", "Ry/rs²"),
    ],
    parameters: &[
        Parameter { name: "n", short: "n", meaning: "number of electrons", usual: None },
        Parameter { name: "polarisation", short: "zeta", meaning: "polarisation", usual: Some((1.0, ", *ζ* = ")) },
        Parameter { name: "dim", short: "d", meaning: "dimension", usual: None },
        Parameter { name: "rs", short: "rs", meaning: "Wigner–Seitz radius", usual: None },
        Parameter { name: "theta", short: "theta", meaning: "temperature", usual: None },
    ],
    scanned: &[("rs", "*r*_{s}"), ("theta", "*T*/*T*_{F}"), ("n", "*n*"), ("polarisation", "*ζ*")],
    temperature: "theta",
    warm: &[],
    landmarks: |_| Vec::new(),
    pictures: |s| Ok(masses::picture(s)?.into_iter().collect()),
    title: "Electron gas, *n* = <n><polarisation>, <dim>D, *r*_{s} = <rs>, *T*/*T*_{F} = <theta>",
    exact: Exact { name: "ideal gas", index: "ideal", of: |v| ideal(&Settings::read(v)) },
    solved: |v| v.get::<f64>("rs") == 0.0,
    energy_unit: |v| Settings::read(v).units().energy_name,
    means: |v| means(&Settings::read(v)),
    beta: |v| {
        let s = Settings::read(v);
        Ok(s.gas()?.beta() / (s.units().energy * s.n as f64))
    },
    caveat: |parameters, chains| {
        let bias = if chains { " and to sampling bias" } else { "" };
        let text = format!(
            "F is an upper bound of the exact free energy of these n electrons in this box, up to its error{bias}; no finite-size correction is made"
        );
        (parameters.number("rs") > 0.0).then_some(text)
    },
    draws: |v| if v.get::<Sampler>("sampler") == Sampler::Exact { Draws::Independent } else { Draws::Chains },
    sampling: |v| match v.get::<Sampler>("sampler") {
        Sampler::Exact => "exact draws".into(),
        Sampler::Metropolis => format!("{} Metropolis sweeps", v.text("mc_steps")),
    },
    sizes: &[
        ("n", None),
        ("nlayers", None),
        ("modelsize", Some("nheads")),
        ("nhidden", None),
        ("depth", None),
        ("spsize", None),
        ("tpsize", None),
    ],
    tables: |v| {
        let s = Settings::read(v);
        let networks = [(s.occupation(&s.gas()?).parameters(), "van/"), (s.backflow().table(), "flow/")];
        let prior = (s.prior == Prior::Quasiparticle).then(|| (quasiparticles::table(), quasiparticles::PREFIX));
        Ok(networks.into_iter().chain(prior).collect())
    },
    settle: |gpu, v| settle::settle(gpu, &Settings::read(v)),
    open: learning::open,
};

/// F, E and S of the ideal gas of the settings' electrons in all orbitals: that is what "exact" means, and every variational
/// F lies above it. In the run's own orbitals, which is what training at rs = 0 approaches, F is higher by
/// [`Cutoffs::orbital_energy`]; too hot a gas to sum all orbitals has its values there.
pub fn ideal(settings: &Settings) -> Result<Named<f64>> {
    let (gas, units) = (settings.gas()?, settings.units());
    let (f, e, s) = match Complete::new(&gas) {
        Ok(all) => (all.free_energy, all.energy, all.entropy),
        Err(_) => {
            let own = gas.ideal()?;
            (own.free_energy, own.energy, own.entropy)
        }
    };
    Ok([("F", units.energy * f), ("E", units.energy * e), ("S", units.entropy * s)].into())
}

/// Orbitals, box and temperature, parameters of the networks, what the cut-offs cost.
fn means(s: &Settings) -> Result<Means> {
    let gas = s.gas()?;
    let (orbitals, cutoffs) = (gas.orbital_count(), Cutoffs::new(s, &gas));
    let (occupation, flow) = (s.occupation(&gas).parameters().len(), s.backflow().table().len());
    let json = json!({
        "orbitals": orbitals, "spin_up": gas.up, "spin_down": gas.down(), "box_side_rs_a0": gas.length(), "beta_per_Ry_rs2": gas.beta(), "closed_shell": gas.closed_shell(),
        "cutoffs": cutoffs.json(), "parameters": { "occupation": occupation, "flow": flow },
    });
    let what = match gas.down() {
        0 => "orbitals".to_string(),
        down => format!("spin orbitals for {} electrons of spin up and {down} of spin down", gas.up),
    };
    let mut lines = vec![
        format!("{orbitals} {}, a box of side {:.4} rs a0, β = {:.4} rs²/Ry", what, gas.length(), gas.beta()),
        format!("{occupation} parameters of the occupation network, {flow} of the flow"),
    ];
    lines.extend(cutoffs.lines());
    lines.extend(cutoffs.warnings().iter().map(|text| format!("warning: {text}")));
    if !gas.closed_shell() {
        lines.push("an open shell: the ground state of the ideal gas is degenerate".into());
    }
    Ok(Means { lines, json })
}

impl Energies {
    /// The averages in printed units.
    pub fn measured(&self, settings: &Settings) -> Measured {
        let share = settings.spins()[0] as f64 / settings.n as f64;
        let (units, beta) = (settings.units(), ElectronGas::inverse_temperature(settings.dim, settings.theta, share));
        let scaled = |m: &Mean, unit: f64| Estimate::new(unit * m.mean, unit * m.error);
        let values = [
            ("F", scaled(&self.free_energy, units.energy)),
            ("E", scaled(&self.energy, units.energy)),
            ("K", scaled(&self.mixed_kinetic, units.energy)),
            ("V", scaled(&self.mixed_potential, units.energy)),
            ("S", scaled(&self.entropy, units.entropy)),
            ("K_local", scaled(&self.kinetic, units.energy)),
            ("V_local", scaled(&self.potential, units.energy)),
            ("K_0", scaled(&self.ideal, units.energy)),
            ("slope_E", Estimate::new(self.energy_slope.value, self.energy_slope.error)),
            ("slope_p", Estimate::new(self.probability_slope.value / beta, self.probability_slope.error / beta)),
        ];
        Measured { values: values.into(), counted: self.counted, failed: self.failed }
    }
}
