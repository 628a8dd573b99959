//! From sums over walkers to reported numbers with error bars.

pub mod average;
pub mod energies;
pub mod local_energy;
pub mod value;

pub use average::{Average, Batch, Draws, Scatter, average};
pub use energies::{Energies, Mean};
pub use local_energy::LocalEnergy;
pub use value::Estimate;
