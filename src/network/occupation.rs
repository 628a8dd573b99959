//! p(K) of occupied orbitals on a device: draws, ln p of given states, per-walker scores d ln p / d theta, and their weighted
//! sum. The network between momenta and logits is [`Occupation::layers`].
//!
//! Buffers of the caller hold all walkers; a [`Chunk`] says which rows a recording works on, so that memory is that of one
//! chunk.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::occupation::{self, Factors, Outputs, Program, States};
use crate::kernels::philox::Stream;
use crate::kernels::{Chunk, linear, outer, pad4};
use crate::model::occupation::Occupation;

use super::Net;

/// Rows of m numbers in single precision, padded to vec4.
fn padded(rows: &[f64], m: usize) -> Vec<f32> {
    let mut out = vec![0.0f32; rows.len() / m * pad4(m)];
    for (row, from) in out.chunks_mut(pad4(m)).zip(rows.chunks(m)) {
        row.iter_mut().zip(from).for_each(|(to, v)| *to = *v as f32);
    }
    out
}

/// Buffers and tables of one occupation model on one device; none can be changed apart from the others.
pub struct OccupationKernels {
    model: Occupation,
    net: Net,
    profile: Profile,
    program: Program,
    /// M momenta (vec4), then n rows of biases.
    tables: Buffer,
    orbitals: Buffer,
    bias: Buffer,
    one: Buffer,
    scratch: Buffer,
    momenta: Buffer,
    /// Rows of the network, then a row 0 for each walker.
    logits: Buffer,
    rows: Buffer,
}

impl OccupationKernels {
    /// Tables of `model` for chunks of at most `batch` walkers.
    ///
    /// `orbitals`: M x dim, integer momentum + twist (not times 2 pi / L), in table order. `bias`: n x M
    /// logits of a prior ([`crate::system::ideal_gas::IdealGas::bias`]).
    ///
    /// # Errors
    /// [`Error::User`] for a model that makes no network, and for tables or a batch that do not fit it.
    pub fn new(model: &Occupation, batch: usize, orbitals: &[f64], bias: Option<&[f64]>, gpu: &Gpu) -> Result<Self> {
        model.check()?;
        let (n, m) = (model.n, model.orbitals);
        if batch == 0 || orbitals.len() != m * model.dim || bias.is_some_and(|b| b.len() != n * m) {
            return Err(Error::User(format!(
                "occupation model: batch {batch}, {} orbital components, {:?} biases do not fit M = {m} orbitals in {} dimensions and n = {n}",
                orbitals.len(),
                bias.map(<[f64]>::len),
                model.dim
            )));
        }
        let momenta: Vec<f32> = orbitals
            .chunks(model.dim)
            .flat_map(|k| {
                let mut row = [0.0; 4];
                k.iter().zip(&mut row).for_each(|(v, r)| *r = *v as f32);
                row
            })
            .collect();
        let bias = bias.map_or_else(|| vec![0.0; n * m], <[f64]>::to_vec);
        let prior = move || padded(&bias, m);
        let (layers, tokens) = (model.layers(), n - 1);
        let program = Program::new(&layers, 0, m, tokens)?;
        let (momenta_of_tables, prior_of_tables) = (momenta.clone(), prior.clone());
        Ok(OccupationKernels {
            net: Net::new(&layers, model.parameters().len(), batch)?,
            profile: gpu.profile,
            tables: Buffer::filled("occupation tables", 4 * m + n * pad4(m), move || [momenta_of_tables, prior_of_tables()].concat()),
            orbitals: Buffer::filled("occupation orbitals", 4 * m, move || momenta),
            bias: Buffer::filled("occupation bias", n * pad4(m), prior),
            one: Buffer::filled("one", 4, || vec![1.0f32; 4]),
            scratch: Buffer::new("occupation scratch", program.scratch_words(batch)),
            momenta: Buffer::new("occupation momenta", batch * tokens * 4),
            logits: Buffer::new("occupation logits", batch * n * pad4(m)),
            rows: Buffer::new("occupation rows", batch * n),
            program,
            model: model.clone(),
        })
    }

    /// Other logits of the prior, n x M.
    ///
    /// # Errors
    /// Those of the device.
    pub fn set_bias(&self, gpu: &Gpu, bias: &[f64]) -> Result<()> {
        let m = self.model.orbitals;
        gpu.write(&self.bias, &padded(bias, m));
        let mut rec = Recording::new();
        rec.copy_range(&self.bias, 0, &self.tables, 4 * m, self.model.n * pad4(m));
        gpu.run(&rec)
    }

    /// Rows of scores and gradients are this long: P rounded up to a multiple of 4.
    pub fn leading(&self) -> usize {
        self.net.leading()
    }

    /// Splits rows 0 .. total into chunks of at most the batch.
    pub fn chunks(&self, total: usize) -> impl Iterator<Item = Chunk> {
        let batch = self.net.batch();
        (0..total).step_by(batch).map(move |first| Chunk { first, count: batch.min(total - first) })
    }

    /// Gathers `params` (P f32 in the order of [`Occupation::parameters`]) for the other methods.
    pub fn record_pack(&self, rec: &mut Recording, params: &Buffer) {
        self.net.record_pack(rec, params);
        self.program.record_pack(rec, (params, self.model.parameters().len()));
    }

