//! z and J in registers.
//!
//! The output rows are pulled back through the layers first (contraction first), so that
//! J_(ia)(jk) = δ - (1/n) (ρ1_ia + W1 [ρ2_ia s]) · t0'_ij,k + κ_ia · ∂_jk g meets a pair once, whatever the width:
//! ρ2 = V_y β, κ = V_g β, ρ1 = V1 [(W_a + V_h β) s1] with β = W_a s(a2) for the d outputs of particle i.

use crate::gpu::{Binding, Buffer, Recording};

use super::super::{BackflowKernels, mean};
use super::kernels::{MEAN_GRADIENT, PARTICLES, PULL_JACOBIAN, SUMS};
use super::{InRegisters, Lane, Params, SOFTPLUS, WAVE, WAVES};

impl BackflowKernels {
    /// Records z and J, and all that [`BackflowKernels::record_register_derivatives`] needs, if the flow
    /// [`BackflowKernels::has_registers`].
    pub fn record_register_values(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        if let Some(there) = self.in_registers(x, walkers) {
            there.record_values(rec, true);
        }
    }
}

impl InRegisters<'_> {
    /// Records z with sums over pairs and pulled-back rows; `laplace`: with Laplacians of the sums.
    pub fn record_positions(&self, rec: &mut Recording, laplace: bool) {
        let (flow, r, w) = (self.flow, self.own, self.walkers);
        let (n, dim, h4, t4) = self.sizes();
        let (by_one, by_two) = self.by_features();
        let rows = 1 + usize::from(laplace);
        let params = Params { rows: rows as u32, ..self.params() };
        let pair = if laplace { WAVES + 3.0 * by_two + by_one } else { WAVE + by_two } + SOFTPLUS * t4;
        let sums = self.lane("pair sums", &SUMS, w, n * pair + 2.0 * by_one + SOFTPLUS * h4);
        let sums = Lane { more: &[("LAPLACE", u32::from(laplace))], params, ..sums };
        self.record(rec, sums, [self.x(), r.sums.write(w), r.h.write(rows * w)]);
        mean::record(rec, "mean h", w, flow.n, rows * r.h4, 1.0 / flow.n as f32, &r.h.buffer, &r.mean.buffer);
        let flops = (2.0 + 2.0 * dim) * 32.0 * h4 * h4 + (1.0 + dim) * 32.0 * h4 * t4 + (1.0 + dim) * by_one + 2.0 * SOFTPLUS * h4;
        let z = Lane { params, trips: r.dim + 4, ..self.lane("rows", &PARTICLES, w, flops) };
        let to = Binding::write(&flow.z, w * flow.order());
        self.record(rec, z, [self.x(), r.sums.read(w), r.mean.read(rows * w), to, r.rows.write(w), r.kappa.write(w), r.a2.write(w)]);
    }

    /// Records z and J, and what derivatives build on: sums over pairs, pulled-back rows, the gradient of the mean field.
    /// `laplace`: with Laplacians of the sums.
    pub fn record_values(&self, rec: &mut Recording, laplace: bool) {
        self.record_positions(rec, laplace);
        let (flow, r, w) = (self.flow, self.own, self.walkers);
        let (n, dim, h4, t4) = self.sizes();
        let (_, by_two) = self.by_features();
        let gradient = self.lane("mean gradient", &MEAN_GRADIENT, w, n * (WAVE + dim * 32.0 * h4) + dim * 24.0 * h4);
        self.record(rec, gradient, [self.x(), r.sums.read(w), r.dg.write(w)]);
        let flops = n * (WAVE + (1.0 + dim) * by_two + SOFTPLUS * t4 + dim * dim * (8.0 * h4 + 8.0));
        let trips = flow.n + 4 * flow.ld() + r.dim * 4;
        let jacobian = Lane { trips, ..self.lane("jacobian", &PULL_JACOBIAN, w, flops) };
        let to = Binding::write(&flow.jacobian, w * flow.ld() * flow.ld());
        self.record(rec, jacobian, [self.x(), r.rows.read(w), r.kappa.read(w), r.dg.read(w), to]);
    }
}
