//! The systems of spins: their rows, what is known of them exactly, their models.

use std::path::Path;

use serde_json::json;

use super::oracle::Shape;
use super::settings::{self, GIVEN, GLASS, Given, Glass, ISING, Ising, MASKED, MEMORY, Memory, TEMPERATURE, Temperature};
use super::{Energy, Spins, Subject, of_couplings};
use crate::config::{Bearing, Group, Key, Resolved, System, Values};
use crate::error::{Error, Result};
use crate::estimate::Draws;
use crate::gpu::Gpu;
use crate::kernels::stencil::Stencil;
use crate::optimize::OPTIMISATION;
use crate::problem::{Beside, Exact, Kind, Landmark, Means, Named, Parameter, Parameters, Quantity, TRAINING, Unit};
use crate::system::spins::{Boundary, Couplings, Enumeration, Hopfield, Lattice, Thermodynamics, hopfield, torus, transfer};

/// (2/π) ∫ ln(2 cos ω) dω from 0 to π/3.
const WANNIER: f64 = 0.323_065_947_219_450_5;
/// Spins up to which all states are summed on the host.
const SUMMED: usize = 20;
/// Defaults of spins for shared settings.
const DEFAULTS: &[(&str, &str)] =
    &[("optimizer", "adam"), ("learning_rate", "0.01"), ("epsilon", "0.001"), ("cooling", "0.4"), ("steps", "1000")];

/// Where a formula or a sum gives them.
const EXACT: Exact = Exact { name: "all states", index: "exact", of: exact };

/// What all spins share: a row to start another from.
pub const SPINS: Kind = Kind {
    system: &SYSTEM,
    per: "spin",
    count: "*n*",
    quantities: &[
        Quantity::result("F", "free energy", "E − TS", Unit::Energy, Beside::Own),
        Quantity::result("E", "energy", "", Unit::Energy, Beside::Own),
        Quantity::result("S", "entropy", "−⟨ln q⟩", Unit::Entropy, Beside::Own),
        Quantity::result("m2", "squared magnetisation", "⟨(Σ s/n)²⟩", Unit::Of(""), Beside::Own),
        Quantity::conclusion("C", "heat capacity", Unit::Entropy),
        Quantity::conclusion("abs_m", "magnetisation |Σ s/n|", Unit::Of("")),
        Quantity::conclusion("chi", "susceptibility β n (⟨m²⟩ - ⟨|m|⟩²)", Unit::Of("1/J")),
        Quantity::conclusion("binder", "Binder's (3 - ⟨m⁴⟩/⟨m²⟩²)/2", Unit::Of("")),
        Quantity::diagnostic("std_r", "standard deviation of R/(β n) from sample to sample, R = ln q + β E", "J"),
        Quantity::diagnostic("ess", "effective share of the samples under the weights e^(-R)", ""),
        Quantity::diagnostic("beta", "inverse temperature of the step", "1/J"),
        Quantity::diagnostic("grad", "Euclidean norm of the gradient of β F", ""),
    ],
    parameters: &[Parameter { name: "beta", short: "beta", meaning: "inverse temperature", usual: None }],
    scanned: &[("beta", "*β*")],
    temperature: "beta",
    // β is where the neighbour left it
    warm: &[("anneal", "0")],
    landmarks: |_| Vec::new(),
    pictures: |_| Ok(Vec::new()),
    title: "Spins, *β* = <beta>",
    exact: Exact { name: "all states", index: "exact", of: |_| Ok(Named::default()) },
    solved: |_| true,
    energy_unit: |_| "J",
    means,
    beta: |v| Ok(Temperature::read(v).beta),
    caveat: |_, _| Some("F is an upper bound of the exact free energy, up to its error".into()),
    draws: |_| Draws::Independent,
    sampling: |_| "exact draws".into(),
    sizes: &[("width", None), ("depth", None), ("n", None), ("L", None)],
    tables: |v| settings::tables(sites(v)?, v),
    settle: |gpu, v| settings::settle(gpu, sites(v)?, v),
    open: |gpu, v, parameters| Ok(Box::new(open(gpu, v, parameters)?)),
};

