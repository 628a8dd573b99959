//! Host sides of the kernels: `kernels/NAME.rs` records `shaders/NAME.wgsl`.
//!
//! Each is usable on the caller's own [`crate::gpu::Buffer`]s.

pub mod adam;
pub mod cholesky;
pub mod determinant;
pub mod distinct;
pub mod dpp;
pub mod estimators;
pub mod ewald;
pub mod flow;
pub mod krylov;
pub mod linear;
pub mod local_energy;
pub mod log_psi;
pub mod metropolis;
pub mod newton;
pub mod occupation;
pub mod occupied;
pub mod outer;
pub mod pack;
pub mod philox;
pub mod roof;
pub mod score_projection;
pub mod scores;
pub mod slater;
pub mod slater_gradient;
pub mod slater_laplacian;
pub mod special;

use crate::gpu::Kernel;

/// Every kernel, for the tests that translate and validate all of them.
pub static ALL: &[&Kernel] = &[
    &adam::KERNEL,
    &cholesky::CHOLESKY,
    &cholesky::GRAM,
    &cholesky::TRIANGULAR,
    &determinant::COMPLEX,
    &determinant::LANE_COMPLEX,
    &determinant::LANE_REAL,
    &determinant::REAL,
    &determinant::TILE_COMPLEX,
    &determinant::TILE_REAL,
    &distinct::GATHER,
    &distinct::HASH,
    &distinct::MATCH,
    &distinct::ROWS,
    &distinct::SUM,
    &dpp::KERNEL,
    &estimators::BASELINE,
    &estimators::ENERGIES,
    &estimators::MEANS,
    &estimators::MOMENTS,
    &estimators::WEIGHTS,
    &ewald::KERNEL,
    &flow::DIRECTIONS,
    &flow::FLOW_VALUES,
    &flow::JACOBIAN,
    &flow::PAIR_ACTIVATION,
    &flow::PAIR_FEATURES,
    &flow::PARTICLE_ACTIVATION,
    &flow::PARTICLE_BROADCAST,
    &flow::PARTICLE_GATHER,
    &flow::PARTICLE_MEAN,
    &flow::PROBE,
    &flow::PROBE_SUM,
    &flow::ROW_CROSS,
    &flow::ROW_ADJOINT,
    &flow::ROW_MEAN,
    &flow::ROW_SUM,
    &flow::SUMS,
    &flow::PARTICLES,
    &flow::MEAN_GRADIENT,
    &flow::PULL_JACOBIAN,
    &flow::ROW_SUMS,
    &flow::ROW_PAIRS,
    &flow::CROSS,
    &flow::ROW_LAPLACIAN,
    &flow::MEAN_LAPLACIAN,
    &flow::MEAN_HESSIAN,
    &flow::PROBE_SUMS,
    &flow::PROBE_ROWS,
    &flow::PROBE_JACOBIAN,
    &flow::PROBE_TRACE,
    &flow::GRADIENT_PAIRS,
    &flow::GRADIENT,
    &flow::LAPLACIAN_SUM,
    &flow::SCORE_TOP,
    &flow::SCORE_BOTTOM,
    &flow::SCORE_WEIGHTS,
    &flow::SCORE_SUM,
    &flow::SCORE_ACTIVATION,
    &flow::SCORE_PAIR,
    &flow::SCORE_POSITIONS,
    &flow::SCORE_SCATTER,
    &flow::SCORE_SEED,
    &flow::TANGENT_ACTIVATION,
    &flow::TANGENT_GATHER,
    &krylov::KERNEL,
    &linear::KERNEL,
    &local_energy::KERNEL,
    &log_psi::KERNEL,
    &metropolis::ACCEPT,
    &metropolis::ADAPT,
    &metropolis::PROPOSE,
    &newton::LEAVE_OUT,
    &newton::NEWTON,
    &occupation::ACTIVATE,
    &occupation::ATTENTION,
    &occupation::EMBED,
    &occupation::LOGITS,
    &occupation::MIX,
    &occupation::SAMPLE,
    &occupation::TOTAL,
    &occupied::KERNEL,
    &outer::KERNEL,
    &pack::KERNEL,
    &philox::KERNEL,
    &roof::COPY,
    &roof::FMA,
    &scores::APPLY,
    &score_projection::BASIS,
    &scores::COMBINE,
    &score_projection::PROJECT,
    &score_projection::ROWS,
    &scores::SUM,
    &scores::TRANSPOSE,
    &slater::KERNEL,
    &slater_gradient::KERNEL,
    &slater_laplacian::KERNEL,
    &special::KERNEL,
];

/// Threads of a workgroup for kernels whose invocations do not talk to each other.
pub const WG: u32 = 64;

/// Rounds up to a multiple of 4: the padding of every last dimension.
pub fn pad4(n: usize) -> usize {
    n.div_ceil(4) * 4
}
