//! Spins drawn from a masked network and their ln q0, scores and gradients: the same parameters in one place.
//!
//! Buffers of the caller hold all samples, spins as f32 ±1 `[sample][sites]`; a [`Chunk`] says which of them a recording works
//! on, so that memory is that of one chunk. `sign` -1 stands for the same samples with all spins flipped.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Profile, Recording};
use crate::kernels::ancestral;
use crate::kernels::bernoulli::{self, Factors, Rows, Spins};
use crate::kernels::fields::{Fields, Known};
use crate::kernels::philox::Stream;
use crate::kernels::{Chunk, pad4};

use super::{Layer, Net, Sampler, placed};

/// Samples whose logits and activations the network holds, until it next reads others or the pass is used up.
#[derive(Debug)]
pub struct Pass {
    count: usize,
    first: usize,
    sign: f32,
}

/// Sites of a network of such layers: its tokens, or what its first layer takes.
///
/// # Errors
/// [`crate::Error::User`] for layers of several numbers of tokens.
pub fn sites(layers: &[Layer]) -> Result<usize> {
    let tokens = placed::tokens(layers)?;
    Ok(if tokens > 1 { tokens } else { layers.first().map_or(0, Layer::inputs) })
}

/// Buffers of one model on one device, for chunks of at most a batch of samples.
pub struct Autoregressive {
    net: Net,
    profile: Profile,
    sites: usize,
    sampler: Sampler,
    /// What is known of the logits beside what the layers make.
    fields: Fields,
    factor: f64,
    cache: Buffer,
    rows: Buffer,
    log_q: Buffer,
    one: Buffer,
}

impl Autoregressive {
    /// Layers from one spin a site to one logit a site, the first of which does not see its own site, or from the spin before
    /// each token to its logit; `parameters` in all.
    ///
    /// # Errors
    /// [`crate::Error::User`] for layers that are no network ([`Net::new`]), or none of that kind.
    pub fn new(layers: &[Layer], parameters: usize, batch: usize, profile: Profile) -> Result<Autoregressive> {
        let net = Net::new(layers, parameters, batch)?.tiled(profile);
        let sampler = Sampler::new(layers, parameters, profile)?;
        let sites = sites(layers)?;
        let words = if net.tokens > 1 { 4 * sites } else { pad4(sites) };
        Ok(Autoregressive {
            cache: Buffer::new("ancestral cache", sampler.cache_words(batch)),
            rows: Buffer::new("spin rows", batch * words),
            log_q: Buffer::new("ln q of a chunk", batch),
            one: Buffer::filled("one", 4, || vec![1.0f32; 4]),
            fields: Fields::none(sites),
            factor: 0.0,
            profile,
            sites,
            net,
            sampler,
        })
    }

    /// With fields in its logits, 0 times at first.
    ///
    /// # Errors
    /// [`crate::Error::User`] for fields of other spins.
    pub fn with_fields(self, fields: Fields) -> Result<Autoregressive> {
        if fields.sites() != self.sites {
            return Err(Error::User(format!("fields of {} spins for a network of {}", fields.sites(), self.sites)));
        }
        Ok(Autoregressive { fields, ..self })
    }

    /// From now on the logits hold `factor` times the fields: 2β of a system at inverse temperature β.
    pub fn count_fields(&mut self, factor: f64) {
        self.factor = factor;
    }

    /// What the fields are counted by.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// The network behind it, from padded rows of spins to padded rows of logits.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Words that a sample of the batch takes.
    pub fn words(&self) -> usize {
        let all = self.net.buffers().into_iter().chain([&self.cache, &self.rows]);
        all.map(Buffer::words).sum::<usize>() / self.net.batch()
    }

    /// Activations and logits of the chunk drawn last; see [`Sampler::logit`].
    pub fn cache(&self) -> (&Sampler, &Buffer) {
        (&self.sampler, &self.cache)
    }

    /// Gathers `params` (P f32 in the order of the model's table) for all but [`Autoregressive::record_sample`].
    pub fn record_pack(&self, rec: &mut Recording, params: &Buffer) {
        self.net.record_pack(rec, params);
    }

    /// Draws `chunk`'s samples from q0 into `spins`, with their ln q0. A draw depends on seed, step and purpose of `at` and on
    /// the sample's global index (`at.first_walker` + row) alone.
    pub fn record_sample(&self, rec: &mut Recording, at: Stream, chunk: Chunk, params: &Buffer, spins: &Buffer, log_q: &Buffer) {
        let count = chunk.count.min(self.net.batch());
        let out = ancestral::Outputs { cache: &self.cache, spins, log_q };
        let known = Known { fields: &self.fields, factor: self.factor };
        self.sampler.record(rec, self.profile, at, chunk.first, count, params, known, out);
    }

