//! From sums over walkers to reported numbers with error bars.

pub mod average;
pub mod blocking;
pub mod chains;
pub mod difference;
pub mod free_energy;
pub mod jackknife;
pub mod plot;
pub mod split;
pub mod value;

pub use average::{Average, Batch, Draws, Scatter, average};
pub use jackknife::jackknife;
pub use plot::Plot;
pub use split::Split;
pub use value::{Estimate, plus_minus};
