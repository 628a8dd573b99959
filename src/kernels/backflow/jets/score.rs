//! Score pass: adjoint of the forward pass, per walker.

use crate::gpu::{Binding, Buffer, Recording};

use super::super::super::{linear, outer, pad4};
use super::super::array::{put, span, unused};
use super::super::mean;
use super::kernels::{PARTICLE_BROADCAST, SCORE_ACTIVATION, SCORE_PAIR, SCORE_SCATTER, SCORE_SEED};
use super::{ADD, BackflowKernels, Elementwise, Order, Params};

/// Where the scores of a chunk go: `[walker][2][ld]`, rows ∂ Re ln Ψ and ∂ Im ln Ψ.
pub(super) struct Scores<'a> {
    buffer: &'a Buffer,
    first: usize,
    ld: usize,
}

impl BackflowKernels {
    /// Records O = ∂ ln Ψ/∂θ of every walker after [`BackflowKernels::record_forward`] (same order).
    ///
    /// `slater_gradient`: S_z `[walker][n d]` complex; `inverse`: J⁻¹ `[walker][ld][ld]`. Walker w goes
    /// to rows 2 (first_walker + w) (real) and the next (imaginary) of `scores`, `pad4(P)` words a row.
    #[allow(clippy::too_many_arguments)] // inputs, outputs and their places
    pub fn record_jet_scores(
        &self,
        rec: &mut Recording,
        slater_gradient: &Buffer,
        inverse: &Buffer,
        walkers: usize,
        order: Order,
        scores: &Buffer,
        first_walker: usize,
    ) {
        if first_walker == 0 {
            // the rows of the first layer that multiply h = 0, and the padding, are never written
            rec.clear(scores);
        }
        let scores = Scores { buffer: scores, first: first_walker, ld: pad4(self.parameters()) };
        self.record_reverse(rec, slater_gradient, inverse, walkers, order, Some(scores));
    }

    /// Weight gradient Σ X^T Y for the real and the imaginary adjoint. X rows: value and derivatives
    /// (`x_inner` apart); Y rows: the same, then the imaginary value at row `im`. Strides in vec4.
    #[allow(clippy::too_many_arguments)] // two operands, their strides and the place of the result
    fn record_weights(
        &self,
        rec: &mut Recording,
        s: &Scores,
        walkers: usize,
        x: &Buffer,
        y: &Buffer,
        shape: outer::Params,
        im: usize,
        word: usize,
    ) {
        let p =
            outer::Params { batches: walkers as u32, g_offset: (2 * s.first * s.ld + word) as u32, g_stride: (2 * s.ld) as u32, ..shape };
        outer::record(rec, "score weights", p, x, y, s.buffer);
        let p = outer::Params { inner: 1, y_offset: im as u32 * p.y_inner, g_offset: p.g_offset + s.ld as u32, ..p };
        outer::record(rec, "score weights Im", p, x, y, s.buffer);
    }

