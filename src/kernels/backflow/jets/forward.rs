//! Forward pass: pair jets, particle jets, z, J, Δz.

use crate::gpu::{Buffer, Recording};

use super::super::{linear, pad4};
use super::*;

/// Add the residual, or: there is something to add to (flag of the elementwise kernels).
pub(super) const ADD: u32 = 1;

impl Flow {
    /// One-particle width over 4.
    pub(super) fn h4(&self) -> usize {
        pad4(self.model.one) / 4
    }

    /// Width over 4 of the pair stream entering layer `l`.
    pub(super) fn t4(&self, l: usize) -> usize {
        if l == 0 { 2 } else { pad4(self.model.pair) / 4 }
    }

    pub(super) fn params(&self, walkers: usize, order: Order) -> Params {
        let rows = order.rows(self.order()) as u32;
        Params {
            walkers: walkers as u32,
            n: self.n as u32,
            rows,
            jets: order.jets(self.model.dim) as u32,
            probes: 1,
            ld: self.ld() as u32,
            forward_rows: rows,
            length: self.length as f32,
            half_turns: self.model.feature.half_turns(),
            scale: 1.0,
            ..Default::default()
        }
    }

    /// A launch over the jets of all particles (width H), `trips` in the few rows that sum.
    pub(super) fn particles<'a>(&self, name: &'a str, kernel: &'static Kernel, params: Params, walkers: usize, trips: usize) -> Launch<'a> {
        let threads = self.n * params.rows as usize * self.h4();
        // at most DIM + 2 of the rows of a particle sum over `trips` elements
        let touched = 3.0 * threads as f64 + (self.n * self.h4() * trips) as f64;
        Launch { name, kernel, dim: self.model.dim, params, width4: self.h4(), walkers, threads, trips, touched }
    }

    /// A launch over `threads` invocations a walker that touch `each` elements.
    pub(super) fn plain<'a>(
        &self,
        name: &'a str,
        kernel: &'static Kernel,
        params: Params,
        walkers: usize,
        threads: usize,
        each: usize,
    ) -> Launch<'a> {
        let touched = (threads * (each + 1)) as f64;
        Launch { name, kernel, dim: self.model.dim, params, width4: self.h4(), walkers, threads, trips: each, touched }
    }

    /// Records z and J (and Δz and all pair jets at [`Order::Third`]) for `walkers` configurations
    /// x `[walker][n][d]` (units rs a0, any image).
    pub fn record_forward(&self, rec: &mut Recording, x: &Buffer, walkers: usize, order: Order) {
        self.record_pairs(rec, x, walkers, order);
        let (d, m) = (self.order(), &self.memory);
        let p = self.params(walkers, order);
        let (rows, h4) = (p.rows as usize, self.h4());
        for (l, layer) in self.one.iter().enumerate() {
            let add = if l > 0 { ADD } else { 0 };
            if l > 0 {
                let mean = Params { scale: 1.0 / self.n as f32, ..p };
                self.plain("mean h", &PARTICLE_MEAN, mean, walkers, rows * h4, self.n).record(rec, &[&m.h[l - 1], &m.mean[l]]);
                linear::record(
                    rec,
                    "mean h V",
                    linear::Params::new(walkers * rows, h4, h4, layer.vg),
                    &m.mean[l],
                    &self.weights,
                    &m.mean_v[l],
                );
                let product = linear::Params::new(walkers * self.n * rows, h4, h4, layer.vh);
                linear::record(rec, "h V", product, &m.h[l - 1], &self.weights, &m.a[l]);
            }
            let gather = Params { bias: layer.bias as u32, flags: add, ..p };
            self.particles("gather", &PARTICLE_GATHER, gather, walkers, self.n * (1 + self.model.dim))
                .record(rec, &[&m.u[l], &m.mean_v[l], &self.weights, &m.a[l]]);
            let residual = if l > 0 { &m.h[l - 1] } else { &m.hb };
            self.particles("activation", &PARTICLE_ACTIVATION, Params { flags: add, ..p }, walkers, d)
                .record(rec, &[&m.a[l], residual, &m.h[l]]);
        }
        let top = &m.h[self.model.depth - 1];
        let output = linear::Params::new(walkers * self.n * rows, h4, 1, self.output.w).bias(self.output.bias, rows);
        linear::record(rec, "output", output, top, &self.weights, &m.out);
        self.plain("jacobian", &JACOBIAN, p, walkers, self.ld() * self.ld(), 0).record(rec, &[&m.out, &self.jacobian]);
        let lap = if order == Order::Third { ADD } else { 0 };
        self.plain("z", &FLOW_VALUES, Params { flags: lap, ..p }, walkers, self.ld(), 0).record(rec, &[&m.out, x, &self.z, &self.lap_z]);
    }

    /// Pair features, two-particle layers, and each level's product with V_y.
    fn record_pairs(&self, rec: &mut Recording, x: &Buffer, walkers: usize, order: Order) {
        let m = &self.memory;
        let p = self.params(walkers, order);
        let (pairs, jets) = (self.n * self.n, p.jets as usize);
        let features = self.plain("pair features", &PAIR_FEATURES, p, walkers, pairs, 2 * jets + 4 * self.model.dim);
        features.record(rec, &[x, &m.t[0]]);
        for l in 0..self.model.depth {
            let rows = walkers * pairs * jets;
            let product = linear::Params::new(rows, self.t4(l), self.h4(), self.one[l].vy);
            linear::record(rec, "t V", product, &m.t[l], &self.weights, &m.u[l]);
            let Some(layer) = self.two.get(l) else { continue };
            let out4 = self.t4(l + 1);
            let product = linear::Params::new(rows, self.t4(l), out4, layer.w).bias(layer.bias, jets);
            linear::record(rec, "t B", product, &m.t[l], &self.weights, &m.pair_a[l]);
            let add = Params { flags: if l > 0 { ADD } else { 0 }, ..p };
            let activation =
                Launch { width4: out4, ..self.plain("pair activation", &PAIR_ACTIVATION, add, walkers, pairs * out4, 3 * jets) };
            activation.record(rec, &[&m.pair_a[l], &m.t[l], &m.t[l + 1]]);
        }
    }
}
