//! What an electron gas begins with: samplers and parameters, as its settings say.

use std::sync::Arc;

use super::Settings;
use crate::error::Result;
use crate::optimize::Start;
use crate::sample::{self, Exact, exact};
use crate::system::ElectronGas;

/// Exact draws of a gas's electrons.
pub(super) fn exact(s: &Settings, gas: &ElectronGas) -> Result<Exact> {
    Exact::new(gas, exact::Settings { log_psi: false, ..exact::Settings::new(s.training.batch, s.training.chunk, s.training.seed) })
}

/// Chains of a gas's electrons.
pub(super) fn chains(s: &Settings, gas: &ElectronGas) -> sample::Settings {
    sample::Settings {
        walkers: s.training.batch,
        chunk: s.training.chunk,
        first: 0,
        size: gas.n * gas.dim,
        length: gas.length(),
        sweeps: s.mc_steps,
        width: s.mc_width,
        acceptance: (s.mc_acceptance > 0.0).then_some(s.mc_acceptance),
        seed: s.training.seed,
    }
}

/// What p(K) starts with: the parameters given (published order), or fresh ones.
pub(super) fn occupation(s: &Settings, gas: &ElectronGas, given: Option<Vec<f32>>) -> Start {
    let (model, seed, prior) = (s.occupation(gas), s.training.seed, s.prior);
    let table = model.parameters();
    let values = Arc::new(move || given.clone().unwrap_or_else(|| model.initial(seed, prior)));
    Start { name: "occupation", norm: "grad_van", prefix: "van/", table, values }
}

/// What the flow starts with.
pub(super) fn flow(s: &Settings, given: Option<Vec<f32>>) -> Start {
    let (model, seed) = (s.backflow(), s.training.seed);
    let values = Arc::new(move || given.clone().unwrap_or_else(|| model.initial(seed)));
    Start { name: "flow", norm: "grad_flow", prefix: "flow/", table: model.table(), values }
}
