//! Variational free energies of quantum and classical matter with deep generative models, computed
//! by WGSL kernels on any GPU.
//!
//! The kernels are a library of their own: each records [`gpu::Dispatch`]es over [`Buffer`]s into a
//! [`Recording`], which a [`Gpu`] runs, times, or prints. Batched determinants of 3 matrices of order 2:
//!
//! ```
//! use helmholtz::kernels::determinant::{self, Outputs};
//! use helmholtz::{Gpu, Recording};
//!
//! # fn main() -> helmholtz::Result<()> {
//! let gpu = Gpu::open(None)?;
//! // row stride and number of rows are padded to multiples of 4
//! let mut matrices = [0.0f32; 3 * 16];
//! for (w, m) in matrices.chunks_mut(16).enumerate() {
//!     (m[0], m[1], m[4], m[5]) = (2.0, 1.0, 1.0, 1.0 + w as f32);
//! }
//! let matrices = gpu.upload("matrices", &matrices);
//! let out = Outputs::real("example", 2, 3, false)?;
//! let mut rec = Recording::new();
//! determinant::real(&mut rec, "ln|det|", gpu.profile, &matrices, 2, 3, &out);
//! gpu.run(&rec)?;
//! let logdet: Vec<f32> = gpu.read_words(&out.logdet, 3)?;
//! for (w, l) in logdet.iter().enumerate() {
//!     assert!((l.exp() - (1.0 + 2.0 * w as f32)).abs() < 1e-5);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Trainer`] puts them together for the uniform electron gas: see
//! [`system::electron_gas`] for units and conventions, [`wave_function`] and [`kernels::backflow`] for the
//! wave function and its derivatives, [`optimize`] for the updates.

pub mod atomic_file;
pub mod checksum;
pub mod cli;
pub mod config;
pub mod error;
pub mod estimate;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod number;
pub mod optimize;
pub mod reference;
pub mod report;
pub mod run;
pub mod sample;
pub mod system;
pub mod verify;
pub mod wave_function;

pub use error::{Error, Result};
pub use gpu::{Buffer, Gpu, Recording};
pub use model::backflow::Backflow;
pub use model::occupation::Occupation;
pub use optimize::{Adam, StochasticReconfiguration};
pub use run::trainer::Trainer;
pub use system::electron_gas::ElectronGas;
pub use system::ewald::Ewald;
pub use system::ideal_gas::IdealGas;
pub use wave_function::WaveFunction;
