//! Forward pass: pair jets, particle jets, z, J, Δz.

use crate::gpu::{Binding, Buffer, Recording};

use super::super::super::linear;
use super::super::array::{put, span, unused};
use super::super::mean;
use super::kernels::{JACOBIAN, PAIR_ACTIVATION, PAIR_FEATURES, PARTICLE_ACTIVATION, PARTICLE_GATHER, VALUES};
use super::{ADD, BackflowKernels, Elementwise, Order, Params};

impl BackflowKernels {
    /// Records z and J (and Δz and all pair jets at [`Order::Third`]) for `walkers` configurations
    /// x `[walker][n][d]` (units rs a0, any image).
    pub fn record_forward(&self, rec: &mut Recording, x: &Buffer, walkers: usize, order: Order) {
        if self.model.unlike {
            rec.refuse("the dense passes of the flow know one spin: take flows of two spins through registers (record_values)");
        }
        self.record_pairs(rec, x, walkers, order);
        let (n, d, m, weights) = (self.n, self.order(), &self.jets, &self.weights);
        let p = self.params(walkers, order);
        let (rows, h4) = (p.rows as usize, self.h4());
        let (particles, means) = (self.particle_words(walkers, rows), 4 * walkers * rows * h4);
        for (l, layer) in weights.one.iter().enumerate() {
            let deep = l > 0;
            let flags = if deep { ADD } else { 0 };
            if deep {
                mean::record(rec, "mean h", walkers, n, rows * h4, 1.0 / n as f32, &m.h[l - 1], &m.mean[l]);
                let product = linear::Params::new(walkers * rows, h4, h4, layer.vg);
                linear::record(rec, "mean h V", product, &m.mean[l], &weights.buffer, &m.mean_v[l]);
                let product = linear::Params::new(walkers * n * rows, h4, h4, layer.vh);
                linear::record(rec, "h V", product, &m.h[l - 1], &weights.buffer, &m.a[l]);
            }
            let gather = Params { bias: layer.bias as u32, flags, ..p };
            self.particles("gather", &PARTICLE_GATHER, gather, walkers, n * (1 + self.model.dim)).record(
                rec,
                [
                    Binding::read(&m.u[l], self.pair_words(walkers, p.jets as usize, h4)),
                    if deep { Binding::read(&m.mean_v[l], means) } else { unused(&m.mean_v[l]) },
                    Binding::read(&weights.buffer, 4 * (layer.bias + h4)),
                    put(&m.a[l], particles, deep),
                ],
            );
            let residual = if deep { Binding::read(&m.h[l - 1], particles) } else { unused(&m.hb) };
            self.particles("activation", &PARTICLE_ACTIVATION, Params { flags, ..p }, walkers, d)
                .record(rec, [Binding::read(&m.a[l], particles), residual, Binding::write(&m.h[l], particles)]);
        }
        let top = &m.h[self.model.depth - 1];
        let output = linear::Params::new(walkers * n * rows, h4, 1, weights.output.w).bias(weights.output.bias, rows);
        linear::record(rec, "output", output, top, &weights.buffer, &m.out);
        self.record_matrix(rec, "jacobian", p, walkers, &m.out, Binding::write(&self.jacobian, walkers * self.ld() * self.ld()));
        let third = order == Order::Third;
        let lap = Params { flags: if third { ADD } else { 0 }, ..p };
        let last = if third { rows - 1 } else { 0 };
        self.plain("z", &VALUES, lap, walkers, self.ld(), 0).record(
            rec,
            [
                Binding::read(&m.out, span(walkers * n, 4 * rows, 4 * last + self.model.dim)),
                Binding::read(x, walkers * d),
                Binding::write(&self.z, walkers * d),
                Binding::write(&self.lap_z, walkers * self.ld()),
            ],
        );
    }

    /// The first derivatives among output jets as D x D matrices.
    pub(super) fn record_matrix(&self, rec: &mut Recording, name: &str, p: Params, walkers: usize, jets: &Buffer, to: Binding) {
        let read = span(walkers * self.n, 4 * p.rows as usize, 4 * self.order() + self.model.dim);
        self.plain(name, &JACOBIAN, p, walkers, self.ld() * self.ld(), 0).record(rec, [Binding::read(jets, read), to]);
    }

    /// Pair features, two-particle layers, and each level's product with V_y.
    fn record_pairs(&self, rec: &mut Recording, x: &Buffer, walkers: usize, order: Order) {
        let (m, weights) = (&self.jets, &self.weights);
        let p = self.params(walkers, order);
        let (pairs, jets) = (self.n * self.n, p.jets as usize);
        let words = |l: usize| self.pair_words(walkers, jets, self.t4(l));
        let features = self.plain("pair features", &PAIR_FEATURES, p, walkers, pairs, 2 * jets + 4 * self.model.dim);
        features.record(rec, [Binding::read(x, walkers * self.order()), Binding::write(&m.t[0], words(0))]);
        for l in 0..self.model.depth {
            let rows = walkers * pairs * jets;
            let product = linear::Params::new(rows, self.t4(l), self.h4(), weights.one[l].vy);
            linear::record(rec, "t V", product, &m.t[l], &weights.buffer, &m.u[l]);
            let Some(layer) = weights.two.get(l) else { continue };
            let out4 = self.t4(l + 1);
            let product = linear::Params::new(rows, self.t4(l), out4, layer.w).bias(layer.bias, jets);
            linear::record(rec, "t B", product, &m.t[l], &weights.buffer, &m.pair_a[l]);
            let add = Params { flags: if l > 0 { ADD } else { 0 }, ..p };
            let activation = self.plain("pair activation", &PAIR_ACTIVATION, add, walkers, pairs * out4, 3 * jets);
            let residual = if l > 0 { Binding::read(&m.t[l], words(l)) } else { unused(&m.t[l]) };
            Elementwise { width4: out4, ..activation }
                .record(rec, [Binding::read(&m.pair_a[l], words(l + 1)), residual, Binding::write(&m.t[l + 1], words(l + 1))]);
        }
    }
}
