//! The result of a run.

use serde::{Deserialize, Serialize};

/// A number and its standard error, autocorrelation included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub error: f64,
}

impl Estimate {
    pub fn new(value: f64, error: f64) -> Self {
        Estimate { value, error }
    }
}

/// Exact values of the ideal gas (canonical, in the run's orbitals), per electron.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ideal {
    /// F and E in the run's energy unit, S in k_B.
    pub f: f64,
    pub e: f64,
    pub s: f64,
}

/// F, E, K, V in the run's energy unit and S in k_B, all per electron.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thermo {
    pub f: Estimate,
    pub e: Estimate,
    pub k: Estimate,
    pub v: Estimate,
    pub s: Estimate,
}

/// What a run says at its end; `summary.json` holds exactly this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub system: String,
    /// Unit of the energies.
    pub energy_unit: String,
    pub n: usize,
    pub dim: usize,
    pub rs: f64,
    pub theta: f64,
    /// Training steps done.
    pub steps: usize,
    pub batch: usize,
    pub seconds: f64,
    /// Final averages (frozen parameters if there were evaluation steps).
    pub result: Thermo,
    /// What the averages are over, in words: "50 evaluation steps of 512 walkers".
    pub averaged_over: String,
    /// The same quantities before the first update.
    pub start: Option<Thermo>,
    pub ideal: Option<Ideal>,
    pub acceptance: f64,
    /// Integrated autocorrelation time of the energy, in steps.
    pub tau: f64,
    /// Walkers left out because their local energy was not finite.
    pub nonfinite: u64,
    /// How it ended: finished, stopped by the user, numerics.
    pub ended: String,
    pub device: String,
    /// What a reader should know before quoting the numbers.
    pub notes: Vec<String>,
}
