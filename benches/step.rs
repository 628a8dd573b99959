//! One training step, phase by phase: milliseconds, operations and bytes (from the kernels' formulas).
//!
//! `cargo bench --bench step -- [n ...] [batch=64] [kernels] [key=value ...]` (2D, rs 10, Θ 0.15 unless set). Every dispatch is timed on its own,
//! after one untimed run; the wall time of the untimed second run is printed beside the sum.

use std::collections::BTreeMap;
use std::time::Instant;

use helmholtz::config::{Origin, Resolved, Source};
use helmholtz::gpu::{Gpu, Timed};
use helmholtz::run::trainer::{Trainer, fitting_chunk};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let given: Vec<(&str, &str)> = arguments.iter().filter_map(|a| a.split_once('=')).collect();
    let kernels = arguments.iter().any(|a| a == "kernels");
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![13, 29, 57];
    }
    let gpu = Gpu::open(None)?;
    println!("{}", gpu.describe());
    for n in sizes {
        step(&gpu, n, &given, kernels)?;
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
    if kernels {
        table("kernel", &times, |t| format!("{} ({})", t.name, t.kernel));
    }
    Ok(())
}

fn table(title: &str, times: &[Timed], key: impl Fn(&Timed) -> String) {
    let mut rows: BTreeMap<String, (f64, f64, f64, usize)> = BTreeMap::new();
    for t in times {
        let row = rows.entry(key(t)).or_default();
        *row = (row.0 + t.seconds, row.1 + t.flops, row.2 + t.bytes, row.3 + 1);
    }
    let total: f64 = rows.values().map(|r| r.0).sum();
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    println!("{title:44} {:>9} {:>6} {:>8} {:>9} {:>9} {:>8} {:>8}", "ms", "share", "launches", "GFLOP", "GB", "GFLOP/s", "GB/s");
    for (name, (s, flops, bytes, count)) in rows {
        let (g, b) = (flops * 1e-9, bytes * 1e-9);
        println!("{name:44} {:9.2} {:5.1}% {count:8} {g:9.3} {b:9.3} {:8.2} {:8.2}", 1e3 * s, 100.0 * s / total, g / s, b / s);
    }
    println!("{:44} {:9.2}", "sum", 1e3 * total);
}
