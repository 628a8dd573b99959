//! What every room stands on, in float64 and without a device: random numbers, special functions, statistics,
//! Cholesky factors.

pub mod cholesky;
pub mod philox;
pub mod special;
pub mod statistics;
