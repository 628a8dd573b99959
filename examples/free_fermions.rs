//! Exact draws of free fermions without the trainer: the static structure factor of the ground state.
//!
//! Positions come from the determinantal point process |det e^(i k_a·z_i)|² itself, independent of each other: no Markov
//! chain. For plane waves S(q) = <|Σ_i e^(i q·z_i)|²>/n = 1 - (occupied pairs k, k + q)/n exactly.
//! Run with `cargo run --release --example free_fermions`.

use std::f64::consts::TAU;

use helmholtz::ElectronGas;
use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::dpp::{self, Draw, Outputs};
use helmholtz::number::philox::{Stream, purpose};

fn main() -> anyhow::Result<()> {
    let (n, dim, walkers) = (29, 2, 2048);
    let gpu = Gpu::open(None)?;
    println!("{}", gpu.describe());
    let gas = ElectronGas::with(n, dim, 1.0, 0.15, None, Some(&[0.25, 0.25]))?;

    // every walker in the ground state; any n different orbitals would do
    let state: Vec<u32> = gas.ground_state().map(|s| s as u32).collect();
    let states = gpu.upload("states", &state.repeat(walkers));
    let orbitals = gpu.upload("orbitals", &gas.momenta_padded());
    let out = Outputs::new(n, dim, walkers);
    let mut rec = Recording::new();
    let draw = Draw { at: Stream { seed: 1, step: 0, purpose: purpose::POSITIONS, first_walker: 0 }, walkers };
    dpp::record(&mut rec, gpu.profile, &gas, draw, &states, &orbitals, &out)?;
    gpu.run(&rec)?;
    let z: Vec<f32> = gpu.read(&out.z)?;
    let placed: Vec<u32> = gpu.read(&out.progress)?;
    anyhow::ensure!(placed.chunks(4).all(|p| p[0] == n as u32), "a walker is not finished");

    println!("{walkers} draws of {n} free fermions\n  q L/2π        S(q)               exact   deviation/error");
    let occupied: Vec<[i32; 3]> = gas.ground_state().map(|s| gas.orbitals()[s]).collect();
    let mut worst = 0.0_f64;
    for q in [[1, 0], [1, 1], [2, 0], [2, 1], [3, 0], [4, 0], [5, 0], [6, 0]] {
        let value = |walker: &[f32]| {
            let phases = walker.chunks(dim).map(|r| TAU * (r[0] as f64 * q[0] as f64 + r[1] as f64 * q[1] as f64) / gas.length());
            let (re, im) = phases.fold((0.0, 0.0), |(re, im), p| (re + p.cos(), im + p.sin()));
            (re * re + im * im) / n as f64
        };
        let values: Vec<f64> = z.chunks(n * dim).map(value).collect();
        let mean = values.iter().sum::<f64>() / walkers as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (walkers - 1) as f64;
        let error = (variance / walkers as f64).sqrt();
        let pairs = occupied.iter().filter(|k| occupied.contains(&[k[0] + q[0], k[1] + q[1], k[2]])).count();
        let exact = 1.0 - pairs as f64 / n as f64;
        worst = worst.max((mean - exact).abs() / error);
        println!("  ({}, {})   {mean:.5} ± {error:.5}   {exact:.5}   {:+.1}", q[0], q[1], (mean - exact) / error);
    }
    anyhow::ensure!(worst < 5.0, "off by {worst} standard errors");
    Ok(())
}
