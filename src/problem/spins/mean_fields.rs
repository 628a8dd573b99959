//! What simpler methods make of the same spins.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::problem::{Baseline, Baselines};
use crate::system::spins::{Couplings, MeanField, bethe};

/// Starts of a mean field, and bonds times starts that it may take.
const STARTS: usize = 50;
const EFFORT: usize = 2_000_000;

/// What mean fields make of the same couplings, per site.
pub(super) fn mean_fields(model: &Couplings, beta: f64, seed: u64) -> Result<Baselines> {
    let n = model.n() as f64;
    let starts = (EFFORT / model.bonds().len().max(1)).clamp(1, STARTS);
    let naive = MeanField::new(model, beta, starts, seed)?.free_energy / n;
    let found = bethe::propagate(model, beta, starts, seed)?;
    let bethe = found.lowest.map_or(f64::NAN, |point| point.free_energy / n);
    Ok(BTreeMap::from([
        ("naive_mean_field".into(), Baseline { f: naive, bound: true, starts, converged: starts }),
        ("bethe".into(), Baseline { f: bethe, bound: false, starts, converged: found.converged }),
    ]))
}
