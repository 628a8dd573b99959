//! Parameter scores O = ∂ ln Ψ/∂θ with everything in registers: reverse mode by hand, after the derivatives.
//!
//! Re ln Ψ moves by Re S_z·dz + ½ Σ_ia d(δ_ia z_ia), with δ_ia the derivative along Y_ia, Y = J⁻ᵀ frozen; Im ln Ψ by Im S_z·dz.
//! Layers keep a value and d tangents a particle; what pairs give of W1 is summed in registers, nothing of pair size is stored.

use crate::gpu::{Buffer, Recording};

use super::super::{outer, pad4};
use super::lanes::{Lane, Lanes, SOFTPLUS, WAVE};
use super::*;

/// Operands of a weight gradient inside `score`, in vec4: place and width of the inputs' rows, and of the adjoints'.
struct Product {
    x: usize,
    x_row: usize,
    y: usize,
    y_row: usize,
}

impl Flow {
    /// Records O of every walker after [`Flow::record_lane_derivatives`] of the same walkers.
    ///
    /// `slater_gradient`: S_z `[walker][n d]` complex; `inverse`: J⁻¹ `[walker][ld][ld]`. Walker w goes to rows
    /// 2 (first_walker + w) (real) and the next (imaginary) of `scores`, `pad4(P)` words a row.
    #[allow(clippy::too_many_arguments)] // inputs, outputs and their places
    pub fn record_lane_scores(
        &self,
        rec: &mut Recording,
        x: &Buffer,
        slater_gradient: &Buffer,
        inverse: &Buffer,
        walkers: usize,
        scores: &Buffer,
        first_walker: usize,
    ) {
        let Some(lanes) = &self.lanes else { return };
        if first_walker == 0 {
            // the rows of the first layer that multiply h = 0, and the padding, are never written
            rec.clear(scores);
        }
        self.record_lane_adjoints(rec, lanes, x, slater_gradient, inverse, walkers);
        let (h4, t4, dim) = (lanes.h4, lanes.t4, lanes.dim);
        let (ld, one, pair) = (pad4(self.parameters()), self.model.one, self.model.pair);
        let base = 2 * first_walker * ld;
        // places in `score`: shaders/shared/flow_places.wgsl
        let inputs = 2 * h4 + t4;
        let above = (1 + dim) * inputs;
        let h = above + (2 + dim) * h4;
        let z = h + (1 + dim) * h4;
        let y0 = z + 2 + dim;
        let below = y0 + 2 * (1 + dim);
        let weights = |rec: &mut Recording, product: Product, rows: usize, cols: usize, w: usize, b: Option<usize>| {
            self.record_products(rec, lanes, walkers, &product, (rows, cols), base + w, ld, scores);
            if let Some(b) = b {
                // the bias: one row of ones, for the values alone
                self.record_bias(rec, lanes, walkers, &product, cols, base + b, ld, scores);
            }
        };
        let (output, first, second) = (&self.output, &self.one[0], &self.one[1]);
        weights(rec, Product { x: h, x_row: h4, y: z, y_row: 1 }, one, dim, output.w_word, Some(output.b_word));
        let layer = |x: usize| Product { x, x_row: inputs, y: above, y_row: h4 };
        weights(rec, layer(0), one, one, second.w_word, Some(second.b_word));
        weights(rec, layer(h4), one, one, second.w_word + one * one, None);
        weights(rec, layer(2 * h4), pair, one, second.w_word + 2 * one * one, None);
        let features = first.w_word + 2 * dim * one;
        weights(rec, Product { x: y0, x_row: 2, y: below, y_row: h4 }, self.model.features(), one, features, Some(first.b_word));

        let sum = |rows: usize, cols: usize| Params {
            rows: rows as u32,
            forward_rows: cols as u32,
            step: 2 * ld as u32,
            bias: ld as u32,
            ..self.params(walkers, Order::First)
        };
        let rows = self.model.features();
        let mean = Params { first: (base + features) as u32, flags: 1, ..sum(rows, one) };
        self.record_score_sum(rec, walkers, mean, h4, &lanes.moments, scores);
        let two = &self.two[0];
        let (first, place) = ((base + two.w_word) as u32, (base + two.b_word) as u32);
        let pairs = Params { first, place, flags: 2, probes: 2, ..sum(rows + 1, pair) };
        self.record_score_sum(rec, walkers, pairs, t4, &lanes.score_weights, scores);
    }

    fn record_score_sum(&self, rec: &mut Recording, walkers: usize, p: Params, width4: usize, x: &Buffer, scores: &Buffer) {
        let words = walkers * (p.probes * p.rows * p.forward_rows) as usize;
        let sum = Launch { width4, ..self.plain("score sum", &SCORE_SUM, p, 1, words, self.n) };
        // words, where a launch counts vec4
        let touched = sum.touched / 4.0;
        Launch { touched, ..sum }.record_groups(rec, crate::gpu::grid(words.div_ceil(WG as usize)), &[x, scores]);
    }

