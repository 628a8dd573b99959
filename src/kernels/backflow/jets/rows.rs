//! Row pass: the Laplacian of ln|det J| with one direction for each output row instead of all D for each.
//!
//! With Y = J⁻ᵀ frozen, Δ ln|det J| = Δq - τ, q = Σ_ia Y_ia·∇z_ia, τ = Σ_v tr((J⁻¹ ∂_vJ)²), and
//! Δq = Σ_ia δ_ia Δz_ia with the direction δ_ia = Y_ia·∇ of output row (i,a). Row (i,a) only needs the
//! stream of particle i (value, D derivatives, Laplacian), which the tangent kernels carry along δ_ia:
//! d times the cost of the forward pass, where the tangent pass along all D unit vectors costs D times.
//!
//! The other particles enter through the means g of the layers alone:
//!
//! - δ_ia g: exact, Y_ia times the mean rows of the forward pass;
//! - δ_ia ∂_b g, only in the cross terms Σ_b ∂_b a δ∂_b a: probed by the directions v of τ (`flow_row_cross`);
//! - δ_ia Δg of the first layer: exact. The rows' adjoints κ of g give one direction a channel,
//!   B = Σ_ia κ_ia ⊗ Y_ia, and Σ_c B_c·∇Δg_c is a sum over pairs (`flow_row_mean`);
//! - δ_ia Δg of deeper layers (depth 3 and more): probed as (Y_ia·v) ∂_v Δg.
//!
//! All probed terms are unbiased for random signs and exact for all unit vectors. At depth 2 the noise is that
//! of τ: for the published parameters at n = 29, rs = 10 one probe adds 0.021 Ry to a spread of the local
//! energy of 0.097 Ry, where signs for the whole Laplacian add 0.082 Ry.

use crate::gpu::{Buffer, Recording, grid};

use super::super::linear;
use super::forward::ADD;
use super::*;

/// Every particle has its own direction (flag of the tangent gather).
const OWN: u32 = 4;

impl Flow {
    /// Adds to Δ ln|det J| what the rows' own streams and the first layer's mean field give.
    pub(super) fn record_rows(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize) {
        let dim = self.model.dim;
        for first in (0..dim).step_by(self.pass) {
            self.record_row_pass(rec, inverse, walkers, first, self.pass.min(dim - first));
        }
        if self.model.depth > 1 {
            self.record_row_mean(rec, inverse, walkers);
        }
    }

    /// Streams of all particles i along δ_ia for components a = `first`.. of `count`.
    fn record_row_pass(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize, first: usize, count: usize) {
        let m = &self.memory;
        let (n, d, h4, batch) = (self.n, self.order(), self.h4(), walkers * count);
        let p = Params { probes: count as u32, first: first as u32, ..self.params(walkers, Order::Third) };
        let rows = p.rows as usize;
        for (l, layer) in self.one.iter().enumerate() {
            let add = if l > 0 { ADD } else { 0 };
            if l > 0 {
                let product = linear::Params::new(batch * n * rows, h4, h4, layer.vh);
                linear::record(rec, "row V", product, &m.tangent, &self.weights, &m.tangent_a);
            }
            let gather = Params { flags: add | OWN, ..p };
            self.particles("row gather", &TANGENT_GATHER, gather, batch, d + n * (1 + self.model.dim))
                .record(rec, &[&m.u[l], inverse, &m.mean_v[l], &m.tangent_a]);
            let activation = Params { flags: add, ..p };
            self.particles("row activation", &TANGENT_ACTIVATION, activation, batch, 2 * d)
                .record(rec, &[&m.a[l], &m.tangent_a, &m.tangent]);
        }
        self.record_row_output(rec, &m.tangent, batch, rows, rows - 1);
        self.record_row_sum(rec, &m.row_out, Params { scale: 1.0, ..p }, walkers);
    }

