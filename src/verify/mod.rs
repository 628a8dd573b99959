//! `helmholtz verify`: every quantity of a reference case computed by the kernels and compared.

pub mod case;
pub mod compare;
pub mod evaluate;
pub mod table;
pub mod update;

pub use case::Case;
pub use compare::{Values, compare};
pub use evaluate::{compute, evaluate};
pub use table::{Measure, Quantity, Report};