    /// Reverse mode. Without `scores` only ½ ln|det J| is differentiated, down to the pair features.
    pub(super) fn record_reverse(
        &self,
        rec: &mut Recording,
        slater_gradient: &Buffer,
        inverse: &Buffer,
        walkers: usize,
        order: Order,
        scores: Option<Scores>,
    ) {
        let (m, weights, n, d, dim) = (&self.jets, &self.weights, self.n, self.order(), self.model.dim);
        let rows = d + 2;
        let forward = self.params(walkers, order);
        let p = Params { rows: rows as u32, ..forward };
        let (h4, xrows) = (self.h4(), forward.rows as usize);
        let (particles, means) = (self.particle_words(walkers, rows), 4 * walkers * rows * h4);
        let seed = Params { flags: if scores.is_none() { 1 } else { 0 }, ..p };
        self.plain("score seed", &SCORE_SEED, seed, walkers, n * rows, dim).record(
            rec,
            [
                if scores.is_some() { Binding::read(slater_gradient, 2 * walkers * d) } else { unused(slater_gradient) },
                self.read_matrix(inverse, walkers),
                Binding::write(&m.seed, 4 * walkers * n * rows),
            ],
        );
        // shapes of X (forward jets of width 4 in4, `xrows` rows) times Y (adjoints of width 4 out4)
        let particle = |in4: usize, out4: usize, rows_out: usize, cols: usize| outer::Params {
            outer: n as u32,
            inner: (1 + d) as u32,
            rows_out: rows_out as u32,
            cols: cols as u32,
            x_stride: (n * xrows * in4) as u32,
            x_outer: (xrows * in4) as u32,
            x_inner: in4 as u32,
            y_stride: (n * rows * out4) as u32,
            y_outer: (rows * out4) as u32,
            y_inner: out4 as u32,
            ..Default::default()
        };
        let bias = |shape: outer::Params| outer::Params { inner: 1, rows_out: 1, flags: outer::ONES, ..shape };
        if let Some(s) = &scores {
            let top = &m.h[self.model.depth - 1];
            let shape = particle(h4, 1, self.model.one, dim);
            self.record_weights(rec, s, walkers, top, &m.seed, shape, 1 + d, weights.output.w_word);
            self.record_weights(rec, s, walkers, top, &m.seed, bias(shape), 1 + d, weights.output.b_word);
        }
        let output = linear::Params::new(walkers * n * rows, 1, h4, weights.output.w_t);
        linear::record(rec, "score output", output, &m.seed, &weights.buffer, &m.hb);
        for l in (0..self.model.depth).rev() {
            let layer = &weights.one[l];
            // values and first derivatives of the forward pass
            let values = Binding::read(&m.a[l], span(walkers * n, 4 * xrows * h4, 4 * (1 + d) * h4));
            self.particles("score activation", &SCORE_ACTIVATION, p, walkers, 2 * d)
                .record(rec, [values, Binding::read(&m.hb, particles), Binding::write(&m.ab, particles)]);
            let in4 = self.t4(l);
            if l > 0 {
                mean::record(rec, "score sum", walkers, n, rows * h4, 1.0, &m.ab, &m.ab_mean);
            }
            if let Some(s) = &scores {
                let one = self.model.one;
                let (hin, w) = (self.model.one_in(l), layer.w_word);
                if l > 0 {
                    self.record_weights(rec, s, walkers, &m.h[l - 1], &m.ab, particle(h4, h4, hin, one), 1 + d, w);
                    let mean = outer::Params {
                        outer: 1,
                        x_stride: (xrows * h4) as u32,
                        y_stride: (rows * h4) as u32,
                        ..particle(h4, h4, hin, one)
                    };
                    self.record_weights(rec, s, walkers, &m.mean[l], &m.ab_mean, mean, 1 + d, w + hin * one);
                }
                self.record_weights(rec, s, walkers, &m.ab, &m.ab, bias(particle(h4, h4, 1, one)), 1 + d, layer.b_word);
                // V_y: sum over pairs of t_ij (x) adjoint of u_ij
                self.record_scatter(rec, p, &m.ab, h4, &m.tb_u, 0);
                let shape = self.pair_shape(forward.jets as usize, in4, h4, self.model.pair_in(l), one);
                self.record_weights(rec, s, walkers, &m.t[l], &m.tb_u, shape, dim + 1, w + 2 * hin * one);
            }
            // the first layer's h is 0 and t0 has no parameters: only the positions want more
            if l > 0 || scores.is_none() {
                let product = linear::Params::new(walkers * n * rows, h4, in4, layer.vy_t);
                linear::record(rec, "score V_y", product, &m.ab, &weights.buffer, &m.yb);
            }
            if l > 0 {
                // adjoint of the residual stays in hb
                let product = linear::Params::new(walkers * n * rows, h4, h4, layer.vh_t).accumulate();
                linear::record(rec, "score V_h", product, &m.ab, &weights.buffer, &m.hb);
                let product = linear::Params::new(walkers * rows, h4, h4, layer.vg_t);
                linear::record(rec, "score V_g", product, &m.ab_mean, &weights.buffer, &m.g_mean);
                let add = Params { scale: 1.0 / n as f32, ..p };
                self.particles("score broadcast", &PARTICLE_BROADCAST, add, walkers, 0)
                    .record(rec, [Binding::read(&m.g_mean, means), Binding::update(&m.hb, particles)]);
                let top = l == self.model.depth - 1;
                self.record_scatter(rec, p, &m.yb, in4, &m.tb, if top { 0 } else { ADD });
                self.record_pair_layer(rec, l - 1, walkers, p, scores.as_ref());
            } else if scores.is_none() {
                let through = self.model.depth > 1;
                self.record_scatter(rec, p, &m.yb, 2, &m.tb_features, if through { ADD } else { 0 });
            }
        }
    }

