//! Δ ln|det J| by output rows: exact with all unit vectors, unbiased and quieter with random signs.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::backflow::{self, Directions, Order, Signs};
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::reference::philox::philox;

use crate::backflow::{CASES, Case, SECOND, case, invert, read};
use crate::harness::{Check, close, mutant, verify};

/// All unit vectors: the twin's Laplacian, every depth and dimension; in one pass and in as many as memory may ask for.
fn exact(gpu: &Gpu) -> Check {
    for (index, pass) in (0..CASES.len()).map(|index| (index, usize::MAX)).chain([(0, 1), (1, 2)]) {
        let mut c = case(gpu, index);
        c.flow.pass = c.flow.pass.min(pass);
        let inverse = c.inverse(gpu);
        let mut rec = c.forward(Order::Third);
        c.flow.record_jet_derivatives(&mut rec, &inverse, c.walkers, Directions::RowsExact);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let lap = read(gpu, &c.flow.lap_logdet)?;
        for (w, lap) in lap.iter().enumerate().take(c.walkers) {
            if c.flow.n() > 1 {
                close(&format!("case {index}: lap ln det J"), &[*lap], &[c.laplacian(w)], SECOND)?;
            } else if lap.abs() > 1e-4 {
                return Err(format!("one particle moves rigidly, yet lap ln det J = {lap}"));
            }
        }
    }
    Ok(())
}

/// Sign vectors of so many probes.
pub fn probes(probes: usize, seed: u64, step: u32, first_walker: u32) -> Signs {
    Signs { probes, at: Stream { seed, step, purpose: purpose::PROBES, first_walker } }
}

/// The sign vector that the kernels draw for a walker.
fn signs(s: Signs, w: usize, d: usize) -> Vec<f64> {
    let bit = |b: usize| philox(s.at.key(), [b as u32, s.at.first_walker + w as u32, s.at.step, purpose::PROBES])[0] & 1;
    (0..d).map(|b| if bit(b) == 0 { 1.0 } else { -1.0 }).collect()
}

/// tr((J⁻¹ ∂_vJ)²) by differences of the twin.
fn tau(c: &Case, w: usize, v: &[f64]) -> f64 {
    let d = v.len();
    let inverse = invert(&c.twin.values(c.position(w)).1, d);
    let at = |s: f64| c.twin.values(&c.position(w).iter().zip(v).map(|(x, v)| x + s * v).collect::<Vec<_>>()).1;
    let h = 1e-3;
    let (far, near) = ([at(2.0 * h), at(-2.0 * h)], [at(h), at(-h)]);
    let slope: Vec<f64> = (0..d * d).map(|e| (8.0 * (near[0][e] - near[1][e]) - (far[0][e] - far[1][e])) / (12.0 * h)).collect();
    let mut k = vec![0.0; d * d];
    for e in 0..d * d {
        k[e] = (0..d).map(|m| inverse[e / d * d + m] * slope[m * d + e % d]).sum();
    }
    (0..d * d).map(|e| k[e] * k[e % d * d + e / d]).sum()
}

/// Depth 1 has no mean field: Δq = Δ ln|det J| + τ is exact, so each draw must differ from it by its own τ alone.
fn only_tau_is_random(gpu: &Gpu) -> Check {
    let c = case(gpu, 2);
    let (d, inverse) = (c.flow.order(), c.inverse(gpu));
    let unit = |b: usize| (0..d).map(|e| if e == b { 1.0 } else { 0.0 }).collect::<Vec<_>>();
    for step in 0..3 {
        let draw = probes(1, 11, step, 5);
        let mut rec = c.forward(Order::Third);
        c.flow.record_jet_derivatives(&mut rec, &inverse, c.walkers, Directions::Rows(draw));
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let got = read(gpu, &c.flow.lap_logdet)?;
        for (w, got) in got.iter().enumerate().take(c.walkers) {
            let q = c.laplacian(w) + (0..d).map(|b| tau(&c, w, &unit(b))).sum::<f64>();
            close("lap q - tau", &[*got], &[q - tau(&c, w, &signs(draw, w, d))], SECOND)?;
        }
    }
    Ok(())
}

