//! Parameter updates, computed on the device: Adam and stochastic reconfiguration.

mod adam;
mod learner;
mod settings;
mod stochastic_reconfiguration;

pub use adam::Adam;
pub use learner::{Learner, Start};
pub use settings::{OPTIMISATION, Optimisation, Optimizer};
pub use stochastic_reconfiguration::{Gauge, Inputs, Options, Report, StochasticReconfiguration};
