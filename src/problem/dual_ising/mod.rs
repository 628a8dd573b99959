//! The continuous dual of the Ising model, whose distribution e^{-U(x)} a hierarchical flow learns: the neural network
//! renormalisation group of Li and Wang, Phys. Rev. Lett. 121, 260601 (2018), doi 10.1103/PhysRevLett.121.260601.
//!
//! loss = E_q\[ln q(x) + U(x)\] ≥ -ln ∫dx e^{-U} = -(ln Z_Ising + C) ([`crate::system::dual_ising`]), so that
//! F = T (loss + C)/N is an upper bound of the free energy of the Ising model. U and the loss are dimensionless.

mod roads;
pub mod settings;
mod state;

use serde_json::json;

use settings::{COOLING, Cooling, DUAL, MAP, ROADS, Roads};
pub use settings::{Gradient, Symmetry};
pub use state::{DualField, Options};

use crate::config::{Bearing, Group, System, Values};
use crate::error::Result;
use crate::estimate::Draws;
use crate::optimize::{OPTIMISATION, Optimisation};
use crate::problem::{Beside, Exact, Kind, Landmark, Means, Named, Parameter, Quantity, TRAINING, Training, Unit};
use crate::system::dual_ising::CRITICAL;
use crate::system::spins::{Boundary, Couplings, Enumeration, Lattice};

/// Sides up to which all states of the spins are summed on the host.
const SUMMED: usize = 4;

/// The continuous dual of the Ising model.
pub static KIND: Kind = Kind {
    system: &SYSTEM,
    per: "spin",
    count: "*N*",
    quantities: &[
        Quantity::result("F", "free energy of the Ising model", "T (loss + C)/N", Unit::Energy, Beside::Own),
        Quantity::result("loss", "bound of -ln ∫dx exp(-U)", "⟨ln q + U⟩", Unit::Of(""), Beside::Own),
        Quantity::result("m2", "squared magnetisation of the spins", "⟨(Σ s/N)²⟩", Unit::Of(""), Beside::Own),
        Quantity::diagnostic("std_r", "standard deviation of T R/N from sample to sample, R = ln q + U", "J"),
        Quantity::diagnostic("ess", "effective share of the samples under the weights e^(-R)", ""),
        Quantity::diagnostic("beta", "inverse temperature of the step", "1/J"),
        Quantity::diagnostic("grad", "Euclidean norm of the gradient of the loss", ""),
    ],
    parameters: &[
        Parameter { name: "L", short: "L", meaning: "sites of a row", usual: None },
        Parameter { name: "T", short: "T", meaning: "temperature", usual: None },
        Parameter { name: "depth", short: "d", meaning: "levels of the flow", usual: None },
    ],
    scanned: &[("T", "*T*"), ("depth", "*d*"), ("L", "*L*")],
    temperature: "T",
    // T is where the neighbour left it
    warm: &[("anneal", "0")],
    landmarks: |_| vec![Landmark { of: "T", value: CRITICAL, label: "transition, *L* → ∞" }],
    pictures: |_| Ok(Vec::new()),
    title: "Dual of the Ising model, *L* = <L>, *T* = <T>, <depth> levels",
    exact: Exact { name: "Kaufman", index: "exact", of: exact },
    solved: |_| true,
    energy_unit: |_| "J",
    means,
    beta: |v| Ok(1.0 / settings::dual(v)?.temperature),
    caveat: |_, _| Some("F is an upper bound of the exact free energy, up to its error".into()),
    draws: |_| Draws::Independent,
    sampling: |_| "exact draws".into(),
    sizes: &[("hidden", None), ("couplings", None), ("L", None)],
    tables: settings::tables,
    settle: settings::settle,
    open: |gpu, v, parameters| {
        // parameters that are given are not led back to 1/T = 0
        let anneal = if parameters.is_some() && !v.moved("anneal") { 0.0 } else { Cooling::read(v).anneal };
        let options = Options {
            anneal,
            z2: v.get::<Symmetry>("symmetry") == Symmetry::Z2,
            total: v.get::<Gradient>("gradient") == Gradient::Total,
            white: v.get("white"),
            roads: Roads::read(v),
            training: Training::read(v),
            optimisation: Optimisation::read(v),
        };
        let first = parameters.and_then(|vectors| vectors.into_iter().next());
        Ok(Box::new(DualField::new(gpu, settings::dual(v)?, settings::flow(v)?, options, first)?))
    },
};

static SYSTEM: System = System {
    name: "dual-ising",
    example: &[("L", "16"), ("T", "2.269185")],
    keys: &[DUAL, COOLING, MAP, ROADS, TRAINING, OPTIMISATION],
    defaults: &[("optimizer", "adam"), ("learning_rate", "0.02"), ("cooling", "0.5"), ("steps", "1800"), ("max_gradient", "100")],
    derive: settings::derive,
    mistakes: settings::mistakes,
    bearing: |key| match (key.group, key.name) {
        ("network", "gradient" | "symmetry") | (_, "T") => Bearing::Start,
        ("network" | "system", _) => Bearing::Meaning,
        _ => Bearing::None,
    },
};

/// F, the loss, and ⟨m²⟩ of few spins.
fn exact(values: &Values) -> Result<Named<f64>> {
    let dual = settings::dual(values)?;
    let loss = dual.least_loss()?;
    let mut known: Named<f64> = [("F", dual.free_energy(loss)), ("loss", loss)].into();
    if dual.side <= SUMMED {
        let all = Enumeration::new(&Couplings::lattice(Lattice::Square, dual.side, Boundary::Periodic, 1.0)?)?;
        known.set("m2", all.magnetisation_squared(1.0 / dual.temperature) / (dual.sites() as f64).powi(2));
    }
    Ok(known)
}

fn means(values: &Values) -> Result<Means> {
    let (dual, flow) = (settings::dual(values)?, settings::flow(values)?);
    let (parameters, networks) = (flow.parameters().len(), flow.networks());
    let lines = vec![
        format!("{} fields, of which the least loss is {:.9}", dual.sites(), dual.least_loss()?),
        format!("{parameters} parameters of {networks} networks in {} levels", flow.depth),
    ];
    let json = json!({ "fields": dual.sites(), "least_loss": dual.least_loss()?, "parameters": parameters, "networks": networks });
    Ok(Means { lines, json })
}
