//! Networks of layers as data over rows of a buffer, a row a sample: outputs, scores and reverse mode by hand, and the
//! autoregressive spins drawn from such a network.

mod autoregressive;
mod net;

pub use crate::model::layer::{Layer, Triangle};
pub use autoregressive::Autoregressive;
pub use net::Net;
