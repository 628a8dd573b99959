//! Some walkers of an electron gas, with everything that the device made of them.

use super::Trainer;
use crate::error::Result;
use crate::gpu::{Gpu, Recording};
use crate::problem::Walkers;

/// Below it ln|Ψ| is that of a walker that was not drawn.
const NOT_DRAWN: f64 = -1e29;

/// `x` (rs a0) and `states` of walkers that count, `ln p`, `ln|psi|`, and in Ry/rs² of all
/// electrons `K_local`, `V_local`, `F` and `K`. ln|Ψ| is kept for a chunk alone: it is made again, by the same launches.
pub(super) fn walkers(t: &Trainer, gpu: &Gpu, count: usize) -> Result<Walkers> {
    let (n, size) = (t.gas.n, t.gas.n * t.gas.dim);
    let wide = |words: Vec<f32>| words.into_iter().map(f64::from).collect::<Vec<f64>>();
    let records = wide(gpu.read_words(&t.estimators.records, 8 * t.batch)?);
    let states: Vec<u32> = gpu.read_words(&t.states, t.batch * n)?;
    let (mut x, mut log_psi) = (Vec::new(), Vec::new());
    for (index, chunk) in t.sampler.chunks().iter().enumerate() {
        let mut rec = Recording::new();
        t.record_chunk_energies(&mut rec, index);
        gpu.run(&rec)?;
        x.extend(wide(gpu.read_words(&chunk.x, chunk.walkers * size)?));
        log_psi.extend(wide(gpu.read_words(&t.wave.log_psi, chunk.walkers)?));
    }
    let counts = |w: &usize| records[8 * w..][..8].iter().all(|v| v.is_finite()) && log_psi[*w] > NOT_DRAWN;
    let chosen = Walkers::chosen(&(0..t.batch).filter(counts).collect::<Vec<_>>(), count);
    let rows = |all: &[f64], width: usize| chosen.iter().flat_map(|w| all[w * width..][..width].to_vec()).collect::<Vec<f64>>();
    let column = |c: usize| chosen.iter().map(|w| records[8 * w + c]).collect::<Vec<f64>>();
    let states: Vec<f64> = states.into_iter().map(f64::from).collect();
    let numbers = [
        ("x", rows(&x, size)),
        ("states", rows(&states, n)),
        ("ln|psi|", rows(&log_psi, 1)),
        ("K_local", column(0)),
        ("V_local", column(2)),
        ("ln p", column(3)),
        ("F", column(6)),
        ("K", column(7)),
    ];
    Ok(Walkers { count: chosen.len(), numbers: numbers.into() })
}

/// F of every walker measured last, Ry/rs² of all electrons; not finite where one does not count.
pub(super) fn free_energies(t: &Trainer, gpu: &Gpu) -> Result<Vec<f64>> {
    let records: Vec<f32> = gpu.read_words(&t.estimators.records, 8 * t.batch)?;
    let finite = |r: &[f32]| if r.iter().all(|v| v.is_finite()) { f64::from(r[6]) } else { f64::NAN };
    Ok(records.chunks(8).map(finite).collect())
}
