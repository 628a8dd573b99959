//! Flows of two layers with everything in registers: values, derivatives of ln|det J| and probes against the twin.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::backflow::{self, Order, Signs};

use crate::backflow::{CASES, Case, FIRST, SECOND, SPINS, TWO_LAYERS, case, differences, read, scores_of};
use crate::backflow_rows::probes;
use crate::harness::{Check, close, mutant, verify};

/// z and J, without and with the sums that derivatives need; other depths take the dense pass.
fn values(gpu: &Gpu) -> Check {
    let spins = (CASES.len()..CASES.len() + SPINS.len()).flat_map(|i| [(i, false), (i, true)]);
    for (index, laplace) in (0..CASES.len()).map(|i| (i, false)).chain(TWO_LAYERS.map(|i| (i, true))).chain(spins) {
        let c = case(gpu, index);
        if c.flow.has_registers() != (TWO_LAYERS.contains(&index) || index >= CASES.len()) {
            return Err(format!("case {index}: has_registers {}", c.flow.has_registers()));
        }
        let mut rec = Recording::new();
        c.flow.record_pack(&mut rec, &c.params);
        if laplace {
            c.flow.record_register_values(&mut rec, &c.xb, c.walkers);
        } else {
            c.flow.record_values(&mut rec, &c.xb, c.walkers);
        }
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let (d, ld) = (c.flow.order(), c.flow.ld());
        let (z, jacobian) = (read(gpu, &c.flow.z)?, read(gpu, &c.flow.jacobian)?);
        for w in 0..c.walkers {
            let (want_z, want_j) = c.twin.values(c.position(w));
            close(&format!("case {index}: z"), &z[w * d..], &want_z, FIRST)?;
            let mut wide = vec![0.0; ld * ld];
            want_j.iter().enumerate().for_each(|(e, v)| wide[e / d * ld + e % d] = *v);
            close(&format!("case {index}: J"), &jacobian[w * ld * ld..], &wide, FIRST)?;
        }
    }
    Ok(())
}

/// Records values and derivatives of a case.
fn derivatives(c: &Case, gpu: &Gpu, signs: Option<Signs>) -> Result<(), String> {
    let inverse = c.inverse(gpu);
    let mut rec = Recording::new();
    c.flow.record_pack(&mut rec, &c.params);
    c.flow.record_register_values(&mut rec, &c.xb, c.walkers);
    c.flow.record_register_derivatives(&mut rec, &c.xb, &inverse, c.walkers, signs);
    gpu.run(&rec).map_err(|e| e.to_string())
}

/// Δz, ∇ ln|det J| and Δ ln|det J|, the last with all unit vectors; in one pass and in as many as memory may ask for.
fn laplacian(gpu: &Gpu) -> Check {
    let spins = (CASES.len()..CASES.len() + SPINS.len()).map(|i| (i, usize::MAX));
    for (index, pass) in TWO_LAYERS.map(|i| (i, usize::MAX)).into_iter().chain([(0, 4)]).chain(spins) {
        let mut c = case(gpu, index);
        c.flow.pass = c.flow.pass.min(pass);
        derivatives(&c, gpu, None)?;
        let ld = c.flow.ld();
        let (lap_z, grad, lap) = (read(gpu, &c.flow.lap_z)?, read(gpu, &c.flow.grad_logdet)?, read(gpu, &c.flow.lap_logdet)?);
        for w in 0..c.walkers {
            let (want_lap_z, want_grad, want_lap) = differences(&c, w);
            if c.flow.n() > 1 {
                close(&format!("case {index}: lap z"), &lap_z[w * ld..], want_lap_z, SECOND)?;
                close(&format!("case {index}: grad ln det J"), &grad[w * ld..], want_grad, SECOND)?;
                close(&format!("case {index}: lap ln det J"), &lap[w..], &[*want_lap], SECOND)?;
            } else if lap[w].abs() > 1e-4 {
                return Err(format!("one particle moves rigidly, yet lap ln det J = {}", lap[w]));
            }
            let beyond = lap_z[w * ld..][..ld][c.flow.order()..].iter().chain(&grad[w * ld..][..ld][c.flow.order()..]);
            if beyond.into_iter().any(|v| *v != 0.0) {
                return Err(format!("case {index}: padding is not 0"));
            }
        }
    }
    Ok(())
}

