//! Twin of `philox`: the numbers that the host draws.

pub use crate::number::philox::{normal4, philox, uniform4};
