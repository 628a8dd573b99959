//! Kernels alone: the best of several launches of each, against the device's roof.
//!
//! `cargo bench --bench kernels -- [part of a name ...] [tries=5] [device=SEL] [--write]`; `--write` also puts the table into
//! `benches/results/DEVICE.md`.

use helmholtz::config::Resolved;
use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::cholesky::{Factor, STATE_WORDS};
use helmholtz::kernels::flow::Order;
use helmholtz::kernels::occupation::{Chunk, OccupationKernels};
use helmholtz::kernels::roof::Roof;
use helmholtz::kernels::{determinant, ewald, linear, pad4};
use helmholtz::report::{list, rows};
use helmholtz::run::profile;
use helmholtz::system::{Ewald, ewald::DEVICE};
use helmholtz::wave_function::WaveFunction;

/// A benchmark: its name, and what one try of it records.
type Case = (String, Recording);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let value = |key: &str| arguments.iter().find_map(|a| a.strip_prefix(key));
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.contains('=') && *a != "--write").collect();
    let tries = value("tries=").map_or(Ok(5), str::parse)?;
    let gpu = Gpu::open(value("device="))?;
    let roof = profile::roof(&gpu)?;
    let head = format!("{}\nroof: {:.1} GFLOP/s, {:.1} GB/s", gpu.describe(), 1e-9 * roof.flops_per_s, 1e-9 * roof.bytes_per_s);
    println!("{head}");
    let mut best = Vec::new();
    for (name, recording) in cases(&gpu)? {
        if wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())) {
            best.push(measure(&gpu, &name, &recording, roof, tries)?);
        }
    }
    let text = list("best of the tries", &best, false);
    println!("{text}");
    if arguments.iter().any(|a| a == "--write") {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results").join(format!("{}.md", file_name(&gpu)));
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let kept = old.split("## Kernels alone").next().unwrap_or_default().trim_end().to_string();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let section = format!("## Kernels alone\n\nBest of {tries}, {cores} cores seen by the host.\n\n```\n{head}\n{text}\n```\n");
        std::fs::write(&path, format!("{kept}\n\n{section}").trim_start())?;
        println!("written to {}", path.display());
    }
    Ok(())
}

/// The device as a file name: `llvmpipe-mesa-22.3.6`.
fn file_name(gpu: &Gpu) -> String {
    let short = |text: &str| {
        text.split('(').next().unwrap_or("").trim().to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-")
    };
    format!("{}-{}", short(&gpu.info.name), short(&gpu.info.driver_info))
}

/// The launches of a try as one row; the fastest try.
fn measure(gpu: &Gpu, name: &str, recording: &Recording, roof: Roof, tries: usize) -> anyhow::Result<helmholtz::report::Row> {
    gpu.run(recording)?;
    gpu.wait()?;
    let mut best: Option<helmholtz::report::Row> = None;
    for _ in 0..tries.max(1) {
        let times = gpu.run_timed(recording)?;
        let mut found = rows(&times, &roof, |_| name.to_string());
        if let Some(row) = found.pop().filter(|r| best.as_ref().is_none_or(|b| r.seconds < b.seconds)) {
            best = Some(row);
        }
    }
    best.ok_or_else(|| anyhow::anyhow!("{name}: nothing was recorded"))
}

