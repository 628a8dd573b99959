//! What a run needs of a device's memory, before anything of the size of the batch is allocated.

use serde::Serialize;

pub use super::fitting::fitting;
use super::trainer::{self, Trainer};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, DeviceType, Gpu, Recording};
use crate::kernels::pad4;
use crate::number::philox::{Stream, purpose};
use crate::system::ElectronGas;
use crate::wave_function::WaveFunction;

/// An array of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// The phase of a step that touches it first.
    pub group: String,
    pub name: String,
    pub bytes: u64,
}

impl Item {
    fn of((buffer, phase): (&Buffer, &str)) -> Item {
        Item { group: phase.into(), name: buffer.name().into(), bytes: buffer.bytes() }
    }
}

/// All arrays of a run on one device, and what the device offers.
#[derive(Clone, Debug, Serialize)]
pub struct Bill {
    pub batch: usize,
    pub chunk: usize,
    #[serde(skip)]
    pub items: Vec<Item>,
    /// Phases in order, with the bytes that they touch first.
    pub groups: Vec<(String, u64)>,
    pub total_bytes: u64,
    pub largest: Option<Item>,
    /// Largest array a kernel can bind.
    pub binding_bytes: u64,
    /// Memory of the device, where its driver tells.
    pub memory_bytes: Option<u64>,
    pub fits: bool,
}

/// Device memory that the arrays of a chunk may take together, bytes.
const CHUNK_MEMORY: u64 = 3 << 29;

/// Share of the device's memory that a run may take.
const SHARE: f64 = 0.9;

impl Bill {
    /// Of what a step touches, two arrays of the same name in two chunks counted as two.
    fn new(gpu: &Gpu, batch: usize, chunk: usize, step: &Recording) -> Bill {
        let items: Vec<Item> = step.arrays().into_iter().map(Item::of).collect();
        let mut groups: Vec<(String, u64)> = Vec::new();
        for item in &items {
            match groups.iter_mut().find(|g| g.0 == item.group) {
                Some(group) => group.1 += item.bytes,
                None => groups.push((item.group.clone(), item.bytes)),
            }
        }
        let total_bytes = items.iter().map(|i| i.bytes).sum();
        let largest = items.iter().max_by_key(|i| i.bytes).cloned();
        let binding_bytes = 4 * gpu.max_words() as u64;
        let fits = largest.as_ref().is_none_or(|l| l.bytes <= binding_bytes) && gpu.memory.is_none_or(|m| total_bytes <= most(m));
        Bill { batch, chunk, items, groups, total_bytes, largest, binding_bytes, memory_bytes: gpu.memory, fits }
    }

    /// The bill as lines.
    pub fn text(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.groups.iter().map(|(name, bytes)| format!("  {name:24} {}", size(*bytes))).collect();
        let of = self.memory_bytes.map_or("which its driver does not tell".into(), |m| format!("of {}", size(m).trim_start()));
        lines.push(format!("  {:24} {} for batch={} in chunks of {}, memory {of}", "sum", size(self.total_bytes), self.batch, self.chunk));
        if let Some(l) = &self.largest {
            let limit = size(self.binding_bytes);
            lines.push(format!("  {:24} {} ({}), of at most {} in one array", "largest array", size(l.bytes), l.name, limit.trim_start()));
        }
        lines
    }

    /// Why it does not fit.
    pub(super) fn excess(&self) -> String {
        match (&self.largest, self.memory_bytes) {
            (Some(l), _) if l.bytes > self.binding_bytes => {
                format!("the {} need {} in one array, of at most {}", l.name, short(l.bytes), short(self.binding_bytes))
            }
            (_, Some(m)) => {
                format!("the arrays need {} together, of {} ({:.0} % of it are used)", short(self.total_bytes), short(m), 100.0 * SHARE)
            }
            _ => "the arrays are too large".into(),
        }
    }
}

fn most(memory: u64) -> u64 {
    (SHARE * memory as f64) as u64
}

fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        _ if bytes >= 10 << 30 => (1u64 << 30, "GiB"),
        _ if bytes >= 1 << 20 => (1 << 20, "MiB"),
        _ => (1 << 10, "KiB"),
    };
    format!("{:9.1} {name}", bytes as f64 / unit as f64)
}

fn short(bytes: u64) -> String {
    size(bytes).trim_start().to_string()
}

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

/// Settles a batch or chunk left to the program (0) and bills the run, from sizes alone: nothing is allocated.
///
/// # Errors
/// [`Error::Device`] if not even one walker fits, or a chunk that was asked for does not; [`Error::User`] for more
/// electrons than the kernels take.
pub fn bill(gpu: &Gpu, settings: &Settings) -> Result<Bill> {
    Ok(plan(gpu, settings)?.0)
}

/// The same with the step that was billed.
pub(super) fn plan(gpu: &Gpu, settings: &Settings) -> Result<(Bill, Recording)> {
    let (s, gas) = settled(gpu, settings)?;
    let mut trainer = Trainer::of_gas(gpu, &s, gas, None, None)?;
    trainer.sampler.shorten();
    let step = trainer.record_step(gpu)?;
    Ok((Bill::new(gpu, s.batch, s.chunk, &step), step))
}

/// The settings with batch and chunk, and their gas.
fn settled(gpu: &Gpu, settings: &Settings) -> Result<(Settings, ElectronGas)> {
    let mut s = settings.clone();
    if s.batch == 0 {
        s.batch = default_batch(gpu);
    }
    let gas = s.gas()?;
    let most = fitting_chunk(gpu, &gas, &s, s.batch)?;
    if s.chunk == 0 {
        s.chunk = most;
    } else if s.chunk > most {
        return Err(Error::Device(format!(
            "chunk = {}: at most {most} walkers of n = {} fit the memory of {}; use chunk={most} or chunk=auto",
            s.chunk, s.n, gpu.info.name
        )));
    }
    Ok((s, gas))
}
