//! Flows of two layers with everything in registers: one invocation owns a particle and loops over its pairs.
//!
//! Nothing of the size of pairs times width is ever stored: features of a pair cost less to compute than to load, and the
//! weights come from a uniform buffer. The output rows are pulled back through the layers first (contraction first), so
//! that J_(ia)(jk) = δ - (1/n) (ρ1_ia + W1 [ρ2_ia s]) · t0'_ij,k + κ_ia · ∂_jk g meets a pair once, whatever the width:
//! ρ2 = V_y β, κ = V_g β, ρ1 = V1 [(W_a + V_h β) s1] with β = W_a s(a2) for the d outputs of particle i.

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};

use super::super::pad4;
use super::buffers::Shapes;
use super::*;

/// Widest layers that fit the registers.
const WIDEST: usize = 32;
/// Largest uniform buffer every device binds, in vec4.
const UNIFORM: usize = 4096;

/// Operations of a pair's features with first and with all derivatives.
const WAVE: f64 = 40.0;

/// Shapes, places of the weights, and arrays.
pub(super) struct Lanes {
    dim: usize,
    h4: usize,
    t4: usize,
    constants: Vec<(&'static str, u32)>,
    /// Sums over pairs, h1 with its Laplacian, their means.
    pub sums: Buffer,
    pub h: Buffer,
    pub mean: Buffer,
    pub rows: Buffer,
    pub a2: Buffer,
    pub dg: Buffer,
}

/// A launch with one invocation a particle.
pub(super) struct Lane<'a> {
    pub name: &'a str,
    pub kernel: &'static Kernel,
    /// Text constants besides shapes and places.
    pub more: &'a [(&'static str, u32)],
    pub params: Params,
    /// Invocations: particles, of all walkers and probes.
    pub particles: usize,
    pub trips: usize,
    /// Operations and vec4 read and written of one invocation.
    pub flops: f64,
    pub touched: f64,
}

impl Lanes {
    /// None where the flow has another depth, or is too wide.
    pub(super) fn new(flow: &Shapes, n: usize, chunk: usize) -> Option<Lanes> {
        let m = &flow.model;
        if m.depth != 2 || m.one.max(m.pair) > WIDEST || flow.words > 4 * UNIFORM {
            return None;
        }
        let (h4, t4) = (pad4(m.one) / 4, pad4(m.pair) / 4);
        let [first, second] = [&flow.one[0], &flow.one[1]];
        let places = [
            ("DIM", m.dim),
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
        let row = 2 + t4 + h4;
        Some(Lanes {
            dim: m.dim,
            h4,
            t4,
            constants,
            sums: buffer("pair sums", n * 2 * row),
            h: buffer("h1", 2 * n * h4),
            mean: buffer("mean h1", 2 * h4),
            rows: buffer("pulled rows", n * m.dim * row),
            a2: buffer("a2", n * h4),
            dg: buffer("mean gradient", n * m.dim * h4),
        })
    }

    pub(super) fn all(&self) -> Vec<&Buffer> {
        vec![&self.sums, &self.h, &self.mean, &self.rows, &self.a2, &self.dg]
    }

    /// Multiply-adds of V1 or V_g (by features, H wide) and W1 (T wide), twice: operations.
    pub(super) fn by_features(&self) -> (f64, f64) {
        let f = (2 * self.dim + 1) as f64;
        (8.0 * f * self.h4 as f64, 8.0 * f * self.t4 as f64)
    }
}

impl Flow {
    /// Records a launch with one invocation a particle; the weights are bound first.
    pub(super) fn record_lane(&self, rec: &mut Recording, lanes: &Lanes, lane: Lane, buffers: &[&Buffer]) {
        let all = lane.particles as f64;
        rec.push(Dispatch {
            name: lane.name.into(),
            kernel: lane.kernel,
            constants: lanes.constants.iter().chain(lane.more).copied().collect(),
            params: bytemuck::bytes_of(&lane.params).to_vec(),
            buffers: std::iter::once(&self.weights).chain(buffers.iter().copied()).cloned().collect(),
            groups: grid(lane.particles.div_ceil(WG as usize)),
            trips: lane.trips as u64,
            flops: all * lane.flops,
            bytes: 16.0 * all * lane.touched,
        });
    }

