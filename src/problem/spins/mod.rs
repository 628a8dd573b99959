//! Classical spins s_i = ±1 at temperature 1/β: their Boltzmann distribution from an autoregressive network q(s).
//!
//! β F_q = E_q\[ln q + β E\] ≥ -ln Z (Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019), doi
//! 10.1103/PhysRevLett.122.080602). Samples are drawn from q itself and are independent. k_B = 1, entropies in nats, energies
//! in those of the couplings.

mod alike;
mod annealing;
mod energy;
pub mod inverse;
pub mod kinds;
mod mean_fields;
mod options;
pub mod oracle;
mod pictures;
pub mod settings;
mod start;
mod state;
mod symmetry;

use std::sync::Arc;

pub use crate::kernels::couplings::Observables;
pub use annealing::{Annealing, Schedule};
pub use energy::{Energy, of_couplings};
pub use kinds::{SPINS, SYSTEM};
pub use options::Options;
pub use pictures::Subject;
pub use state::Spins;
pub use symmetry::Images;

use crate::model::layer::Layer;
use crate::model::made::Made;
use crate::model::parameters::Table;
use crate::model::pixel_cnn::PixelCnn;
use crate::model::transformer::Transformer;

/// A network q(s_i | s_1 .. s_(i-1)) before training.
#[derive(Clone)]
pub struct Network {
    /// From one spin a site to one logit a site.
    pub layers: Vec<Layer>,
    /// Names and shapes of its parameters.
    pub table: Table,
    /// Parameters as published, from a seed; see [`Network::start`].
    pub initial: Arc<dyn Fn(u64) -> Vec<f32> + Send + Sync>,
    /// Itself, if it is one masked matrix, whose draws and energies of few spins are one launch.
    pub one_layer: Option<Made>,
}

impl Network {
    /// Parameters to begin with: see `start.rs`.
    pub fn start(&self, seed: u64) -> Vec<f32> {
        let mut values = (self.initial)(seed);
        start::uniform(&self.layers, &mut values);
        values
    }
}

impl From<Made> for Network {
    fn from(made: Made) -> Network {
        Network {
            layers: made.layers(),
            table: made.parameters(),
            one_layer: (made.depth == 1).then(|| made.clone()),
            initial: Arc::new(move |seed| made.initial(seed)),
        }
    }
}

impl From<Transformer> for Network {
    fn from(transformer: Transformer) -> Network {
        Network {
            layers: transformer.layers(),
            table: transformer.parameters(),
            one_layer: None,
            initial: Arc::new(move |seed| transformer.initial(seed)),
        }
    }
}

impl From<PixelCnn> for Network {
    fn from(convolutions: PixelCnn) -> Network {
        Network {
            layers: convolutions.layers(),
            table: convolutions.parameters(),
            one_layer: None,
            initial: Arc::new(move |seed| convolutions.initial(seed)),
        }
    }
}
