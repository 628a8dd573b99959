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
//! Free fermions in the ground state of a box, drawn exactly; numbers depend on the [`Stream`] alone, on every device:
//!
//! ```
//! use helmholtz::kernels::dpp::{self, Draw, Outputs};
//! use helmholtz::number::philox::purpose;
//! use helmholtz::{ElectronGas, Gpu, Recording, Stream};
//!
//! # fn main() -> helmholtz::Result<()> {
//! let gpu = Gpu::open(None)?;
//! // rs = 1, T = 0.15 T_F, no twist
//! let (n, dim, walkers) = (5, 2, 2048);
//! let gas = ElectronGas::with(n, dim, 1.0, 0.15, None, Some(&[0.0, 0.0]))?;
//! let ground: Vec<u32> = gas.ground_state().map(|orbital| orbital as u32).collect();
//! let states = gpu.upload("states", &ground.repeat(walkers));
//! let orbitals = gpu.upload("orbitals", &gas.momenta_padded());
//! let out = Outputs::new(n, dim, walkers);
//! let at = Stream { seed: 1, step: 0, purpose: purpose::POSITIONS, first_walker: 0 };
//! let mut rec = Recording::new();
//! dpp::record(&mut rec, gpu.profile, &gas, Draw { at, walkers }, &states, &orbitals, &out)?;
//! gpu.run(&rec)?;
//! let z: Vec<f32> = gpu.read_words(&out.z, walkers * n * dim)?;
//! // S(q) = 1 - (pairs k, k + q that are occupied)/n: 3/5 for the shortest q of these five
//! let phase = |x: f32| std::f64::consts::TAU * x as f64 / gas.length();
//! let wave = |w: &[f32]| w.chunks(dim).fold((0.0, 0.0), |(c, s), r| (c + phase(r[0]).cos(), s + phase(r[0]).sin()));
//! let squares = z.chunks(n * dim).map(wave).map(|(c, s)| (c * c + s * s) / n as f64);
//! assert!((squares.sum::<f64>() / walkers as f64 - 0.6).abs() < 0.06);
//! # Ok(())
//! # }
//! ```
//!
//! [`Trainer`] puts them together for the uniform electron gas: see
//! [`system::electron_gas`] for units and conventions, [`wave_function`] and [`kernels::backflow`] for the
//! wave function and its derivatives, [`optimize`] for the updates.

#![warn(missing_docs)]

#[doc(hidden)]
pub mod atomic_file;
#[doc(hidden)]
pub mod checksum;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod config;
pub mod error;
pub mod estimate;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod network;
pub mod number;
pub mod optimize;
#[doc(hidden)]
pub mod problem;
#[doc(hidden)]
pub mod reference;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod run;
pub mod sample;
pub mod system;
#[doc(hidden)]
pub mod tensors;
#[doc(hidden)]
pub mod verify;
pub mod wave_function;

pub use config::Resolved;
pub use error::{Error, Result};
pub use gpu::{Buffer, Gpu, Profile, Recording};
pub use model::backflow::Backflow;
pub use model::file::ParameterFile;
pub use model::made::Made;
pub use model::occupation::Occupation;
pub use number::philox::Stream;
pub use optimize::{Adam, Learner, StochasticReconfiguration};
pub use problem::electron_gas::{Energies, LocalEnergy, Settings, Trainer};
pub use problem::spins::{Energy, Spins};
pub use problem::{Kind, Problem, train};
pub use sample::{Exact, Metropolis, Sampler};
pub use system::{ElectronGas, Ewald, IdealGas};
pub use wave_function::WaveFunction;
