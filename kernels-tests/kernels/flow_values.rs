//! z and J by pulling the output rows back: against the twin and the dense forward pass.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::flow;

use crate::flow::{CASES, FIRST, case, read};
use crate::harness::{Check, close, mutant, verify};

fn values(gpu: &Gpu) -> Check {
    for index in 0..CASES.len() {
        let c = case(gpu, index);
        let mut rec = Recording::new();
        c.flow.record_pack(&mut rec, &c.params);
        c.flow.record_values(&mut rec, &c.xb, c.walkers);
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

#[test]
fn values_and_jacobian() {
    verify(values);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&flow::SUMS, "y0[$f] += f[$f]", "y0[$f] = f[$f]", values);
    mutant(&flow::PARTICLES, "h2[$c] = h1[$c] + s.v", "h2[$c] = s.v", values);
    mutant(&flow::MEAN_GRADIENT, "-t.q1[$k]", "t.q1[$k]", values);
    mutant(&flow::PULL_JACOBIAN, "+= own[$au", "-= own[$au", values);
}
