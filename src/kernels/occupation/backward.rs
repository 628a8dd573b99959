//! Reverse mode: per-walker scores d ln p / d theta, and their weighted sum.

use crate::gpu::{Buffer, Recording};
use crate::kernels::{linear, outer, pad4};

use super::layout::Linear;
use super::parts;
use super::{Chunk, GROUP, OccupationKernels};

/// Where sums of outer products go: runs of (first walker, batches, walkers a batch, first row).
struct Sink<'b> {
    runs: Vec<[usize; 4]>,
    buffer: &'b Buffer,
    leading: usize,
}

/// Rows of a buffer: first place and width in vec4, `tokens` rows a walker.
#[derive(Clone, Copy)]
struct Rows<'b> {
    buffer: &'b Buffer,
    offset: usize,
    width: usize,
    tokens: usize,
}

impl OccupationKernels {
    /// Scores d ln p / d theta of `chunk`'s rows of `states` into rows `first_row`.. of `scores`
    /// (f32 \[..\]\[[`OccupationKernels::leading`]\], parameters in table order, padding 0).
    pub fn record_scores(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, scores: &Buffer, first_row: usize) {
        self.scores(rec, chunk, states, (&self.ones, 0, 0), (scores, first_row));
    }

    /// The same, each row times its factor (f32, `chunk`'s rows of `factors`).
    pub fn record_scaled_scores(
        &self,
        rec: &mut Recording,
        chunk: Chunk,
        states: &Buffer,
        factors: &Buffer,
        scores: &Buffer,
        first_row: usize,
    ) {
        self.scores(rec, chunk, states, (factors, chunk.first, 1), (scores, first_row));
    }

    fn scores(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, factors: (&Buffer, usize, usize), to: (&Buffer, usize)) {
        let chunk = self.fit(chunk);
        let sink = Sink { runs: vec![[0, chunk.count, 1, to.1]], buffer: to.0, leading: self.leading() };
        self.network(rec, chunk, states);
        self.conditionals(rec, chunk, states, parts::GRADIENT, factors);
        self.reverse(rec, chunk.count, &sink);
    }

    /// Sum over `chunk`'s walkers of factors\[row\] d ln p / d theta into `gradient`
    /// (f32 \[[`OccupationKernels::leading`]\]); `accumulate` adds to what it holds. No per-walker scores
    /// are stored: partial sums run over 16 walkers each.
    pub fn record_gradient(
        &self,
        rec: &mut Recording,
        chunk: Chunk,
        states: &Buffer,
        factors: &Buffer,
        gradient: &Buffer,
        accumulate: bool,
    ) {
        let chunk = self.fit(chunk);
        let (full, rest) = (chunk.count / GROUP, chunk.count % GROUP);
        let runs = [[0, full, GROUP, 0], [full * GROUP, 1, rest, full]];
        let runs: Vec<[usize; 4]> = runs.into_iter().filter(|r| r[1] * r[2] > 0).collect();
        let sink = Sink { runs, buffer: &self.work.partial, leading: self.leading() };
        self.network(rec, chunk, states);
        self.conditionals(rec, chunk, states, parts::GRADIENT, (factors, chunk.first, 1));
        // the sum over partial rows reads whole vec4: rows past the last must be 0
        rec.clear(&self.work.partial);
        self.reverse(rec, chunk.count, &sink);
        let groups = full + rest.min(1);
        let p = linear::Params::new(1, pad4(groups) / 4, self.leading() / 4, 0);
        linear::record(rec, "gradient", if accumulate { p.accumulate() } else { p }, &self.ones, &self.work.partial, gradient);
    }

