//! One training step, phase by phase: milliseconds, operations and bytes (from the kernels' formulas).
//!
//! `cargo bench --bench step -- [n ...] [kernels] [dispatches] [device=SEL] [key=value ...]` (2D, rs 10, Θ 0.15, batch 64 unless
//! set). Every launch is timed on its own after steps that are not; see `helmholtz profile`.

use std::collections::BTreeMap;

use helmholtz::config::{Origin, Resolved, Source};
use helmholtz::gpu::Gpu;
use helmholtz::kernels::roof::Roof;
use helmholtz::report::{rows, table};
use helmholtz::run::profile;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let mut given: BTreeMap<&str, &str> = BTreeMap::from([("rs", "10"), ("theta", "0.15"), ("batch", "64")]);
    given.extend(arguments.iter().filter_map(|a| a.split_once('=')));
    let mut sizes: Vec<&str> = arguments.iter().filter(|a| a.parse::<usize>().is_ok()).map(String::as_str).collect();
    if sizes.is_empty() {
        sizes = vec!["13", "29", "57"];
    }
    let gpu = Gpu::open(given.remove("device"))?;
    println!("{}", gpu.describe());
    let roof = profile::roof(&gpu)?;
    println!("roof: {:.1} GFLOP/s, {:.1} GB/s", 1e-9 * roof.flops_per_s, 1e-9 * roof.bytes_per_s);
    for n in sizes {
        given.insert("n", n);
        step(&gpu, roof, &given, &arguments)?;
    }
    Ok(())
}

fn step(gpu: &Gpu, roof: Roof, given: &BTreeMap<&str, &str>, arguments: &[String]) -> anyhow::Result<()> {
    let source = |(key, text): (&&str, &&str)| Source { key: key.to_string(), text: text.to_string(), origin: Origin::Default };
    let sources: Vec<Source> = given.iter().map(source).collect();
    let settings = Resolved::from_sources(&sources, Vec::new())?.settings;
    let m = profile::measure(gpu, &settings, roof, 1)?;
    println!(
        "\nn = {}, batch {}, chunk {}, {}: {:.0} ms a step, {:.0} ms in launches, first step {:.1} s",
        settings.n,
        m.batch,
        m.chunk,
        settings.sampling(),
        1e3 * m.profile.wall_s,
        1e3 * m.profile.sum_s,
        m.first_step_s
    );
    println!("{}", table("phase", &m.profile.phases));
    if arguments.iter().any(|a| a == "kernels") {
        println!("{}", table("kernel", &m.profile.kernels));
    }
    if arguments.iter().any(|a| a == "dispatches") {
        let done: Vec<_> = m.times.into_iter().filter(|t| !t.skipped).collect();
        println!("{}", table("dispatch", &rows(&done, &roof, |t| format!("{} ({})", t.name, t.kernel))));
    }
    Ok(())
}
