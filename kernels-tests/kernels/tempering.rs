//! Parallel tempering: sweep by sweep as the twin does it, and averages of a glass that is enumerated.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::kernels::tempering::{self, Tempering};
use helmholtz::reference::gray::enumerate;
use helmholtz::reference::tempering::Chains;

use crate::bounds::refuses;
use crate::couplings::matrix;
use crate::harness::{Check, Wanted, close, mutant, random, verify};

fn stream(step: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step, purpose: purpose::METROPOLIS, first_walker: 11 }
}

/// Spins after each of four sweeps of a few ladders, with a field, until the twin's closest call is too close: energies round
/// by some ε of their size.
fn agrees(gpu: &Gpu, n: usize, betas: &[f64], ladders: usize, launch: usize) -> Check {
    let (j, h) = (matrix(n, 1), random(2, n));
    let mut t = Tempering::new(n, &j, &h, betas, ladders, 5).map_err(|e| e.to_string())?;
    t.launch = launch;
    let rows = |spins: &[f32]| spins.chunks(n).map(|c| c.iter().map(|v| *v as f64).collect()).collect::<Vec<Vec<f64>>>();
    let read = |b| gpu.read::<f32>(b).map_err(|e| e.to_string());
    let start = rows(&read(&t.spins)?);
    let up = start.iter().flatten().filter(|s| **s > 0.0).count() as f64;
    let all = (n * start.len()) as f64;
    if !((up - 0.5 * all).abs() < 2.0 * all.sqrt()) {
        return Err(format!("{up} of {all} spins start upwards"));
    }
    let mut twin = Chains { couplings: &j, fields: &h, betas, ladders, spins: start };
    for step in 0..4 {
        let mut rec = Recording::new();
        if step == 0 {
            t.record_observables(&mut rec);
        }
        t.record_sweep(&mut rec, stream(step));
        gpu.run(&rec).map_err(|e| e.to_string())?;
        if twin.sweep(stream(step)) < 1e-5 {
            break;
        }
        let spins = rows(&read(&t.spins)?);
        if let Some(c) = (0..spins.len()).find(|c| spins[*c] != twin.spins[*c]) {
            return Err(format!("{n} spins, step {step}, chain {c}: {:?} instead of {:?}", spins[c], twin.spins[c]));
        }
        let want: Vec<f64> = (0..spins.len()).map(|c| twin.energy(c)).collect();
        close("E", &read(&t.energy)?[..want.len()], &want, 40.0 * (n as f64).sqrt() * f32::EPSILON as f64)?;
    }
    Ok(())
}

/// One word of spins and two, in one launch and in several, an even and an odd number of rungs.
fn sizes(gpu: &Gpu) -> Check {
    agrees(gpu, 5, &[0.2, 0.9], 3, 8)?;
    agrees(gpu, 5, &[0.7], 1, 8)?;
    agrees(gpu, 37, &[0.1, 0.3, 0.6], 23, 10)
}

