//! Parameter updates: Adam and stochastic reconfiguration, on the device, and that of a softmax in closed form.

mod adam;
mod learner;
mod settings;
mod softmax;
mod stochastic_reconfiguration;

pub use adam::Adam;
pub use learner::{Learner, Start};
pub use settings::{OPTIMISATION, Optimisation, Optimizer};
pub use softmax::Softmax;
pub use stochastic_reconfiguration::{Gauge, Inputs, Options, Report, StochasticReconfiguration};
