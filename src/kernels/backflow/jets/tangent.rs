//! Tangent pass: exact gradient and Laplacian of ln|det J|, or an unbiased estimate of the Laplacian.

use crate::gpu::{Buffer, Recording, grid};

use super::super::linear;
use super::forward::ADD;
use super::*;

/// The directions are unit vectors (flag of the tangent gather).
const UNIT: u32 = 2;

/// Along which directions v the Laplacian of ln|det J| is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// All unit vectors: exact.
    Exact,
    /// Random sign vectors (Hutchinson): unbiased, `probes` of them a walker.
    Signs(Signs),
    /// Random sign vectors for τ = Σ_v tr((J⁻¹ ∂_vJ)²) alone, see `rows`: unbiased, and less noisy.
    Rows(Signs),
    /// As `Rows` with all unit vectors: exact, a check of it.
    RowsExact,
}

/// Random sign vectors, the same in every run: `probes` for each walker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// At least 1.
    pub probes: usize,
    pub seed: u64,
    pub step: u32,
    /// Number of the chunk's first walker.
    pub first_walker: u32,
}

impl Directions {
    pub(crate) fn signs(self) -> Option<Signs> {
        match self {
            Directions::Signs(s) | Directions::Rows(s) => Some(s),
            Directions::Exact | Directions::RowsExact => None,
        }
    }

    pub(crate) fn by_rows(self) -> bool {
        matches!(self, Directions::Rows(_) | Directions::RowsExact)
    }
}

/// Directions of one tangent pass: `count` of all `of`, counted from `first`.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    pub first: usize,
    pub count: usize,
    pub of: usize,
    pub directions: Directions,
}

impl Pass {
    /// Weight of one direction in the sum over orthonormal ones.
    pub fn weight(&self) -> f32 {
        if self.directions.signs().is_none() { 1.0 } else { 1.0 / self.of as f32 }
    }
}

impl Flow {
    /// Records ∇ ln|det J| and Δ ln|det J| after [`Flow::record_forward`] at [`Order::Third`].
    ///
    /// `inverse`: J⁻¹ `[walker][ld][ld]`, padding 0. Δ ln|det J| = Σ_v tr(J⁻¹ ∂_v²J) - tr((J⁻¹ ∂_vJ)²)
    /// over orthonormal v; the first term is taken as Σ_v v·J⁻¹ ∂_v Δz.
    pub fn record_logdet_derivatives(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize, directions: Directions) {
        let of = directions.signs().map_or(self.order(), |s| s.probes);
        if directions != Directions::Exact {
            self.record_grad_logdet(rec, inverse, walkers);
        }
        for first in (0..of).step_by(self.pass) {
            let count = self.pass.min(of - first);
            self.record_pass(rec, inverse, walkers, Pass { first, count, of, directions });
        }
        if directions.by_rows() {
            self.record_rows(rec, inverse, walkers);
        }
    }

    fn record_pass(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize, pass: Pass) {
        let m = &self.memory;
        let (d, ld) = (self.order(), self.ld());
        let Pass { first, count, directions, .. } = pass;
        let batch = walkers * count;
        let p = Params { probes: count as u32, first: first as u32, ..self.params(walkers, Order::Third) };
        let (rows, h4) = (p.rows as usize, self.h4());
        self.record_directions(rec, p, walkers, pass);
        let unit = if directions.signs().is_none() { UNIT } else { 0 };
        for (l, layer) in self.one.iter().enumerate() {
            let add = Params { flags: if l > 0 { ADD } else { 0 }, ..p };
            if l > 0 {
                let mean = Params { scale: 1.0 / self.n as f32, ..p };
                self.plain("tangent mean", &PARTICLE_MEAN, mean, batch, rows * h4, self.n).record(rec, &[&m.tangent, &m.tangent_mean]);
                let mean = linear::Params::new(batch * rows, h4, h4, layer.vg);
                linear::record(rec, "tangent mean V", mean, &m.tangent_mean, &self.weights, &m.tangent_mean_v);
                let product = linear::Params::new(batch * self.n * rows, h4, h4, layer.vh);
                linear::record(rec, "tangent V", product, &m.tangent, &self.weights, &m.tangent_a);
            }
            self.particles(
                "tangent gather",
                &TANGENT_GATHER,
                Params { flags: add.flags | unit, ..add },
                batch,
                self.n * (1 + self.model.dim),
            )
            .record(rec, &[&m.u[l], &m.directions, &m.tangent_mean_v, &m.tangent_a]);
            if l > 0 && directions.by_rows() {
                self.record_row_cross(rec, inverse, l, p, walkers);
            }
            self.particles("tangent activation", &TANGENT_ACTIVATION, add, batch, 2 * d).record(rec, &[&m.a[l], &m.tangent_a, &m.tangent]);
        }
        linear::record(
            rec,
            "tangent output",
            linear::Params::new(batch * self.n * rows, h4, 1, self.output.w),
            &m.tangent,
            &self.weights,
            &m.tangent_out,
        );
        self.plain("dJ", &JACOBIAN, Params { scale: 0.0, ..p }, batch, ld * ld, 0).record(rec, &[&m.tangent_out, &m.derivative]);
        self.record_over_jacobian(rec, inverse, batch, count);
        let trips = d * d / WG as usize + 17;
        let probe = Launch { trips, ..self.plain("probe", &PROBE, p, batch, d * d, 2) };
        probe.record_groups(rec, grid(batch), &[&m.product, inverse, &m.directions, &m.tangent_out, &m.parts]);
        let exact = if directions == Directions::Exact { 1 } else { 0 };
        let flags = exact | if first == 0 { 2 } else { 0 } | if directions.by_rows() { 4 } else { 0 };
        let sum = self.plain("probe sum", &PROBE_SUM, Params { flags, scale: pass.weight(), ..p }, 1, walkers, count);
        sum.record_groups(rec, grid(walkers.div_ceil(WG as usize)), &[&m.parts, &self.lap_logdet, &self.grad_logdet]);
        if directions.by_rows() && self.model.depth > 1 {
            self.record_cross_output(rec, p, walkers, pass.weight());
        }
    }

    /// Records ∇ ln|det J| alone by reverse mode (cost of one score, whatever the dimension).
    pub fn record_grad_logdet(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize) {
        self.record_reverse(rec, &self.lap_z, inverse, walkers, Order::Third, None);
        let m = &self.memory;
        let p = Params { scale: 2.0, ..self.params(walkers, Order::Third) };
        let grad = self.plain("grad ln det J", &SCORE_POSITIONS, p, walkers, self.ld(), self.n * (2 + self.model.dim));
        grad.record(rec, &[&m.t[0], &m.tb_features, &self.grad_logdet]);
    }
}