#[test]
fn values_and_jacobian() {
    verify(values);
}

#[test]
fn derivatives_of_the_determinant() {
    verify(laplacian);
}

#[test]
fn scores_agree_with_differences() {
    verify(|gpu| scores_of(gpu, &[0, 6, 7], true));
    verify(|gpu| scores_of(gpu, &[CASES.len(), CASES.len() + 1, CASES.len() + 2], true));
}

/// The dense passes do not know spins: a recording of theirs says so, and whoever asks for a flow is led past them.
#[test]
fn dense_passes_refuse_two_spins() {
    verify(|gpu| {
        let c = case(gpu, CASES.len());
        let refused = gpu.run(&c.forward(Order::First)).err().map_or(String::new(), |e| e.to_string());
        if refused.contains("one spin") { Ok(()) } else { Err(format!("the dense passes ran: {refused}")) }
    });
}

/// Random signs average to the exact Laplacian; depth 2 has the probed mean field besides the trace.
fn unbiased(gpu: &Gpu) -> Check {
    let c = case(gpu, 0);
    let inverse = c.inverse(gpu);
    let mut rec = Recording::new();
    c.flow.record_pack(&mut rec, &c.params);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let draws = 300;
    let mut sums = vec![(0.0, 0.0); c.walkers];
    for step in 0..draws {
        let mut rec = Recording::new();
        c.flow.record_register_values(&mut rec, &c.xb, c.walkers);
        c.flow.record_register_derivatives(&mut rec, &c.xb, &inverse, c.walkers, Some(probes(2, 7, step, 0)));
        gpu.run(&rec).map_err(|e| e.to_string())?;
        for (sum, v) in sums.iter_mut().zip(read(gpu, &c.flow.lap_logdet)?) {
            *sum = (sum.0 + v as f64 / draws as f64, sum.1 + (v as f64).powi(2) / draws as f64);
        }
    }
    for (w, (mean, square)) in sums.into_iter().enumerate() {
        let (want, error) = (c.laplacian(w), ((square - mean * mean).max(0.0) / draws as f64).sqrt());
        // fixed seed; 4 sigma would fail a right kernel once in 16,000 draws of the seed
        if (mean - want).abs() > 4.0 * error + SECOND * want.abs() {
            return Err(format!("walker {w}: probes give {mean} +- {error}, exact {want}"));
        }
        if error < 1e-3 * want.abs() / (draws as f64).sqrt() {
            return Err(format!("walker {w}: probes have no noise"));
        }
    }
    Ok(())
}

#[test]
fn random_signs_are_unbiased() {
    verify(unbiased);
}

/// One small case, so that many mutants are compiled in little time.
pub(crate) fn small_values(gpu: &Gpu) -> Check {
    values_of(gpu, 0)
}

/// The same of two spins.
pub(crate) fn spin_values(gpu: &Gpu) -> Check {
    values_of(gpu, CASES.len() + 2)
}

fn values_of(gpu: &Gpu, index: usize) -> Check {
    let c = case(gpu, index);
    derivatives(&c, gpu, None)?;
    let (z, jacobian) = (read(gpu, &c.flow.z)?, read(gpu, &c.flow.jacobian)?);
    let (want_z, want_j) = c.twin.values(c.position(0));
    let (d, ld) = (c.flow.order(), c.flow.ld());
    close("z", &z, &want_z, FIRST)?;
    (0..d).try_for_each(|r| close("J", &jacobian[r * ld..], &want_j[r * d..][..d], FIRST))
}

fn small_laplacian(gpu: &Gpu) -> Check {
    laplacian_of(gpu, 0)
}

