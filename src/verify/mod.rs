//! `helmholtz verify`: every quantity of a reference case computed by the kernels and compared.

pub mod case;
pub mod evaluate;
pub mod table;

pub use case::Case;
pub use evaluate::evaluate;
pub use table::{Measure, Quantity, Report};