    /// From the gradient by the logits to that by the parameters.
    fn reverse(&self, rec: &mut Recording, count: usize, sink: &Sink) {
        let (layout, work, w) = (&self.layout, &self.work, &self.packed);
        let (tokens, m, m4) = (self.model.n - 1, self.model.orbitals, layout.output.out4);
        let rows = count * tokens;
        // what no walker's data reach: padding, and with one token all but x1hat
        let last = if rows == 0 { m } else { self.parameters };
        let zeros = Rows { buffer: &self.zeros, offset: 0, width: 0, tokens: 1 };
        let first = Rows { buffer: &work.logits, offset: 0, width: m4, tokens: 1 };
        self.sum(rec, "padding", sink, None, zeros, [1, self.leading() - last, last]);
        self.sum(rec, "d x1hat", sink, None, first, [1, m, 0]);
        if rows == 0 {
            return;
        }
        let transposed = |rec: &mut Recording, l: Linear, add: bool, x: &Buffer, x_offset: usize, y: &Buffer| {
            let p = linear::Params { x_offset: x_offset as u32, ..linear::Params::new(rows, l.out4, l.in4, l.t) };
            linear::record(rec, "reverse", if add { p.accumulate() } else { p }, x, w, y);
        };
        let d4 = layout.embedding.out4;
        self.leaf(rec, sink, layout.output, &work.output, &work.logits, count * m4);
        transposed(rec, layout.output, false, &work.logits, count * m4, &work.d_stream);
        parts::activate_vjp(rec, "output vjp", rows * d4, &work.output, &work.d_stream);
        for (block, a) in layout.blocks.iter().zip(&work.layers).rev() {
            let stream = &work.d_stream;
            self.leaf(rec, sink, block.back, &a.hidden, stream, 0);
            transposed(rec, block.back, false, stream, 0, &work.hidden);
            parts::activate_vjp(rec, "hidden vjp", rows * block.hidden.out4, &a.hidden, &work.hidden);
            self.leaf(rec, sink, block.hidden, &a.middle, &work.hidden, 0);
            transposed(rec, block.hidden, true, &work.hidden, 0, stream);
            self.leaf(rec, sink, block.mixed, &a.mixed, stream, 0);
            transposed(rec, block.mixed, false, stream, 0, &work.d_mixed);
            let shape = self.attention_shape(count);
            parts::mix(rec, "d value", true, shape, &a.attention, &work.d_mixed, &work.d_value);
            parts::attention(rec, "attention vjp", true, shape, [&work.d_mixed, &a.value, &a.attention, &work.d_attention]);
            parts::mix(rec, "d query", false, shape, &work.d_attention, &a.key, &work.d_query);
            parts::mix(rec, "d key", true, shape, &work.d_attention, &a.query, &work.d_key);
            for (part, d) in [(block.query, &work.d_query), (block.key, &work.d_key), (block.value, &work.d_value)] {
                self.leaf(rec, sink, part, &a.input, d, 0);
                transposed(rec, part, true, d, 0, stream);
            }
        }
        // the embedding's tanh is the first layer's input
        let first = work.layers.first().map_or(&work.last, |a| &a.input);
        parts::activate_vjp(rec, "embedding vjp", rows * d4, first, &work.d_stream);
        self.leaf(rec, sink, layout.embedding, &work.momenta, &work.d_stream, 0);
    }

    /// Gradients of one linear layer: its input `x`, gradient `y` of its output from `y_offset` on.
    fn leaf(&self, rec: &mut Recording, sink: &Sink, l: Linear, x: &Buffer, y: &Buffer, y_offset: usize) {
        let tokens = self.model.n - 1;
        let x = Rows { buffer: x, offset: 0, width: l.in4, tokens };
        let y = Rows { buffer: y, offset: y_offset, width: l.out4, tokens };
        let [rows, cols] = l.shape;
        self.sum(rec, "d weights", sink, Some(x), y, [rows, cols, l.w_offset]);
        self.sum(rec, "d bias", sink, None, y, [1, cols, l.b_offset]);
    }

    /// Sums outer products of the rows of x and y (without x: rows of y) over the walkers of each batch;
    /// `shape` is rows, columns and first word of the result.
    fn sum(&self, rec: &mut Recording, name: &str, sink: &Sink, x: Option<Rows>, y: Rows, shape: [usize; 3]) {
        let [rows_out, cols, place] = shape;
        if cols == 0 {
            return;
        }
        let ones = x.is_none();
        let x = x.unwrap_or(Rows { buffer: &self.ones, offset: 0, width: 0, tokens: y.tokens });
        for &[first, batches, walkers, row] in &sink.runs {
            let rows = walkers * y.tokens;
            let p = outer::Params {
                batches: batches as u32,
                outer: 1,
                inner: rows as u32,
                rows_out: rows_out as u32,
                cols: cols as u32,
                x_offset: (x.offset + first * y.tokens * x.width) as u32,
                x_stride: (rows * x.width) as u32,
                x_inner: x.width as u32,
                y_offset: (y.offset + first * y.tokens * y.width) as u32,
                y_stride: (rows * y.width) as u32,
                y_inner: y.width as u32,
                g_offset: (row * sink.leading + place) as u32,
                g_stride: sink.leading as u32,
                flags: if ones { outer::ONES } else { 0 },
                ..Default::default()
            };
            outer::record(rec, name, p, x.buffer, y.buffer, sink.buffer);
        }
    }
}
