//! Gradient and Laplacian of ln|det J| with everything in registers; the formulas are those of `rows`.
//!
//! Δ ln|det J| = Σ_ia Y_ia·∇ Δz_ia - Σ_v tr((J⁻¹ ∂_vJ)²), Y = J⁻ᵀ. Rows first: each row's own direction Y_ia meets the pairs
//! of its particle alone. The mean field of the first layer follows from one direction a channel, B = J⁻¹ κ, but for
//! Y_ia·∇ ∂_b g in the cross terms, which the probes v of the trace estimate without bias.

use crate::gpu::{Buffer, Recording};

use super::super::philox::purpose;
use super::super::{linear, outer};
use super::lanes::{Lane, Lanes, SOFTPLUS, WAVES};
use super::tangent::Pass;
use super::*;

impl Flow {
    /// Records z and J and all that [`Flow::record_lane_derivatives`] needs, if the flow [`Flow::has_lanes`].
    pub fn record_lanes(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        if let Some(lanes) = &self.lanes {
            self.record_lane_values(rec, lanes, x, walkers, true);
        }
    }

    /// Records Δz, ∇ ln|det J| and Δ ln|det J| after [`Flow::record_lanes`] of the same walkers.
    ///
    /// `inverse`: J⁻¹ `[walker][ld][ld]`, padding 0. With `signs` the trace is estimated without bias; else exact.
    pub fn record_lane_derivatives(&self, rec: &mut Recording, x: &Buffer, inverse: &Buffer, walkers: usize, signs: Option<Signs>) {
        let Some(lanes) = &self.lanes else { return };
        self.record_lane_rows(rec, lanes, x, inverse, walkers);
        self.record_lane_gradient(rec, lanes, x, inverse, walkers);
        let directions = signs.map_or(Directions::RowsExact, Directions::Rows);
        let of = signs.map_or(self.order(), |s| s.probes);
        for first in (0..of).step_by(self.pass) {
            let count = self.pass.min(of - first);
            self.record_lane_pass(rec, lanes, x, inverse, walkers, Pass { first, count, of, directions });
        }
    }

    /// A launch over `walkers` times the particles; `blocks`: constants and cuts of a kernel that works on column blocks.
    pub(super) fn lane<'a>(&self, name: &'a str, kernel: &'static Kernel, walkers: usize, flops: f64, touched: f64) -> Lane<'a> {
        let params = self.params(walkers, Order::First);
        Lane { name, kernel, more: &[], params, threads: walkers * self.n, blocks: 1, trips: self.n + 4, flops, touched }
    }

    /// Rᵀ D for each walker: `out` `[walker][n d][H]` from R `[walker][ld][ld]` and D `[walker][n d][H]`.
    #[allow(clippy::too_many_arguments)] // two operands, the result and their shapes
    fn record_transposed(
        &self,
        rec: &mut Recording,
        lanes: &Lanes,
        r: &Buffer,
        d: &Buffer,
        out: &Buffer,
        walkers: usize,
        probe: (usize, usize),
    ) {
        let (order, ld4) = (self.order(), self.ld() / 4);
        let (number, of) = probe;
        let block = order * lanes.h4;
        let p = outer::Params {
            batches: walkers as u32,
            outer: order as u32,
            inner: 1,
            rows_out: order as u32,
            cols: 4 * lanes.h4 as u32,
            x_stride: (self.ld() * ld4) as u32,
            x_outer: ld4 as u32,
            y_offset: (number * block) as u32,
            y_stride: (of * block) as u32,
            y_outer: lanes.h4 as u32,
            g_offset: (4 * number * block) as u32,
            g_stride: (4 * of * block) as u32,
            ..Default::default()
        };
        outer::record(rec, "Y mean gradient", p, r, d, out);
    }