fn random(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

fn cases(gpu: &Gpu) -> anyhow::Result<Vec<Case>> {
    let mut all = Vec::new();
    for order in [26, 58, 114, 202] {
        let (batch, ld) = (16384 / order, pad4(order));
        let a = gpu.upload("a", &random(batch * ld * ld));
        for inverse in [false, true] {
            let out = determinant::Outputs::real("bench", order, batch, inverse)?;
            let mut rec = Recording::new();
            determinant::real(&mut rec, "lu", gpu.profile, &a, order, batch, &out);
            all.push((format!("{}real {order}, batch {batch}", if inverse { "inverse " } else { "lu " }), rec));
        }
    }
    for order in [13, 29, 57, 101] {
        let batch = 8192 / order;
        let a = gpu.upload("a", &random(2 * batch * order * order));
        for inverse in [false, true] {
            let out = determinant::Outputs::complex("bench", order, batch, inverse)?;
            let mut rec = Recording::new();
            determinant::complex(&mut rec, "lu", gpu.profile, &a, order, batch, &out);
            all.push((format!("{}complex {order}, batch {batch}", if inverse { "inverse " } else { "lu " }), rec));
        }
    }
    all.extend(products(gpu));
    all.extend(physics(gpu)?);
    for order in [1024, 2048] {
        let depth = order;
        let (rows, state) = (gpu.upload("rows", &random(order * depth)), gpu.upload("state", &[0u32; STATE_WORDS]));
        let factor = Factor::new("bench", order, depth, &state);
        let mut rec = Recording::new();
        factor.record(&mut rec, gpu.profile, &rows, 1.0, 1e-3, 1);
        all.push((format!("Gram matrix and Cholesky {order}"), rec));
    }
    Ok(all)
}

/// The shapes of a training step: pairs of n = 29, particles, score rows.
fn products(gpu: &Gpu) -> Vec<Case> {
    [(64 * 841 * 3, 8, 16), (64 * 841, 16, 16), (64 * 29 * 60, 32, 16), (4096, 64, 64), (1024, 256, 256)]
        .into_iter()
        .map(|(rows, k, n)| {
            let (x, w, y) = (gpu.upload("x", &random(rows * k)), gpu.upload("w", &random(k * n)), Buffer::new("y", rows * n));
            let mut rec = Recording::new();
            linear::record(&mut rec, "product", linear::Params::new(rows, k / 4, n / 4, 0), &x, &w, &y);
            (format!("linear {rows} x {k} x {n}"), rec)
        })
        .collect()
}

/// n = 29, rs = 10, Θ = 0.15, 64 walkers: Coulomb sum, flow, sampling of states.
fn physics(gpu: &Gpu) -> anyhow::Result<Vec<Case>> {
    let words = ["n=29", "rs=10", "theta=0.15", "batch=64"].map(String::from);
    let s = Resolved::from_command("electron-gas", &words)?.settings;
    let (gas, walkers) = (s.gas()?, 64);
    let x = gpu.upload("x", &random(walkers * gas.n * gas.dim).iter().map(|v| v * gas.length() as f32).collect::<Vec<_>>());
    let mut all = Vec::new();
    let sum = Ewald::new(gas.dim, DEVICE.0, DEVICE.1)?;
    let (entries, potential) = (gpu.upload("table", &sum.table()), Buffer::new("potential", walkers));
    let mut rec = Recording::new();
    ewald::record(&mut rec, "potential", ewald::Params::new(&sum, walkers, gas.n, gas.rs, gas.length()), &x, &entries, &potential);
    all.push((format!("ewald n 29, batch {walkers}"), rec));

    let wave = WaveFunction::new(gpu, &gas, s.backflow(), walkers)?;
    let parameters = gpu.upload("parameters", &s.backflow().initial(1));
    let mut rec = Recording::new();
    wave.flow.record_pack(&mut rec, &parameters);
    gpu.run(&rec)?;
    for (order, what) in [(Order::First, "first"), (Order::Third, "third")] {
        let mut rec = Recording::new();
        wave.flow.record_forward(&mut rec, &x, walkers, order);
        let mut features = Recording::new();
        features.ops = rec
            .ops
            .iter()
            .filter(|op| matches!(op, helmholtz::gpu::Op::Dispatch(d) if d.kernel.name == "flow_pair_features"))
            .cloned()
            .collect();
        all.push((format!("pair features n 29, {what} derivatives"), features));
        all.push((format!("flow n 29, {what} derivatives"), rec));
    }

    let model = s.occupation(gas.orbital_count());
    let kernels = OccupationKernels::new(&model, 1024, &gas.momenta(), None, gpu)?;
    let values = gpu.upload("parameters", &model.initial(1, s.occupation_prior()));
    let (states, log_p) = (Buffer::new("states", 1024 * gas.n), Buffer::new("ln p", 1024));
    let mut rec = Recording::new();
    kernels.record_pack(&mut rec, &values);
    gpu.run(&rec)?;
    let mut rec = Recording::new();
    kernels.record_sample(&mut rec, (1, 0, 0), Chunk { first: 0, count: 1024 }, &states, &log_p);
    all.push(("sampling of states n 29, batch 1024".into(), rec));
    Ok(all)
}