fn laplacian_of(gpu: &Gpu, index: usize) -> Check {
    let c = case(gpu, index);
    derivatives(&c, gpu, None)?;
    let (want_lap_z, want_grad, want_lap) = differences(&c, 0);
    close("lap z", &read(gpu, &c.flow.lap_z)?, want_lap_z, SECOND)?;
    close("grad ln det J", &read(gpu, &c.flow.grad_logdet)?, want_grad, SECOND)?;
    close("lap ln det J", &read(gpu, &c.flow.lap_logdet)?, &[*want_lap], SECOND)
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&backflow::SUMS, "y0[$f] += f[$f]", "y0[$f] = f[$f]", small_values);
    mutant(&backflow::PARTICLES, "h2[$c] = h1[$c] + s.v", "h2[$c] = s.v", small_values);
    mutant(&backflow::MEAN_GRADIENT, "-t.q1[$k]", "t.q1[$k]", small_values);
    mutant(&backflow::PULL_JACOBIAN, "+= own[$au", "-= own[$au", small_values);
}

#[test]
fn broken_derivatives_are_noticed() {
    mutant(&backflow::ROW_SUMS, "* t.s1[$k] * e[$k], kk", "* t.s1[$k] * e[$k], -kk", small_laplacian);
    mutant(&backflow::ROW_PAIRS, "2.0 * cross", "cross", small_laplacian);
    mutant(&backflow::CROSS, "squares[$c] += d[$k] * d[$k]", "squares[$c] += d[$k]", small_laplacian);
    mutant(&backflow::ROW_LAPLACIAN, "turn[$c] * first[$c]", "first[$c]", small_laplacian);
    mutant(&backflow::MEAN_LAPLACIAN, "2.0 * s.s1 * inv * inv * both", "s.s1 * inv * inv * both", small_laplacian);
    mutant(&backflow::MEAN_HESSIAN, "odd - even", "odd + even", small_laplacian);
    mutant(&backflow::PROBE_SUMS, "slope[id * H4 + $cu] = s.s1", "slope[id * H4 + $cu] = s.s", small_laplacian);
    mutant(&backflow::PROBE_ROWS, "+ s1[$c] * through[$c]", "", small_laplacian);
    mutant(&backflow::PROBE_JACOBIAN, "+ q2 * bend", "", small_laplacian);
    mutant(&backflow::PROBE_TRACE, "product[k + c * p.ld + r]", "product[k + r * p.ld + c]", small_laplacian);
    mutant(&backflow::GRADIENT_PAIRS, "acc[$c] += rho2", "acc[$c] -= rho2", small_laplacian);
    mutant(&backflow::GRADIENT, "dot(hessian[at], vec4<f32>(1.0))", "hessian[at].x", small_laplacian);
    mutant(&backflow::LAPLACIAN_SUM, "shares += mean", "shares -= mean", small_laplacian);
}

#[test]
fn broken_scores_are_noticed() {
    let scores = |gpu: &Gpu| scores_of(gpu, &[0], true);
    mutant(&backflow::SCORE_TOP, "0.5 * weight * ds2[$c] * da2", "weight * ds2[$c] * da2", scores);
    mutant(&backflow::SCORE_BOTTOM, "+ half * slope[id * H4 + $cu]", "- half * slope[id * H4 + $cu]", scores);
    mutant(&backflow::SCORE_WEIGHTS, "value += rho[$a][$c] * s.s1 * wa", "value += rho[$a][$c] * s.s * wa", scores);
    mutant(&backflow::SCORE_SUM, "sum += scores[to]", "sum = scores[to]", scores);
}

/// Each kernel that meets pairs must tell those of unlike spins from the others.
#[test]
fn kernels_that_mix_spins_up_are_noticed() {
    let spins = |gpu: &Gpu| laplacian_of(gpu, CASES.len() + 2);
    let scores = |gpu: &Gpu| scores_of(gpu, &[CASES.len() + 2], true);
    mutant(&backflow::SUMS, "unlike(id - first, j)", "false", spin_values);
    mutant(&backflow::PULL_JACOBIAN, "unlike(i, j)", "false", spin_values);
    for kernel in [&backflow::ROW_PAIRS, &backflow::CROSS, &backflow::PROBE_SUMS, &backflow::PROBE_JACOBIAN, &backflow::GRADIENT_PAIRS] {
        mutant(kernel, "unlike(i, j)", "false", spins);
    }
    mutant(&backflow::SCORE_WEIGHTS, "other != (p.flags == 1u)", "false", scores);
}
