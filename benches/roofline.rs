//! Kernels alone, against the device's roof: the best of several launches of each.
//!
//! `cargo bench --bench roofline -- [part of a name ...] [tries=3] [device=SEL] [--write]`; `--write` also puts the table into
//! `benches/results/DEVICE.md`.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::roof::Roof;
use helmholtz::report::{Row, list, rows};
use helmholtz::run::profile;

mod cases;
mod results;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let value = |key: &str| arguments.iter().find_map(|a| a.strip_prefix(key));
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| !a.contains('=') && *a != "--write").collect();
    let tries = value("tries=").map_or(Ok(3), str::parse)?;
    let gpu = Gpu::open(value("device="))?;
    let roof = profile::roof(&gpu)?;
    let head = format!("{}\nroof: {:.1} GFLOP/s, {:.1} GB/s", gpu.describe(), 1e-9 * roof.flops_per_s, 1e-9 * roof.bytes_per_s);
    println!("{head}");
    let mut best = Vec::new();
    for case in cases::chosen(&wanted) {
        best.push(measure(&gpu, &case.name, &(case.build)(&gpu)?, roof, tries)?);
    }
    let text = list("best of the tries", &best, false);
    println!("{text}");
    if arguments.iter().any(|a| a == "--write") {
        let command = ["cargo bench --bench roofline --", &arguments.join(" ")].join(" ");
        let path = results::write(&gpu, "Kernels alone", &format!("`{command}`: best of {tries}.\n\n```\n{head}\n{text}\n```"))?;
        println!("written to {}", path.display());
    }
    Ok(())
}

/// The launches of a try as one row; the fastest try.
fn measure(gpu: &Gpu, name: &str, recording: &Recording, roof: Roof, tries: usize) -> anyhow::Result<Row> {
    gpu.run(recording)?;
    gpu.wait()?;
    let mut best: Option<Row> = None;
    for _ in 0..tries.max(1) {
        let times = gpu.run_timed(recording)?;
        let mut found = rows(&times, &roof, |_| name.to_string());
        if let Some(row) = found.pop().filter(|r| best.as_ref().is_none_or(|b| r.seconds < b.seconds)) {
            best = Some(row);
        }
    }
    best.ok_or_else(|| anyhow::anyhow!("{name}: nothing was recorded"))
}
