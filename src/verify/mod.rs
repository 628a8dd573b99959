//! `helmholtz verify`: every quantity of a reference case computed by the kernels and compared.

pub mod audit;
pub mod case;
pub mod compare;
pub mod evaluate;
pub mod spins;
pub mod table;
pub mod update;

pub use case::Case;
pub use compare::{Values, compare};
pub use evaluate::{compute, evaluate};
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::gpu::Gpu;

pub use table::{Measure, Quantity, Report};

/// The JSON of a case.
fn json(path: &Path) -> Result<Value> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::User(format!("{shown}: no such file")),
        _ => Error::Io(format!("{shown}: cannot be read: {e}")),
    })?;
    serde_json::from_str(&text).map_err(|e| Error::User(format!("{shown} is not valid JSON: {e}")))
}

/// A reference case of any system, told by what its file holds.
pub enum Reference {
    Spins(spins::Case),
    Electrons(Box<Case>),
}

impl Reference {
    /// Reads the case of a JSON file.
    ///
    /// # Errors
    /// [`Error::User`] for what is no case, [`Error::Io`] for what cannot be read.
    pub fn read(path: &Path) -> Result<Reference> {
        let json = json(path)?;
        Ok(match json.get("J") {
            Some(_) => Reference::Spins(spins::Case::of(path, &json)?),
            None => Reference::Electrons(Box::new(Case::of(path, &json)?)),
        })
    }

    /// Everything it holds, computed by the kernels and compared.
    pub fn evaluate(&self, gpu: &Gpu) -> Result<Report> {
        match self {
            Reference::Spins(case) => case.evaluate(gpu),
            Reference::Electrons(case) => evaluate(case, gpu),
        }
    }
}
