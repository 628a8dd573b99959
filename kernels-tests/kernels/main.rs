//! Every kernel against its float64 twin, in both profiles, and each kernel's mutant.

mod harness;

mod determinant;
mod linear;
mod philox;
mod special;
