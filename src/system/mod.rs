pub mod electron_gas;
pub mod ewald;
pub mod ideal_gas;

pub use electron_gas::ElectronGas;
pub use ewald::Ewald;
pub use ideal_gas::IdealGas;
