//! The flow z(x) on the device: values, Jacobian, exact derivatives of ln|det J|, parameter scores.
//!
//! Everything is built from `linear` products and elementwise kernels on *jets*: arrays that hold a
//! value and its derivatives as consecutive rows. With H the one-particle width and D = n d:
//!
//! - pair jets `[walker][i][j][jet][width]`: value, first derivatives, second derivatives and the
//!   gradient of their trace with respect to r = x_i - x_j;
//! - particle jets `[walker][i][row][H]`: value, derivatives with respect to all D coordinates, Laplacian.
//!
//! The forward pass is dense in the D derivatives (cost n D H² a layer), so J = 1 + ∂(C h) needs no
//! reverse mode; z and J alone come cheaper by pulling the output rows back (`values`). The *tangent* pass is the forward pass differentiated along directions v, which gives
//! ∂_v J and ∂_v Δz, hence the exact gradient and Laplacian of ln|det J| when v runs over all unit
//! vectors, and an unbiased estimate of the Laplacian for random signs. The *row* pass (`rows`) gives
//! most of that Laplacian exactly from d directions a particle instead of D = n d, so that only
//! Σ_v tr((J⁻¹ ∂_vJ)²) is left to random signs. The *score* pass is the adjoint of the forward pass.
//! All of them work for any depth, width and dimension 2 or 3.

mod buffers;
mod forward;
mod lane_derivatives;
mod lane_scores;
mod lanes;
mod rows;
mod score;
mod tangent;

pub use buffers::Flow;
pub use tangent::{Directions, Signs};

use crate::gpu::{Buffer, Dispatch, Kernel, Recording};

use super::WG;

/// Shapes of one flow kernel launch; one layout for all of them (`shaders/shared/flow_params.wgsl`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub walkers: u32,
    pub n: u32,
    /// Rows of the particle jets.
    pub rows: u32,
    /// A second place of output (score sums).
    pub place: u32,
    pub jets: u32,
    pub flags: u32,
    pub probes: u32,
    pub first: u32,
    /// Row stride of D x D matrices.
    pub ld: u32,
    /// Place of the bias in the packed weights (vec4 units).
    pub bias: u32,
    pub forward_rows: u32,
    pub step: u32,
    pub seed: [u32; 2],
    pub purpose: u32,
    pub pad0: u32,
    /// Box side in units of rs a0.
    pub length: f32,
    pub half_turns: f32,
    pub scale: f32,
    pub pad1: f32,
}

const VALUES: &[&[(&str, u32)]] = &[&[("WG", 64), ("DIM", 2), ("JETS", 3), ("W4", 4)], &[("WG", 64), ("DIM", 3), ("JETS", 4), ("W4", 2)]];
const ALL_ORDERS: &[&[(&str, u32)]] =
    &[&[("WG", 64), ("DIM", 2), ("JETS", 8), ("W4", 4)], &[("WG", 64), ("DIM", 3), ("JETS", 13), ("W4", 4)]];
const BOTH: &[&[(&str, u32)]] = &[
    &[("WG", 64), ("DIM", 2), ("JETS", 3), ("W4", 4)],
    &[("WG", 64), ("DIM", 3), ("JETS", 4), ("W4", 2)],
    &[("WG", 64), ("DIM", 2), ("JETS", 8), ("W4", 4)],
    &[("WG", 64), ("DIM", 3), ("JETS", 13), ("W4", 4)],
];

macro_rules! kernels {
    ($($id:ident $file:literal $variants:ident $($shared:literal)*;)*) => {
        $(pub static $id: Kernel = Kernel {
            name: $file,
            source: include_str!(concat!("../../../shaders/", $file, ".wgsl")),
            shared: &["grid", "flow_params" $(, $shared)*],
            params_bytes: size_of::<Params>(),
            variants: $variants,
        };)*
        /// All flow kernels.
        pub static ALL: &[&Kernel] = &[$(&$id),*];
    };
}

/// Widths and places of the weights of a small flow in two dimensions and in three, for the translation tests.
macro_rules! lanes {
    ($($name:literal $value:literal)*) => {
        &[
            &[
                ("WG", 64), ("DIM", 2), ("H4", 2), ("T4", 1), ("F", 5), ("NW", 256), ("V1", 8), ("C1", 24), ("VH", 32), ("VG", 48), ("VY", 64),
                ("C2", 72), ("VHT", 80), ("VGT", 96), ("VYT", 112), ("W1", 128), ("B1", 144), ("WT", 152), ("BO", 160), $(($name, $value)),*
            ],
            &[
                ("WG", 64), ("DIM", 3), ("H4", 1), ("T4", 2), ("F", 7), ("NW", 256), ("V1", 8), ("C1", 24), ("VH", 32), ("VG", 48), ("VY", 64),
                ("C2", 72), ("VHT", 80), ("VGT", 96), ("VYT", 112), ("W1", 128), ("B1", 144), ("WT", 152), ("BO", 160), $(($name, $value)),*
            ],
        ]
    };
}
const LANES: &[&[(&str, u32)]] = lanes!();
const SUM_LANES: &[&[(&str, u32)]] = lanes!("LAPLACE" 1);
const BLOCK_LANES: &[&[(&str, u32)]] = lanes!("TB" 1 "HB" 1 "AB" 1 "CHANNELS" 1);

