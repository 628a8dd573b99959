//! One training step, phase by phase: milliseconds, operations and bytes (from the kernels' formulas).
//!
//! `cargo bench --bench step -- [n ...] [batch=64] [kernels] [key=value ...]` (2D, rs 10, Θ 0.15 unless set). Every dispatch is timed on its own,
//! after one untimed run; the wall time of the untimed second run is printed beside the sum.

use std::collections::BTreeMap;
use std::time::Instant;
//! `cargo bench --bench step -- [n ...] [batch=64] [kernels] [dispatches] [device=SEL]` (2D, rs 10, Θ 0.15, 50 Metropolis
//! sweeps). Every launch is timed on its own after steps that are not; see `helmholtz profile`.

use helmholtz::config::{Origin, Resolved, Source};
use helmholtz::gpu::Gpu;
use helmholtz::kernels::roof::Roof;
use helmholtz::report::{rows, table};
use helmholtz::run::profile;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let given: Vec<(&str, &str)> = arguments.iter().filter_map(|a| a.split_once('=')).collect();
    let kernels = arguments.iter().any(|a| a == "kernels");
    let value = |key: &str| arguments.iter().find_map(|a| a.strip_prefix(key));
    let batch = value("batch=").map_or(Ok(64), str::parse)?;
    let asked = |word: &str| arguments.iter().any(|a| a == word);
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![13, 29, 57];
    }
    let gpu = Gpu::open(value("device="))?;
    println!("{}", gpu.describe());
    let roof = profile::roof(&gpu)?;
    println!("roof: {:.1} GFLOP/s, {:.1} GB/s", 1e-9 * roof.flops_per_s, 1e-9 * roof.bytes_per_s);
    for n in sizes {
        step(&gpu, n, &given, kernels)?;
        step(&gpu, roof, n, batch, asked("kernels"), asked("dispatches"))?;
    }
    Ok(())
}

fn step(gpu: &Gpu, n: usize, given: &[(&str, &str)], kernels: bool) -> anyhow::Result<()> {
    let n_text = n.to_string();
    let mut values: BTreeMap<&str, &str> = BTreeMap::from([("rs", "10"), ("theta", "0.15"), ("batch", "64")]);
    values.extend(given.iter().copied().chain([("n", n_text.as_str())]));
    let source = |(key, text): (&str, &str)| Source { key: key.into(), text: text.into(), origin: Origin::Default };
    let sources: Vec<Source> = values.into_iter().map(source).collect();
    let mut settings = Resolved::from_sources(&sources, Vec::new())?.settings;
    let (gas, batch) = (settings.gas()?, settings.batch);
    settings.chunk = fitting_chunk(gpu, &gas, &settings, batch)?;
    let mut trainer = Trainer::new(gpu, &settings, None, None)?;
    let recording = trainer.record_step(gpu)?;
    gpu.run(&recording)?;
    gpu.wait()?;
    let start = Instant::now();
    gpu.run(&recording)?;
    gpu.wait()?;
    let wall = start.elapsed().as_secs_f64();
    let times = gpu.run_timed(&recording)?;
    println!("\nn = {n}, batch {batch}, chunk {}, {} Metropolis steps: {:.0} ms a step", settings.chunk, settings.mc_steps, 1e3 * wall);
    table("phase", &times, |t| t.name.split('/').next().unwrap_or("").to_string());
fn step(gpu: &Gpu, roof: Roof, n: usize, batch: usize, kernels: bool, dispatches: bool) -> anyhow::Result<()> {
    let given = [("n", n.to_string()), ("rs", "10".into()), ("theta", "0.15".into()), ("batch", batch.to_string())];
    let sources: Vec<Source> = given.into_iter().map(|(key, text)| Source { key: key.into(), text, origin: Origin::Default }).collect();
    let settings = Resolved::from_sources(&sources, Vec::new())?.settings;
    let m = profile::measure(gpu, &settings, roof, 1)?;
    println!(
        "\nn = {n}, batch {batch}, chunk {}, {} Metropolis sweeps: {:.0} ms a step, {:.0} ms in launches, first step {:.1} s",
        m.chunk,
        settings.mc_steps,
        1e3 * m.profile.wall_s,
        1e3 * m.profile.sum_s,
        m.first_step_s
    );
    println!("{}", table("phase", &m.profile.phases));
    if kernels {
        println!("{}", table("kernel", &m.profile.kernels));
    }
    if dispatches {
        let done: Vec<_> = m.times.into_iter().filter(|t| !t.skipped).collect();
        println!("{}", table("dispatch", &rows(&done, &roof, |t| format!("{} ({})", t.name, t.kernel))));
    }
    Ok(())
}
