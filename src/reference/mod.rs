//! Float64 twins of the kernels: plain slices, readable loops.

pub mod determinant;
pub mod linear;
pub mod philox;
pub mod special;
