//! Parameter scores O = ∂ ln Ψ/∂θ with everything in registers: reverse mode by hand, after the derivatives.
//!
//! Re ln Ψ moves by Re S_z·dz + ½ Σ_ia d(δ_ia z_ia), with δ_ia the derivative along Y_ia, Y = J⁻ᵀ frozen; Im ln Ψ by Im S_z·dz.
//! Layers keep a value and d tangents a particle; what pairs give of W1 is summed in registers, nothing of pair size is stored.

use crate::gpu::{Binding, Buffer, Recording};

use super::super::super::{outer, pad4};
use super::super::{BackflowKernels, mean};
use super::kernels::{SCORE_BOTTOM, SCORE_TOP, SCORE_WEIGHTS};
use super::score_sum::{self, ADD, LAST_APART};
use super::{InRegisters, Lane, Params, SOFTPLUS, WAVE};

/// Operands of a weight gradient inside `score`, in vec4: place and width of the inputs' rows, and of the adjoints'.
struct Product {
    x: usize,
    x_row: usize,
    y: usize,
    y_row: usize,
}

/// Rows of scores: the buffer, the first walker's first word, and words a row.
#[derive(Clone, Copy)]
struct Rows<'a> {
    scores: &'a Buffer,
    base: usize,
    ld: usize,
}

impl BackflowKernels {
    /// Records O of every walker after [`BackflowKernels::record_register_derivatives`] of the same walkers; the arguments are those of
    /// [`BackflowKernels::record_scores`].
    #[allow(clippy::too_many_arguments)] // inputs, outputs and their places
    pub fn record_register_scores(
        &self,
        rec: &mut Recording,
        x: &Buffer,
        slater_gradient: &Buffer,
        inverse: &Buffer,
        walkers: usize,
        scores: &Buffer,
        first_walker: usize,
    ) {
        if let Some(there) = self.in_registers(x, walkers) {
            there.record_scores(rec, slater_gradient, inverse, scores, first_walker);
        }
    }
}

