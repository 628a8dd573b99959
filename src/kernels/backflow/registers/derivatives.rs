//! Gradient and Laplacian of ln|det J| with everything in registers; the formulas are those of `jets/rows`.
//!
//! Δ ln|det J| = Σ_ia Y_ia·∇ Δz_ia - Σ_v tr((J⁻¹ ∂_vJ)²), Y = J⁻ᵀ. Rows first: each row's own direction Y_ia meets the pairs
//! of its particle alone. The mean field of the first layer follows from one direction a channel, B = J⁻¹ κ, but for
//! Y_ia·∇ ∂_b g in the cross terms, which the probes v of the trace estimate without bias.

use crate::gpu::{Binding, Buffer, Recording};

use super::super::super::{WG, linear, outer};
use super::super::array::{Array, put, unused};
use super::super::directions::{Directions, Pass, Signs};
use super::super::{BackflowKernels, mean};
use super::kernels::{CROSS, MEAN_HESSIAN, MEAN_LAPLACIAN, ROW_LAPLACIAN, ROW_PAIRS, ROW_SUMS};
use super::kernels::{GRADIENT, GRADIENT_PAIRS, LAPLACIAN_SUM, PROBE_JACOBIAN, PROBE_ROWS, PROBE_SUMS, PROBE_TRACE};
use super::{InRegisters, Lane, Params, SOFTPLUS, WAVES};

impl BackflowKernels {
    /// Records Δz, ∇ ln|det J| and Δ ln|det J| after [`BackflowKernels::record_register_values`] of the same walkers.
    ///
    /// `inverse`: J⁻¹ `[walker][ld][ld]`, padding 0. With `signs` the trace is estimated without bias; else exact.
    pub fn record_register_derivatives(&self, rec: &mut Recording, x: &Buffer, inverse: &Buffer, walkers: usize, signs: Option<Signs>) {
        if let Some(there) = self.in_registers(x, walkers) {
            there.record_derivatives(rec, inverse, signs.map_or(Directions::RowsExact, Directions::Rows));
        }
    }
}

