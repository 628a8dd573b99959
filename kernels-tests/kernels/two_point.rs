//! Two-point functions of weighted samples.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::free_energy::{FreeEnergy, Samples};
use helmholtz::kernels::two_point::{self, TwoPoint};
use helmholtz::reference::two_point::weighted;

use crate::bounds::refuses;
use crate::harness::{Check, mutant, random, verify};
use crate::spins::single;

const BETA: f64 = 0.75;

/// Samples whose R is of order `size`, some of them not finite, against the plain sum.
fn agrees(gpu: &Gpu, n: usize, samples: usize, chunk: usize, size: f64) -> Check {
    let spins: Vec<f64> = random(1, n * samples).iter().map(|v| v.signum()).collect();
    let (e, r) = (random(2, samples), random(3, samples));
    let energies: Vec<f32> = e.iter().enumerate().map(|(w, v)| if w % 19 == 7 { f32::NAN } else { (size * v) as f32 }).collect();
    let log_q: Vec<f32> = (0..samples).map(|w| (size * r[w] - BETA * size * e[w]) as f32).collect();
    let magnetisation = vec![0.0f32; samples];
    let [s, l, en, m] = [&single(&spins), &log_q, &energies, &magnetisation].map(|v| gpu.upload("column", v));
    let given = Samples { log_q: &l, energy: &en, magnetisation: &m };
    let (sums, k) = (FreeEnergy::new(samples, n), TwoPoint::new(samples, n, chunk));
    let mut rec = Recording::new();
    sums.record_averages(&mut rec, given, BETA);
    sums.record_importance(&mut rec, given, BETA);
    k.record(&mut rec, &s, given, &sums.weighted, BETA);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let got = k.finish(&gpu.read::<f32>(&k.products).map_err(|e| e.to_string())?);
    let reduced: Vec<f64> = (0..samples).map(|w| log_q[w] as f64 + BETA * energies[w] as f64).collect();
    let want = weighted(n, &spins, &reduced);
    // R rounds by ε of its terms, which moves weights by as much relatively; exp by (3 + 2 R) ε, sums by 40 ε
    let bound = (50.0 + 8.0 * size) * f32::EPSILON as f64;
    match (0..n * n).find(|at| !((got[*at] - want[*at]).abs() <= bound)) {
        Some(at) => Err(format!("{n} spins, {samples} samples: C[{}][{}] = {}, not {}", at / n, at % n, got[at], want[at])),
        None => Ok(()),
    }
}

/// Odd sizes, one chunk and several with a smaller last one, several spans and several parts.
fn sizes(gpu: &Gpu) -> Check {
    agrees(gpu, 5, 64, 64, 2.0)?;
    agrees(gpu, 13, 2500, 700, 3.0)?;
    agrees(gpu, 9, 1100, 1100, 30.0)
}

#[test]
fn correlations_are_those_of_the_twin() {
    verify(sizes);
}

#[test]
fn short_buffers_are_refused() {
    let (n, samples) = (5, 1100);
    refuses("two-point", &[n * samples, samples, samples, 37, 8 * samples, 55 * n * n], |rec, b| {
        let mut k = TwoPoint::new(samples, n, samples);
        (k.weighted, k.products) = (b[4].clone(), b[5].clone());
        let none = Buffer::new("none", 4);
        k.record(rec, &b[0], Samples { log_q: &b[1], energy: &b[2], magnetisation: &none }, &b[3], BETA);
    });
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&two_point::ROWS, "p.first + w;", "w;", sizes);
    mutant(&two_point::ROWS, "low - r, 0.0", "0.5 * (low - r), 0.0", sizes);
    mutant(&two_point::ROWS, "if (finite(r))", "if (p.count > 0u)", sizes);
    mutant(&two_point::ROWS, "low = min(low, partial[20u * g + 15u]);", "low = partial[20u * g + 15u] + 1e3;", sizes);
    mutant(&two_point::ROWS, "if (i < p.sites) { value = weight * spins", "if (i < p.sites) { value = spins", sizes);
}
