//! What a sample of the cached samplers of spins costs against the number of spins n: µs a sample, share of the roof, and the
//! exponent of n fitted to the larger half of the sizes.
//!
//! `cargo bench --bench samplers -- [part of a name ...] [sizes=4,8,16,32] [batch=64] [tries=3] [device=SEL] [--write]`; sizes
//! are the sides L of lattices of n = L² spins; `--write` also puts the table into `benches/results/DEVICE.md`.

use helmholtz::gpu::{Buffer, Gpu, Recording, Timed};
use helmholtz::kernels::Chunk;
use helmholtz::model::made::Made;
use helmholtz::model::pixel_cnn::PixelCnn;
use helmholtz::model::transformer::Transformer;
use helmholtz::network::Autoregressive;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::problem::spins::Network;
use helmholtz::report::rows;
use helmholtz::run::profile;

mod results;

/// A network of a lattice of side L.
type Of = fn(usize) -> Network;

const NETWORKS: [(&str, Of); 4] = [
    ("made depth=1", |side| made(side, 1)),
    ("made depth=2 width=4", |side| made(side, 2)),
    ("pixelcnn depth=2 width=8 half=3", |side| {
        PixelCnn { side, depth: 2, width: 8, half: 3, bias: true, last: false, residual: false }.into()
    }),
    ("transformer depth=1 width=16", |side| Transformer { sites: side * side, depth: 1, width: 16, heads: 2, bias: true }.into()),
];

fn made(side: usize, depth: usize) -> Network {
    Made { sites: side * side, depth, width: 4, bias: true, prelu: true, residual: false }.into()
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let value = |key: &str| arguments.iter().find_map(|a| a.strip_prefix(key));
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.contains('=') && *a != "--write").collect();
    let sides = value("sizes=").unwrap_or("4,8,16,32").split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let batch = value("batch=").map_or(Ok(64), str::parse)?;
    let tries: usize = value("tries=").map_or(Ok(3), str::parse)?;
    let gpu = Gpu::open(value("device="))?;
    let roof = profile::roof(&gpu)?;
    let mut text = format!("{}\nroof: {:.1} GFLOP/s, {:.1} GB/s\n", gpu.describe(), 1e-9 * roof.flops_per_s, 1e-9 * roof.bytes_per_s);
    text.push_str(&format!("{:32} {:>5} {:>8} {:>12} {:>8} {:>8} bound", "network", "n", "launches", "µs a sample", "GFLOP/s", "of roof"));
    println!("{text}");
    for (name, network) in NETWORKS.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str()))) {
        let mut points = Vec::new();
        for side in &sides {
            let times = measure(&gpu, &network(*side), side * side, batch, tries)?;
            let found = rows(&times, &roof, |_| String::new());
            let Some(row) = found.first() else { continue };
            points.push([(side * side) as f64, 1e6 * row.seconds / batch as f64]);
            let line = format!(
                "{name:32} {:>5} {:>8} {:>12.2} {:>8.2} {:>7.0}% {}",
                side * side,
                row.launches,
                1e6 * row.seconds / batch as f64,
                1e-9 * row.flops / row.seconds,
                100.0 * row.of_roof.unwrap_or(0.0),
                row.bound.unwrap_or("")
            );
            println!("{line}");
            text.push_str(&format!("\n{line}"));
        }
        if points.len() > 1 {
            let half = (points.len() / 2).min(points.len() - 2);
            let line = format!("{name:32} cost of a sample ~ n^{:.2} from n = {}", exponent(&points[half..]), points[half][0]);
            println!("{line}");
            text.push_str(&format!("\n{line}"));
        }
    }
    if arguments.iter().any(|a| a == "--write") {
        let command = ["cargo bench --bench samplers --", &arguments.join(" ")].join(" ");
        let path = results::write(&gpu, "Cached samplers", &format!("`{command}`: batch {batch}, best of {tries}.\n\n```\n{text}\n```"))?;
        println!("written to {}", path.display());
    }
    Ok(())
}

/// Launches of a draw: the fastest of the tries.
fn measure(gpu: &Gpu, network: &Network, sites: usize, batch: usize, tries: usize) -> anyhow::Result<Vec<Timed>> {
    let values = network.start(1);
    let net = Autoregressive::new(&network.layers, values.len(), batch, gpu.profile)?;
    let (spins, log_q) = (Buffer::new("spins", batch * sites), Buffer::new("ln q", batch));
    let mut rec = Recording::new();
    let at = Stream { seed: 1, step: 0, purpose: purpose::SPINS, first_walker: 0 };
    net.record_sample(&mut rec, at, Chunk { first: 0, count: batch }, &gpu.upload("parameters", &values), &spins, &log_q);
    gpu.run(&rec)?;
    gpu.wait()?;
    let mut best: Option<(f64, Vec<Timed>)> = None;
    for _ in 0..tries.max(1) {
        let times = gpu.run_timed(&rec)?;
        let seconds = times.iter().map(|t| t.seconds).sum();
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, times));
        }
    }
    best.map(|(_, times)| times).ok_or_else(|| anyhow::anyhow!("no tries"))
}

/// Slope of ln y against ln x.
fn exponent(points: &[[f64; 2]]) -> f64 {
    let logs: Vec<[f64; 2]> = points.iter().map(|p| p.map(f64::ln)).collect();
    let [x, y] = [0, 1].map(|k| logs.iter().map(|p| p[k]).sum::<f64>() / logs.len() as f64);
    let sum = |k: usize| logs.iter().map(|p| (p[0] - x) * (p[k] - [x, y][k])).sum::<f64>();
    sum(1) / sum(0)
}
