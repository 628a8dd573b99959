//! The elementwise kernels of the dense passes.

use crate::gpu::Kernel;

/// Shapes of one launch; one layout for all of them (`shaders/shared/backflow_jets.wgsl`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    pub walkers: u32,
    pub n: u32,
    /// Rows of the particle jets.
    pub rows: u32,
    pub jets: u32,
    pub flags: u32,
    pub probes: u32,
    pub first: u32,
    /// Row stride of D x D matrices.
    pub ld: u32,
    /// Place of the bias in the packed weights (vec4 units).
    pub bias: u32,
    pub forward_rows: u32,
    /// Box side in units of rs a0.
    pub length: f32,
    pub half_turns: f32,
    pub scale: f32,
    pub pad: [u32; 3],
}

/// Kernels that do not look at pair jets: compiled once, whatever the order.
pub(super) const ONCE: &[&[(&str, u32)]] =
    &[&[("WG", 64), ("DIM", 2), ("JETS", 3), ("W4", 4)], &[("WG", 64), ("DIM", 3), ("JETS", 4), ("W4", 2)]];
const THIRD: &[&[(&str, u32)]] = &[&[("WG", 64), ("DIM", 2), ("JETS", 8), ("W4", 4)], &[("WG", 64), ("DIM", 3), ("JETS", 13), ("W4", 4)]];
const BOTH: &[&[(&str, u32)]] = &[
    &[("WG", 64), ("DIM", 2), ("JETS", 3), ("W4", 4)],
    &[("WG", 64), ("DIM", 3), ("JETS", 4), ("W4", 2)],
    &[("WG", 64), ("DIM", 2), ("JETS", 8), ("W4", 4)],
    &[("WG", 64), ("DIM", 3), ("JETS", 13), ("W4", 4)],
];

macro_rules! kernels {
    ($($id:ident $file:literal $variants:ident $($shared:literal)*;)*) => {
        $(#[doc = concat!("`shaders/", $file, ".wgsl`.")]
        pub static $id: Kernel = Kernel {
            name: $file,
            source: include_str!(concat!("../../../../shaders/", $file, ".wgsl")),
            shared: &["grid", "quotient", "backflow_jets" $(, $shared)*],
            params_bytes: size_of::<Params>(),
            variants: $variants,
        };)*
    };
}

kernels! {
    PAIR_FEATURES "backflow_pair_features" BOTH "special";
    PAIR_ACTIVATION "backflow_pair_activation" BOTH "softplus_jet";
    PARTICLE_GATHER "backflow_particle_gather" BOTH;
    PARTICLE_ACTIVATION "backflow_particle_activation" ONCE "softplus_jet";
    PARTICLE_BROADCAST "backflow_particle_broadcast" ONCE;
    JACOBIAN "backflow_jacobian" ONCE;
    VALUES "backflow_values" ONCE;
    TANGENT_GATHER "backflow_tangent_gather" THIRD;
    TANGENT_ACTIVATION "backflow_tangent_activation" ONCE "softplus_jet";
    PROBE "backflow_probe" ONCE;
    PROBE_SUM "backflow_probe_sum" ONCE;
    ROW_CROSS "backflow_row_cross" ONCE "softplus_jet";
    ROW_ADJOINT "backflow_row_adjoint" ONCE "softplus_jet";
    ROW_MEAN "backflow_row_mean" THIRD "softplus_jet";
    ROW_SUM "backflow_row_sum" ONCE;
    SCORE_SEED "backflow_score_seed" ONCE;
    SCORE_ACTIVATION "backflow_score_activation" ONCE "softplus_jet";
    SCORE_SCATTER "backflow_score_scatter" ONCE;
    SCORE_PAIR "backflow_score_pair" BOTH "softplus_jet";
    SCORE_POSITIONS "backflow_score_positions" THIRD;
}
