//! Flows of two layers with everything in registers: one invocation owns a particle and loops over its pairs.
//!
//! Nothing of the size of pairs times width is ever stored: features of a pair cost less to compute than to load, and the
//! weights come from a uniform buffer. The output rows are pulled back through the layers first (contraction first), so
//! that J_(ia)(jk) = δ - (1/n) (ρ1_ia + W1 [ρ2_ia s]) · t0'_ij,k + κ_ia · ∂_jk g meets a pair once, whatever the width:
//! ρ2 = V_y β, κ = V_g β, ρ1 = V1 [(W_a + V_h β) s1] with β = W_a s(a2) for the d outputs of particle i.
//!
//! Derivatives of ln|det J| follow in `lane_derivatives`. Other depths take the dense passes over jets.

use crate::gpu::{Buffer, Dispatch, Kernel, Profile, Recording, grid};

use super::super::pad4;
use super::buffers::Shapes;
use super::*;

/// Widest layers that fit the registers.
const WIDEST: usize = 32;
/// Largest uniform buffer every device binds, in vec4.
const UNIFORM: usize = 4096;

/// Operations of a pair's features with first derivatives, and of all their derivatives.
pub(super) const WAVE: f64 = 40.0;
pub(super) const WAVES: f64 = 120.0;
/// Operations of four softplus jets.
pub(super) const SOFTPLUS: f64 = 120.0;

/// Shapes, places of the weights, and arrays.
pub(super) struct Lanes {
    pub dim: usize,
    pub h4: usize,
    pub t4: usize,
    constants: Vec<(&'static str, u32)>,
    /// Particles of a real GPU's invocation hold few column blocks each: registers are short there, invocations on CPU drivers.
    split: bool,
    /// Sums over pairs, h1 with its Laplacian, their means.
    pub sums: Buffer,
    pub h: Buffer,
    pub mean: Buffer,
    pub rows: Buffer,
    pub kappa: Buffer,
    pub a2: Buffer,
    pub dg: Buffer,
    /// Sums along the output rows, their results, and the latter's sums over particles.
    pub row: Buffer,
    pub turned: Buffer,
    pub total: Buffer,
    pub vdg: Buffer,
    pub ydg: Buffer,
    /// The mean field's directions, one a channel, and what they give.
    pub channels: Buffer,
    pub share: Buffer,
    pub slope: Buffer,
    pub moments: Buffer,
    pub hessian: Buffer,
    pub pairs: Buffer,
    /// Along the probes.
    pub probe_h: Buffer,
    pub probe_slope: Buffer,
    pub probe_y: Buffer,
    pub probe_mean: Buffer,
    pub probe_rows: Buffer,
    pub probe_dg: Buffer,
    pub probe_ydg: Buffer,
    pub probe: Buffer,
    /// Inputs and adjoints of the layers, the latter's mean, and shares of the two-particle weights.
    pub score: Buffer,
    pub adjoint: Buffer,
    pub adjoint_mean: Buffer,
    pub score_weights: Buffer,
}

/// A launch with one invocation a particle.
#[derive(Clone, Copy)]
pub(super) struct Lane<'a> {
    pub name: &'a str,
    pub kernel: &'static Kernel,
    /// Text constants besides shapes and places.
    pub more: &'a [(&'static str, u32)],
    pub params: Params,
    /// Invocations, and how many column blocks the work of each is cut into.
    pub threads: usize,
    pub blocks: usize,
    pub trips: usize,
    /// Operations and vec4 read and written of one invocation.
    pub flops: f64,
    pub touched: f64,
}