/// The problem of settings with batch and chunk.
///
/// # Errors
/// Those of [`Kind::open`].
pub fn open(gpu: &Gpu, v: &Values, parameters: Option<Parameters>) -> Result<Spins> {
    let mut options = settings::options(v);
    // parameters that are given are not led back to β = 0
    if parameters.is_some() && !v.moved("anneal") {
        options.anneal = 0.0;
    }
    let model = model(v)?;
    let network = settings::network(model.n(), v)?;
    let first = parameters.and_then(|vectors| vectors.into_iter().next());
    let spins = Spins::new(gpu, energy(v, &model, options.training.chunk)?, network, options, first)?;
    let spins = if settings::Masked::read(v).fields { spins.with_fields(&model)? } else { spins };
    let subject = match which(v) {
        Which::Lattice(s) => Subject { lattice: Some((s.L, s.boundary)), patterns: None },
        Which::Memory(s) => Subject { lattice: None, patterns: Some(memory(&s)?) },
        _ => Subject::default(),
    };
    Ok(spins.beside(model).pictured(subject))
}

/// Lattices of spins.
pub static ISING_KIND: Kind = Kind {
    system: &ISING_SYSTEM,
    parameters: &[
        Parameter { name: "lattice", short: "", meaning: "lattice", usual: None },
        Parameter { name: "L", short: "L", meaning: "sites of a row", usual: None },
        Parameter { name: "beta", short: "beta", meaning: "inverse temperature", usual: None },
        Parameter { name: "J", short: "J", meaning: "coupling", usual: None },
    ],
    scanned: &[("beta", "*β*"), ("L", "*L*")],
    landmarks: lattice_landmarks,
    title: "Ising model, <lattice> lattice, *L* = <L>, *J* = <J>, *β* = <beta>",
    exact: EXACT,
    ..SPINS
};

/// Sherrington–Kirkpatrick glasses.
pub static SK: Kind = Kind {
    system: &SK_SYSTEM,
    parameters: &[
        Parameter { name: "n", short: "n", meaning: "number of spins", usual: None },
        Parameter { name: "disorder", short: "disorder", meaning: "seed of the couplings", usual: None },
        Parameter { name: "beta", short: "beta", meaning: "inverse temperature", usual: None },
    ],
    landmarks: |v| {
        // of J_ij with variance 1/n, as n grows
        if v.left("couplings") { vec![Landmark { of: "beta", value: 1.0, label: "glass, *n* → ∞" }] } else { Vec::new() }
    },
    title: "Sherrington–Kirkpatrick glass, *n* = <n>, *β* = <beta>",
    exact: EXACT,
    ..SPINS
};

/// Hopfield networks.
pub static HOPFIELD: Kind = Kind {
    system: &HOPFIELD_SYSTEM,
    parameters: &[
        Parameter { name: "n", short: "n", meaning: "number of spins", usual: None },
        Parameter { name: "patterns", short: "patterns", meaning: "number of patterns", usual: None },
        Parameter { name: "beta", short: "beta", meaning: "inverse temperature", usual: None },
    ],
    scanned: &[("beta", "*β*"), ("n", "*n*")],
    landmarks: |v| {
        // of few patterns
        let few = 20 * v.get::<usize>("patterns") <= v.get::<usize>("n");
        if few { vec![Landmark { of: "beta", value: 1.0, label: "retrieval, *n* → ∞" }] } else { Vec::new() }
    },
    title: "Hopfield network, *n* = <n>, <patterns> patterns, *β* = <beta>",
    exact: EXACT,
    ..SPINS
};

/// A user's couplings.
pub static COUPLINGS: Kind = Kind {
    system: &COUPLINGS_SYSTEM,
    parameters: &[
        Parameter { name: "couplings", short: "", meaning: "file of the couplings", usual: None },
        Parameter { name: "beta", short: "beta", meaning: "inverse temperature", usual: None },
    ],
    title: "Spins of a given coupling, *β* = <beta>",
    exact: EXACT,
    ..SPINS
};