kernels! {
    PAIR_FEATURES "flow_pair_features" BOTH "special";
    PAIR_ACTIVATION "flow_pair_activation" BOTH "softplus_jet";
    PARTICLE_GATHER "flow_particle_gather" BOTH;
    PARTICLE_ACTIVATION "flow_particle_activation" VALUES "softplus_jet";
    PARTICLE_MEAN "flow_particle_mean" VALUES;
    PARTICLE_BROADCAST "flow_particle_broadcast" VALUES;
    JACOBIAN "flow_jacobian" VALUES;
    FLOW_VALUES "flow_values" VALUES;
    TANGENT_GATHER "flow_tangent_gather" ALL_ORDERS;
    TANGENT_ACTIVATION "flow_tangent_activation" VALUES "softplus_jet";
    DIRECTIONS "flow_directions" VALUES "special" "philox";
    PROBE "flow_probe" VALUES;
    PROBE_SUM "flow_probe_sum" VALUES;
    ROW_CROSS "flow_row_cross" VALUES "softplus_jet";
    ROW_ADJOINT "flow_row_adjoint" VALUES "softplus_jet";
    ROW_MEAN "flow_row_mean" ALL_ORDERS "softplus_jet";
    ROW_SUM "flow_row_sum" VALUES;
    SUMS "flow_sums" SUM_LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    PARTICLES "flow_particles" LANES "special" "softplus_jet" "flow_places" "flow_lane";
    MEAN_GRADIENT "flow_mean_gradient" LANES "special" "flow_places" "flow_lane" "flow_position";
    PULL_JACOBIAN "flow_pull_jacobian" LANES "special" "softplus_jet" "flow_lane" "flow_position";
    ROW_SUMS "flow_row_sums" LANES "special" "flow_places" "flow_lane" "flow_position";
    ROW_PAIRS "flow_row_pairs" BLOCK_LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    CROSS "flow_cross" BLOCK_LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    ROW_LAPLACIAN "flow_row_laplacian" LANES "special" "softplus_jet" "flow_places" "flow_lane";
    MEAN_LAPLACIAN "flow_mean_laplacian" BLOCK_LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    MEAN_HESSIAN "flow_mean_hessian" BLOCK_LANES "special" "flow_places" "flow_lane" "flow_position";
    PROBE_SUMS "flow_probe_sums" LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    PROBE_ROWS "flow_probe_rows" LANES "special" "softplus_jet" "flow_places" "flow_lane";
    PROBE_JACOBIAN "flow_probe_jacobian" BLOCK_LANES "special" "softplus_jet" "flow_lane" "flow_position";
    PROBE_TRACE "flow_probe_trace" LANES;
    GRADIENT_PAIRS "flow_gradient_pairs" LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    GRADIENT "flow_gradient" LANES "flow_places";
    LAPLACIAN_SUM "flow_laplacian_sum" LANES "flow_places";
    SCORE_TOP "flow_score_top" LANES "special" "softplus_jet" "flow_places" "flow_lane";
    SCORE_BOTTOM "flow_score_bottom" LANES "special" "softplus_jet" "flow_places" "flow_lane";
    SCORE_WEIGHTS "flow_score_weights" BLOCK_LANES "special" "softplus_jet" "flow_places" "flow_lane" "flow_position";
    SCORE_SUM "flow_score_sum" VALUES;
    SCORE_SEED "flow_score_seed" VALUES;
    SCORE_ACTIVATION "flow_score_activation" VALUES "softplus_jet";
    SCORE_SCATTER "flow_score_scatter" VALUES;
    SCORE_PAIR "flow_score_pair" BOTH "softplus_jet";
    SCORE_POSITIONS "flow_score_positions" ALL_ORDERS;
}

/// How many derivatives the pair jets carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Values and first derivatives: enough for z, J and the scores.
    First,
    /// Up to the third: for Δz and the tangent pass.
    Third,
}

impl Order {
    /// Jets of a pair.
    pub fn jets(self, dim: usize) -> usize {
        match self {
            Order::First => 1 + dim,
            Order::Third => 1 + dim + dim * (dim + 1) / 2 + dim,
        }
    }

    /// Rows of a particle: value, D derivatives, and the Laplacian.
    pub fn rows(self, d: usize) -> usize {
        match self {
            Order::First => 1 + d,
            Order::Third => 2 + d,
        }
    }
}

/// One elementwise launch: `threads` invocations for each of `walkers` walkers (or walkers and probes).
struct Launch<'a> {
    name: &'a str,
    kernel: &'static Kernel,
    dim: usize,
    params: Params,
    width4: usize,
    walkers: usize,
    threads: usize,
    /// Most loop trips of one invocation.
    trips: usize,
    /// Elements of 16 bytes read and written by all invocations of a walker.
    touched: f64,
}

impl Launch<'_> {
    fn record(self, rec: &mut Recording, buffers: &[&Buffer]) {
        let groups = [self.threads.div_ceil(WG as usize) as u32, self.walkers as u32, 1];
        self.record_groups(rec, groups, buffers);
    }

    fn record_groups(self, rec: &mut Recording, groups: [u32; 3], buffers: &[&Buffer]) {
        // kernels that do not look at pair jets are compiled once, whatever the order
        let jets = if std::ptr::eq(self.kernel.variants, VALUES) { 1 + self.dim as u32 } else { self.params.jets };
        let elements = self.touched * self.walkers as f64;
        rec.push(Dispatch {
            name: self.name.into(),
            kernel: self.kernel,
            constants: vec![("WG", WG), ("DIM", self.dim as u32), ("JETS", jets), ("W4", self.width4 as u32)],
            params: bytemuck::bytes_of(&self.params).to_vec(),
            buffers: buffers.iter().map(|b| (*b).clone()).collect(),
            groups,
            trips: self.trips as u64,
            // elementwise kernels do about two operations on each number they touch
            flops: 8.0 * elements,
            bytes: 16.0 * elements,
        });
    }
}