    /// Sums over pairs, their mean, the particles' rows and the gradient of the mean; `laplace`: with Laplacians.
    pub(super) fn record_lane_values(&self, rec: &mut Recording, lanes: &Lanes, x: &Buffer, walkers: usize, laplace: bool) {
        let (n, dim, h4, t4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let (particles, rows) = (walkers * self.n, 1 + laplace as usize);
        let p = Params { rows: rows as u32, ..self.params(walkers, Order::First) };
        let (by_one, by_two) = lanes.by_features();
        let position = dim / 4.0;
        let more: &[(&str, u32)] = if laplace { &[("LAPLACE", 1)] } else { &[("LAPLACE", 0)] };
        let pair = if laplace { 3.0 * WAVE + 3.0 * by_two + by_one + 140.0 * t4 } else { WAVE + by_two + 100.0 * t4 };
        let base = Lane { name: "pair sums", kernel: &SUMS, more, params: p, particles, trips: self.n, flops: 0.0, touched: 0.0 };
        let sums = Lane { flops: n * pair + 2.0 * by_one + 100.0 * h4, touched: n * position + 2.0 * (2.0 + t4 + h4) + 2.0 * h4, ..base };
        self.record_lane(rec, lanes, sums, &[x, &lanes.sums, &lanes.h]);
        let mean = Params { scale: 1.0 / self.n as f32, ..p };
        self.plain("mean h", &PARTICLE_MEAN, mean, walkers, rows * lanes.h4, self.n).record(rec, &[&lanes.h, &lanes.mean]);
        let row = 2.0 + t4 + h4;
        let flops = (2.0 + 2.0 * dim) * 32.0 * h4 * h4 + (1.0 + dim) * 32.0 * h4 * t4 + (1.0 + dim) * by_one + 120.0 * h4;
        let base = Lane { more: &[], flops, touched: row + dim * row + 2.0 * h4, ..base };
        let z = Lane { name: "rows", kernel: &PARTICLES, trips: lanes.dim, ..base };
        self.record_lane(rec, lanes, z, &[x, &lanes.sums, &lanes.mean, &self.z, &lanes.rows, &lanes.a2]);
        let flops = n * (WAVE + dim * 32.0 * h4) + dim * 24.0 * h4;
        let gradient = Lane { name: "mean gradient", kernel: &MEAN_GRADIENT, flops, touched: n * (position + h4) + dim * h4, ..base };
        self.record_lane(rec, lanes, gradient, &[x, &lanes.sums, &lanes.dg]);
        let flops = n * (WAVE + (1.0 + dim) * by_two + 20.0 * t4 + dim * dim * (8.0 * h4 + 8.0));
        let touched = n * (position + dim * h4 + dim * dim / 4.0) + dim * row;
        let trips = self.n + 4 * self.ld() + lanes.dim * 4;
        let jacobian = Lane { name: "jacobian", kernel: &PULL_JACOBIAN, flops, touched, trips, ..base };
        self.record_lane(rec, lanes, jacobian, &[x, &lanes.rows, &lanes.dg, &self.jacobian]);
    }

    /// Records z and J alone for `walkers` configurations x `[walker][n][d]` (units rs a0, any image).
    ///
    /// Leaves nothing for the derivatives and scores: they want [`Flow::record_forward`].
    pub fn record_values(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        match &self.lanes {
            Some(lanes) => self.record_lane_values(rec, lanes, x, walkers, false),
            None => self.record_forward(rec, x, walkers, Order::First),
        }
    }
}
