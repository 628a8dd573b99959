//! Every kernel against its float64 twin, in both profiles, and each kernel's mutant.

// `!(error <= tolerance)` also fails on NaN
#![allow(clippy::neg_cmp_op_on_partial_ord)]

#[path = "../devices.rs"]
mod devices;
mod harness;
mod hmc;
#[path = "../noise.rs"]
mod noise;
#[path = "../reference_data.rs"]
mod reference_data;

mod ancestral;
mod attention;
mod backflow;
mod backflow_registers;
mod backflow_rows;
mod bounds;
mod bounds_updates;
mod cholesky;
mod couplings;
mod determinant;
mod distinct;
mod dots;
mod dpp;
mod dual_ising;
mod estimators;
mod ewald;
mod exact_sampling;
mod fields;
mod fragments;
mod free_energy;
mod gray;
mod ideal_gas;
mod images;
mod independence;
mod linear;
mod local_energy;
mod log_psi;
mod made;
mod made_bits;
mod mean_field;
mod memory;
mod metropolis;
mod momentum;
mod network;
mod newton;
mod observables;
mod occupation;
mod occupation_published;
mod occupation_sampling;
mod occupied;
mod optimize;
mod philox;
mod pixel_cnn;
mod published;
mod renorm;
mod roof;
mod scores;
mod slater;
mod special;
mod spins;
mod tempering;
mod timing;
mod transformer;
mod trap;
mod trap_draws;
mod trial_states;
mod two_point;
mod variational;
mod z2;