    /// Δz, shares of the output rows and of the mean field in Δq.
    fn record_lane_rows(&self, rec: &mut Recording, lanes: &Lanes, x: &Buffer, inverse: &Buffer, walkers: usize) {
        let (n, dim, h4, t4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let (d, ld) = (self.order(), self.ld());
        let (by_one, by_two) = lanes.by_features();
        let pair = dim / 4.0 + dim * dim / 4.0;
        let unique = dim * (dim + 1.0) / 2.0;
        let product = linear::Params::new(walkers * d, lanes.h4, lanes.h4, self.one[1].vg);
        linear::record(rec, "V mean gradient", product, &lanes.dg, &self.weights, &lanes.vdg);
        self.record_transposed(rec, lanes, inverse, &lanes.dg, &lanes.ydg, walkers, (0, 1));

        let flops = n * (WAVES + dim * dim * (30.0 + 32.0 * h4) + dim * 24.0 * h4);
        let sums = self.lane("row sums", &ROW_SUMS, walkers, flops, n * pair + dim * (5.0 + h4) + dim * dim);
        self.record_lane(rec, lanes, sums, &[x, inverse, &lanes.row]);
        let (blocks, cuts) = lanes.share(lanes.t4);
        let flops = n * (WAVES + by_two + SOFTPLUS * t4 + t4 * (dim * 40.0 + dim * dim * 60.0 + dim * 60.0));
        let sums = self.lane("row pairs", &ROW_PAIRS, walkers, flops, n * pair * cuts as f64 + dim * (3.0 + dim) * t4);
        self.record_lane(rec, lanes, Lane { more: &[("TB", blocks)], blocks: cuts, ..sums }, &[x, inverse, &lanes.row]);
        let (blocks, cuts) = lanes.share(lanes.h4);
        let products = 32.0 * h4 * t4 * (dim + unique);
        let flops = n
            * (WAVES
                + products
                + cuts as f64 * (2.0 * by_two + (SOFTPLUS + 40.0 * dim + 40.0 * unique) * t4)
                + h4 * (80.0 * dim + 60.0 * unique))
            + 4.0 * by_one * h4;
        let cross = self.lane("cross terms", &CROSS, walkers, flops, n * (pair * cuts as f64 + dim * h4) + (4.0 + 2.0 * dim) * h4);
        let cross = Lane { more: &[("HB", blocks)], blocks: cuts, ..cross };
        self.record_lane(rec, lanes, cross, &[x, inverse, &lanes.sums, &lanes.a2, &lanes.vdg, &lanes.row]);
        let matrices = 32.0 * h4 * (h4 * (2.0 + dim + dim * (6.0 + 2.0 * dim + 1.0 + dim)) + t4 * (1.0 + dim + dim * (3.0 + dim)));
        let read = 2.0 * (2.0 + t4 + h4) + h4 + dim * (5.0 + h4) + dim * dim + dim * (3.0 + dim) * t4 + dim * (3.0 + 2.0 * dim) * h4;
        let laplacian = self.lane("row Laplacian", &ROW_LAPLACIAN, walkers, matrices + 4.0 * SOFTPLUS * h4, read + dim * 4.0 * h4 + t4);
        let laplacian = Lane { trips: lanes.dim * (4 + 2 * lanes.dim + self.model.features()) + 4, ..laplacian };
        let buffers = [&lanes.sums, &lanes.mean, &lanes.a2, &lanes.row, &lanes.vdg, &lanes.ydg, &self.lap_z, &lanes.turned];
        self.record_lane(rec, lanes, laplacian, &buffers);
        let turned = 2 * lanes.dim * lanes.h4 + 3 + lanes.t4 + lanes.h4;
        let total = Params { rows: turned as u32, scale: 1.0, ..self.params(walkers, Order::First) };
        let total = Launch { width4: 1, ..self.plain("turned sum", &PARTICLE_MEAN, total, walkers, turned, self.n) };
        total.record(rec, &[&lanes.turned, &lanes.total]);

        let product = linear::Params {
            batches: walkers as u32,
            x_stride: (ld * ld / 4) as u32,
            w_stride: (ld * lanes.h4) as u32,
            y_stride: (ld * lanes.h4) as u32,
            ..linear::Params::new(d, ld / 4, lanes.h4, 0)
        };
        linear::record(rec, "channel directions", product, inverse, &lanes.kappa, &lanes.channels);
        let (blocks, cuts) = lanes.share(lanes.h4);
        let flops = n * (cuts as f64 * WAVES + h4 * dim * (110.0 + 8.0 * dim)) + 3.0 * by_one + SOFTPLUS * h4;
        let mean = self.lane("mean Laplacian", &MEAN_LAPLACIAN, walkers, flops, n * (dim / 4.0 * cuts as f64 + dim * h4) + 9.0 * h4);
        let buffers = [x, &lanes.sums, &lanes.channels, &lanes.share, &lanes.slope, &lanes.moments];
        self.record_lane(rec, lanes, Lane { more: &[("HB", blocks)], blocks: cuts, ..mean }, &buffers);
    }

    /// d_v ∂_b g1 along the probes (`channels` 0), or along the channels' own directions (1).
    #[allow(clippy::too_many_arguments)] // inputs, output and their shapes
    fn record_hessian(
        &self,
        rec: &mut Recording,
        lanes: &Lanes,
        x: &Buffer,
        walkers: usize,
        probes: usize,
        channels: bool,
        buffers: [&Buffer; 3],
    ) {
        let (n, dim, h4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64);
        let (blocks, cuts) = lanes.share(lanes.h4);
        let flops = n * (cuts as f64 * WAVES + h4 * dim * (120.0 + 8.0 * dim));
        let each = if channels { dim * h4 } else { cuts as f64 * dim / 4.0 };
        let hessian =
            self.lane("mean Hessian", &MEAN_HESSIAN, walkers * probes, flops, n * (dim / 4.0 * cuts as f64 + 2.0 * h4 + each) + dim * h4);
        let params = Params { walkers: walkers as u32, probes: probes as u32, ..hessian.params };
        let more = [("HB", blocks), ("CHANNELS", channels as u32)];
        let [slope, directions, out] = buffers;
        self.record_lane(rec, lanes, Lane { more: &more, blocks: cuts, params, ..hessian }, &[x, &lanes.sums, slope, directions, out]);
    }

    /// ∇ ln|det J|.
    fn record_lane_gradient(&self, rec: &mut Recording, lanes: &Lanes, x: &Buffer, inverse: &Buffer, walkers: usize) {
        let (n, dim, h4, t4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let (_, by_two) = lanes.by_features();
        self.record_hessian(rec, lanes, x, walkers, 1, true, [&lanes.slope, &lanes.channels, &lanes.hessian]);
        let flops = n * (WAVES + (2.0 + 2.0 * dim) * by_two + SOFTPLUS * t4 + dim * (20.0 * t4 + dim * 20.0));
        let pairs =
            self.lane("gradient pairs", &GRADIENT_PAIRS, walkers, flops, n * (dim / 2.0 + dim * dim / 4.0) + (1.0 + dim) * (2.0 + t4));
        self.record_lane(rec, lanes, pairs, &[x, inverse, &lanes.rows, &lanes.turned, &lanes.pairs]);
        let gradient = self.lane("grad ln det J", &GRADIENT, walkers, 2.0 * n + 16.0 * h4, n / 2.0 + 3.0 * h4);
        let gradient = Lane { threads: walkers * self.ld(), trips: self.n + lanes.h4, ..gradient };
        self.record_lane(rec, lanes, gradient, &[&lanes.pairs, &lanes.total, &lanes.dg, &lanes.hessian, &self.grad_logdet]);
    }

    /// Δ ln|det J| along the probes of one pass; the first also adds what is exact.
    fn record_lane_pass(&self, rec: &mut Recording, lanes: &Lanes, x: &Buffer, inverse: &Buffer, walkers: usize, pass: Pass) {
        let (m, n, dim, h4, t4) = (&self.memory, self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let (d, ld, batch) = (self.order(), self.ld(), walkers * pass.count);
        let (by_one, by_two) = lanes.by_features();
        let p = Params { probes: pass.count as u32, first: pass.first as u32, rows: 1, ..self.params(walkers, Order::First) };
        self.record_directions(rec, p, walkers, pass);
        let along = |name, kernel, flops, touched| Lane { params: p, ..self.lane(name, kernel, batch, flops, touched) };
        let flops = n * (WAVES + 2.0 * by_two + SOFTPLUS * t4) + 2.0 * by_one;
        let sums = along("probe sums", &PROBE_SUMS, flops, n * dim / 2.0 + 4.0 * h4 + t4);
        self.record_lane(rec, lanes, sums, &[x, &lanes.sums, &m.directions, &lanes.probe_h, &lanes.probe_slope, &lanes.probe_y]);
        let mean = Params { scale: 1.0 / self.n as f32, ..p };
        self.plain("probe mean", &PARTICLE_MEAN, mean, batch, lanes.h4, self.n).record(rec, &[&lanes.probe_h, &lanes.probe_mean]);
        let flops = 32.0 * h4 * ((2.0 + 3.0 * dim) * h4 + (1.0 + dim) * t4);
        let rows = along("probe rows", &PROBE_ROWS, flops, 5.0 * h4 + t4 + dim * (2.0 + t4 + h4));
        let inputs = [&lanes.sums, &lanes.a2, &lanes.probe_h, &lanes.probe_slope, &lanes.probe_y, &lanes.probe_mean];
        self.record_lane(rec, lanes, rows, &inputs.into_iter().chain([&lanes.probe_rows]).collect::<Vec<_>>());
        self.record_hessian(rec, lanes, x, walkers, pass.count, false, [&lanes.probe_slope, &m.directions, &lanes.probe_dg]);
        let (blocks, cuts) = lanes.share(lanes.dim);
        let flops =
            n * (cuts as f64 * (WAVES + 2.0 * by_two + SOFTPLUS * t4) + dim * (2.0 * by_two + 20.0 * t4 + dim * (16.0 * h4 + 30.0)));
        let touched = n * (cuts as f64 * (dim / 2.0 + 2.0 * dim * h4) + dim * dim / 4.0) + 2.0 * dim * (2.0 + t4 + h4);
        let jacobian = along("dJ", &PROBE_JACOBIAN, flops, touched);
        let jacobian = Lane { more: &[("AB", blocks)], blocks: cuts, trips: self.n + 5 * ld, ..jacobian };
        let inputs = [x, &m.directions, &lanes.rows, &lanes.kappa, &lanes.probe_rows, &lanes.dg, &lanes.probe_dg];
        self.record_lane(rec, lanes, jacobian, &inputs.into_iter().chain([&m.derivative]).collect::<Vec<_>>());
        self.record_over_jacobian(rec, inverse, batch, pass.count);
        for probe in 0..pass.count {
            self.record_transposed(rec, lanes, inverse, &lanes.probe_dg, &lanes.probe_ydg, walkers, (probe, pass.count));
        }
        let trips = d * d / WG as usize + d * lanes.h4 / WG as usize + 12;
        let work = (d * d) as f64 / WG as f64;
        let trace = Lane { threads: batch * WG as usize, trips, ..along("probe traces", &PROBE_TRACE, 2.0 * work, work / 2.0) };
        self.record_lane(rec, lanes, trace, &[&m.product, &lanes.probe_rows, &lanes.probe_ydg, &lanes.probe]);
        let flags = u32::from(pass.first > 0);
        let sum = along("lap ln det J", &LAPLACIAN_SUM, n * h4, n * h4);
        let params = Params { flags, scale: pass.weight(), ..p };
        let sum = Lane { params, threads: walkers, trips: self.n * lanes.h4 + pass.count, ..sum };
        self.record_lane(rec, lanes, sum, &[&lanes.total, &lanes.share, &lanes.probe, &self.lap_logdet]);
    }

    /// Records the directions of a pass.
    pub(super) fn record_directions(&self, rec: &mut Recording, p: Params, walkers: usize, pass: Pass) {
        let draw = match pass.directions.signs() {
            None => p,
            Some(s) => Params {
                flags: 1,
                first: s.first_walker,
                step: s.step,
                seed: [s.seed as u32, (s.seed >> 32) as u32],
                purpose: purpose::PROBES,
                bias: pass.first as u32,
                ..p
            },
        };
        self.plain("directions", &DIRECTIONS, draw, walkers, pass.count * self.order(), 0).record(rec, &[&self.memory.directions]);
    }

    /// Records (∂_v J) J⁻¹ of a pass.
    pub(super) fn record_over_jacobian(&self, rec: &mut Recording, inverse: &Buffer, batch: usize, count: usize) {
        let ld = self.ld();
        let product = linear::Params {
            batches: batch as u32,
            x_stride: (ld * ld / 4) as u32,
            w_stride: (ld * ld / 4) as u32,
            w_div: count as u32,
            y_stride: (ld * ld / 4) as u32,
            ..linear::Params::new(self.order(), ld / 4, ld / 4, 0)
        };
        linear::record(rec, "dJ/J", product, &self.memory.derivative, inverse, &self.memory.product);
    }
}
