//! From sums over walkers to reported numbers with error bars.

pub mod energies;
pub mod statistics;

pub use energies::{Energies, Mean};
