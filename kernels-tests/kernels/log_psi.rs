//! log_psi: the sum of its three terms, walkers past a workgroup included.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::log_psi;

use crate::harness::{Check, close, mutant, random, verify};

/// Two roundings of numbers below 4: 4 ε of the largest.
fn sum(gpu: &Gpu) -> Check {
    for walkers in [1, 64, 131] {
        let (slater, jacobian) = (random(1, walkers), random(2, walkers));
        let upload = |name: &str, v: &[f64]| gpu.upload(name, &v.iter().map(|&v| v as f32).collect::<Vec<_>>());
        let (a, b, out) = (upload("slater", &slater), upload("jacobian", &jacobian), Buffer::new("out", walkers));
        let mut rec = Recording::new();
        log_psi::record(&mut rec, "sum", walkers, -1.75, &a, &b, &out);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let want: Vec<f64> = slater.iter().zip(&jacobian).map(|(s, j)| s + 0.5 * j - 1.75).collect();
        close("ln psi", &gpu.read(&out).map_err(|e| e.to_string())?, &want, 4.0 * f32::EPSILON as f64)?;
    }
    Ok(())
}

#[test]
fn log_psi_is_the_sum_of_its_terms() {
    verify(sum);
    mutant(&log_psi::KERNEL, "0.5 * jacobian[w]", "jacobian[w]", sum);
}
