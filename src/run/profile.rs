//! A training step taken apart: every launch timed, beside steps that are not.

use std::time::Instant;

use crate::config::Resolved;
use crate::error::Result;
use crate::gpu::{Gpu, Timed};
use crate::kernels::roof::{self, Roof};
use crate::problem::{memory, train};

/// A measured step.
pub struct Measured {
    pub batch: usize,
    pub chunk: usize,
    /// The device's, as given.
    pub roof: Roof,
    /// A step as training makes it, untimed.
    pub wall_s: f64,
    /// Recording and encoding on the host, part of the wall time.
    pub host_s: f64,
    /// Every launch in order.
    pub times: Vec<Timed>,
    /// Different pipelines of a step; the seconds in which they were made, ahead of the first step.
    pub pipelines: usize,
    pub pipelines_s: f64,
    /// The first step: arrays are allocated.
    pub first_step_s: f64,
}

/// Makes all pipelines and one step to compile everything, `steps` untimed ones as training makes them, and a timed one.
pub fn measure(gpu: &Gpu, resolved: &Resolved, roof: Roof, steps: usize) -> Result<Measured> {
    let bill = memory::fitting(gpu, resolved)?;
    let mut problem = memory::open(gpu, resolved.kind(), &resolved.values, (bill.batch, bill.chunk))?;
    let recording = problem.record_step(gpu)?;
    let pipelines = recording.pipelines();
    let before = gpu.compiled().1;
    gpu.warm(&recording, &mut |_, _| true)?;
    let pipelines_s = gpu.compiled().1 - before;
    drop(recording);
    let begun = Instant::now();
    train(gpu, problem.as_mut(), 1, |_, _| {})?;
    gpu.wait()?;
    let first_step_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    train(gpu, problem.as_mut(), steps.max(1), |_, _| {})?;
    gpu.wait()?;
    let wall_s = begun.elapsed().as_secs_f64() / steps.max(1) as f64;
    let begun = Instant::now();
    let recording = problem.record_step(gpu)?;
    let host_s = begun.elapsed().as_secs_f64();
    let times = gpu.run_timed(&recording)?;
    Ok(Measured { batch: bill.batch, chunk: bill.chunk, roof, wall_s, host_s, times, pipelines, pipelines_s, first_step_s })
}

/// Measures the device's roof with its two kernels.
pub fn roof(gpu: &Gpu) -> Result<Roof> {
    roof::measure(gpu, 10)
}
