//! Kernels of one invocation a particle.

use crate::gpu::Kernel;

/// Shapes of one launch; one layout for all of them (`shaders/shared/backflow_shapes.wgsl`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    pub walkers: u32,
    pub n: u32,
    /// Rows of the mean field: its value, and its Laplacian.
    pub rows: u32,
    pub probes: u32,
    /// Row stride of D x D matrices.
    pub ld: u32,
    pub flags: u32,
    /// Box side in units of rs a0.
    pub length: f32,
    pub half_turns: f32,
    pub scale: f32,
    /// Particles of spin up.
    pub up: u32,
    pub pad: [u32; 2],
}

/// Widths and places of the weights of a small flow in two dimensions and in three, for the translation tests.
macro_rules! variants {
    ($($name:literal $value:literal)*) => {
        &[
            &[
                ("WG", 64), ("DIM", 2), ("H4", 2), ("T4", 1), ("F", 5), ("NW", 256), ("V1", 8), ("C1", 24), ("VH", 32), ("VG", 48), ("VY", 64),
                ("C2", 72), ("VHT", 80), ("VGT", 96), ("VYT", 112), ("W1", 128), ("B1", 144), ("WT", 152), ("BO", 160), ("UNLIKE", 0), $(($name, $value)),*
            ],
            &[
                ("WG", 64), ("DIM", 3), ("H4", 1), ("T4", 2), ("F", 7), ("NW", 256), ("V1", 8), ("C1", 24), ("VH", 32), ("VG", 48), ("VY", 64),
                ("C2", 72), ("VHT", 80), ("VGT", 96), ("VYT", 112), ("W1", 128), ("B1", 144), ("WT", 152), ("BO", 160), ("UNLIKE", 32), $(($name, $value)),*
            ],
        ]
    };
}
const WHOLE: &[&[(&str, u32)]] = variants!();
const LAPLACE: &[&[(&str, u32)]] = variants!("LAPLACE" 1);
const BLOCKS: &[&[(&str, u32)]] = variants!("TB" 1 "HB" 1 "AB" 1 "CHANNELS" 1);

/// The fragment that declares the weights' binding.
pub(super) const WEIGHTS: &str = "backflow_registers";

macro_rules! kernels {
    ($($id:ident $file:literal $variants:ident $($shared:literal)*;)*) => {
        $(#[doc = concat!("`shaders/", $file, ".wgsl`.")]
        pub static $id: Kernel = Kernel {
            name: $file,
            source: include_str!(concat!("../../../../shaders/", $file, ".wgsl")),
            shared: &["grid", "backflow_shapes" $(, $shared)*],
            params_bytes: size_of::<Params>(),
            variants: $variants,
        };)*
    };
}

kernels! {
    SUMS "backflow_sums" LAPLACE "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
    PARTICLES "backflow_particles" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers";
    MEAN_GRADIENT "backflow_mean_gradient" WHOLE "special" "backflow_places" "backflow_registers" "backflow_position";
    PULL_JACOBIAN "backflow_pull_jacobian" WHOLE "special" "softplus_jet" "backflow_registers" "backflow_position";
    ROW_SUMS "backflow_row_sums" WHOLE "special" "backflow_places" "backflow_registers" "backflow_position";
    ROW_PAIRS "backflow_row_pairs" BLOCKS "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
    CROSS "backflow_cross" BLOCKS "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
    ROW_LAPLACIAN "backflow_row_laplacian" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers";
    MEAN_LAPLACIAN "backflow_mean_laplacian" BLOCKS "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
    MEAN_HESSIAN "backflow_mean_hessian" BLOCKS "special" "backflow_places" "backflow_registers" "backflow_position";
    PROBE_SUMS "backflow_probe_sums" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
    PROBE_ROWS "backflow_probe_rows" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers";
    PROBE_JACOBIAN "backflow_probe_jacobian" BLOCKS "special" "softplus_jet" "backflow_registers" "backflow_position";
    PROBE_TRACE "backflow_probe_trace" WHOLE "quotient";
    GRADIENT_PAIRS "backflow_gradient_pairs" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
    GRADIENT "backflow_gradient" WHOLE "backflow_places";
    LAPLACIAN_SUM "backflow_laplacian_sum" WHOLE "backflow_places";
    SCORE_TOP "backflow_score_top" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers";
    SCORE_BOTTOM "backflow_score_bottom" WHOLE "special" "softplus_jet" "backflow_places" "backflow_registers";
    SCORE_WEIGHTS "backflow_score_weights" BLOCKS "special" "softplus_jet" "backflow_places" "backflow_registers" "backflow_position";
}
