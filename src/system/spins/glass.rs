//! The Sherrington-Kirkpatrick spin glass (Phys. Rev. Lett. 35, 1792 (1975), doi 10.1103/PhysRevLett.35.1792).

use super::couplings::{Couplings, sized};
use crate::error::Result;
use crate::number::philox::{Stream, purpose};

impl Couplings {
    /// J_ij ~ N(0, 1/n), rounded to single precision, the same for a seed on every machine.
    ///
    /// Pair number p of (0, 1), (0, 2), …, (n - 2, n - 1) takes the normal number p of the seed's stream.
    ///
    /// # Errors
    /// [`crate::Error::User`] for n < 2.
    pub fn sherrington_kirkpatrick(n: usize, seed: u64) -> Result<Couplings> {
        sized(n)?;
        let stream = Stream { seed, step: 0, purpose: purpose::COUPLINGS, first_walker: 0 };
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        let width = 1.0 / (n as f64).sqrt();
        Couplings::from_bonds(n, pairs.zip(stream.normals()).map(|((i, j), x)| (i, j, (x * width) as f32 as f64)))
    }
}