impl InRegisters<'_> {
    /// Records O of every walker after [`InRegisters::record_derivatives`].
    pub fn record_scores(&self, rec: &mut Recording, slater_gradient: &Buffer, inverse: &Buffer, scores: &Buffer, first_walker: usize) {
        if first_walker == 0 {
            // the rows of the first layer that multiply h = 0, and the padding, are never written
            rec.clear(scores);
        }
        self.record_adjoints(rec, slater_gradient);
        let (flow, r) = (self.flow, self.own);
        let (h4, t4, dim, one, pair) = (r.h4, r.t4, r.dim, flow.model.one, flow.model.pair);
        let ld = pad4(flow.parameters());
        let to = Rows { scores, base: 2 * first_walker * ld, ld };
        // places in `score`: shaders/shared/backflow_places.wgsl
        let inputs = 2 * h4 + t4;
        let above = (1 + dim) * inputs;
        let h = above + (2 + dim) * h4;
        let z = h + (1 + dim) * h4;
        let y0 = z + 2 + dim;
        let below = y0 + 2 * (1 + dim);
        let (output, first, second) = (&flow.weights.output, &flow.weights.one[0], &flow.weights.one[1]);
        let rows = flow.model.features();
        let features = first.w_word + 2 * dim * one;
        let layer = |x: usize| Product { x, x_row: inputs, y: above, y_row: h4 };
        let top = Product { x: h, x_row: h4, y: z, y_row: 1 };
        let bottom = Product { x: y0, x_row: 2, y: below, y_row: h4 };
        self.record_products(rec, &top, (one, dim), output.w_word, Some(output.b_word), to);
        self.record_products(rec, &layer(0), (one, one), second.w_word, Some(second.b_word), to);
        self.record_products(rec, &layer(h4), (one, one), second.w_word + one * one, None, to);
        self.record_products(rec, &layer(2 * h4), (pair, one), second.w_word + 2 * one * one, None, to);
        self.record_products(rec, &bottom, (rows, one), features, Some(first.b_word), to);

        let sum = score_sum::Params {
            walkers: self.walkers as u32,
            n: flow.n as u32,
            step: 2 * ld as u32,
            part_step: ld as u32,
            ..Default::default()
        };
        let mean = score_sum::Params {
            parts: 1,
            rows: rows as u32,
            cols: one as u32,
            width: 4 * h4 as u32,
            first: (to.base + features) as u32,
            flags: ADD,
            ..sum
        };
        score_sum::record(rec, mean, &r.moments, scores);
        // of pairs of like spins, then of the others, through the same array
        for (unlike, two) in flow.weights.two[..1].iter().chain(&flow.weights.unlike).enumerate() {
            self.record_pair_weights(rec, inverse, unlike > 0);
            let pairs = score_sum::Params {
                parts: 2,
                rows: rows as u32 + 1,
                cols: pair as u32,
                width: 4 * t4 as u32,
                first: (to.base + two.w_word) as u32,
                place: (to.base + two.b_word) as u32,
                flags: LAST_APART,
                ..sum
            };
            score_sum::record(rec, pairs, &r.score_weights, scores);
        }
    }

    /// Inputs and adjoints of all layers.
    fn record_adjoints(&self, rec: &mut Recording, slater_gradient: &Buffer) {
        let (flow, r, w) = (self.flow, self.own, self.walkers);
        let (_, dim, h4, t4) = self.sizes();
        let (by_one, _) = self.by_features();
        let flops = 32.0 * h4 * (2.0 * h4 + t4) + by_one + (2.0 * SOFTPLUS + 60.0 * dim) * h4;
        let inputs = [r.sums.read(w), r.mean.read(2 * w), r.row.read(w), r.turned.read(w), r.ydg.read(w)];
        let others = [Binding::read(slater_gradient, 2 * w * flow.order()), r.score.update(w), r.adjoint.write(2 * w)];
        self.record(rec, self.lane("score top", &SCORE_TOP, w, flops), inputs.into_iter().chain(others));
        mean::record(rec, "score mean", w, flow.n, 2 * r.h4, 1.0 / flow.n as f32, &r.adjoint.buffer, &r.adjoint_mean.buffer);
        let flops = 32.0 * h4 * ((4.0 + dim) * h4 + 2.0 * t4) + by_one + (SOFTPLUS + 60.0 * dim) * h4;
        let inputs = [r.adjoint_mean.read(2 * w), r.sums.read(w), r.row.read(w), r.turned.read(w), r.slope.read(w)];
        let bottom = self.lane("score bottom", &SCORE_BOTTOM, w, flops);
        self.record(rec, bottom, inputs.into_iter().chain([r.moments.update(w), r.score.update(w)]));
    }

    /// The pairs' shares, of like spins or of unlike ones.
    fn record_pair_weights(&self, rec: &mut Recording, inverse: &Buffer, unlike: bool) {
        let (r, w) = (self.own, self.walkers);
        let (n, dim, _, t4) = self.sizes();
        let (_, by_two) = self.by_features();
        let (blocks, cuts) = r.share(r.t4);
        let flops = n * (cuts as f64 * (WAVE + 10.0 * dim * dim) + (3.0 + 2.0 * dim) * by_two + SOFTPLUS * t4);
        let params = Params { flags: u32::from(unlike), ..self.params() };
        let weights = Lane { more: &[("TB", blocks)], blocks: cuts, params, ..self.lane("score pairs", &SCORE_WEIGHTS, w, flops) };
        self.record(rec, weights, [self.x(), self.inverse(inverse), r.rows.read(w), r.score.read(w), r.score_weights.write(w)]);
    }

    /// Σ Xᵀ Y over particles and tangents (Re), and over values with the imaginary adjoints (Im), to word `weights` of each walker; and
    /// with ones for X, for the values alone, to word `bias`.
    fn record_products(
        &self,
        rec: &mut Recording,
        product: &Product,
        shape: (usize, usize),
        weights: usize,
        bias: Option<usize>,
        to: Rows,
    ) {
        let layers = &self.own.score.buffer;
        let im = (product.y + (1 + self.own.dim) * product.y_row) as u32;
        let imaginary = |p: outer::Params| outer::Params { inner: 1, y_offset: im, g_offset: p.g_offset + to.ld as u32, ..p };
        let p = self.product(product, shape, to.base + weights, to.ld);
        outer::record(rec, "score products", p, layers, layers, to.scores);
        outer::record(rec, "score products Im", imaginary(p), layers, layers, to.scores);
        if let Some(bias) = bias {
            let p = outer::Params { inner: 1, flags: outer::ONES, ..self.product(product, (1, shape.1), to.base + bias, to.ld) };
            outer::record(rec, "score bias", p, layers, layers, to.scores);
            outer::record(rec, "score bias Im", imaginary(p), layers, layers, to.scores);
        }
    }

    fn product(&self, product: &Product, (rows, cols): (usize, usize), word: usize, ld: usize) -> outer::Params {
        let (n, particle) = (self.flow.n, self.own.score_vec4());
        outer::Params {
            batches: self.walkers as u32,
            outer: n as u32,
            inner: 1 + self.own.dim as u32,
            rows_out: rows as u32,
            cols: cols as u32,
            x_offset: product.x as u32,
            x_stride: (n * particle) as u32,
            x_outer: particle as u32,
            x_inner: product.x_row as u32,
            y_offset: product.y as u32,
            y_stride: (n * particle) as u32,
            y_outer: particle as u32,
            y_inner: product.y_row as u32,
            g_offset: word as u32,
            g_stride: 2 * ld as u32,
            flags: 0,
        }
    }
}
