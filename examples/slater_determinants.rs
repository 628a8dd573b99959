//! The kernels without the trainer: Slater determinants of free fermions on a ring.
//!
//! Plane waves e^(i a x) with a = 0, 1, …, n-1 make a Vandermonde matrix, whose determinant is known:
//! |det| = Π_(i<j) 2 |sin((x_i - x_j)/2)|. Run with `cargo run --release --example slater_determinants`.

use std::time::Instant;

use helmholtz::Stream;
use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::determinant::{self, Outputs};
use helmholtz::number::philox::purpose;

fn main() -> anyhow::Result<()> {
    let (order, batch) = (29, 512);
    let gpu = Gpu::open(None)?;
    println!("{}", gpu.describe());

    // positions on the ring, one set a walker: jittered lattice points
    let stream = Stream { seed: 1, step: 0, purpose: purpose::FILL, first_walker: 0 };
    let spacing = std::f64::consts::TAU / order as f64;
    let x: Vec<f64> = (0..batch * order).zip(stream.uniforms()).map(|(i, u)| spacing * ((i % order) as f64 + 0.8 * u)).collect();

    // (re, im) of e^(i a x), [walker][particle][orbital]
    let matrices: Vec<f32> =
        x.iter().flat_map(|&x| (0..order).flat_map(move |a| [(a as f64 * x).cos() as f32, (a as f64 * x).sin() as f32])).collect();

    let slater = gpu.upload("slater", &matrices);
    let out = Outputs::complex("slater", order, batch, true)?;
    let mut recording = Recording::new();
    determinant::complex(&mut recording, "determinants and inverses", gpu.profile, &slater, order, batch, &out);
    gpu.run(&recording)?; // compiles
    gpu.wait()?;
    let begun = Instant::now();
    gpu.run(&recording)?;
    let logdet: Vec<f32> = gpu.read(&out.logdet)?;
    let seconds = begun.elapsed().as_secs_f64();

    let worst = x.chunks(order).zip(&logdet).fold(0.0_f64, |worst, (x, got)| {
        let pairs = (0..order).flat_map(|i| (0..i).map(move |j| (i, j)));
        let exact: f64 = pairs.map(|(i, j)| (2.0 * ((x[i] - x[j]) / 2.0).sin().abs()).ln()).sum();
        worst.max((exact - *got as f64).abs())
    });
    println!("{batch} complex determinants and inverses of order {order} in {:.1} ms", 1e3 * seconds);
    println!("largest error of ln|det|: {worst:.1e}");
    anyhow::ensure!(worst < 1e-3, "ln|det| is off by {worst}");
    Ok(())
}
