//! z and J alone, by pulling the output rows back through the one-particle layers (depth 1 and 2).
//!
//! J_(ia)(jk) = δ - (1/n) Σ_l ρ^l_ia·t^l'_ij,k + κ_ia·∂_jk g with ρ^l = β^l V_yᵀ, κ = β² V_gᵀ and β the
//! adjoints of the preactivations for the d outputs of particle i: only n d rows pass through weights,
//! pairs meet them once, in the contraction. The dense forward pass sends n D rows through every layer.
//! What Metropolis needs; deeper flows take the dense pass.

use crate::gpu::{Buffer, Recording};

use super::super::{linear, pad4};
use super::forward::ADD;
use super::*;

/// Arrays of this path.
pub(super) struct Values {
    waves: Buffer,
    slopes: Buffer,
    y: [Buffer; 2],
    a: [Buffer; 2],
    h: Buffer,
    slope: Buffer,
    mean: Buffer,
    mean_v: Buffer,
    out: Buffer,
    rho: [Buffer; 2],
    dg: Buffer,
}

impl Values {
    pub(super) fn new(model: &crate::model::backflow::Backflow, n: usize, chunk: usize) -> Values {
        let buffer = |name: &str, per_walker: usize| Buffer::new(format!("flow {name}"), chunk * per_walker);
        let (dim, h, t) = (model.dim, pad4(model.one), pad4(model.pair));
        let ld = pad4(n * dim);
        Values {
            waves: buffer("waves", n * n * dim * 4),
            slopes: buffer("slopes", n * n * dim * t),
            y: [buffer("y0", n * 8), buffer("y1", n * t)],
            a: [buffer("value a0", n * h), buffer("value a1", n * h)],
            h: buffer("value h", n * h),
            slope: buffer("value slope", n * h),
            mean: buffer("value mean", h),
            mean_v: buffer("value mean V", h),
            out: buffer("value output", n * 4),
            rho: [buffer("rho0", ld * 8), buffer("rho1", ld * t)],
            dg: buffer("mean gradient", n * dim * h),
        }
    }

    pub(super) fn all(&self) -> Vec<&Buffer> {
        let single = [&self.waves, &self.slopes, &self.h, &self.slope, &self.mean, &self.mean_v, &self.out, &self.dg];
        single.into_iter().chain(self.y.iter()).chain(self.a.iter()).chain(self.rho.iter()).collect()
    }
}

impl Flow {
    /// Records z and J alone for `walkers` configurations x `[walker][n][d]` (units rs a0, any image).
    ///
    /// Leaves nothing for the derivatives and scores: they want [`Flow::record_forward`].
    pub fn record_values(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        if self.model.depth > 2 {
            return self.record_forward(rec, x, walkers, Order::First);
        }
        let (m, v) = (&self.memory, &self.values);
        let (n, dim, h4, ld) = (self.n, self.model.dim, self.h4(), self.ld());
        let p = Params { rows: 1, ..self.params(walkers, Order::First) };
        let top = self.model.depth - 1;
        self.plain("waves", &WAVES, p, walkers, n * n, 4 * dim).record(rec, &[x, &v.waves]);
        self.plain("wave sums", &WAVE_SUMS, p, walkers, n, n * dim + 8).record(rec, &[&v.waves, &v.y[0]]);
        self.record_particle_values(rec, p, walkers);
        let z = linear::Params::new(walkers * n, h4, 1, self.output.w).bias(self.output.bias, 1);
        linear::record(rec, "output", z, &v.h, &self.weights, &v.out);
        self.plain("z", &FLOW_VALUES, p, walkers, ld, 0).record(rec, &[&v.out, x, &self.z, &self.lap_z]);
        for l in (0..=top).rev() {
            let (layer, t4) = (&self.one[l], self.t4(l));
            let root = Params { flags: u32::from(l == top), bias: self.output.w_t as u32, ..p };
            self.plain("pull back", &ROW_ADJOINT, root, walkers, ld * h4, 2)
                .record(rec, &[&v.a[l], &self.weights, &m.row_adjoint, &m.row_ab]);
            let back = linear::Params::new(walkers * ld, h4, h4, layer.vh_t);
            let rho = linear::Params { w_offset: layer.vy_t as u32, out4: t4 as u32, ..back };
            linear::record(rec, "pull back V_y", rho, &m.row_ab, &self.weights, &v.rho[l]);
            if l > 0 {
                let kappa = linear::Params { w_offset: layer.vg_t as u32, ..back };
                linear::record(rec, "pull back V_g", kappa, &m.row_ab, &self.weights, &m.row_kappa);
                linear::record(rec, "pull back V_h", back.accumulate(), &m.row_ab, &self.weights, &m.row_adjoint);
            }
        }
        let t4 = self.t4(1);
        let p = Params { bias: t4 as u32, flags: if top > 0 { ADD } else { 0 }, ..p };
        // one invocation: row i, 4 (2 in three dimensions) particles j
        let (side, tile) = (ld.div_ceil(dim), 8 - 2 * dim);
        let (threads, layer) = (side * side.div_ceil(tile), if top > 0 { t4 + h4 } else { 0 });
        let trips = layer * (dim + tile * dim * (1 + dim)) + 3 * tile * dim * (1 + dim);
        let touched = (threads * (layer * dim * (1 + tile) + tile * dim * (1 + dim))) as f64;
        let jacobian = Launch { trips, touched, ..self.plain("jacobian", &PULL_JACOBIAN, p, walkers, threads, 0) };
        jacobian.record(rec, &[&v.rho[0], &v.waves, &v.rho[1], &v.slopes, &m.row_kappa, &v.dg, &self.jacobian]);
    }