    fn record_scatter(&self, rec: &mut Recording, p: Params, yb: &Buffer, width4: usize, tb: &Buffer, flags: u32) {
        let (walkers, back) = (p.walkers as usize, self.model.dim + 2);
        let threads = self.n * self.n * back * width4;
        let scatter = self.plain("score scatter", &SCORE_SCATTER, Params { flags, ..p }, walkers, threads, 2);
        let from = Binding::read(yb, 4 * walkers * self.n * p.rows as usize * width4);
        Elementwise { width4, ..scatter }.record(rec, [from, put(tb, self.pair_words(walkers, back, width4), flags == ADD)]);
    }

    /// X: pair jets of width 4 in4; Y: their adjoints (DIM + 2 rows) of width 4 out4.
    fn pair_shape(&self, jets: usize, in4: usize, out4: usize, rows_out: usize, cols: usize) -> outer::Params {
        let (pairs, back) = (self.n * self.n, self.model.dim + 2);
        outer::Params {
            outer: pairs as u32,
            inner: (1 + self.model.dim) as u32,
            rows_out: rows_out as u32,
            cols: cols as u32,
            x_stride: (pairs * jets * in4) as u32,
            x_outer: (jets * in4) as u32,
            x_inner: in4 as u32,
            y_stride: (pairs * back * out4) as u32,
            y_outer: (back * out4) as u32,
            y_inner: out4 as u32,
            ..Default::default()
        }
    }

    /// Adjoint of two-particle layer `l`: tb (of t^(l+1)) becomes that of t^(l), or of the features.
    fn record_pair_layer(&self, rec: &mut Recording, l: usize, walkers: usize, p: Params, scores: Option<&Scores>) {
        let (m, weights, n, dim) = (&self.jets, &self.weights, self.n, self.model.dim);
        let (pairs, jets, back) = (walkers * n * n, p.jets as usize, dim + 2);
        let (in4, t4) = (self.t4(l), self.t4(l + 1));
        let layer = &weights.two[l];
        let adjoints = self.pair_words(walkers, back, t4);
        let adjoint = self.plain("score pair", &SCORE_PAIR, p, walkers, n * n * t4, 3 * dim);
        Elementwise { width4: t4, ..adjoint }.record(
            rec,
            [
                // values and first derivatives
                Binding::read(&m.pair_a[l], span(pairs, 4 * jets * t4, 4 * (1 + dim) * t4)),
                Binding::read(&m.tb, adjoints),
                Binding::write(&m.tb_a, adjoints),
            ],
        );
        if let Some(s) = scores {
            let shape = self.pair_shape(jets, in4, t4, self.model.pair_in(l), self.model.pair);
            self.record_weights(rec, s, walkers, &m.t[l], &m.tb_a, shape, dim + 1, layer.w_word);
            let bias = outer::Params { inner: 1, rows_out: 1, flags: outer::ONES, ..shape };
            self.record_weights(rec, s, walkers, &m.t[l], &m.tb_a, bias, dim + 1, layer.b_word);
        }
        if l > 0 {
            let product = linear::Params::new(pairs * back, t4, t4, layer.w_t).accumulate();
            linear::record(rec, "score B", product, &m.tb_a, &weights.buffer, &m.tb);
        } else if scores.is_none() {
            let product = linear::Params::new(pairs * back, t4, 2, layer.w_t);
            linear::record(rec, "score B", product, &m.tb_a, &weights.buffer, &m.tb_features);
        }
    }
}
