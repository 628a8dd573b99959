//! Variational free energies of quantum and classical matter with deep generative models, computed
//! by WGSL kernels on any GPU.
//!
//! The kernels are a library of their own: each records [`gpu::Dispatch`]es over [`Buffer`]s into a
//! [`Recording`], which a [`Gpu`] runs, times, or prints. Determinants of 3 matrices of order 2 and their gradients,
//! d ln|det A|/dA = A⁻ᵀ:
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
//! let out = Outputs::real("example", 2, 3, true)?;
//! let mut rec = Recording::new();
//! determinant::real(&mut rec, "ln|det| and inverse", gpu.profile, &matrices, 2, 3, &out);
//! gpu.run(&rec)?;
//! let logdet: Vec<f32> = gpu.read_words(&out.logdet, 3)?;
//! let inverse: Vec<f32> = gpu.read_words(out.inverse.as_ref().unwrap(), 3 * 16)?;
//! for (w, l) in logdet.iter().enumerate() {
//!     let det = 1.0 + 2.0 * w as f32;
//!     assert!((l.exp() / det - 1.0).abs() < 1e-5);
//!     // by A_11 (row 1, column 1): A_00/det
//!     assert!((inverse[16 * w + 5] - 2.0 / det).abs() < 1e-5);
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
//! Spins drawn from a network with their ln q and the scores ∂ ln q/∂θ, a row a sample:
//!
//! ```
//! use helmholtz::kernels::Chunk;
//! use helmholtz::network::Autoregressive;
//! use helmholtz::number::philox::purpose;
//! use helmholtz::{Buffer, Gpu, Made, Recording, Stream};
//!
//! # fn main() -> helmholtz::Result<()> {
//! let gpu = Gpu::open(None)?;
//! let model = Made { sites: 9, depth: 2, width: 4, bias: true, prelu: true, residual: false };
//! let (count, parameters) = (500, model.parameters().len());
//! let net = Autoregressive::new(&model.layers(), parameters, count, gpu.profile)?;
//! let theta = gpu.upload("parameters", &model.initial(1));
//! let (spins, log_q) = (Buffer::new("spins", count * model.sites), Buffer::new("ln q", count));
//! let ld = net.net().leading();
//! let scores = Buffer::new("scores", count * ld);
//! let at = Stream { seed: 1, step: 0, purpose: purpose::SPINS, first_walker: 0 };
//! let all = Chunk { first: 0, count };
//! let mut rec = Recording::new();
//! net.record_pack(&mut rec, &theta);
//! net.record_sample(&mut rec, at, all, &theta, &spins, &log_q);
//! net.record_scores(&mut rec, all, 1.0, &spins, &scores, 0);
//! gpu.run(&rec)?;
//! // the mean score is zero: six standard errors
//! let scores: Vec<f32> = gpu.read_words(&scores, count * ld)?;
//! for p in 0..parameters {
//!     let (sum, squares) = scores.iter().skip(p).step_by(ld).fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
//!     assert!(sum.abs() <= 6.0 * squares.sqrt());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Trainer`] puts them together for the uniform electron gas: see
//! [`system::electron_gas`] for units and conventions, [`wave_function`] and [`kernels::backflow`] for the
//! wave function and its derivatives, [`optimize`] for the updates. [`Spins`] does so for
//! spins with any [`Energy`], and [`train`] is the loop of both.

#![warn(missing_docs)]

pub mod archive;
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
pub use model::pixel_cnn::PixelCnn;
pub use model::transformer::Transformer;
pub use number::philox::Stream;
pub use optimize::Learner;
pub use problem::electron_gas::{Settings, Trainer};
pub use problem::spins::{Energy, Spins};
pub use problem::{Kind, Problem, train};
pub use system::{ElectronGas, IdealGas};
pub use wave_function::WaveFunction;