impl Lanes {
    /// None where the flow has another depth, or is too wide.
    pub(super) fn new(profile: Profile, flow: &Shapes, n: usize, chunk: usize, pass: usize) -> Option<Lanes> {
        let m = &flow.model;
        if m.depth != 2 || m.one.max(m.pair) > WIDEST || flow.words > 4 * UNIFORM {
            return None;
        }
        let (dim, h4, t4) = (m.dim, pad4(m.one) / 4, pad4(m.pair) / 4);
        let [first, second] = [&flow.one[0], &flow.one[1]];
        let places = [
            ("DIM", dim),
            ("H4", h4),
            ("T4", t4),
            ("F", m.features()),
            ("NW", flow.words / 4),
            ("V1", first.vy),
            ("C1", first.bias),
            ("VH", second.vh),
            ("VG", second.vg),
            ("VY", second.vy),
            ("C2", second.bias),
            ("VHT", second.vh_t),
            ("VGT", second.vg_t),
            ("VYT", second.vy_t),
            ("W1", flow.two[0].w),
            ("B1", flow.two[0].bias),
            ("WT", flow.output.w_t),
            ("BO", flow.output.bias),
        ];
        let constants = std::iter::once(("WG", WG)).chain(places.map(|(name, value)| (name, value as u32))).collect();
        let buffer = |name: &str, vec4: usize| Buffer::new(format!("flow {name}"), 4 * chunk * vec4);
        let probes = |name: &str, vec4: usize| Buffer::new(format!("flow probes' {name}"), 4 * chunk * pass * vec4);
        let (d, ld) = (n * dim, pad4(n * dim));
        let row = dim * (5 + h4) + dim * dim + dim * (3 + dim) * t4 + (2 + m.features()) * h4;
        Some(Lanes {
            dim,
            h4,
            t4,
            constants,
            split: profile == Profile::Gpu,
            sums: buffer("pair sums", n * 2 * (2 + t4 + h4)),
            h: buffer("h1", 2 * n * h4),
            mean: buffer("mean h1", 2 * h4),
            rows: buffer("pulled rows", d * (2 + t4)),
            kappa: buffer("kappa", ld * h4),
            a2: buffer("a2", n * h4),
            dg: buffer("mean gradient", d * h4),
            row: buffer("row sums", n * row),
            turned: buffer("turned rows", n * (2 * dim * h4 + 3 + t4 + h4)),
            total: buffer("turned rows' sum", 2 * dim * h4 + 3 + t4 + h4),
            vdg: buffer("V mean gradient", d * h4),
            ydg: buffer("Y mean gradient", d * h4),
            channels: buffer("channel directions", ld * h4),
            share: buffer("mean Laplacian", n * h4),
            slope: buffer("channel slopes", n * h4),
            moments: buffer("channel moments", n * m.features() * h4),
            hessian: buffer("mean Hessian", d * h4),
            pairs: buffer("gradient pairs", (n * d).div_ceil(4)),
            probe_h: probes("h1", n * h4),
            probe_slope: probes("slopes", n * h4),
            probe_y: probes("y1", n * t4),
            probe_mean: probes("mean h1", h4),
            probe_rows: probes("rows", d * (2 + t4 + h4)),
            probe_dg: probes("mean gradient", d * h4),
            probe_ydg: probes("Y mean gradient", d * h4),
            probe: probes("traces", 1),
            score: buffer("scores' layers", n * score_vec4(dim, h4, t4)),
            adjoint: buffer("adjoint a2", 2 * n * h4),
            adjoint_mean: buffer("mean adjoint a2", 2 * h4),
            score_weights: buffer("scores' weights", n * 2 * (m.features() + 1) * t4),
        })
    }

    pub(super) fn all(&self) -> Vec<&Buffer> {
        let values = [&self.sums, &self.h, &self.mean, &self.rows, &self.kappa, &self.a2, &self.dg];
        let rows = [&self.row, &self.turned, &self.total, &self.vdg, &self.ydg, &self.pairs];
        let channels = [&self.channels, &self.share, &self.slope, &self.moments, &self.hessian];
        let along = [&self.probe_h, &self.probe_slope, &self.probe_y, &self.probe_mean];
        let probes = [&self.probe_rows, &self.probe_dg, &self.probe_ydg, &self.probe];
        let scores = [&self.score, &self.adjoint, &self.adjoint_mean, &self.score_weights];
        values.into_iter().chain(rows).chain(channels).chain(along).chain(probes).chain(scores).collect()
    }

    /// Operations of V1 (features to H) and W1 (features to T).
    pub(super) fn by_features(&self) -> (f64, f64) {
        let f = (2 * self.dim + 1) as f64;
        (8.0 * f * self.h4 as f64, 8.0 * f * self.t4 as f64)
    }

    /// How `whole` column blocks are shared out: blocks of an invocation, and invocations a particle.
    pub(super) fn share(&self, whole: usize) -> (u32, usize) {
        if self.split { (1, whole) } else { (whole as u32, 1) }
    }
}

/// Vec4 of `score` a particle (`SCORE` of shaders/shared/flow_places.wgsl).
fn score_vec4(dim: usize, h4: usize, t4: usize) -> usize {
    (1 + dim) * (3 * h4 + t4 + 2) + (2 + dim) * (2 * h4 + 1) + 2 * t4
}

impl Flow {
    /// Whether values and derivatives by output rows have the path that keeps everything in registers.
    pub fn has_lanes(&self) -> bool {
        self.lanes.is_some()
    }

    /// Records a launch with one invocation a particle.
    pub(super) fn record_lane(&self, rec: &mut Recording, lanes: &Lanes, lane: Lane, buffers: &[&Buffer]) {
        let all = lane.threads as f64;
        // the weights come first where the kernel has them
        let weights = lane.kernel.shared.contains(&"flow_lane").then_some(&self.weights);
        let [x, y, _] = grid(lane.threads.div_ceil(WG as usize));
        rec.push(Dispatch {
            name: lane.name.into(),
            kernel: lane.kernel,
            constants: lanes.constants.iter().chain(lane.more).copied().collect(),
            params: bytemuck::bytes_of(&lane.params).to_vec(),
            buffers: weights.into_iter().chain(buffers.iter().copied()).cloned().collect(),
            groups: [x, y, lane.blocks as u32],
            trips: lane.trips as u64,
            flops: all * lane.flops,
            bytes: 16.0 * all * lane.touched,
        });
    }

