//! Kernels alone, by criterion: device time of each launch from timestamps, statistics, comparison with the last run.
//!
//! `cargo bench --bench kernels -- [part of a name]`, with criterion's options; `HELMHOLTZ_DEVICE` chooses the device. The
//! same cases against the device's roof: `roofline`.

use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use helmholtz::gpu::Gpu;

mod cases;

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    // names that do not match are not built; criterion itself knows its options
    let wanted: Vec<String> =
        std::env::args().skip(1).take_while(|a| !a.starts_with("--") || a == "--bench").filter(|a| a != "--bench").collect();
    let gpu = Gpu::open(None)?;
    println!("{}", gpu.describe());
    let mut group = criterion.benchmark_group("kernels");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for case in cases::chosen(&wanted.iter().map(String::as_str).collect::<Vec<_>>()) {
        let recording = (case.build)(&gpu)?;
        let mut failure = None;
        group.bench_function(&case.name, |b| {
            b.iter_custom(|times| {
                let run = |_| gpu.run_timed(&recording).map(|launches| launches.iter().map(|t| t.seconds).sum::<f64>());
                let seconds = (0..times).map(run).sum::<helmholtz::Result<f64>>().unwrap_or_else(|e| {
                    failure = Some(e);
                    1.0
                });
                // a clock that stands still would be refused
                Duration::from_secs_f64(seconds.max(1e-9))
            })
        });
        if let Some(e) = failure {
            return Err(e.into());
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