/// Mean and variance over `draws` of both probed forms.
fn moments(gpu: &Gpu, c: &Case, of: fn(Signs) -> Directions, draws: u32, probes: usize) -> Result<Vec<(f64, f64)>, String> {
    let inverse = c.inverse(gpu);
    gpu.run(&c.forward(Order::Third)).map_err(|e| e.to_string())?;
    let mut sums = vec![(0.0, 0.0); c.walkers];
    for step in 0..draws {
        let mut rec = Recording::new();
        c.flow.record_jet_derivatives(&mut rec, &inverse, c.walkers, of(self::probes(probes, 7, step, 0)));
        gpu.run(&rec).map_err(|e| e.to_string())?;
        for (sum, v) in sums.iter_mut().zip(read(gpu, &c.flow.lap_logdet)?) {
            *sum = (sum.0 + v as f64 / draws as f64, sum.1 + (v as f64).powi(2) / draws as f64);
        }
    }
    Ok(sums.iter().map(|s| (s.0, s.1 - s.0 * s.0)).collect())
}

/// Random signs: the mean over many draws is the exact Laplacian (depth 2 and 3).
fn unbiased(gpu: &Gpu) -> Check {
    for index in [0, 5] {
        let c = case(gpu, index);
        let draws = 300;
        for (w, (mean, variance)) in moments(gpu, &c, Directions::Rows, draws, 2)?.into_iter().enumerate() {
            let (want, error) = (c.laplacian(w), (variance.max(0.0) / draws as f64).sqrt());
            // fixed seed; 4 sigma would fail a right kernel once in 16,000 draws of the seed
            if (mean - want).abs() > 4.0 * error + SECOND * want.abs() {
                return Err(format!("case {index}, walker {w}: probes give {mean} +- {error}, exact {want}"));
            }
        }
    }
    Ok(())
}

#[test]
fn unit_vectors_are_exact() {
    verify(exact);
}

#[test]
fn only_one_trace_is_random() {
    verify(only_tau_is_random);
}

#[test]
fn random_signs_are_unbiased() {
    verify(unbiased);
}

/// Where Hutchinson's noise is that of all of the Laplacian, here it is that of τ (depth 2: no other probed term counts).
fn quieter(gpu: &Gpu) -> Check {
    let c = case(gpu, 0);
    let (rows, all) = (moments(gpu, &c, Directions::Rows, 100, 1)?, moments(gpu, &c, Directions::Signs, 100, 1)?);
    for (w, (rows, all)) in rows.iter().zip(&all).enumerate() {
        let draws: Vec<f64> = (0..100).map(|step| tau(&c, w, &signs(probes(1, 7, step, 0), w, c.flow.order()))).collect();
        let mean = draws.iter().sum::<f64>() / 100.0;
        let want = draws.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / 100.0;
        // the same signs; the probed mean field adds some per cent with these rough parameters
        if (rows.1 / want - 1.0).abs() > 0.1 || rows.1 > 0.3 * all.1 {
            return Err(format!("walker {w}: variance {}, of tau alone {want}, of Hutchinson's estimate {}", rows.1, all.1));
        }
    }
    Ok(())
}

#[test]
fn noise_is_that_of_one_trace() {
    verify(quieter);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&backflow::TANGENT_GATHER, "directions[v + k * stride] * mean", "0.5 * mean", exact);
    mutant(&backflow::ROW_CROSS, "along * mean", "mean", exact);
    mutant(&backflow::ROW_CROSS, "out[at + W4] = slope * m;", "out[at + W4] = m;", exact);
    mutant(&backflow::ROW_ADJOINT, "out[at] = f.s * adjoint[at]", "out[at] = adjoint[at]", exact);
    mutant(&backflow::ROW_MEAN, "cross += slope * e", "cross += e", exact);
    mutant(&backflow::ROW_SUM, "lap[w] += p.scale * sum", "lap[w] += 0.5 * sum", exact);
    mutant(&backflow::PROBE_SUM, "(p.flags & 4u) == 0u", "true", exact);
}
