//! The open chain of n spins, solved by hand: ln Z = n ln 2 + (n - 1) ln cosh βJ.
//!
//! A network of one layer with weights W_(i,i-1) = 2βJ is its Boltzmann distribution: every sample has the same
//! ln q + βE = -ln Z, a test of zero variance.

use super::couplings::Couplings;
use super::thermodynamics::{Thermodynamics, temperature};
use crate::error::Result;
use crate::number::special::ln_2cosh;

impl Couplings {
    /// J between each site and the next.
    ///
    /// # Errors
    /// [`crate::Error::User`] for n < 2, and J that is not finite in single precision.
    pub fn chain(n: usize, coupling: f64) -> Result<Couplings> {
        Couplings::from_bonds(n, (1..n).map(|i| (i - 1, i, coupling)))
    }
}

/// The chain of [`Couplings::chain`], to rounding.
///
/// # Errors
/// [`crate::Error::User`] for a β that is negative or not finite.
pub fn exact(n: usize, coupling: f64, beta: f64) -> Result<Thermodynamics> {
    temperature(beta)?;
    let (bonds, k) = (n.saturating_sub(1) as f64, beta * coupling);
    let ln_z = std::f64::consts::LN_2 + bonds * ln_2cosh(k);
    // 1/cosh² without overflow
    let variance = bonds * (2.0 * (std::f64::consts::LN_2 - ln_2cosh(k))).exp();
    let (energy, heat) = (-bonds * coupling * k.tanh(), k * k * variance);
    Ok(Thermodynamics { n, beta, ln_z, energy: Some(energy), heat_capacity: Some(heat) })
}
