//! What a run needs of a device's memory, before anything of the size of the batch is allocated.

use serde::Serialize;

pub use super::fitting::fitting;
use super::{Kind, Problem};
use crate::config::Values;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};

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

/// The problem of settings with batch and chunk, as the device will hold it.
pub fn open(gpu: &Gpu, kind: &Kind, values: &Values, (batch, chunk): (usize, usize)) -> Result<Box<dyn Problem>> {
    let mut values = values.clone();
    for (name, value) in [("batch", batch), ("chunk", chunk)] {
        values.set(name, &value.to_string()).map_err(|e| Error::User(format!("{name}={value}: {e}")))?;
    }
    (kind.open)(gpu, &values, None)
}

/// Settles a batch or chunk left to the program and bills the run, from sizes alone: nothing is allocated.
///
/// # Errors
/// Those of [`Kind::settle`]; [`Error::User`] for more than the kernels take.
pub fn bill(gpu: &Gpu, kind: &Kind, values: &Values) -> Result<Bill> {
    Ok(plan(gpu, kind, values)?.0)
}

/// The same with the step that was billed.
pub(super) fn plan(gpu: &Gpu, kind: &Kind, values: &Values) -> Result<(Bill, Recording)> {
    let (batch, chunk) = (kind.settle)(gpu, values)?;
    let mut problem = open(gpu, kind, values, (batch, chunk))?;
    problem.shorten();
    let step = problem.record_step(gpu)?;
    Ok((Bill::new(gpu, batch, chunk, &step), step))
}
