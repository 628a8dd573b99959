//! Flows of two layers with everything in registers: values, derivatives of ln|det J| and probes against the twin.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::flow::{self, Signs};

use crate::flow::{CASES, Case, FIRST, SECOND, TWO_LAYERS, case, differences, read, scores_of};
use crate::harness::{Check, close, mutant, verify};

/// z and J, without and with the sums that derivatives need; other depths take the dense pass.
fn values(gpu: &Gpu) -> Check {
    for (index, laplace) in (0..CASES.len()).map(|i| (i, false)).chain(TWO_LAYERS.map(|i| (i, true))) {
        let c = case(gpu, index);
        if c.flow.has_lanes() != TWO_LAYERS.contains(&index) {
            return Err(format!("case {index}: has_lanes {}", c.flow.has_lanes()));
        }
        let mut rec = Recording::new();
        c.flow.record_pack(&mut rec, &c.params);
        if laplace {
            c.flow.record_lanes(&mut rec, &c.xb, c.walkers);
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
    c.flow.record_lanes(&mut rec, &c.xb, c.walkers);
    c.flow.record_lane_derivatives(&mut rec, &c.xb, &inverse, c.walkers, signs);
    gpu.run(&rec).map_err(|e| e.to_string())
}

/// Δz, ∇ ln|det J| and Δ ln|det J|, the last with all unit vectors; in one pass and in as many as memory may ask for.
fn laplacian(gpu: &Gpu) -> Check {
    for (index, pass) in TWO_LAYERS.map(|i| (i, usize::MAX)).into_iter().chain([(0, 4)]) {
        let mut c = case(gpu, index);
        c.flow.pass = c.flow.pass.min(pass);
        derivatives(&c, gpu, None)?;
        let ld = c.flow.ld();
        let (lap_z, grad, lap) = (read(gpu, &c.flow.lap_z)?, read(gpu, &c.flow.grad_logdet)?, read(gpu, &c.flow.lap_logdet)?);
        for w in 0..c.walkers {
            let (want_lap_z, want_grad, want_lap) = differences(&c, w);
            if c.flow.n > 1 {
                close(&format!("case {index}: lap z"), &lap_z[w * ld..], &want_lap_z, SECOND)?;
                close(&format!("case {index}: grad ln det J"), &grad[w * ld..], &want_grad, SECOND)?;
                close(&format!("case {index}: lap ln det J"), &lap[w..], &[want_lap], SECOND)?;
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
}
