//! How many walkers an electron gas takes a step, and a chunk, on a device.

use super::settings::Settings;
use super::trainer;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, DeviceType, Gpu, Recording};
use crate::kernels::pad4;
use crate::number::philox::{Stream, purpose};
use crate::system::ElectronGas;
use crate::wave_function::WaveFunction;

/// Device memory that the arrays of a chunk may take together, bytes.
const CHUNK_MEMORY: u64 = 3 << 29;

/// Walkers a step: what two CPU cores train in seconds, or what fills a GPU.
pub fn default_batch(gpu: &Gpu) -> usize {
    if gpu.info.device_type == DeviceType::Cpu { 256 } else { 4096 }
}

/// The most walkers a chunk can have on this device: by binding limit and memory.
pub fn fitting_chunk(gpu: &Gpu, gas: &ElectronGas, s: &Settings, batch: usize) -> Result<usize> {
    let mut chunk = batch.min(32_768);
    while chunk > 0 {
        let step = arrays_of_chunk(gpu, gas, s, chunk)?;
        let bytes = step.into_iter().map(|buffer| buffer.bytes());
        let (total, largest) = bytes.fold((0, 0), |(sum, most), bytes| (sum + bytes, bytes.max(most)));
        if total <= CHUNK_MEMORY && largest <= 4 * gpu.max_words() as u64 {
            return Ok(chunk);
        }
        chunk = 3 * chunk / 4;
    }
    Err(Error::Device(format!(
        "n = {} in {} dimensions: one walker needs more memory than {} can bind ({} MiB); use a smaller n or narrower layers (spsize, tpsize)",
        gas.n,
        gas.dim,
        gpu.info.name,
        (4 * gpu.max_words()) >> 20
    )))
}

/// The arrays of a chunk of walkers in which local energies and scores are made; those of the batch are not among them.
fn arrays_of_chunk(gpu: &Gpu, gas: &ElectronGas, s: &Settings, chunk: usize) -> Result<Vec<Buffer>> {
    let wave = WaveFunction::new(gpu, gas, s.backflow(), chunk)?;
    let (x, states) = (Buffer::new("x", chunk * gas.n * gas.dim), Buffer::new("states", chunk * gas.n));
    let scores = Buffer::new("scores", 2 * chunk * pad4(s.backflow().table().len()));
    let directions = trainer::directions(s, &wave, Stream { seed: 0, step: 0, purpose: purpose::PROBES, first_walker: 0 });
    let mut rec = Recording::new();
    wave.record_derivatives(&mut rec, &x, &states, chunk, directions);
    wave.record_scores(&mut rec, &x, chunk, directions, &scores, 0);
    let own = |b: &Buffer| ![&x, &states, &scores].iter().any(|other| other.same(b));
    Ok(rec.arrays().into_iter().map(|(b, _)| b.clone()).filter(own).collect())
}

/// Batch and chunk where they are left to the program.
///
/// # Errors
/// [`Error::Device`] if not even one walker fits, or a chunk that was asked for does not.
pub fn settle(gpu: &Gpu, s: &Settings) -> Result<(usize, usize)> {
    let batch = if s.training.batch == 0 { default_batch(gpu) } else { s.training.batch };
    let most = fitting_chunk(gpu, &s.gas()?, s, batch)?;
    match s.training.chunk {
        0 => Ok((batch, most)),
        chunk if chunk > most => Err(Error::Device(format!(
            "chunk = {chunk}: at most {most} walkers of n = {} fit the memory of {}; use chunk={most} or chunk=auto",
            s.n, gpu.info.name
        ))),
        chunk => Ok((batch, chunk)),
    }
}