/// What all spins share whose energy is even: a system to start another from.
pub const SYSTEM: System = System {
    name: "spins",
    example: &[("beta", "1")],
    keys: &[TEMPERATURE, MASKED, TRAINING, OPTIMISATION],
    defaults: DEFAULTS,
    derive: |resolved| settings::derive(resolved, true),
    mistakes: settings::mistakes,
    bearing: |key| match key.group {
        "network" => Bearing::Meaning,
        "system" => Bearing::Start,
        _ if key.name == "beta" => Bearing::Start,
        _ => Bearing::None,
    },
};

const fn system(name: &'static str, example: &'static [(&'static str, &'static str)], keys: &'static [&'static [Key]]) -> System {
    System { name, example, keys, derive, ..SYSTEM }
}

static ISING_SYSTEM: System = system("ising", &[("L", "16"), ("beta", "0.44")], &[ISING, TEMPERATURE, MASKED, TRAINING, OPTIMISATION]);
static SK_SYSTEM: System = system("sk", &[("n", "20"), ("beta", "1")], &[GLASS, TEMPERATURE, MASKED, TRAINING, OPTIMISATION]);
static HOPFIELD_SYSTEM: System =
    system("hopfield", &[("n", "100"), ("beta", "1.5")], &[MEMORY, TEMPERATURE, MASKED, TRAINING, OPTIMISATION]);
static COUPLINGS_SYSTEM: System =
    system("couplings", &[("couplings", "J.csv"), ("beta", "1")], &[GIVEN, TEMPERATURE, MASKED, TRAINING, OPTIMISATION]);

/// Which of the systems settings are of, by the settings they have.
enum Which {
    Lattice(Ising),
    Glass(Glass),
    Memory(Memory),
    Given(Given),
}

fn which(values: &Values) -> Which {
    let has = |name: &str| values.key(name).is_some();
    match () {
        () if has("lattice") => Which::Lattice(Ising::read(values)),
        () if has("patterns") => Which::Memory(Memory::read(values)),
        () if has("disorder") => Which::Glass(Glass::read(values)),
        () => Which::Given(Given::read(values)),
    }
}

fn memory(s: &Memory) -> Result<Hopfield> {
    if s.patterns == 2 && s.n.is_multiple_of(4) { Hopfield::canonical(s.n) } else { Hopfield::random(s.n, s.patterns, s.disorder as u64) }
}

/// The kinds whose couplings are known here.
static WITH_COUPLINGS: &[&Kind] = &[&ISING_KIND, &SK, &HOPFIELD, &COUPLINGS];

/// Whether a kind is a model of spins with pair couplings.
pub fn has_couplings(kind: &Kind) -> bool {
    WITH_COUPLINGS.contains(&kind)
}

/// The couplings of a kind's settings, and the shape of a lattice.
///
/// # Errors
/// [`Error::User`] for a kind that is no model of spins with pair couplings.
pub fn model_of(kind: &Kind, values: &Values) -> Result<(Couplings, Option<Shape>)> {
    if !has_couplings(kind) {
        let names = WITH_COUPLINGS.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
        return Err(Error::User(format!("{} has no couplings of pairs of spins; there is {names}", kind.name())));
    }
    let shape = match which(values) {
        Which::Lattice(s) => Some((s.L, s.boundary)),
        _ => None,
    };
    Ok((model(values)?, shape))
}

/// The couplings that settings describe.
pub fn model(values: &Values) -> Result<Couplings> {
    match which(values) {
        Which::Lattice(s) => Couplings::lattice(s.lattice, s.L, s.boundary, s.J)?.with_field(s.h),
        Which::Memory(s) => Ok(memory(&s)?.couplings()),
        Which::Glass(s) if s.couplings.is_empty() => Couplings::sherrington_kirkpatrick(s.n, s.disorder as u64),
        Which::Glass(Glass { couplings, .. }) | Which::Given(Given { couplings }) => Couplings::read(Path::new(&couplings)),
    }
}

/// Their energy on the device.
fn energy(values: &Values, model: &Couplings, chunk: usize) -> Result<Box<dyn Energy>> {
    if let Which::Lattice(s) = which(values) {
        let (triangular, periodic) = (s.lattice == Lattice::Triangular, s.boundary == Boundary::Periodic);
        let stencil = Stencil { side: s.L, triangular, periodic, coupling: s.J, field: s.h };
        stencil.check()?;
        return Ok(Box::new(stencil));
    }
    of_couplings(model, chunk)
}

