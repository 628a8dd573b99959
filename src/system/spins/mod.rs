//! Spin systems s_i = ±1: couplings, and what is known of them exactly or in mean field.
//!
//! k_B = 1, energies in the units of the couplings, entropies in nats. [`Couplings`] is any Ising model with pair
//! couplings and fields: the square and the triangular lattice, a Sherrington-Kirkpatrick instance, a Hopfield network, a
//! user's file. Beside a run stand [`torus`] (lattices of any size), [`transfer`] (open
//! ones up to L = 16), [`enumeration`] (any model of few spins), [`hopfield`]
//! (two patterns), [`chain`], and the approximations [`mean_field`] (a bound), [`bethe`] and [`tap`] (none) and [`inverse_ising`].

pub mod bethe;
pub mod chain;
pub mod correlations;
pub mod couplings;
pub mod enumeration;
mod file;
pub mod glass;
pub mod hopfield;
pub mod inverse_ising;
pub mod iteration;
pub mod lattice;
pub mod mean_field;
mod npy;
pub mod tap;
#[cfg(test)]
mod tests;
mod text;
pub mod thermodynamics;
pub mod torus;
pub mod transfer;

pub use correlations::Correlations;
pub use couplings::{Bond, Couplings, Neighbours};
pub use enumeration::Enumeration;
pub use hopfield::Hopfield;
pub use lattice::{Boundary, Lattice};
pub use mean_field::MeanField;
pub use thermodynamics::Thermodynamics;
