//! What simpler methods make of the same spins.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::mean_field::Starts;
use crate::number::philox::{Stream, purpose};
use crate::problem::{Baseline, Baselines};
use crate::system::spins::iteration::Iteration;
use crate::system::spins::{Couplings, MeanField, bethe, mean_field, tap};

/// Products m_j J_ij that the naive mean field of all starts may take on the device, about a second on two cores; an update of a
/// spin costs as much as some of them.
const EFFORT: usize = 600_000_000;
const UPDATE: usize = 16;
/// Sweeps of a start, where there are enough starts.
const SWEEPS: usize = 60;
const STARTS: (usize, usize) = (8, 4096);
/// The lowest of them are settled in float64, with so many products for each.
const LOWEST: usize = 3;
const SETTLING: usize = 50_000_000;
/// Starts of iterations to a fixed point; they have an effort of their own.
const ITERATED: usize = 50;

/// What mean fields make of the same couplings, per site.
pub(super) fn mean_fields(gpu: &Gpu, model: &Couplings, beta: f64, seed: u64) -> Result<Baselines> {
    let n = model.n() as f64;
    let iterated = |found: Iteration| {
        let Iteration { starts, converged, lowest } = found;
        Baseline { f: lowest.map_or(f64::NAN, |point| point.free_energy / n), bound: false, starts, converged }
    };
    // each on a thread of its own
    std::thread::scope(|scope| {
        let bethe = scope.spawn(|| bethe::propagate(model, beta, ITERATED, seed));
        let tap = scope.spawn(|| tap::iterate(model, beta, ITERATED, seed));
        let (starts, free_energy) = naive(gpu, model, beta, seed)?;
        Ok(BTreeMap::from([
            ("naive_mean_field".into(), Baseline { f: free_energy / n, bound: true, starts, converged: starts }),
            ("bethe".into(), iterated(bethe.join().expect("belief propagation does not panic")?)),
            ("tap".into(), iterated(tap.join().expect("TAP does not panic")?)),
        ]))
    })
}

/// How many starts, and F of the lowest: found on the device, settled here.
fn naive(gpu: &Gpu, model: &Couplings, beta: f64, seed: u64) -> Result<(usize, f64)> {
    let cost = 2 * model.bonds().len() + UPDATE * model.n();
    let wanted = (EFFORT / (cost * SWEEPS)).clamp(STARTS.0, STARTS.1);
    // whole workgroups are more starts, and then fewer sweeps
    let sweeps = (EFFORT / (cost * Starts::whole(model, wanted, gpu.profile))).clamp(8, SWEEPS);
    let device = Starts::new(model, beta, wanted, sweeps, gpu.profile).ok().filter(|all| all.words() <= gpu.max_words());
    let (starts, lowest) = match device {
        Some(all) => {
            let at = Stream { seed, step: 1, purpose: purpose::START, first_walker: 0 };
            (all.count(), all.lowest(gpu, at, LOWEST)?)
        }
        // more couplings than a device takes
        None => (LOWEST, (0..LOWEST).map(|start| mean_field::start(model.n(), start, seed)).collect()),
    };
    Ok((starts, MeanField::settle(model, beta, &lowest, SETTLING / cost)?.free_energy))
}