/// 64 ladders of six rungs with 9 spins: mean energies of the ladders, which are independent of each other, against all
/// states, within 4.5 of their errors; every pair of rungs exchanges.
fn averages(gpu: &Gpu) -> Check {
    static WANTED: Wanted<u64, f64> = Wanted::new();
    let (n, ladders, betas) = (9, 64, [0.3, 0.6, 1.0, 1.6, 2.5, 4.0]);
    let (j, h) = (matrix(n, 1).iter().map(|v| 1.7 * v).collect::<Vec<f64>>(), vec![0.0; n]);
    let t = Tempering::new(n, &j, &h, &betas, ladders, 5).map_err(|e| e.to_string())?;
    let mut sums = vec![0.0; betas.len() * ladders];
    for round in 0..30 {
        let mut rec = Recording::new();
        t.record_observables(&mut rec);
        (0..5).for_each(|step| t.record_sweep(&mut rec, stream(5 * round + step)));
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let energy: Vec<f32> = gpu.read(&t.energy).map_err(|e| e.to_string())?;
        if round >= 6 {
            sums.iter_mut().zip(&energy).for_each(|(s, e)| *s += *e as f64 / 24.0);
        }
    }
    let swaps: Vec<u32> = gpu.read(&t.swaps).map_err(|e| e.to_string())?;
    for (r, beta) in betas.iter().enumerate() {
        let here = &sums[t.rung(r).first..][..t.rung(r).count];
        let mean = here.iter().sum::<f64>() / ladders as f64;
        let error = (here.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (ladders * (ladders - 1)) as f64).sqrt();
        let want = *WANTED.of(beta.to_bits(), || enumerate(&j, &h, *beta)[1]);
        println!("β = {beta}: {mean:.4} ± {error:.4}, exact {want:.4}");
        if !((mean - want).abs() <= 4.5 * error + 1e-6) {
            return Err(format!("β = {beta}: E = {mean} ± {error}, exact {want}"));
        }
        let swapped: u32 = swaps[r * ladders..][..ladders].iter().sum();
        // each pair is asked in every second of 150 steps
        if (r + 1 < betas.len()) != (swapped > 64 * 10) || swapped > 64 * 75 {
            return Err(format!("{swapped} exchanges between rungs {r} and {}", r + 1));
        }
    }
    Ok(())
}

#[test]
fn sweeps_are_those_of_the_twin() {
    verify(sizes);
}

#[test]
fn averages_are_those_of_all_states() {
    verify(averages);
}

#[test]
fn launches_stay_short_and_bad_ladders_are_refused() {
    let n = 700;
    let t = Tempering::new(n, &matrix(n, 1), &[], &[1.0, 2.0], 3, 1).unwrap();
    let mut rec = Recording::new();
    t.record_sweep(&mut rec, stream(0));
    assert!(rec.dispatches().count() > 2 && rec.check().is_ok());
    for (sites, betas, ladders) in [(1025, vec![1.0], 1), (3, vec![], 1), (3, vec![1.0], 0), (3, vec![f64::NAN], 1)] {
        assert!(Tempering::new(sites, &vec![0.0; sites * sites], &[], &betas, ladders, 1).is_err());
    }
}

#[test]
fn short_buffers_are_refused() {
    let (n, ladders) = (5, 3);
    // rungs 1 and 2 of four are exchanged
    let words = [12 * n, 12, 12];
    refuses("tempering", &words, |rec, b| {
        let mut t = Tempering::new(n, &matrix(n, 1), &[], &[0.1, 0.2, 0.3, 0.4], ladders, 1).unwrap();
        [t.spins, t.energy, t.magnetisation] = std::array::from_fn(|i| b[i].clone());
        t.record_observables(rec);
        t.record_sweep(rec, stream(1));
    });
    refuses("swaps", &[6], |rec, b| {
        let mut t = Tempering::new(n, &matrix(n, 1), &[], &[0.1, 0.2, 0.3, 0.4], ladders, 1).unwrap();
        t.swaps = b[0].clone();
        t.record_sweep(rec, stream(1));
    });
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("p.first_walker + c, p.step", "c, p.step"),
        ("c / p.ladders", "c"),
        ("numbers[i % 4u] <", "numbers[0] <"),
        ("+ table[4u * ld4 * ld4 + i / 4u][i % 4u]", "+ 0.0 * table[i][0]"),
        ("e += d;", "e += 0.5 * d;"),
        ("state[i / 32u] ^=", "state[0] ^="),
        ("i == p.site ||", "i == 0u ||"),
    ] {
        mutant(&tempering::SWEEP, from, to, sizes);
    }
    mutant(&tempering::SWAP, "(ea - eb)", "(eb - ea)", sizes);
    mutant(&tempering::SWAP, "p.first_walker + a", "p.first_walker + b", sizes);
    mutant(&tempering::SWAP, "energy[b] = ea;", "energy[b] = eb;", sizes);
    mutant(&tempering::SWAP, "+ p.parity;", ";", sizes);
    mutant(&tempering::SWAP, "swaps[a] += 1u;", "swaps[a] += 2u;", averages);
}
