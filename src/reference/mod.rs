//! Float64 twins of the kernels: plain slices, readable loops.

pub mod attention;
pub mod backflow;
pub mod complex;
pub mod couplings;
pub mod determinant;
pub mod distinct;
pub mod dpp;
pub mod estimators;
pub mod ewald;
pub mod free_energy;
pub mod gray;
pub mod linear;
pub mod local_energy;
pub mod log_psi;
pub mod made;
pub mod metropolis;
pub mod newton;
pub mod occupation;
pub mod occupied;
pub mod optimize;
pub mod philox;
pub mod roof;
pub mod scores;
pub mod slater;
pub mod special;
pub mod z2;
