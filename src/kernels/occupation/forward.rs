//! ln p of given states: the network on all tokens at once.

use crate::gpu::{Buffer, Recording};
use crate::kernels::{linear, pad4};

use super::layout::Linear;
use super::parts::{self, AttentionParams, EmbedParams, LogitsParams};
use super::{Chunk, OccupationKernels};

/// Y = X W + b on `rows` rows; `add`: Y += X W + b.
fn dense(rec: &mut Recording, name: &str, rows: usize, l: Linear, add: bool, (x, w, y): (&Buffer, &Buffer, &Buffer)) {
    let p = linear::Params::new(rows, l.in4, l.out4, l.w).bias(l.b, 1);
    linear::record(rec, name, if add { p.accumulate() } else { p }, x, w, y);
}

impl OccupationKernels {
    /// ln p of `chunk`'s rows of `states` (u32 \[..\]\[n\], each ascending) into the same rows of `logp` (f32).
    pub fn record_logp(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, logp: &Buffer) {
        let chunk = self.fit(chunk);
        self.network(rec, chunk, states);
        self.conditionals(rec, chunk, states, 0, (&self.ones, 0, 0));
        parts::total(rec, chunk.count, self.model.n, chunk.first, &self.work.rows, logp);
    }

    pub(super) fn attention_shape(&self, count: usize) -> AttentionParams {
        AttentionParams {
            count: count as u32,
            tokens: self.model.n as u32 - 1,
            heads: self.model.heads as u32,
            size: self.model.head_size() as u32,
            ld4: self.layout.embedding.out4 as u32,
            ..Default::default()
        }
    }

    /// The network's logits of every row; all activations stay in `work`.
    pub(super) fn network(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer) {
        let (layout, work, w) = (&self.layout, &self.work, &self.packed);
        let (count, tokens) = (chunk.count, self.model.n - 1);
        let m4 = layout.output.out4;
        // x1hat as a product without columns: only its bias
        let p = linear::Params::new(count, 0, m4, 0).bias(layout.x1hat, 1);
        linear::record(rec, "x1hat", p, &self.zeros, w, &work.logits);
        let rows = count * tokens;
        if rows == 0 {
            return;
        }
        let (d4, h4) = (layout.embedding.out4, layout.output.in4);
        let p = EmbedParams {
            count: count as u32,
            tokens: tokens as u32,
            n: self.model.n as u32,
            first: chunk.first as u32,
            orbitals: self.model.orbitals as u32,
            ..Default::default()
        };
        parts::embed(rec, p, states, &self.orbitals, &work.momenta);
        dense(rec, "embedding", rows, layout.embedding, false, (&work.momenta, w, &work.wide));
        let stream = |l: usize| work.layers.get(l).map_or(&work.last, |layer| &layer.input);
        parts::activate(rec, "embedding tanh", rows * d4, &work.wide, stream(0));
        for (l, (block, a)) in layout.blocks.iter().zip(&work.layers).enumerate() {
            for (name, part, y) in [("query", block.query, &a.query), ("key", block.key, &a.key), ("value", block.value, &a.value)] {
                dense(rec, name, rows, part, false, (&a.input, w, y));
            }
            let shape = self.attention_shape(count);
            parts::attention(rec, "attention", false, shape, [&a.query, &a.key, &self.zeros, &a.attention]);
            parts::mix(rec, "mix", false, shape, &a.attention, &a.value, &a.mixed);
            rec.copy(&a.input, &a.middle, rows * 4 * d4);
            dense(rec, "attention out", rows, block.mixed, true, (&a.mixed, w, &a.middle));
            dense(rec, "hidden", rows, block.hidden, false, (&a.middle, w, &work.hidden));
            parts::activate(rec, "hidden tanh", rows * block.hidden.out4, &work.hidden, &a.hidden);
            rec.copy(&a.middle, stream(l + 1), rows * 4 * d4);
            dense(rec, "hidden out", rows, block.back, true, (&a.hidden, w, stream(l + 1)));
        }
        parts::activate(rec, "output tanh", rows * h4, &work.last, &work.output);
        let o = layout.output;
        let p = linear::Params { y_offset: (count * m4) as u32, ..linear::Params::new(rows, o.in4, m4, o.w).bias(o.b, 1) };
        linear::record(rec, "output", p, &work.output, w, &work.logits);
    }

    /// Conditional log-probabilities of `work.logits` (and their gradients, by `flags`); `factors`: buffer,
    /// first place and step of the factors c_w.
    pub(super) fn conditionals(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, flags: u32, factors: (&Buffer, usize, usize)) {
        let p = LogitsParams {
            count: chunk.count as u32,
            n: self.model.n as u32,
            orbitals: self.model.orbitals as u32,
            ld: pad4(self.model.orbitals) as u32,
            first: chunk.first as u32,
            first_factor: factors.1 as u32,
            flags,
            factor_step: factors.2 as u32,
        };
        let work = &self.work;
        parts::logits(rec, p, [states, &self.bias, factors.0, &work.logits, &work.rows]);
    }
}