/// Number of spins; only a file must be read for it.
fn sites(values: &Values) -> Result<usize> {
    match which(values) {
        Which::Lattice(s) => Ok(s.L * s.L),
        Which::Memory(s) => Ok(s.n),
        Which::Glass(s) if s.couplings.is_empty() => Ok(s.n),
        Which::Glass(_) | Which::Given(_) => Ok(model(values)?.n()),
    }
}

fn derive(resolved: &mut Resolved) -> std::result::Result<(), String> {
    settings::locate(resolved, "couplings");
    let model = model(&resolved.values).map_err(|e| e.to_string())?;
    if let Which::Glass(s) = which(&resolved.values)
        && !s.couplings.is_empty()
    {
        if resolved.values.moved("disorder") {
            return Err(format!("disorder={} has no use with a file of couplings: drop one of them", s.disorder));
        }
        if resolved.values.moved("n") && s.n != model.n() {
            return Err(format!("n={}: the file of couplings has {} spins; drop n", s.n, model.n()));
        }
        resolved.derive("n", &model.n().to_string(), "that of the couplings");
    }
    settings::pace(resolved, model.n());
    settings::derive(resolved, model.is_even())
}

/// F, E, S and ⟨m²⟩ per spin where a formula or a sum over all states gives them.
fn exact(values: &Values) -> Result<Named<f64>> {
    let beta = Temperature::read(values).beta;
    let known = |t: Thermodynamics, square: Option<f64>| {
        let all = [("F", Some(t.free_energy_per_site())), ("E", t.energy_per_site()), ("S", t.entropy_per_site()), ("m2", square)];
        all.into_iter().filter_map(|(name, v)| Some((name, v?))).collect()
    };
    match which(values) {
        Which::Lattice(s) if s.boundary == Boundary::Periodic && s.h == 0.0 && s.L * s.L > SUMMED => {
            Ok(known(torus::exact(s.lattice, s.L, s.J, beta)?, None))
        }
        Which::Lattice(s) if s.boundary == Boundary::Open && s.L <= transfer::MOST => {
            Ok(known(transfer::exact(s.lattice, s.L, s.J, s.h, beta)?, None))
        }
        Which::Memory(s) if s.n > SUMMED => {
            let sums: Option<hopfield::Overlaps> = memory(&s)?.exact(beta)?;
            Ok(sums.map_or_else(Named::default, |o| known(o.thermodynamics, None)))
        }
        _ => {
            let model = model(values)?;
            if model.n() > SUMMED {
                return Ok(Named::default());
            }
            let all = Enumeration::new(&model)?;
            let n2 = (model.n() * model.n()) as f64;
            Ok(known(all.at(beta)?, Some(all.magnetisation_squared(beta) / n2)))
        }
    }
}

/// Transitions of infinite lattices without field (Onsager 1944, Houtappel 1950, doi 10.1016/0031-8914(50)90130-3), and
/// Wannier's entropy of the triangular antiferromagnet at T = 0, doi 10.1103/PhysRev.79.357.
fn lattice_landmarks(values: &Values) -> Vec<Landmark> {
    let s = Ising::read(values);
    let at = |value: f64| Landmark { of: "beta", value, label: "transition, *L* → ∞" };
    match (s.lattice, s.J > 0.0) {
        _ if s.h != 0.0 => Vec::new(),
        // even sides have the antiferromagnet of the ferromagnet
        (Lattice::Square, _) => vec![at(0.5 * 2f64.sqrt().ln_1p())],
        (Lattice::Triangular, true) => vec![at(0.25 * 3f64.ln())],
        (Lattice::Triangular, false) => vec![Landmark { of: "S", value: WANNIER, label: "Wannier, *T* = 0, *L* → ∞" }],
    }
}

fn means(values: &Values) -> Result<Means> {
    let model = model(values)?;
    let (n, bonds) = (model.n(), model.bonds().len());
    let parameters = settings::tables(n, values)?[0].0.len();
    let lines = vec![format!("{n} spins, {bonds} couplings between them"), format!("{parameters} parameters of the network")];
    Ok(Means { lines, json: json!({ "spins": n, "couplings": bonds, "parameters": parameters }) })
}
