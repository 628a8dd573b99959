//! Variational free energies of quantum and classical matter with deep generative models, computed
//! by WGSL kernels on any GPU.

pub mod atomic_file;
pub mod cli;
pub mod config;
pub mod error;
pub mod estimate;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod optimize;
pub mod reference;
pub mod report;
pub mod run;
pub mod sample;
pub mod system;
pub mod verify;
pub mod wave_function;

pub use error::{Error, Result};