    /// ln q0 of `chunk`'s samples of `spins`, into the same rows of `log_q`. The pass through the network may serve scores or
    /// a gradient of the same samples that are recorded next.
    pub fn record_log_q(&self, rec: &mut Recording, chunk: Chunk, sign: f32, spins: &Buffer, log_q: &Buffer) -> Pass {
        let pass = self.forward(rec, chunk, sign, spins);
        bernoulli::record(rec, self.spins(&pass, spins), self.net.output(), None, log_q, chunk.first);
        pass
    }

    /// Scores d ln q0 / d theta of `chunk`'s samples into rows `first_row` .. of `scores` (f32 \[..\]\[[`Net::leading`]\],
    /// parameters in table order, padding 0).
    pub fn record_scores(&self, rec: &mut Recording, chunk: Chunk, sign: f32, spins: &Buffer, scores: &Buffer, first_row: usize) {
        let pass = self.forward(rec, chunk, sign, spins);
        self.record_scores_of(rec, pass, spins, scores, first_row);
    }

    /// The same of the samples of a pass, the last one recorded, through the network.
    pub fn record_scores_of(&self, rec: &mut Recording, pass: Pass, spins: &Buffer, scores: &Buffer, first_row: usize) {
        let ones = Factors { buffer: &self.one, first: 0, step: 0 };
        bernoulli::record(rec, self.spins(&pass, spins), self.net.output(), Some(ones), &self.log_q, 0);
        self.net.record_scores(rec, pass.count, &self.rows, self.net.output(), scores, first_row, false);
    }

    /// The same, each row times its sample's factor (f32 `[sample]`); `adds`: added to what the rows hold.
    #[allow(clippy::too_many_arguments)]
    pub fn record_weighted_scores(
        &self,
        rec: &mut Recording,
        chunk: Chunk,
        sign: f32,
        spins: &Buffer,
        factors: &Buffer,
        scores: &Buffer,
        first_row: usize,
        adds: bool,
    ) {
        let pass = self.forward(rec, chunk, sign, spins);
        let factors = Factors { buffer: factors, first: pass.first, step: 1 };
        bernoulli::record(rec, self.spins(&pass, spins), self.net.output(), Some(factors), &self.log_q, 0);
        self.net.record_scores(rec, pass.count, &self.rows, self.net.output(), scores, first_row, adds);
    }

    /// Sum over `chunk`'s samples of factors\[row\] d ln q0 / d theta into `gradient` (f32 \[[`Net::leading`]\]);
    /// `accumulate` adds to what it holds. No scores are stored.
    #[allow(clippy::too_many_arguments)]
    pub fn record_gradient(
        &self,
        rec: &mut Recording,
        chunk: Chunk,
        sign: f32,
        spins: &Buffer,
        factors: &Buffer,
        gradient: &Buffer,
        accumulate: bool,
    ) {
        let pass = self.forward(rec, chunk, sign, spins);
        self.record_gradient_of(rec, pass, spins, factors, gradient, accumulate);
    }

    /// The same over the samples of a pass, the last one recorded, through the network.
    pub fn record_gradient_of(
        &self,
        rec: &mut Recording,
        pass: Pass,
        spins: &Buffer,
        factors: &Buffer,
        gradient: &Buffer,
        accumulate: bool,
    ) {
        let factors = Factors { buffer: factors, first: pass.first, step: 1 };
        bernoulli::record(rec, self.spins(&pass, spins), self.net.output(), Some(factors), &self.log_q, 0);
        self.net.record_vjp(rec, pass.count, &self.rows, self.net.output(), gradient, accumulate, None);
    }

    /// The logits of a chunk.
    fn forward(&self, rec: &mut Recording, chunk: Chunk, sign: f32, spins: &Buffer) -> Pass {
        let pass = Pass { count: chunk.count.min(self.net.batch()), first: chunk.first, sign };
        bernoulli::record_rows(rec, self.spins(&pass, spins), &self.rows);
        self.net.record_forward(rec, pass.count, &self.rows);
        self.fields.record(rec, self.spins(&pass, spins), self.factor, self.net.output());
        pass
    }

    /// A pass's samples as the kernels take them.
    fn spins<'b>(&self, pass: &Pass, buffer: &'b Buffer) -> Spins<'b> {
        let rows = if self.net.tokens > 1 { Rows::Token } else { Rows::Sample };
        Spins { buffer, sites: self.sites, first: pass.first, count: pass.count, sign: pass.sign, rows }
    }
}