impl InRegisters<'_> {
    /// Records Δz, ∇ ln|det J| and Δ ln|det J| after [`InRegisters::record_values`] with Laplacians.
    pub fn record_derivatives(&self, rec: &mut Recording, inverse: &Buffer, directions: Directions) {
        self.record_rows(rec, inverse);
        self.record_mean_field(rec, inverse);
        self.record_gradient(rec, inverse);
        for pass in self.flow.passes(directions) {
            self.record_pass(rec, inverse, pass);
        }
    }

    /// Rᵀ D for each walker: `out` `[walker][n d][H]` from R `[walker][ld][ld]` and D `[walker][n d][H]`; `probe`: which of how many.
    fn record_transposed(&self, rec: &mut Recording, r: &Buffer, d: &Buffer, out: &Buffer, probe: (usize, usize)) {
        let (order, ld4, h4) = (self.flow.order(), self.flow.ld() / 4, self.own.h4);
        let (number, of) = probe;
        let block = order * h4;
        let p = outer::Params {
            batches: self.walkers as u32,
            outer: order as u32,
            inner: 1,
            rows_out: order as u32,
            cols: 4 * h4 as u32,
            x_stride: (self.flow.ld() * ld4) as u32,
            x_outer: ld4 as u32,
            y_offset: (number * block) as u32,
            y_stride: (of * block) as u32,
            y_outer: h4 as u32,
            g_offset: (4 * number * block) as u32,
            g_stride: (4 * of * block) as u32,
            ..Default::default()
        };
        outer::record(rec, "Y mean gradient", p, r, d, out);
    }

    /// J⁻¹ as far as kernels look at it.
    pub(super) fn inverse(&self, inverse: &Buffer) -> Binding {
        self.flow.read_matrix(inverse, self.walkers)
    }

    /// Δz, and the shares of the output rows in Δq.
    fn record_rows(&self, rec: &mut Recording, inverse: &Buffer) {
        let (flow, r, w) = (self.flow, self.own, self.walkers);
        let (n, dim, h4, t4) = self.sizes();
        let (by_one, by_two) = self.by_features();
        let unique = dim * (dim + 1.0) / 2.0;
        let product = linear::Params::new(w * flow.order(), r.h4, r.h4, flow.weights.one[1].vg);
        linear::record(rec, "V mean gradient", product, &r.dg.buffer, &flow.weights.buffer, &r.vdg.buffer);
        self.record_transposed(rec, inverse, &r.dg.buffer, &r.ydg.buffer, (0, 1));

        let flops = n * (WAVES + dim * dim * (30.0 + 32.0 * h4) + dim * 24.0 * h4);
        self.record(rec, self.lane("row sums", &ROW_SUMS, w, flops), [self.x(), self.inverse(inverse), r.row.update(w)]);
        let (blocks, cuts) = r.share(r.t4);
        let flops = n * (WAVES + by_two + SOFTPLUS * t4 + t4 * (dim * 40.0 + dim * dim * 60.0 + dim * 60.0));
        let pairs = Lane { more: &[("TB", blocks)], blocks: cuts, ..self.lane("row pairs", &ROW_PAIRS, w, flops) };
        self.record(rec, pairs, [self.x(), self.inverse(inverse), r.row.update(w)]);
        let (blocks, cuts) = r.share(r.h4);
        let products = 32.0 * h4 * t4 * (dim + unique);
        let flops = n
            * (WAVES
                + products
                + cuts as f64 * (2.0 * by_two + (SOFTPLUS + 40.0 * dim + 40.0 * unique) * t4)
                + h4 * (80.0 * dim + 60.0 * unique))
            + 4.0 * by_one * h4;
        let cross = Lane { more: &[("HB", blocks)], blocks: cuts, ..self.lane("cross terms", &CROSS, w, flops) };
        let inputs = [self.x(), self.inverse(inverse), r.sums.read(w), r.a2.read(w), r.vdg.read(w)];
        self.record(rec, cross, inputs.into_iter().chain([r.row.update(w)]));
        let matrices = 32.0 * h4 * (h4 * (2.0 + dim + dim * (6.0 + 2.0 * dim + 1.0 + dim)) + t4 * (1.0 + dim + dim * (3.0 + dim)));
        let trips = r.dim * (4 + 2 * r.dim + flow.model.features()) + 4;
        let laplacian = Lane { trips, ..self.lane("row Laplacian", &ROW_LAPLACIAN, w, matrices + 4.0 * SOFTPLUS * h4) };
        let inputs = [r.sums.read(w), r.mean.read(2 * w), r.a2.read(w), r.row.read(w), r.vdg.read(w), r.ydg.read(w)];
        let outputs = [Binding::write(&flow.lap_z, w * flow.ld()), r.turned.write(w)];
        self.record(rec, laplacian, inputs.into_iter().chain(outputs));
        mean::record(rec, "turned sum", w, flow.n, r.turned_vec4(), 1.0, &r.turned.buffer, &r.total.buffer);
    }

    /// The mean field's share in Δq.
    fn record_mean_field(&self, rec: &mut Recording, inverse: &Buffer) {
        let (flow, r, w) = (self.flow, self.own, self.walkers);
        let (n, dim, h4, _) = self.sizes();
        let (by_one, _) = self.by_features();
        let (d, ld) = (flow.order(), flow.ld());
        let product = linear::Params {
            batches: w as u32,
            x_stride: (ld * ld / 4) as u32,
            w_stride: (ld * r.h4) as u32,
            y_stride: (ld * r.h4) as u32,
            ..linear::Params::new(d, ld / 4, r.h4, 0)
        };
        linear::record(rec, "channel directions", product, inverse, &r.kappa.buffer, &r.channels.buffer);
        let (blocks, cuts) = r.share(r.h4);
        let flops = n * (cuts as f64 * WAVES + h4 * dim * (110.0 + 8.0 * dim)) + 3.0 * by_one + SOFTPLUS * h4;
        let mean = Lane { more: &[("HB", blocks)], blocks: cuts, ..self.lane("mean Laplacian", &MEAN_LAPLACIAN, w, flops) };
        let outputs = [r.share.write(w), r.slope.write(w), r.moments.write(w)];
        self.record(rec, mean, [self.x(), r.sums.read(w), r.channels.read(w)].into_iter().chain(outputs));
    }

    /// d_v ∂_b g1 along `probes` directions a walker, or (`channels`) along the channels' own; `buffers`: slope, directions, result.
    fn record_hessian(&self, rec: &mut Recording, probes: usize, channels: bool, buffers: [Binding; 3]) {
        let (n, dim, h4, _) = self.sizes();
        let (blocks, cuts) = self.own.share(self.own.h4);
        let flops = n * (cuts as f64 * WAVES + h4 * dim * (120.0 + 8.0 * dim));
        let more = [("HB", blocks), ("CHANNELS", u32::from(channels))];
        let params = Params { probes: probes as u32, ..self.params() };
        let hessian = self.lane("mean Hessian", &MEAN_HESSIAN, self.walkers * probes, flops);
        let inputs = [self.x(), self.own.sums.read(self.walkers)];
        self.record(rec, Lane { more: &more, blocks: cuts, params, ..hessian }, inputs.into_iter().chain(buffers));
    }

    /// ∇ ln|det J|.
    fn record_gradient(&self, rec: &mut Recording, inverse: &Buffer) {
        let (flow, r, w) = (self.flow, self.own, self.walkers);
        let (n, dim, h4, t4) = self.sizes();
        let (_, by_two) = self.by_features();
        self.record_hessian(rec, 1, true, [r.slope.read(w), r.channels.read(w), r.hessian.write(w)]);
        let flops = n * (WAVES + (2.0 + 2.0 * dim) * by_two + SOFTPLUS * t4 + dim * (20.0 * t4 + dim * 20.0));
        let pairs = self.lane("gradient pairs", &GRADIENT_PAIRS, w, flops);
        self.record(rec, pairs, [self.x(), self.inverse(inverse), r.rows.read(w), r.turned.read(w), r.pairs.write(w)]);
        let gradient = self.lane("grad ln det J", &GRADIENT, w, 2.0 * n + 16.0 * h4);
        let gradient = Lane { threads: w * flow.ld(), trips: flow.n + r.h4, ..gradient };
        let to = Binding::write(&flow.grad_logdet, w * flow.ld());
        self.record(rec, gradient, [r.pairs.read(w), r.total.read(w), r.dg.read(w), r.hessian.read(w), to]);
    }

    /// Δ ln|det J| along the probes of one pass; the first also adds what is exact.
    fn record_pass(&self, rec: &mut Recording, inverse: &Buffer, pass: Pass) {
        let (flow, r, w, along) = (self.flow, self.own, self.walkers, &self.flow.along);
        let (n, dim, h4, t4) = self.sizes();
        let (by_one, by_two) = self.by_features();
        let (d, ld, batch) = (flow.order(), flow.ld(), w * pass.count);
        flow.record_directions(rec, w, pass);
        let params = Params { probes: pass.count as u32, ..self.params() };
        let lane = |name, kernel, flops| Lane { params, ..self.lane(name, kernel, batch, flops) };
        let sums = lane("probe sums", &PROBE_SUMS, n * (WAVES + 2.0 * by_two + SOFTPLUS * t4) + 2.0 * by_one);
        let outputs = [r.probe_h.write(batch), r.probe_slope.write(batch), r.probe_y.write(batch)];
        self.record(rec, sums, [self.x(), r.sums.read(w), along.directions.read(batch)].into_iter().chain(outputs));
        mean::record(rec, "probe mean", batch, flow.n, r.h4, 1.0 / flow.n as f32, &r.probe_h.buffer, &r.probe_mean.buffer);
        let rows = lane("probe rows", &PROBE_ROWS, 32.0 * h4 * ((2.0 + 3.0 * dim) * h4 + (1.0 + dim) * t4));
        let inputs = [r.probe_h.read(batch), r.probe_slope.read(batch), r.probe_y.read(batch), r.probe_mean.read(batch)];
        self.record(rec, rows, [r.sums.read(w), r.a2.read(w)].into_iter().chain(inputs).chain([r.probe_rows.write(batch)]));
        self.record_hessian(rec, pass.count, false, [r.probe_slope.read(batch), along.directions.read(batch), r.probe_dg.write(batch)]);
        let (blocks, cuts) = r.share(r.dim);
        let flops =
            n * (cuts as f64 * (WAVES + 2.0 * by_two + SOFTPLUS * t4) + dim * (2.0 * by_two + 20.0 * t4 + dim * (16.0 * h4 + 30.0)));
        let jacobian = Lane { more: &[("AB", blocks)], blocks: cuts, trips: flow.n + 5 * ld, ..lane("dJ", &PROBE_JACOBIAN, flops) };
        let inputs = [self.x(), along.directions.read(batch), r.rows.read(w), r.kappa.read(w)];
        let turned = [r.probe_rows.read(batch), r.dg.read(w), r.probe_dg.read(batch)];
        self.record(rec, jacobian, inputs.into_iter().chain(turned).chain([along.derivative.write(batch)]));
        flow.record_over_jacobian(rec, inverse, batch, pass.count);
        for probe in 0..pass.count {
            self.record_transposed(rec, inverse, &r.probe_dg.buffer, &r.probe_ydg.buffer, (probe, pass.count));
        }
        let trips = d * d / WG as usize + d * r.h4 / WG as usize + 12;
        let trace = lane("probe traces", &PROBE_TRACE, 2.0 * (d * d) as f64 / WG as f64);
        let product = flow.read_matrix(&along.product.buffer, batch);
        let bindings = [product, r.probe_rows.read(batch), r.probe_ydg.read(batch), r.probe.write(batch)];
        self.record(rec, Lane { threads: batch * WG as usize, trips, ..trace }, bindings);
        let later = pass.first > 0;
        let params = Params { flags: u32::from(later), scale: pass.weight(), ..params };
        let sum = lane("lap ln det J", &LAPLACIAN_SUM, n * h4);
        let sum = Lane { params, threads: w, trips: flow.n * r.h4 + pass.count, ..sum };
        let exact = |array: &Array| if later { unused(&array.buffer) } else { array.read(w) };
        self.record(rec, sum, [exact(&r.total), exact(&r.share), r.probe.read(batch), put(&flow.lap_logdet, w, later)]);
    }
}
