//! Physics and statistics of the whole program on one device: exact limits, symmetries, bounds, training.
//!
//! All seeds are fixed, so a test that passes once passes always; the stated rates are those of a false alarm
//! after a change that draws other random numbers.

mod bound;
mod coverage;
#[path = "../devices.rs"]
mod devices;
mod estimators;
mod harness;
mod ideal;
mod inverse;
#[path = "../noise.rs"]
mod noise;
mod observables;
mod oracle;
mod polarisation;
mod quasiparticles;
#[path = "../reference_data.rs"]
mod reference_data;
mod spins;
mod states;
mod symmetry;
mod training;
