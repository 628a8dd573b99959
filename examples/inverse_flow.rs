//! Newton's inversion of a flow by itself: given ζ, find the positions x with z(x) = ζ, all walkers side by side.
//!
//! An iteration is a flow evaluation with J⁻¹ (`WaveFunction::record_jacobian`) and a damped step (`kernels::newton`).
//! Run with `cargo run --release --example inverse_flow`.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::newton::{self, Inputs, Iteration, Phase};
use helmholtz::model::backflow::Feature;
use helmholtz::number::philox::purpose;
use helmholtz::{Backflow, ElectronGas, Stream, WaveFunction};

fn main() -> anyhow::Result<()> {
    let (n, dim, walkers, iterations) = (29, 2, 64, 6);
    let gpu = Gpu::open(None)?;
    println!("{}", gpu.describe());
    let gas = ElectronGas::with(n, dim, 10.0, 0.15, None, Some(&[0.25, 0.25]))?;
    let model = Backflow { dim, depth: 2, one: 16, pair: 16, feature: Feature::Half, unlike: false };
    let wave = WaveFunction::new(&gpu, &gas, model, walkers)?;
    // a flow that moves the electrons: weights ten times larger than those training starts from
    let parameters: Vec<f32> = model.initial(1).iter().map(|v| 10.0 * v).collect();

    // uniform points in the box
    let stream = Stream { seed: 1, step: 0, purpose: purpose::FILL, first_walker: 0 };
    let points: Vec<f32> = stream.uniforms().take(walkers * n * dim).map(|u| (gas.length() * u) as f32).collect();
    let (zeta, x) = (gpu.upload("zeta", &points), Buffer::new("x", points.len()));

    let size = n * dim;
    let settings = newton::Settings { walkers, size, length: gas.length(), tolerance: 1e-4 };
    let iteration = Iteration::new(walkers, size)?;
    let inputs = Inputs { z: &wave.flow.z, zeta: &zeta, inverse: wave.inverse_jacobian(), sign: &wave.jacobian.sign };
    let mut rec = Recording::new();
    wave.flow.record_pack(&mut rec, &gpu.upload("parameters", &parameters));
    wave.record_jacobian(&mut rec, &zeta, walkers);
    newton::record(&mut rec, gpu.profile, Phase::Start, settings, inputs, &x, &iteration);
    for _ in 0..iterations {
        wave.record_jacobian(&mut rec, &x, walkers);
        newton::record(&mut rec, gpu.profile, Phase::Step, settings, inputs, &x, &iteration);
    }
    newton::record(&mut rec, gpu.profile, Phase::Finish, settings, inputs, &x, &iteration);
    // the check: the flow at the x found, whose differences to ζ are whole boxes
    wave.flow.record_values(&mut rec, &x, walkers);
    gpu.run(&rec)?;

    let z: Vec<f32> = gpu.read_words(&wave.flow.z, points.len())?;
    let found: Vec<f32> = gpu.read(&x)?;
    let failed = gpu.read::<u32>(&iteration.status)?.iter().filter(|s| **s != 0).count();
    let nearest = |d: f64| (d - gas.length() * (d / gas.length()).round()).abs();
    let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| nearest(*a as f64 - *b as f64)).fold(0.0, f64::max);
    println!("{walkers} walkers of {n} electrons, box of side {:.2} rs a0; {failed} failed", gas.length());
    println!("the flow moves an electron by up to {:.3} rs a0; largest |z(x) - zeta| {:.1e}", largest(&z, &found), largest(&z, &points));
    anyhow::ensure!(failed == 0 && largest(&z, &points) < 2e-4, "a walker failed, or the residual is larger than the tolerance");
    Ok(())
}
