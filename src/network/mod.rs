//! Networks of layers as data over rows of a buffer, a row a sample: outputs, scores and reverse mode by hand, and the
//! autoregressive spins drawn from such a network.

mod autoregressive;
mod layer;
mod net;

pub use autoregressive::Autoregressive;
pub use layer::{Layer, Triangle};
pub use net::Net;