    /// Values of the one- and two-particle layers, and the gradient of the mean field.
    fn record_particle_values(&self, rec: &mut Recording, p: Params, walkers: usize) {
        let (v, n, dim, h4) = (&self.values, self.n, self.model.dim, self.h4());
        let input = |l: usize| linear::Params::new(walkers * n, self.t4(l), h4, self.one[l].vy);
        let first = input(0).bias(self.one[0].bias, 1);
        linear::record(rec, "y V", first, &v.y[0], &self.weights, &v.a[0]);
        self.plain("activation", &VALUE_ACTIVATION, p, walkers, n * h4, 0).record(rec, &[&v.mean_v, &v.a[0], &v.h, &v.slope]);
        if self.model.depth == 1 {
            return;
        }
        let (layer, pair, t4) = (&self.one[1], &self.two[0], self.t4(1));
        let weights = Params { first: self.one[0].vy as u32, ..p };
        self.plain("mean gradient", &MEAN_GRADIENT, weights, walkers, n * h4, n * (1 + dim))
            .record(rec, &[&v.waves, &v.slope, &self.weights, &v.dg]);
        let weights = Params { first: pair.w as u32, bias: pair.bias as u32, ..p };
        let pairs = self.plain("pair layer", &WAVE_LAYER, weights, walkers, n * t4, n * (1 + 2 * dim) + 3 * dim);
        Launch { width4: t4, ..pairs }.record(rec, &[&v.waves, &self.weights, &v.y[1], &v.slopes]);
        let mean = Params { scale: 1.0 / n as f32, ..p };
        self.plain("mean h", &PARTICLE_MEAN, mean, walkers, h4, n).record(rec, &[&v.h, &v.mean]);
        linear::record(rec, "mean h V", linear::Params::new(walkers, h4, h4, layer.vg), &v.mean, &self.weights, &v.mean_v);
        let product = linear::Params::new(walkers * n, h4, h4, layer.vh).bias(layer.bias, 1);
        linear::record(rec, "h V", product, &v.h, &self.weights, &v.a[1]);
        linear::record(rec, "y V", input(1).accumulate(), &v.y[1], &self.weights, &v.a[1]);
        let add = Params { flags: ADD, ..p };
        self.plain("activation", &VALUE_ACTIVATION, add, walkers, n * h4, 0).record(rec, &[&v.mean_v, &v.a[1], &v.h, &v.slope]);
    }
}
