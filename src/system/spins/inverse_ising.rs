//! Couplings from correlations: the formulas that a learned answer is compared with.
//!
//! All take C_ij = ⟨s_i s_j⟩ (n x n, unit diagonal, zero magnetisation) and give J (n x n, zero diagonal) at inverse temperature β.
//! Sessak, Monasson, J. Phys. A 42, 055001 (2009), doi 10.1088/1751-8113/42/5/055001; Kappen, Rodríguez, Neural Comput. 10, 1137
//! (1998), doi 10.1162/089976698300017386.

use super::thermodynamics::temperature;
use crate::error::{Error, Result};
use crate::number::cholesky::inverse;

/// J of each entry off the diagonal, from C and C⁻¹.
fn off_diagonal(n: usize, c: &[f64], beta: f64, f: impl Fn(f64, f64) -> f64, inverted: &[f64]) -> Vec<f64> {
    let entry = |at: usize| if at / n == at % n { 0.0 } else { f(c[at], inverted[at]) / beta };
    (0..c.len()).map(entry).collect()
}

/// Refuses what are no correlations.
fn checked(c: &[f64], n: usize, beta: f64) -> Result<()> {
    temperature(beta)?;
    let wrong = |text: String| Err(Error::User(format!("inverse Ising: {text}")));
    if n < 2 || c.len() != n * n {
        return wrong(format!("{} correlations of n = {n} spins; give n² of at least 2 spins", c.len()));
    }
    if beta == 0.0 {
        return wrong("beta = 0; couplings leave no trace at infinite temperature".into());
    }
    match c.iter().position(|x| !(x.abs() <= 1.0)) {
        Some(at) => wrong(format!("C[{}][{}] = {}; correlations of ±1 spins lie between -1 and 1", at / n, at % n, c[at])),
        None => Ok(()),
    }
}

fn inverted(c: &[f64], n: usize) -> Result<Vec<f64>> {
    inverse(c, n).ok_or_else(|| {
        Error::Numerics(format!(
            "inverse Ising: the correlations of {n} spins are not positive definite (frozen spins, or fewer samples than spins): take more samples or a higher temperature"
        ))
    })
}

/// Refuses pairs of which artanh C is infinite.
fn loose(c: &[f64], n: usize) -> Result<()> {
    match (0..c.len()).find(|at| at / n != at % n && c[*at].abs() == 1.0) {
        Some(at) => Err(Error::Numerics(format!(
            "inverse Ising: C[{}][{}] = {}, so that artanh C is infinite (frozen spins): take more samples or a higher temperature",
            at / n,
            at % n,
            c[at]
        ))),
        None => Ok(()),
    }
}

/// Mean field: J = -C⁻¹/β.
///
/// # Errors
/// [`Error::User`] for what are no correlations; [`Error::Numerics`] for singular ones.
pub fn mean_field(c: &[f64], n: usize, beta: f64) -> Result<Vec<f64>> {
    checked(c, n, beta)?;
    Ok(off_diagonal(n, c, beta, |_, inverse| -inverse, &inverted(c, n)?))
}

/// Independent pairs: J = artanh(C)/β.
///
/// # Errors
/// As [`mean_field`].
pub fn independent_pairs(c: &[f64], n: usize, beta: f64) -> Result<Vec<f64>> {
    checked(c, n, beta)?;
    loose(c, n)?;
    Ok(off_diagonal(n, c, beta, |c, _| c.atanh(), c))
}

/// Sessak and Monasson: J = [-C⁻¹ + artanh C - C/(1 - C²)]/β, exact for two spins.
///
/// # Errors
/// As [`mean_field`].
pub fn sessak_monasson(c: &[f64], n: usize, beta: f64) -> Result<Vec<f64>> {
    checked(c, n, beta)?;
    loose(c, n)?;
    Ok(off_diagonal(n, c, beta, |c, inverse| -inverse + c.atanh() - c / ((1.0 - c) * (1.0 + c)), &inverted(c, n)?))
}

/// Root of the mean over all n² entries of (J - J')².
///
/// # Panics
/// If the matrices have different sizes.
pub fn error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "couplings that are compared");
    (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}
