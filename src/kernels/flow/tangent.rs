//! Tangent pass: exact gradient and Laplacian of ln|det J|, or an unbiased estimate of the Laplacian.

use crate::gpu::{Buffer, Recording, grid};

use super::super::linear;
use super::super::philox::purpose;
use super::forward::ADD;
use super::*;

/// Along which directions v the Laplacian of ln|det J| is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// All unit vectors: exact.
    Exact,
    /// Random sign vectors (Hutchinson): unbiased, `probes` of them a walker.
    Signs { probes: usize, seed: u64, step: u32, first_walker: u32 },
}

impl Flow {
    /// Records ∇ ln|det J| and Δ ln|det J| after [`Flow::record_forward`] at [`Order::Third`].
    ///
    /// `inverse`: J⁻¹ `[walker][ld][ld]`, padding 0. Δ ln|det J| = Σ_v tr(J⁻¹ ∂_v²J) - tr((J⁻¹ ∂_vJ)²)
    /// over orthonormal v; the first term is taken as Σ_v v·J⁻¹ ∂_v Δz.
    pub fn record_logdet_derivatives(&self, rec: &mut Recording, inverse: &Buffer, walkers: usize, directions: Directions) {
        let count = match directions {
            Directions::Exact => self.order(),
            Directions::Signs { probes, .. } => {
                self.record_grad_logdet(rec, inverse, walkers);
                probes
            }
        };
        let mut first = 0;
        while first < count {
            let pass = self.pass.min(count - first);
            self.record_pass(rec, inverse, walkers, directions, first, pass, count);
            first += pass;
        }
    }

    #[allow(clippy::too_many_arguments)] // one pass is described by exactly these
    fn record_pass(
        &self,
        rec: &mut Recording,
        inverse: &Buffer,
        walkers: usize,
        directions: Directions,
        first: usize,
        pass: usize,
        count: usize,
    ) {
        let m = &self.memory;
        let (d, ld) = (self.order(), self.ld());
        let batch = walkers * pass;
        let p = Params { probes: pass as u32, first: first as u32, ..self.params(walkers, Order::Third) };
        let (rows, h4) = (p.rows as usize, self.h4());
        let draw = match directions {
            Directions::Exact => p,
            Directions::Signs { seed, step, first_walker, .. } => Params {
                flags: 1,
                first: first_walker,
                step,
                seed: [seed as u32, (seed >> 32) as u32],
                purpose: purpose::PROBES,
                bias: first as u32,
                ..p
            },
        };
        self.plain("directions", &DIRECTIONS, draw, walkers, pass * d, 0).record(rec, &[&m.directions]);
        let unit = if directions == Directions::Exact { 2 } else { 0 };
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
        let product = linear::Params {
            batches: batch as u32,
            x_stride: (ld * ld / 4) as u32,
            w_stride: (ld * ld / 4) as u32,
            w_div: pass as u32,
            y_stride: (ld * ld / 4) as u32,
            ..linear::Params::new(d, ld / 4, ld / 4, 0)
        };
        linear::record(rec, "dJ/J", product, &m.derivative, inverse, &m.product);
        let trips = d * d / WG as usize + 17;
        let probe = Launch { trips, ..self.plain("probe", &PROBE, p, batch, d * d, 2) };
        probe.record_groups(rec, grid(batch), &[&m.product, inverse, &m.directions, &m.tangent_out, &m.parts]);
        let exact = directions == Directions::Exact;
        let scale = if exact { 1.0 } else { 1.0 / count as f32 };
        let flags = u32::from(exact) | if first == 0 { 2 } else { 0 };
        let sum = self.plain("probe sum", &PROBE_SUM, Params { flags, scale, ..p }, 1, walkers, pass);
        sum.record_groups(rec, grid(walkers.div_ceil(WG as usize)), &[&m.parts, &self.lap_logdet, &self.grad_logdet]);
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