    /// Records z with sums over pairs and pulled-back rows; `laplace`: with Laplacians of the sums.
    fn record_lane_positions<'a>(&self, rec: &mut Recording, lanes: &'a Lanes, x: &Buffer, walkers: usize, laplace: bool) -> Lane<'a> {
        let (n, dim, h4, t4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let rows = 1 + laplace as usize;
        let p = Params { rows: rows as u32, ..self.params(walkers, Order::First) };
        let (by_one, by_two) = lanes.by_features();
        let position = dim / 4.0;
        let more: &[(&str, u32)] = if laplace { &[("LAPLACE", 1)] } else { &[("LAPLACE", 0)] };
        let pair = if laplace { WAVES + 3.0 * by_two + by_one } else { WAVE + by_two } + SOFTPLUS * t4;
        let flops = n * pair + 2.0 * by_one + SOFTPLUS * h4;
        let touched = n * position + 2.0 * (2.0 + t4 + h4) + 2.0 * h4;
        let sums =
            Lane { name: "pair sums", kernel: &SUMS, more, params: p, threads: walkers * self.n, blocks: 1, trips: self.n, flops, touched };
        self.record_lane(rec, lanes, sums, &[x, &lanes.sums, &lanes.h]);
        let mean = Params { scale: 1.0 / self.n as f32, ..p };
        self.plain("mean h", &PARTICLE_MEAN, mean, walkers, rows * lanes.h4, self.n).record(rec, &[&lanes.h, &lanes.mean]);
        let row = 2.0 + t4 + h4;
        let flops = (2.0 + 2.0 * dim) * 32.0 * h4 * h4 + (1.0 + dim) * 32.0 * h4 * t4 + (1.0 + dim) * by_one + 2.0 * SOFTPLUS * h4;
        let base = Lane { more: &[], flops, touched: row + dim * row + 2.0 * h4, ..sums };
        let z = Lane { name: "rows", kernel: &PARTICLES, trips: lanes.dim + 4, ..base };
        self.record_lane(rec, lanes, z, &[x, &lanes.sums, &lanes.mean, &self.z, &lanes.rows, &lanes.kappa, &lanes.a2]);
        base
    }

    /// Records z and J, and what derivatives build on: sums over pairs, pulled-back rows, the gradient of the mean field.
    /// `laplace`: with Laplacians of the sums.
    pub(super) fn record_lane_values(&self, rec: &mut Recording, lanes: &Lanes, x: &Buffer, walkers: usize, laplace: bool) {
        let base = self.record_lane_positions(rec, lanes, x, walkers, laplace);
        let (n, dim, h4, t4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let (_, by_two) = lanes.by_features();
        let (position, row) = (dim / 4.0, 2.0 + t4 + h4);
        let flops = n * (WAVE + dim * 32.0 * h4) + dim * 24.0 * h4;
        let gradient = Lane { name: "mean gradient", kernel: &MEAN_GRADIENT, flops, touched: n * (position + h4) + dim * h4, ..base };
        self.record_lane(rec, lanes, gradient, &[x, &lanes.sums, &lanes.dg]);
        let flops = n * (WAVE + (1.0 + dim) * by_two + SOFTPLUS * t4 + dim * dim * (8.0 * h4 + 8.0));
        let touched = n * (position + dim * h4 + dim * dim / 4.0) + dim * row;
        let trips = self.n + 4 * self.ld() + lanes.dim * 4;
        let jacobian = Lane { name: "jacobian", kernel: &PULL_JACOBIAN, flops, touched, trips, ..base };
        self.record_lane(rec, lanes, jacobian, &[x, &lanes.rows, &lanes.kappa, &lanes.dg, &self.jacobian]);
    }

    /// Records z alone for `walkers` configurations x `[walker][n][d]` (units rs a0, any image); J too where it comes with z.
    pub fn record_positions(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        match &self.lanes {
            Some(lanes) => _ = self.record_lane_positions(rec, lanes, x, walkers, false),
            None => self.record_forward(rec, x, walkers, Order::First),
        }
    }

    /// Records z and J alone for `walkers` configurations x `[walker][n][d]` (units rs a0, any image).
    ///
    /// Leaves nothing for the derivatives and scores: they want [`Flow::record_forward`] or [`Flow::record_lanes`].
    pub fn record_values(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        match &self.lanes {
            Some(lanes) => self.record_lane_values(rec, lanes, x, walkers, false),
            None => self.record_forward(rec, x, walkers, Order::First),
        }
    }
}
