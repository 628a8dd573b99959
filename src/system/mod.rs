//! What is simulated, in float64 and without a device: cells, orbitals, exact tables and limits.

pub mod electron_gas;
pub mod ewald;
pub mod ideal_gas;
mod lattice;

pub use electron_gas::ElectronGas;
pub use ewald::Ewald;
pub use ideal_gas::IdealGas;
