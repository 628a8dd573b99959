//! Whether a device carries a run, and if not, which setting is to blame and what it may be at most.

use super::memory::{self, Bill};
use crate::config::{Key, Range, Resolved};
use crate::error::{Error, Result};
use crate::gpu::Gpu;

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
pub fn fitting(gpu: &Gpu, resolved: &Resolved) -> Result<Bill> {
    let obstacle = match possible(gpu, resolved) {
        Ok(bill) => return Ok(bill),
        Err(obstacle) => obstacle,
    };
    let text = remedy(gpu, resolved, &obstacle);
    Err(match obstacle {
        Obstacle::Memory(_) => Error::Device(text),
        Obstacle::Limit(_) => Error::User(text),
    })
}

fn possible(gpu: &Gpu, resolved: &Resolved) -> std::result::Result<Bill, Obstacle> {
    let sort = |e: Error| match e {
        Error::Device(text) => Obstacle::Memory(text),
        other => Obstacle::Limit(other.to_string()),
    };
    let (bill, step) = memory::plan(gpu, resolved.kind(), &resolved.values).map_err(sort)?;
    if !bill.fits {
        return Err(Obstacle::Memory(bill.excess()));
    }
    step.check().map_err(|e| Obstacle::Limit(e.to_string()))?;
    Ok(bill)
}

fn remedy(gpu: &Gpu, resolved: &Resolved, obstacle: &Obstacle) -> String {
    let (kind, values) = (resolved.kind(), &resolved.values);
    let with = |name: &str, value: usize| resolved.with(name, &value.to_string());
    let size = |name: &str| values.get::<usize>(name);
    // what the device takes where nothing was asked for
    let usual = resolved.with("batch", "auto").and_then(|r| r.with("chunk", "auto")).and_then(|r| (kind.settle)(gpu, &r.values));
    let usual = usual.map_or(size("batch"), |u| u.0);
    let batch = if size("batch") == 0 { usual } else { size("batch") };
    let with_batch = |batch: usize| {
        let fewer = with("chunk", size("chunk").min(batch)).unwrap_or_else(|_| resolved.clone());
        fewer.with("batch", &batch.to_string())
    };
    let fewer = largest(2, batch, |b| with_batch(b).is_ok_and(|r| possible(gpu, &r).is_ok()));
    let blame = |what: &str| format!("{what} does not fit {} (profile {}): {}", gpu.info.name, gpu.profile.name(), obstacle.text());
    let smaller_batch = |fits: usize| format!("{}; use batch={fits}", blame(&format!("batch={batch}")));
    if let Some(fits) = fewer.filter(|fits| fits * USEFUL >= batch.min(usual)) {
        return smaller_batch(fits);
    }
    // what is as small as usual is not to blame
    let sizes = kind.sizes.iter().filter_map(|(name, divisor)| Some((values.key(name)?, size(name), divisor.map_or(1, size))));
    let large: Vec<(&Key, usize, usize)> =
        sizes.filter(|(key, now, _)| !values.default_of(key.name).parse().is_ok_and(|usual: usize| *now <= usual)).collect();
    // what has no usual value is asked last
    let required = |(key, ..): &&(&Key, usize, usize)| values.default_of(key.name).is_empty();
    for (key, now, step) in large.iter().filter(|l| !required(l)).chain(large.iter().filter(required)) {
        let fits = |steps: usize| with(key.name, steps * step).is_ok_and(|r| possible(gpu, &r).is_ok());
        let least = if let Range::Within(low, _) = key.range { (low as usize).div_ceil(*step) } else { 1 };
        if let Some(steps) = largest(least.max(1), now.div_ceil(*step), fits) {
            let (name, v) = (key.name, steps * step);
            return format!("{}; with these settings {name} is at most {v}: use {name}={v}", blame(&format!("{name}={now}")));
        }
    }
    let all = large.iter().map(|(key, now, _)| format!("{}={now}", key.name)).collect::<Vec<_>>().join(" ");
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
