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

    /// What the energies that [`Energy::record`] gives leave out.
    fn offset(&self) -> f64 {
        0.0
    }

    /// J and h on the device as [`crate::kernels::couplings::table`] has them, where they are dense.
    fn table(&self) -> Option<&Buffer> {
        None
    }

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
    offset: f64,
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

    fn offset(&self) -> f64 {
        self.offset
    }

    fn table(&self) -> Option<&Buffer> {
        match &self.form {
            Form::Dense(dense) => Some(&dense.table),
            Form::Sparse(_) => None,
        }
    }

    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        match &self.form {
            Form::Dense(dense) => dense.record(rec, chunk, spins, out),
            Form::Sparse(sparse) => sparse.record(rec, chunk, spins, out),
        }
    }
}

/// Share of all pairs up to which a list of bonds is walked through faster than the rows of a matrix.
const LISTED: f64 = 0.2;

/// The energy of couplings, for chunks of at most `chunk` samples.
///
/// # Errors
/// [`crate::Error::User`] for couplings that the kernels do not take.
pub fn of_couplings(model: &Couplings, chunk: usize) -> Result<Box<dyn Energy>> {
    let n = model.n();
    let pairs = 0.5 * (n * (n - 1)) as f64;
    let form = if (model.bonds().len() as f64) < LISTED * pairs {
        let bonds: Vec<(usize, usize, f64)> = model.bonds().iter().map(|b| (b.i, b.j, b.coupling)).collect();
        Form::Sparse(Sparse::new(n, &bonds, model.fields())?)
    } else {
        Form::Dense(Dense::new(n, &model.dense(), model.fields(), chunk)?)
    };
    Ok(Box::new(Pairs { sites: n, even: model.is_even(), offset: model.offset(), form }))
}
