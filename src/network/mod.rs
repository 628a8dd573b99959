//! Networks of layers as data over rows of a buffer, a row a sample or a token: outputs, scores and reverse mode by hand, and the
//! autoregressive spins and occupied orbitals drawn from such networks.

mod autoregressive;
mod net;
mod occupation;
mod placed;
mod reverse;
mod sampler;

pub use crate::model::layer::{Dense, Layer, Mask, Triangle};
pub use crate::model::window::Window;
pub use autoregressive::{Autoregressive, Pass, sites};
pub use net::Net;
pub use occupation::OccupationKernels;
pub use sampler::Sampler;
