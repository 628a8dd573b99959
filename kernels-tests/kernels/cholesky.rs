//! Gram matrices, factors and solves against float64, at orders round the blocks of 64.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::cholesky::{CHOLESKY, Factor, GRAM, STATE_WORDS, TRIANGULAR};
use helmholtz::reference::optimize as twin;

use crate::harness::{Check, mutant, padded, random, verify};

/// x = (S Sᵀ + λ)⁻¹ b: the relative residual of a backward stable solve is below c n ε.
pub(crate) fn solves(gpu: &Gpu) -> Check {
    let text = |e: helmholtz::Error| e.to_string();
    for &(order, depth) in &[(1, 4), (63, 20), (64, 100), (65, 132), (200, 64), (257, 300)] {
        let (s, b) = (random(order as u64, order * depth), random(7, order));
        let state = gpu.upload("state", &[0u32; STATE_WORDS]);
        let factor = Factor::new("test", order, depth, &state);
        let mut stored = padded(&s, depth);
        stored.resize(factor.padded * depth, 0.0);
        let mut right: Vec<f32> = b.iter().map(|&x| x as f32).collect();
        right.resize(factor.padded, 0.0);
        let (rows, vector) = (gpu.upload("rows", &stored), gpu.upload("vector", &right));
        let scratch = Buffer::new("scratch", factor.padded);
        let mut rec = Recording::new();
        let shift = 1e-3;
        factor.record(&mut rec, gpu.profile, &rows, 0.5, shift, 1);
        factor.solve(&mut rec, &vector, &scratch);
        gpu.run(&rec).map_err(text)?;
        let words: Vec<u32> = gpu.read(&state).map_err(text)?;
        let trace: f64 = s.iter().map(|x| x * x).sum();
        let (got, lambda) = (f32::from_bits(words[6]) as f64, f32::from_bits(words[7]) as f64);
        if words[0] != 0 || (got / trace - 1.0).abs() > 1e-5 || (lambda / (0.5 + shift * trace) - 1.0).abs() > 1e-5 {
            return Err(format!("order {order}: state {words:?}, trace {got} want {trace}"));
        }
        let mut a = vec![0.0; order * order];
        for i in 0..order {
            for j in 0..order {
                a[i * order + j] = (0..depth).map(|k| s[i * depth + k] * s[j * depth + k]).sum();
            }
            a[i * order + i] += lambda;
        }
        let x: Vec<f32> = gpu.read(&vector).map_err(text)?;
        let norm = a.chunks(order).map(|row| row.iter().map(|v| v.abs()).sum::<f64>()).fold(0.0, f64::max);
        let size = x.iter().fold(0.0_f64, |m, v| m.max(v.abs() as f64));
        for (i, row) in a.chunks(order).enumerate() {
            let r = row.iter().zip(&x).map(|(a, x)| a * *x as f64).sum::<f64>() - b[i];
            let tolerance = f32::EPSILON as f64 * (4.0 + (order + depth) as f64) * norm * size;
            if !(r.abs() <= tolerance) {
                return Err(format!("order {order}, row {i}: residual {r:.2e}, tolerance {tolerance:.1e}"));
            }
        }
        if x[order..].iter().any(|&v| v != 0.0) {
            return Err(format!("order {order}: padding of the solution is not zero"));
        }
        let mut want = b.clone();
        twin::cholesky(&mut a, order).ok_or("the twin's matrix is not positive")?;
        twin::cholesky_solve(&a, order, &mut want);
        // cond <= trace / λ <= 1000
        let worst = want.iter().zip(&x).map(|(w, x)| (w - *x as f64).abs()).fold(0.0, f64::max);
        if !(worst <= 1e-4 * size) {
            return Err(format!("order {order}: solution off by {worst:.1e} of {size:.1e}"));
        }
    }
    Ok(())
}

#[test]
fn cholesky_solves_shifted_gram_systems() {
    verify(solves);
}

#[test]
fn broken_factorisations_are_noticed() {
    mutant(&GRAM, "dot4(v, columns[2u * $hu + 1u])", "dot4(v, columns[2u * $hu])", solves);
    mutant(&GRAM, "a += p.beta * target_matrix[at];", "a += 0.0;", solves);
    mutant(&CHOLESKY, "v[j % 4u] = -factor[i]", "v[j % 4u] = factor[i]", solves);
    mutant(&CHOLESKY, "select(1.0, regularised,", "select(0.0, regularised,", solves);
    mutant(&TRIANGULAR, "rhs[BLOCK * g + lane] -= sum", "rhs[BLOCK * g + lane] += sum", solves);
    mutant(&TRIANGULAR, "rhs[BLOCK * i + lane] -= sum", "rhs[BLOCK * i + lane] += sum", solves);
}
