//! One training step, phase by phase: milliseconds, operations and bytes (from the kernels' formulas).
//!
//! `cargo bench --bench step -- [n ...] [kernels] [dispatches] [--write] [device=SEL] [batch=B,B,...] [key=value ...]` (rs 10,
//! Θ 0.15, batch 64 unless set). A size is 13, or 33x3 for three dimensions. `all` stands for 13 29 57 33x3 with batches
//! 256 to 16384; what does not fit the memory bill is named and left out. `--write` puts the tables into
//! `benches/results/DEVICE.md`. Every launch is timed on its own after steps that are not; see `helmholtz profile`.

use std::collections::BTreeMap;

use helmholtz::gpu::Gpu;
use helmholtz::kernels::roof::Roof;
use helmholtz::problem::{memory, resolve};
use helmholtz::report::{Profile, rows, table};
use helmholtz::run::profile;

mod results;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let mut given: BTreeMap<&str, &str> = BTreeMap::from([("rs", "10"), ("theta", "0.15"), ("batch", "64")]);
    given.extend(arguments.iter().filter_map(|a| a.split_once('=')));
    let all = arguments.iter().any(|a| a == "all");
    let is_size = |a: &&str| a.split('x').all(|part| part.parse::<usize>().is_ok());
    let mut sizes: Vec<&str> = arguments.iter().map(String::as_str).filter(is_size).collect();
    if sizes.is_empty() {
        sizes = if all { vec!["13", "29", "57", "33x3"] } else { vec!["13", "29", "57"] };
    }
    let batches = if all { "256,1024,4096,16384" } else { given.remove("batch").unwrap_or("64") };
    let gpu = Gpu::open(given.remove("device"))?;
    let roof = profile::roof(&gpu)?;
    let mut text = format!("{}\nroof: {:.1} GFLOP/s, {:.1} GB/s\n", gpu.describe(), 1e-9 * roof.flops_per_s, 1e-9 * roof.bytes_per_s);
    print!("{text}");
    for size in sizes {
        let (n, dim) = size.split_once('x').unwrap_or((size, given.get("dim").copied().unwrap_or("2")));
        for batch in batches.split(',') {
            let mut here = given.clone();
            here.extend([("n", n), ("dim", dim), ("batch", batch)]);
            let lines = step(&gpu, roof, &here, &arguments)?;
            println!("{lines}");
            text.push_str(&lines);
            text.push('\n');
        }
    }
    if arguments.iter().any(|a| a == "--write") {
        let command = ["cargo bench --bench step --", &arguments.join(" ")].join(" ");
        let path = results::write(&gpu, "Training steps", &format!("`{command}`:\n\n```\n{}\n```", text.trim_end()))?;
        println!("written to {}", path.display());
    }
    Ok(())
}

/// The tables of one size, or why there are none.
fn step(gpu: &Gpu, roof: Roof, given: &BTreeMap<&str, &str>, arguments: &[String]) -> anyhow::Result<String> {
    let words: Vec<String> = given.iter().map(|(key, text)| format!("{key}={text}")).collect();
    let settings = resolve("electron-gas", &words)?;
    let name = format!("\nn = {}, {}D", settings.values.text("n"), settings.values.text("dim"));
    if let Err(e) = memory::fitting(gpu, &settings) {
        return Ok(format!("{name}: left out: {e}"));
    }
    let m = profile::measure(gpu, &settings, roof, 1)?;
    let p = Profile::of(&m);
    let mut lines = vec![format!(
        "{name}, batch {}, chunk {}, {}: {:.0} ms a step, {:.0} ms in launches, {} pipelines in {:.2} s, first step {:.1} s",
        m.batch,
        m.chunk,
        (settings.kind().sampling)(&settings.values),
        1e3 * p.wall_s,
        1e3 * p.sum_s,
        m.pipelines,
        m.pipelines_s,
        m.first_step_s
    )];
    lines.push(table("phase", &p.phases));
    if arguments.iter().any(|a| a == "kernels") {
        lines.push(table("kernel", &p.kernels));
    }
    if arguments.iter().any(|a| a == "dispatches") {
        let done: Vec<_> = m.times.into_iter().filter(|t| !t.skipped).collect();
        lines.push(table("dispatch", &rows(&done, &roof, |t| format!("{} ({})", t.name, t.kernel))));
    }
    Ok(lines.join("\n"))
}
