//! What is simulated, in float64 and without a device: cells, orbitals, couplings, exact tables and limits.

pub mod complete;
pub mod dual_ising;
pub mod electron_gas;
pub mod ewald;
pub mod ideal_gas;
mod lattice;
pub mod oscillator;
pub mod spins;
pub mod splitting;
pub mod two_electrons;
pub mod wolff;

pub use complete::Complete;
pub use dual_ising::DualIsing;
pub use electron_gas::ElectronGas;
pub use ewald::Ewald;
pub use ideal_gas::IdealGas;
pub use oscillator::Dot;
pub use spins::Couplings;