    /// Draws `chunk.count` states from p(K) into rows `chunk.first`.. of `states` (u32 \[..\]\[n\], ascending)
    /// and their ln p into `logp` (f32). A draw depends on seed, step and purpose of `at` and on the walker's
    /// global index (`at.first_walker` + row) alone. Parameters as of the last [`OccupationKernels::record_pack`].
    pub fn record_sample(&self, rec: &mut Recording, at: Stream, chunk: Chunk, states: &Buffer, logp: &Buffer) {
        let out = Outputs { scratch: &self.scratch, logp };
        occupation::sample(rec, self.profile, &self.program, at, self.states(chunk, states), &self.tables, out);
    }

    /// ln p of `chunk`'s rows of `states` (u32 \[..\]\[n\], each ascending) into the same rows of `logp` (f32).
    pub fn record_logp(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, logp: &Buffer) {
        let states = self.conditionals(rec, chunk, states, None);
        occupation::total(rec, self.model.n, states.chunk, &self.rows, logp);
    }

    /// Scores d ln p / d theta of `chunk`'s rows of `states` into rows `first_row`.. of `scores`
    /// (f32 \[..\]\[[`OccupationKernels::leading`]\], parameters in table order, padding 0).
    pub fn record_scores(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, scores: &Buffer, first_row: usize) {
        self.scores(rec, chunk, states, Factors { buffer: &self.one, first: 0, step: 0 }, (scores, first_row));
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
        self.scores(rec, chunk, states, Factors { buffer: factors, first: chunk.first, step: 1 }, (scores, first_row));
    }

    /// Sum over `chunk`'s walkers of factors\[row\] d ln p / d theta into `gradient`
    /// (f32 \[[`OccupationKernels::leading`]\]); `accumulate` adds to what it holds. No per-walker scores
    /// are stored.
    pub fn record_gradient(
        &self,
        rec: &mut Recording,
        chunk: Chunk,
        states: &Buffer,
        factors: &Buffer,
        gradient: &Buffer,
        accumulate: bool,
    ) {
        let factors = Factors { buffer: factors, first: chunk.first, step: 1 };
        let count = self.conditionals(rec, chunk, states, Some(factors)).chunk.count;
        self.net.record_vjp(rec, count, &self.momenta, &self.logits, gradient, accumulate, None);
        let p = outer::Params { batches: 1, outer: count as u32, inner: 1, flags: outer::ONES | outer::ACCUMULATE, ..self.row_0(count, 1) };
        outer::record(rec, "d row 0", p, &self.one, &self.logits, gradient);
    }

    fn scores(&self, rec: &mut Recording, chunk: Chunk, states: &Buffer, factors: Factors, (scores, first_row): (&Buffer, usize)) {
        let count = self.conditionals(rec, chunk, states, Some(factors)).chunk.count;
        self.net.record_scores(rec, count, &self.momenta, &self.logits, scores, first_row, false);
        let ld = self.leading();
        let p = outer::Params { g_offset: (first_row * ld) as u32, g_stride: ld as u32, ..self.row_0(count, count) };
        outer::record(rec, "d row 0", p, &self.one, &self.logits, scores);
    }

    /// Gradients by row 0, the first M parameters, of `batches` walkers or of their sum.
    fn row_0(&self, count: usize, batches: usize) -> outer::Params {
        let ld4 = pad4(self.model.orbitals) / 4;
        outer::Params {
            batches: batches as u32,
            outer: 1,
            inner: 1,
            rows_out: 1,
            cols: self.model.orbitals as u32,
            y_offset: (count * (self.model.n - 1) * ld4) as u32,
            y_stride: ld4 as u32,
            y_outer: ld4 as u32,
            flags: outer::ONES,
            ..Default::default()
        }
    }

    /// No more rows than the buffers of this model hold.
    fn states<'b>(&self, chunk: Chunk, buffer: &'b Buffer) -> States<'b> {
        let chunk = Chunk { count: chunk.count.min(self.net.batch()), ..chunk };
        States { buffer, n: self.model.n, orbitals: self.model.orbitals, chunk }
    }

    /// Conditional log-probabilities of all rows, or with factors c_w their gradients by the logits, times c_w.
    fn conditionals<'b>(&self, rec: &mut Recording, chunk: Chunk, states: &'b Buffer, factors: Option<Factors>) -> States<'b> {
        let states = self.states(chunk, states);
        let (count, tokens, ld4) = (states.chunk.count, self.model.n - 1, pad4(self.model.orbitals) / 4);
        occupation::embed(rec, states, &self.orbitals, &self.momenta);
        self.net.record_forward_into(rec, count, &self.momenta, &self.logits);
        // row 0 as a product without columns: only its bias
        let (packed, row_0) = self.program.first_row();
        let p = linear::Params::new(count, 0, ld4, 0).bias(row_0, 1);
        linear::record(rec, "row 0", linear::Params { y_offset: (count * tokens * ld4) as u32, ..p }, &self.one, packed, &self.logits);
        occupation::logits(rec, states, &self.bias, factors, &self.logits, &self.rows);
        states
    }
}
