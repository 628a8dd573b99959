//! Whether a device carries a run, and if not, which setting is to blame and what it may be at most.

use super::memory::{self, Bill};
use crate::config::{KEYS, Key, Settings};
use crate::error::{Error, Result};
use crate::gpu::Gpu;

/// Sizes of which a smaller one may help, after the batch.
const SIZES: [&str; 7] = ["nlayers", "modelsize", "nhidden", "depth", "spsize", "tpsize", "n"];

/// A batch this many times smaller than the usual one is no remedy.
const USEFUL: usize = 8;

/// What stands against a run.
enum Obstacle {
    Memory(String),
    /// What kernels or drivers carry out.
    Limit(String),
}

impl Obstacle {
    fn text(&self) -> &str {
        match self {
            Obstacle::Memory(text) | Obstacle::Limit(text) => text,
        }
    }
}

/// The memory bill of a run that its device carries: the arrays fit, and every kernel of a step can be launched.
///
/// # Errors
/// [`Error::Device`] for a lack of memory, [`Error::User`] for what no driver would carry out; both name the setting
/// to change and its largest value here.
pub fn fitting(gpu: &Gpu, settings: &Settings) -> Result<Bill> {
    let obstacle = match possible(gpu, settings) {
        Ok(bill) => return Ok(bill),
        Err(obstacle) => obstacle,
    };
    let text = remedy(gpu, settings, &obstacle);
    Err(match obstacle {
        Obstacle::Memory(_) => Error::Device(text),
        Obstacle::Limit(_) => Error::User(text),
    })
}

fn possible(gpu: &Gpu, settings: &Settings) -> std::result::Result<Bill, Obstacle> {
    let sort = |e: Error| match e {
        Error::Device(text) => Obstacle::Memory(text),
        other => Obstacle::Limit(other.to_string()),
    };
    let (bill, step) = memory::plan(gpu, settings).map_err(sort)?;
    if !bill.fits {
        return Err(Obstacle::Memory(bill.excess()));
    }
    step.check().map_err(|e| Obstacle::Limit(e.to_string()))?;
    Ok(bill)
}

fn remedy(gpu: &Gpu, s: &Settings, obstacle: &Obstacle) -> String {
    let usual = memory::default_batch(gpu);
    let batch = if s.batch == 0 { usual } else { s.batch };
    let with_batch = |batch: usize| Settings { batch, chunk: s.chunk.min(batch), ..s.clone() };
    let fewer = largest(2, batch, |b| possible(gpu, &with_batch(b)).is_ok());
    let blame = |what: &str| format!("{what} does not fit {} (profile {}): {}", gpu.info.name, gpu.profile.name(), obstacle.text());
    let smaller_batch = |fits: usize| format!("{}; use batch={fits}", blame(&format!("batch={batch}")));
    if let Some(fits) = fewer.filter(|fits| fits * USEFUL >= batch.min(usual)) {
        return smaller_batch(fits);
    }
    // what is as small as usual is not to blame
    let large: Vec<(&Key, usize)> = KEYS
        .iter()
        .filter(|key| SIZES.contains(&key.name))
        .filter_map(|key| Some((key, s.text(key).parse::<usize>().ok()?)))
        .filter(|(key, now)| !key.default.parse().is_ok_and(|usual: usize| *now <= usual))
        .collect();
    // n, which has no usual value, is asked last
    for (key, now) in large.iter().filter(|(k, _)| !k.default.is_empty()).chain(large.iter().filter(|(k, _)| k.default.is_empty())) {
        // heads share the width
        let step = if key.name == "modelsize" { s.nheads } else { 1 };
        let fits = |steps: usize| s.with_size(key, steps * step).is_some_and(|s| possible(gpu, &s).is_ok());
        if let Some(steps) = largest(1, now.div_ceil(step), fits) {
            let (name, v) = (key.name, steps * step);
            return format!(
                "{}; with dim={} and these settings {name} is at most {v}: use {name}={v}",
                blame(&format!("{name}={now}")),
                s.dim
            );
        }
    }
    let all = large.iter().map(|(key, now)| format!("{}={now}", key.name)).collect::<Vec<_>>().join(" ");
    fewer.map_or_else(|| format!("{}; use smaller ones", blame(&all)), smaller_batch)
}

/// The largest number from `low` to below `high` that fits, to 2 % above 1024, where what fits is what is small.
fn largest(low: usize, high: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    if low >= high || !fits(low) {
        return None;
    }
    let (mut low, mut high) = (low, high);
    while high - low > 1 && (high <= 1024 || (high - low) * 50 > high) {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    Some(low)
}
