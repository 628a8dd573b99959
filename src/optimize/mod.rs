//! Parameter updates, computed on the device: Adam and stochastic reconfiguration.

mod adam;
mod stochastic_reconfiguration;

pub use adam::Adam;
pub use stochastic_reconfiguration::{Gauge, Inputs, Options, Report, StochasticReconfiguration};
