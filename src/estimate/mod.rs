//! From sums over walkers to reported numbers with error bars.

pub mod average;
pub mod free_energy;
pub mod value;

pub use average::{Average, Batch, Draws, Scatter, average};
pub use value::Estimate;
