//! What is simulated, in float64 and without a device: cells, orbitals, exact tables and limits.

pub mod electron_gas;
pub mod ewald;

pub use electron_gas::ElectronGas;
pub use ewald::Ewald;
