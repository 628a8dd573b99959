//! Numbers that exact formulas give.

use crate::error::{Error, Result};

/// A canonical ensemble of n spins; energies of the whole system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thermodynamics {
    /// Number of spins.
    pub n: usize,
    /// Inverse temperature.
    pub beta: f64,
    /// ln Z.
    pub ln_z: f64,
    /// ⟨E⟩; `None` where the formula has lost its digits.
    pub energy: Option<f64>,
    /// β² Var(E); `None` as above.
    pub heat_capacity: Option<f64>,
}

/// Refuses temperatures that are none.
pub(super) fn temperature(beta: f64) -> Result<()> {
    if beta.is_finite() && beta >= 0.0 {
        return Ok(());
    }
    Err(Error::User(format!("beta = {beta}; the inverse temperature is a finite number ≥ 0")))
}

impl Thermodynamics {
    /// F = -ln Z/(β n).
    pub fn free_energy_per_site(&self) -> f64 {
        -self.ln_z / (self.beta * self.n as f64)
    }

    /// ⟨E⟩/n.
    pub fn energy_per_site(&self) -> Option<f64> {
        self.energy.map(|e| e / self.n as f64)
    }

    /// S = (ln Z + β⟨E⟩)/n.
    pub fn entropy_per_site(&self) -> Option<f64> {
        self.energy.map(|e| (self.ln_z + self.beta * e) / self.n as f64)
    }

    /// β² Var(E)/n.
    pub fn heat_capacity_per_site(&self) -> Option<f64> {
        self.heat_capacity.map(|c| c / self.n as f64)
    }
}
