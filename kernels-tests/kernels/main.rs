//! Every kernel against its float64 twin, in both profiles, and each kernel's mutant.

mod harness;

mod determinant;
mod estimators;
mod ewald;
mod flow;
mod ideal_gas;
mod linear;
mod local_energy;
mod log_psi;
mod metropolis;
mod occupation;
mod occupation_published;
mod occupation_sampling;
mod occupied;
mod philox;
mod published;
mod slater;
mod special;