    /// Inputs and adjoints of all layers, and the pairs' shares.
    fn record_lane_adjoints(&self, rec: &mut Recording, lanes: &Lanes, x: &Buffer, slater: &Buffer, inverse: &Buffer, walkers: usize) {
        let (n, dim, h4, t4) = (self.n as f64, lanes.dim as f64, lanes.h4 as f64, lanes.t4 as f64);
        let (by_one, by_two) = lanes.by_features();
        let flops = 32.0 * h4 * (2.0 * h4 + t4) + by_one + (2.0 * SOFTPLUS + 60.0 * dim) * h4;
        let read = 2.0 + t4 + h4 + dim * (4.0 * h4 + t4);
        let top = self.lane("score top", &SCORE_TOP, walkers, flops, read + (1.0 + dim) * (4.0 * h4 + t4) + 4.0 * h4);
        let buffers = [&lanes.sums, &lanes.mean, &lanes.row, &lanes.turned, &lanes.ydg, slater, &lanes.score, &lanes.adjoint];
        self.record_lane(rec, lanes, top, &buffers);
        let mean = Params { rows: 2, scale: 1.0 / self.n as f32, ..self.params(walkers, Order::First) };
        self.plain("score mean", &PARTICLE_MEAN, mean, walkers, 2 * lanes.h4, self.n).record(rec, &[&lanes.adjoint, &lanes.adjoint_mean]);
        let flops = 32.0 * h4 * ((4.0 + dim) * h4 + 2.0 * t4) + by_one + (SOFTPLUS + 60.0 * dim) * h4;
        let touched = (6.0 + dim) * h4 + 2.0 * by_one / 8.0 + 4.0 * dim + (2.0 + dim) * h4 + 2.0 * t4;
        let bottom = self.lane("score bottom", &SCORE_BOTTOM, walkers, flops, touched);
        let buffers = [&lanes.adjoint_mean, &lanes.sums, &lanes.row, &lanes.turned, &lanes.slope, &lanes.moments, &lanes.score];
        self.record_lane(rec, lanes, bottom, &buffers);
        let (blocks, cuts) = lanes.share(lanes.t4);
        let flops = n * (cuts as f64 * (WAVE + 10.0 * dim * dim) + (3.0 + 2.0 * dim) * by_two + SOFTPLUS * t4);
        let weights = self.lane("score pairs", &SCORE_WEIGHTS, walkers, flops, n * cuts as f64 * (dim + dim * dim) / 4.0 + 12.0 * t4);
        let weights = Lane { more: &[("TB", blocks)], blocks: cuts, ..weights };
        self.record_lane(rec, lanes, weights, &[x, inverse, &lanes.rows, &lanes.score, &lanes.score_weights]);
    }

    /// Σ Xᵀ Y over particles and tangents (Re), and over values with the imaginary adjoints (Im), to word `word` of each walker.
    #[allow(clippy::too_many_arguments)] // two operands, their shapes and the place of the result
    fn record_products(
        &self,
        rec: &mut Recording,
        lanes: &Lanes,
        walkers: usize,
        product: &Product,
        (rows_out, cols): (usize, usize),
        word: usize,
        ld: usize,
        scores: &Buffer,
    ) {
        let p = self.product(lanes, walkers, product, rows_out, cols, word, ld);
        outer::record(rec, "score products", p, &lanes.score, &lanes.score, scores);
        let im = product.y + (1 + lanes.dim) * product.y_row;
        let p = outer::Params { inner: 1, y_offset: im as u32, g_offset: (word + ld) as u32, ..p };
        outer::record(rec, "score products Im", p, &lanes.score, &lanes.score, scores);
    }

    #[allow(clippy::too_many_arguments)] // as above
    fn record_bias(
        &self,
        rec: &mut Recording,
        lanes: &Lanes,
        walkers: usize,
        product: &Product,
        cols: usize,
        word: usize,
        ld: usize,
        scores: &Buffer,
    ) {
        let p = outer::Params { inner: 1, flags: outer::ONES, ..self.product(lanes, walkers, product, 1, cols, word, ld) };
        outer::record(rec, "score bias", p, &lanes.score, &lanes.score, scores);
        let im = product.y + (1 + lanes.dim) * product.y_row;
        let p = outer::Params { y_offset: im as u32, g_offset: (word + ld) as u32, ..p };
        outer::record(rec, "score bias Im", p, &lanes.score, &lanes.score, scores);
    }

    #[allow(clippy::too_many_arguments)] // as above
    fn product(&self, lanes: &Lanes, walkers: usize, product: &Product, rows: usize, cols: usize, word: usize, ld: usize) -> outer::Params {
        let particle = lanes.score.words() / (4 * self.chunk * self.n);
        outer::Params {
            batches: walkers as u32,
            outer: self.n as u32,
            inner: 1 + lanes.dim as u32,
            rows_out: rows as u32,
            cols: cols as u32,
            x_offset: product.x as u32,
            x_stride: (self.n * particle) as u32,
            x_outer: particle as u32,
            x_inner: product.x_row as u32,
            y_offset: product.y as u32,
            y_stride: (self.n * particle) as u32,
            y_outer: particle as u32,
            y_inner: product.y_row as u32,
            g_offset: word as u32,
            g_stride: 2 * ld as u32,
            flags: 0,
        }
    }
}