    /// Output weights times row `row` of `rows` of every particle.
    fn record_row_output(&self, rec: &mut Recording, x: &Buffer, batch: usize, rows: usize, row: usize) {
        let h4 = self.h4();
        let last = linear::Params {
            batches: (batch * self.n) as u32,
            x_offset: (row * h4) as u32,
            x_stride: (rows * h4) as u32,
            y_stride: 1,
            ..linear::Params::new(1, h4, 1, self.output.w)
        };
        linear::record(rec, "row output", last, x, &self.weights, &self.memory.row_out);
    }

    fn record_row_sum(&self, rec: &mut Recording, x: &Buffer, p: Params, walkers: usize) {
        let sum = self.plain("row sum", &ROW_SUM, p, 1, walkers, (p.probes * p.n) as usize);
        sum.record_groups(rec, grid(walkers.div_ceil(WG as usize)), &[x, &self.lap_logdet]);
    }

    /// Layer `l` of the probed mean-field terms, inside the tangent pass `p` (after its preactivations).
    pub(super) fn record_row_cross(&self, rec: &mut Recording, inverse: &Buffer, l: usize, p: Params, walkers: usize) {
        let m = &self.memory;
        let (dim, h4, batch) = (self.model.dim, self.h4(), walkers * p.probes as usize * self.model.dim);
        if l > 1 {
            let product = linear::Params::new(batch * self.n * 2, h4, h4, self.one[l].vh);
            linear::record(rec, "row cross V", product, &m.cross, &self.weights, &m.cross_a);
        }
        let add = Params { flags: if l > 1 { ADD } else { 0 }, ..p };
        self.plain("row cross", &ROW_CROSS, add, batch, self.n * h4, self.n * dim)
            .record(rec, &[&m.a[l], &m.tangent_a, &m.tangent_mean_v, inverse, &m.directions, &m.cross_a, &m.cross]);
    }

    /// Adds the probed mean-field terms of the pass `p` to Δ ln|det J|.
    pub(super) fn record_cross_output(&self, rec: &mut Recording, p: Params, walkers: usize, weight: f32) {
        let m = &self.memory;
        let rows = p.probes * self.model.dim as u32;
        self.record_row_output(rec, &m.cross, walkers * rows as usize, 2, 1);
        self.record_row_sum(rec, &m.row_out, Params { probes: rows, first: 0, scale: weight, ..p }, walkers);
    }

    /// Adds Σ_ia κ_ia·δ_ia Δg of the first layer.
    fn record_row_mean(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize) {
        let m = &self.memory;
        let (n, d, h4, ld) = (self.n, self.order(), self.h4(), self.ld());
        let p = self.params(walkers, Order::Third);
        let top = self.model.depth - 1;
        for l in (1..=top).rev() {
            let root = Params { flags: u32::from(l == top), bias: self.output.w_t as u32, ..p };
            self.plain("row adjoint", &ROW_ADJOINT, root, walkers, ld * h4, 0)
                .record(rec, &[&m.a[l], &self.weights, &m.row_adjoint, &m.row_ab]);
            let back = linear::Params::new(walkers * ld, h4, h4, self.one[l].vh_t);
            if l > 1 {
                linear::record(rec, "row adjoint V", back.accumulate(), &m.row_ab, &self.weights, &m.row_adjoint);
            } else {
                let back = linear::Params { w_offset: self.one[l].vg_t as u32, ..back };
                linear::record(rec, "row kappa", back, &m.row_ab, &self.weights, &m.row_kappa);
            }
        }
        let product = linear::Params {
            batches: walkers as u32,
            x_stride: (ld * ld / 4) as u32,
            w_stride: (ld * h4) as u32,
            y_stride: (d * h4) as u32,
            ..linear::Params::new(d, ld / 4, h4, 0)
        };
        linear::record(rec, "row directions", product, inverse, &m.row_kappa, &m.row_directions);
        let dim = self.model.dim;
        self.plain("row mean", &ROW_MEAN, p, walkers, n * h4, n * (1 + dim * (dim + 1)) + d)
            .record(rec, &[&m.u[0], &m.a[0], &m.row_directions, &m.row_mean]);
        let all = Params { flags: 1, probes: 1, n: (n * h4) as u32, ..p };
        self.record_row_sum(rec, &m.row_mean, all, walkers);
    }
}
