//! Host sides of the kernels: `kernels/NAME.rs` records `shaders/NAME.wgsl`.
//!
//! Each is usable on the caller's own [`crate::gpu::Buffer`]s.

pub mod activate;
pub mod adam;
pub mod ancestral;
pub mod ancestral_attention;
pub mod ancestral_convolution;
pub mod attention;
pub mod backflow;
pub mod bernoulli;
pub mod cholesky;
pub mod column_sum;
pub mod convolution;
pub mod couplings;
pub mod determinant;
pub mod distinct;
pub mod dpp;
pub mod estimators;
pub mod ewald;
pub mod fields;
pub mod free_energy;
pub mod gray;
pub mod hmc;
pub mod images;
pub mod independence;
pub mod krylov;
pub mod linear;
pub mod local_energy;
pub mod log_psi;
pub mod made_bits;
pub mod masked_outer;
pub mod mean_field;
pub mod metropolis;
pub mod momentum;
pub mod newton;
pub mod observables;
pub mod occupation;
pub mod occupied;
pub mod outer;
pub mod pack;
pub mod philox;
pub mod prelu;
pub mod renorm;
pub mod roof;
pub mod score_projection;
pub mod scores;
pub mod slater;
pub mod slater_gradient;
pub mod slater_laplacian;
pub mod special;
pub mod stencil;
pub mod tempering;
mod tokens;
pub mod trap;
pub mod two_point;
pub mod z2;

use crate::gpu::Kernel;

/// Every kernel, for the tests that translate and validate all of them.
pub static ALL: &[&Kernel] = &[
    &activate::KERNEL,
    &adam::KERNEL,
    &ancestral::KERNEL,
    &ancestral::GROUP,
    &ancestral_attention::KERNEL,
    &ancestral_convolution::KERNEL,
    &attention::ATTENTION,
    &attention::MIX,
    &backflow::CROSS,
    &backflow::DIRECTIONS,
    &backflow::GRADIENT,
    &backflow::GRADIENT_PAIRS,
    &backflow::JACOBIAN,
    &backflow::LAPLACIAN_SUM,
    &backflow::MEAN_GRADIENT,
    &backflow::MEAN_HESSIAN,
    &backflow::MEAN_LAPLACIAN,
    &backflow::PAIR_ACTIVATION,
    &backflow::PAIR_FEATURES,
    &backflow::PARTICLES,
    &backflow::PARTICLE_ACTIVATION,
    &backflow::PARTICLE_BROADCAST,
    &backflow::PARTICLE_GATHER,
    &backflow::PARTICLE_MEAN,
    &backflow::PROBE,
    &backflow::PROBE_JACOBIAN,
    &backflow::PROBE_ROWS,
    &backflow::PROBE_SUM,
    &backflow::PROBE_SUMS,
    &backflow::PROBE_TRACE,
    &backflow::PULL_JACOBIAN,
    &backflow::ROW_ADJOINT,
    &backflow::ROW_CROSS,
    &backflow::ROW_LAPLACIAN,
    &backflow::ROW_MEAN,
    &backflow::ROW_PAIRS,
    &backflow::ROW_SUM,
    &backflow::ROW_SUMS,
    &backflow::SCORE_ACTIVATION,
    &backflow::SCORE_BOTTOM,
    &backflow::SCORE_PAIR,
    &backflow::SCORE_POSITIONS,
    &backflow::SCORE_SCATTER,
    &backflow::SCORE_SEED,
    &backflow::SCORE_SUM,
    &backflow::SCORE_TOP,
    &backflow::SCORE_WEIGHTS,
    &backflow::SUMS,
    &backflow::TANGENT_ACTIVATION,
    &backflow::TANGENT_GATHER,
    &backflow::VALUES,
    &bernoulli::KERNEL,
    &bernoulli::ROWS,
    &cholesky::CHOLESKY,
    &cholesky::GRAM,
    &cholesky::TRIANGULAR,
    &column_sum::KERNEL,
    &convolution::KERNEL,
    &convolution::OUTER,
    &couplings::DENSE,
    &couplings::SPARSE,
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
    &fields::KERNEL,
    &free_energy::FACTORS,
    &free_energy::IMPORTANCE,
    &free_energy::MOMENTS,
    &gray::KERNEL,
    &hmc::ACCEPT,
    &hmc::LEAPFROG,
    &images::IMAGE,
    &images::JOIN,
    &images::SPLIT,
    &independence::KERNEL,
    &krylov::KERNEL,
    &linear::KERNEL,
    &local_energy::KERNEL,
    &log_psi::KERNEL,
    &made_bits::KERNEL,
    &made_bits::GRADIENT,
    &masked_outer::KERNEL,
    &mean_field::KERNEL,
    &metropolis::ACCEPT,
    &metropolis::ADAPT,
    &metropolis::PROPOSE,
    &momentum::AMPLITUDE,
    &momentum::DISPLACE,
    &momentum::MOMENTUM_DISTRIBUTION,
    &newton::LEAVE_OUT,
    &newton::NEWTON,
    &observables::BIN_SUMS,
    &observables::OCCUPATION_SHELLS,
    &observables::PAIR_HISTOGRAM,
    &observables::STRUCTURE_FACTOR,
    &occupation::EMBED,
    &occupation::LOGITS,
    &occupation::SAMPLE,
    &occupation::TOTAL,
    &occupied::KERNEL,
    &outer::KERNEL,
    &pack::KERNEL,
    &philox::KERNEL,
    &prelu::KERNEL,
    &renorm::ACTION,
    &renorm::BASE,
    &renorm::COUPLING,
    &renorm::JOIN,
    &renorm::MIX,
    &renorm::MODES,
    &renorm::SUM,
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
    &stencil::KERNEL,
    &tempering::SWAP,
    &tempering::SWEEP,
    &trap::DRAW,
    &trap::ENERGY,
    &trap::ENERGY_LANE,
    &trap::FLOW,
    &trap::FLOW_LANE,
    &trap::SCORES,
    &trap::SCORES_LANE,
    &trap::STATES,
    &two_point::ROWS,
    &z2::FLIP,
    &z2::JOIN,
    &z2::SPLIT,
];

/// Threads of a workgroup for kernels whose invocations do not talk to each other.
pub const WG: u32 = 64;

/// Trips that a driver counts beside those of a loop's body, each time it is met: llvmpipe stopped where 1.5 are needed. For
/// kernels whose loops are short.
const ENTRY: usize = 2;

/// Rows `first .. first + count` of the caller's buffers; `count` is at most the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its first row.
    pub first: usize,
    /// How many rows.
    pub count: usize,
}

/// Rounds up to a multiple of 4: the padding of every last dimension.
pub fn pad4(n: usize) -> usize {
    n.div_ceil(4) * 4
}
