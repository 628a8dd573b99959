//! What spins have for an energy.

use crate::error::Result;
use crate::gpu::{Buffer, Recording};
use crate::kernels::Chunk;
use crate::kernels::couplings::{Dense, Observables, Sparse};
use crate::kernels::stencil::Stencil;
use crate::system::spins::Couplings;

/// An energy of spins, computed on the device.
pub trait Energy {
    /// Number of spins n.
    fn sites(&self) -> usize;

    /// Whether E(-s) = E(s): q may then have the same symmetry.
    fn even(&self) -> bool;

    /// Records E and M = Σ s of `chunk`'s samples of `spins` (f32 ±1 `[sample][n]`) into the same rows of `out`.
    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables);
}

impl Energy for Stencil {
    fn sites(&self) -> usize {
        self.side * self.side
    }

    fn even(&self) -> bool {
        self.field == 0.0
    }

    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        Stencil::record(self, rec, chunk, spins, out);
    }
}

/// Couplings, as the kernels that suit them: products where most pairs are coupled, lists of bonds else.
struct Pairs {
    sites: usize,
    even: bool,
    form: Form,
}

enum Form {
    Dense(Dense),
    Sparse(Sparse),
}

impl Energy for Pairs {
    fn sites(&self) -> usize {
        self.sites
    }

    fn even(&self) -> bool {
        self.even
    }

    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        match &self.form {
            Form::Dense(dense) => dense.record(rec, chunk, spins, out),
            Form::Sparse(sparse) => sparse.record(rec, chunk, spins, out),
        }
    }
}

/// Bonds a site up to which a list of them is walked through faster than a row of a matrix.
const LISTED: usize = 16;

/// The energy of couplings without their offset, for chunks of at most `chunk` samples.
///
/// # Errors
/// [`crate::Error::User`] for couplings that the kernels do not take.
pub fn of_couplings(model: &Couplings, chunk: usize) -> Result<Box<dyn Energy>> {
    let n = model.n();
    let form = if model.bonds().len() <= LISTED * n {
        let bonds: Vec<(usize, usize, f64)> = model.bonds().iter().map(|b| (b.i, b.j, b.coupling)).collect();
        Form::Sparse(Sparse::new(n, &bonds, model.fields())?)
    } else {
        Form::Dense(Dense::new(n, &model.dense(), model.fields(), chunk)?)
    };
    Ok(Box::new(Pairs { sites: n, even: model.is_even(), form }))
}
