//! What Metropolis chains sample: |Ψ|² itself, with power against an exponent that is 5 % off; one of 2 % is told by single moves, in the tests of the kernel.

use helmholtz::gpu::{Buffer, Recording};
use helmholtz::kernels::{determinant, slater};
use helmholtz::sample::{Chunk, Metropolis, Sampler, Settings};
use helmholtz::system::ElectronGas;

use crate::device;

/// Two fermions in plane waves k and k': |det|^γ ~ (1 - cos u)^(γ/2), u = (k - k')·(x1 - x2). With the exponent γ,
/// ⟨cos u⟩ = 1 - 2 (γ + 1)/(γ + 2): -0.5 for γ = 2, -0.4872 for 1.9. The spread of cos u is 0.5; 2048 walkers, each of them an
/// average over its own rounds, tell the mean to 0.0018, so that 1.9 lies 7 errors away and 4.5 are allowed.
#[test]
fn chains_sample_the_square_of_psi() {
    let gpu = device();
    let gas = ElectronGas::with(2, 2, 1.0, 0.2, Some(4), Some(&[0.0, 0.0])).unwrap();
    let (walkers, rounds, length) = (2048, 70, gas.length());
    let occupied: Vec<usize> = gas.ground_state().collect();
    let states: Vec<u32> = (0..walkers).flat_map(|_| occupied.iter().map(|s| *s as u32)).collect();
    let (states, orbitals) = (gpu.upload("states", &states), gpu.upload("orbitals", &gas.momenta_padded()));
    let settings =
        Settings { walkers, chunk: walkers, first: 0, size: 4, length, sweeps: 3, width: 0.35 * length, acceptance: None, seed: 11 };
    let mut sampler = Metropolis::new(settings).unwrap();
    let matrix = Buffer::new("matrix", 2 * walkers * 4);
    let out = determinant::Outputs::complex("slater", 2, walkers, false).unwrap();
    let mut log_psi = |rec: &mut Recording, chunk: &Chunk, x: &Buffer, to: &Buffer| {
        slater::record(rec, "fill", slater::Params::new(&gas, chunk.walkers), x, &states, &orbitals, &matrix);
        determinant::complex(rec, "determinant", gpu.profile, &matrix, 2, chunk.walkers, &out);
        rec.copy(&out.logdet, to, chunk.walkers);
    };
    let [k, other] = [0, 1].map(|i| gas.orbitals()[occupied[i]]);
    let q = [0, 1].map(|c| std::f64::consts::TAU / length * (k[c] - other[c]) as f64);
    let mut sums = vec![0.0; walkers];
    for round in 0..rounds + 6 {
        let mut rec = Recording::new();
        sampler.record_moves(&mut rec, &mut log_psi);
        gpu.run(&rec).unwrap();
        if round < 6 {
            continue;
        }
        let x: Vec<f32> = gpu.read_words(&sampler.chunks()[0].x, 4 * walkers).unwrap();
        for (sum, x) in sums.iter_mut().zip(x.chunks(4)) {
            let u = q[0] * f64::from(x[0] - x[2]) + q[1] * f64::from(x[1] - x[3]);
            *sum += u.cos() / rounds as f64;
        }
    }
    let mean = sums.iter().sum::<f64>() / walkers as f64;
    let error = (sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (walkers as f64 * (walkers as f64 - 1.0))).sqrt();
    let sigma = (mean + 0.5) / error;
    eprintln!("⟨cos u⟩ = {mean:.5} ± {error:.5}, {sigma:.1} errors from that of |Ψ|²");
    assert!(error < 0.0019, "{error}: no power");
    assert!(sigma.abs() < 4.5, "⟨cos u⟩ = {mean} ± {error}: {sigma} errors from -1/2");
}
