//! Forward pass: pair jets, particle jets, z, J, Δz.

use crate::gpu::{Buffer, Recording};

use super::super::{linear, pad4};
use super::*;

/// Add the residual, or: there is something to add to (flag of the elementwise kernels).
pub(super) const ADD: u32 = 1;

impl Flow {
    pub(super) fn params(&self, walkers: usize, order: Order) -> Params {
        Params {
            walkers: walkers as u32,
            n: self.n as u32,
            rows: order.rows(self.order()) as u32,
            width4: (pad4(self.model.one) / 4) as u32,
            jets: order.jets(self.model.dim) as u32,
            probes: 1,
            ld: self.ld() as u32,
            forward_rows: order.rows(self.order()) as u32,
            length: self.length as f32,
            half_turns: self.model.feature.half_turns(),
            scale: 1.0,
            ..Default::default()
        }
    }

    pub(super) fn launch<'a>(&self, name: &'a str, kernel: &'static Kernel, params: Params, threads: usize, trips: usize) -> Launch<'a> {
        Launch { name, kernel, dim: self.model.dim, params, threads, trips, flops_each: 8.0 * (1 + trips) as f64 }
    }

    /// Records z and J (and Δz and all pair jets at [`Order::Third`]) for `walkers` configurations
    /// x `[walker][n][d]` (units rs a0, any image).
    pub fn record_forward(&self, rec: &mut Recording, x: &Buffer, walkers: usize, order: Order) {
        self.record_pairs(rec, x, walkers, order);
        let (d, m) = (self.order(), &self.memory);
        let p = self.params(walkers, order);
        let (rows, h4) = (p.rows as usize, p.width4 as usize);
        let elements = walkers * self.n * rows * h4;
        for (l, layer) in self.one.iter().enumerate() {
            let add = if l > 0 { ADD } else { 0 };
            if l > 0 {
                let mean = self.launch("mean h", &PARTICLE_MEAN, Params { scale: 1.0 / self.n as f32, ..p }, walkers * rows * h4, self.n);
                mean.record(rec, &[&m.h[l - 1], &m.mean[l]]);
                linear::record(
                    rec,
                    "mean h V",
                    linear::Params::new(walkers * rows, h4, h4, layer.vg),
                    &m.mean[l],
                    &self.weights,
                    &m.mean_v,
                );
                linear::record(
                    rec,
                    "h V",
                    linear::Params::new(walkers * self.n * rows, h4, h4, layer.vh),
                    &m.h[l - 1],
                    &self.weights,
                    &m.a[l],
                );
            }
            let gather = Params { bias: layer.bias as u32, flags: add, ..p };
            self.launch("gather", &PARTICLE_GATHER, gather, elements, self.n * (1 + self.model.dim))
                .record(rec, &[&m.u[l], &m.mean_v, &self.weights, &m.a[l]]);
            let residual = if l > 0 { &m.h[l - 1] } else { &m.hb };
            self.launch("activation", &PARTICLE_ACTIVATION, Params { flags: add, ..p }, elements, d)
                .record(rec, &[&m.a[l], residual, &m.h[l]]);
        }
        let top = &m.h[self.model.depth - 1];
        let output = linear::Params::new(walkers * self.n * rows, h4, 1, self.output.w).bias(self.output.bias, rows);
        linear::record(rec, "output", output, top, &self.weights, &m.out);
        self.launch("jacobian", &JACOBIAN, p, walkers * self.ld() * self.ld(), 0).record(rec, &[&m.out, &self.jacobian]);
        let lap = if order == Order::Third { ADD } else { 0 };
        self.launch("z", &FLOW_VALUES, Params { flags: lap, ..p }, walkers * self.ld(), 0).record(rec, &[&m.out, x, &self.z, &self.lap_z]);
    }

    /// Pair features, two-particle layers, and each level's product with V_y.
    fn record_pairs(&self, rec: &mut Recording, x: &Buffer, walkers: usize, order: Order) {
        let m = &self.memory;
        let p = self.params(walkers, order);
        let pairs = walkers * self.n * self.n;
        let jets = p.jets as usize;
        let dim = self.model.dim;
        self.launch("pair features", &PAIR_FEATURES, p, pairs, 4 * dim * dim).record(rec, &[x, &m.t[0]]);
        for l in 0..self.model.depth {
            let in4 = m.t[l].words() / (self.chunk * self.n * self.n * Order::Third.jets(dim)) / 4;
            let rows = pairs * jets;
            linear::record(rec, "t V", linear::Params::new(rows, in4, p.width4 as usize, self.one[l].vy), &m.t[l], &self.weights, &m.u[l]);
            let Some(layer) = self.two.get(l) else { continue };
            let out4 = pad4(self.model.pair) / 4;
            let product = linear::Params::new(rows, in4, out4, layer.w).bias(layer.bias, jets);
            linear::record(rec, "t B", product, &m.t[l], &self.weights, &m.pair_a[l]);
            let activation = Params { width4: out4 as u32, flags: if l > 0 { ADD } else { 0 }, ..p };
            self.launch("pair activation", &PAIR_ACTIVATION, activation, pairs * out4, jets)
                .record(rec, &[&m.pair_a[l], &m.t[l], &m.t[l + 1]]);
        }
    }
}
