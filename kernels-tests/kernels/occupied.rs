//! occupied and log_psi against their twins.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::{log_psi, occupied};
use helmholtz::reference::{log_psi as log_psi_twin, occupied as twin};
use helmholtz::system::electron_gas::ElectronGas;

use crate::harness::{Check, close, mutant, random, verify};

fn sums(gpu: &Gpu) -> Check {
    for (n, dim) in [(1, 2), (13, 2), (7, 3)] {
        let gas = ElectronGas::new(n, dim, 1.0, 0.15).map_err(|e| e.to_string())?;
        let walkers = 67;
        let states: Vec<u32> =
            random(n as u64, walkers * n).iter().map(|v| ((v + 1.0) * 0.49 * gas.orbital_count() as f64) as u32).collect();
        let (sb, ob) = (gpu.upload("states", &states), gpu.upload("orbitals", &gas.momenta_padded()));
        let (momentum, ideal) = (Buffer::new("momentum", walkers * dim), Buffer::new("ideal", 4 * walkers));
        let mut rec = Recording::new();
        occupied::record(&mut rec, &gas, walkers, &sb, &ob, &momentum, &ideal);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let got: Vec<f32> = gpu.read(&ideal).map_err(|e| e.to_string())?;
        let wave = 2.0 * std::f64::consts::PI / gas.length();
        let (mut want_p, mut want_e) = (Vec::new(), Vec::new());
        for s in states.chunks(n) {
            let (p, e) = twin::occupied(s, &gas.momenta(), dim, wave);
            want_p.extend(p);
            want_e.extend([e, 0.0, e, e]);
        }
        // sums of n terms
        let tolerance = 4.0 * n as f64 * f32::EPSILON as f64;
        close("momentum", &gpu.read(&momentum).map_err(|e| e.to_string())?, &want_p, tolerance)?;
        close("ideal energy", &got, &want_e, tolerance)?;
    }
    Ok(())
}

fn logarithm(gpu: &Gpu) -> Check {
    let (s, j) = (random(1, 70), random(2, 70));
    let upload = |name: &str, v: &[f64]| gpu.upload(name, &v.iter().map(|v| *v as f32).collect::<Vec<_>>());
    let (sb, jb, out) = (upload("slater", &s), upload("jacobian", &j), Buffer::new("ln psi", 70));
    let mut rec = Recording::new();
    log_psi::record(&mut rec, "ln psi", 70, -3.5, &sb, &jb, &out);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let want: Vec<f64> = s.iter().zip(&j).map(|(s, j)| log_psi_twin::log_psi(*s, *j, -3.5)).collect();
    close("ln psi", &gpu.read(&out).map_err(|e| e.to_string())?, &want, 4.0 * f32::EPSILON as f64)
}

#[test]
fn occupied_and_log_psi_agree_with_their_twins() {
    verify(sums);
    verify(logarithm);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&occupied::KERNEL, "p.wave * p.wave", "p.wave", sums);
    mutant(&log_psi::KERNEL, "0.5 * jacobian", "jacobian", logarithm);
}
