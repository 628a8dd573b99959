//! Reverse mode of a network: gradients by its parameters, for each sample or summed, and by its input.

use crate::gpu::{Buffer, Profile, Recording};
use crate::kernels::attention::{self, Columns};
use crate::kernels::prelu::{self, Slopes};
use crate::kernels::{activate, column_sum, convolution, linear, masked_outer, outer, pad4};
use crate::model::layer::Dense;

use super::net::thirds;
use super::placed::{Matrix, Placed, Step};
use super::{Layer, Net};

/// Buffers of the reverse mode.
pub(super) struct Reverse {
    /// Gradients by the outputs of a layer and by its inputs, in turn; a pair for the layers inside of so many residuals.
    gradients: Vec<[Buffer; 2]>,
    /// Gradients by q, k, v and by the products of an attention.
    d_parts: Buffer,
    d_products: Buffer,
    /// Gradients by the slopes of a layer, row by row.
    slopes: Buffer,
    /// Gradients of groups of samples.
    partial: Buffer,
    pub(super) ones: Buffer,
    zeros: Buffer,
    /// Most groups.
    groups: usize,
}

/// Where gradients by the parameters go: runs of samples.
struct Sink<'b> {
    runs: Vec<Run>,
    buffer: &'b Buffer,
    /// They are added to what it holds.
    adds: bool,
}

/// Samples `first` .. in `batches` sums of `samples` each, into rows `row` .. of the sink.
#[derive(Clone, Copy)]
struct Run {
    first: usize,
    batches: usize,
    samples: usize,
    row: usize,
}

/// What rows of gradients are multiplied by.
enum By<'b> {
    /// Rows of inputs.
    Inputs(Columns<'b>),
    /// 1, and a row is the sum of so many parts.
    Ones(usize),
    /// 1, and a row has all tokens of a sample.
    Samples,
}

/// Fewest samples of a group, and words that partial sums of groups may take; eight times as many before there are fewer than
/// eight groups, whose invocations would leave a GPU idle, and more if one group needs more.
const GROUP: usize = 16;
/// Most rows that one launch sums without a division.
const LONGEST: usize = 30_000;
const PARTIAL: usize = 1 << 20;

impl Reverse {
    /// For all layers with the number of residuals each lies in, and gradients of `ld` words.
    pub fn new(layers: &[(&Layer, usize)], batch: usize, tokens: usize, ld: usize) -> Reverse {
        let rows = batch * tokens;
        let most = |words: &dyn Fn(&Layer) -> usize| layers.iter().map(|(l, _)| words(l)).max().unwrap_or(0);
        let deepest = layers.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
        let gradients = (0..=deepest).map(|depth| {
            let widest = layers.iter().filter(|(_, d)| *d == depth).map(|(l, _)| pad4(l.inputs())).max().unwrap_or(0);
            ["even", "odd"].map(|name| Buffer::new(format!("network d {name} {depth}"), rows * widest))
        });
        let attention = |l: &Layer| if let Layer::Attention { heads, query, .. } = l { [*heads, pad4(query.outputs)] } else { [0; 2] };
        let slopes = most(&|l| if matches!(l, Layer::Prelu { .. } | Layer::ChannelPrelu { .. }) { pad4(l.outputs()) } else { 0 });
        let groups = (PARTIAL / ld).clamp((8 * PARTIAL / ld).clamp(1, 8), 64).min(batch.div_ceil(GROUP));
        let padded = pad4(groups + 1);
        // as long as the padding of a gradient, which is all of it without tokens
        let zeros = if tokens == 0 { ld } else { 4 };
        Reverse {
            gradients: gradients.collect(),
            d_parts: Buffer::new("network d q k v", 3 * rows * most(&|l| attention(l)[1])),
            d_products: Buffer::new("network d attention", rows * tokens * most(&|l| attention(l)[0])),
            slopes: Buffer::new("network d slopes", rows * slopes),
            partial: Buffer::new("network partial", padded * ld),
            ones: Buffer::filled("ones", padded, move || vec![1.0f32; padded]),
            zeros: Buffer::filled("zeros", zeros, move || vec![0.0f32; zeros]),
            groups,
        }
    }

    /// What grows with the batch.
    pub fn rows(&self) -> Vec<&Buffer> {
        self.gradients.iter().flatten().chain([&self.d_parts, &self.d_products, &self.slopes]).collect()
    }

    /// A buffer that is free outside of the reverse mode, for rows inside of `depth` residuals.
    pub fn free(&self, depth: usize) -> &Buffer {
        &self.gradients[depth][0]
    }
}

impl Net {
    /// Gradients by the parameters of each of `samples` samples, whose outputs have the gradient `d`, into rows `first_row` ..
    /// of `scores` (f32 \[..\]\[[`Net::leading`]\], padding 0; parameters of no layer are left alone). For the samples `x` of the
    /// last [`Net::record_forward`]. `adds`: they are added to what the rows hold.
    #[allow(clippy::too_many_arguments)]
    pub fn record_scores(
        &self,
        rec: &mut Recording,
        samples: usize,
        x: &Buffer,
        d: &Buffer,
        scores: &Buffer,
        first_row: usize,
        adds: bool,
    ) {
        // without tokens there is no row that a parameter acts on
        let from = if self.tokens == 0 { 0 } else { self.parameters };
        let padding = self.leading() - from;
        if padding > 0 && samples > 0 && !adds {
            let p = outer::Params {
                batches: samples as u32,
                outer: 1,
                inner: 1,
                rows_out: 1,
                cols: padding as u32,
                g_offset: (first_row * self.leading() + from) as u32,
                g_stride: self.leading() as u32,
                flags: outer::ONES,
                ..Default::default()
            };
            outer::record(rec, "padding", p, &self.back.ones, &self.back.zeros, scores);
        }
        let sink = Sink { runs: vec![Run { first: 0, batches: samples, samples: 1, row: first_row }], buffer: scores, adds };
        self.reverse(rec, &self.layers, 0, samples, (x, d), &sink, None);
    }

    /// Sum over `samples` samples, whose outputs have the gradient `d`, of the gradients by the parameters, into `gradient`
    /// (f32 \[[`Net::leading`]\]; `accumulate` adds to what it holds), and the gradient by each row of `x` into `input`.
    /// For the samples `x` of the last [`Net::record_forward`].
    #[allow(clippy::too_many_arguments)]
    pub fn record_vjp(
        &self,
        rec: &mut Recording,
        samples: usize,
        x: &Buffer,
        d: &Buffer,
        gradient: &Buffer,
        accumulate: bool,
        input: Option<&Buffer>,
    ) {
        let partial = &self.back.partial;
        let group = samples.div_ceil(self.back.groups).max(GROUP);
        let (full, rest) = (samples / group, samples % group);
        let runs = [(full, group, 0), (1, rest, full)].map(|(batches, samples, row)| Run { first: row * group, batches, samples, row });
        let runs = runs.into_iter().filter(|r| r.batches * r.samples > 0).collect();
        // the sum over groups reads whole vec4: what no group wrote must be 0
        rec.clear(partial);
        self.reverse(rec, &self.layers, 0, samples, (x, d), &Sink { runs, buffer: partial, adds: false }, input.map(|to| (to, false)));
        let p = linear::Params::new(1, pad4(full + rest.min(1)) / 4, self.leading() / 4, 0);
        linear::record(rec, "gradient", if accumulate { p.accumulate() } else { p }, &self.back.ones, partial, gradient);
    }

    /// From the gradient `d` by the outputs of `layers`, inside of `depth` residuals, to that by the parameters, and by `x` where
    /// it is asked for, there added to what the buffer holds or not.
    #[allow(clippy::too_many_arguments)]
    fn reverse(
        &self,
        rec: &mut Recording,
        layers: &[Placed],
        depth: usize,
        samples: usize,
        (x, d): (&Buffer, &Buffer),
        sink: &Sink,
        input: Option<(&Buffer, bool)>,
    ) {
        let rows = samples * self.tokens;
        if rows == 0 {
            return;
        }
        let mut d = d;
        let mut free = self.back.gradients[depth].iter().map(|buffer| (buffer, false)).cycle();
        for (l, layer) in layers.iter().enumerate().rev() {
            let source = if l == 0 { x } else { &layers[l - 1].output };
            let units = pad4(layer.units);
            let (matrix, outputs) = match &layer.step {
                Step::Masked { shape, weights, bias, matrix } => {
                    for run in &sink.runs {
                        let place = (run.row * self.leading() + weights, self.leading());
                        masked_outer::record(rec, "d weights", *shape, self.rows(sink, run), d, source, sink.buffer, place);
                    }
                    if let Some(bias) = bias {
                        self.sum(rec, "d bias", sink, By::Ones(1), Columns::all(d, units), [1, shape.rows(), *bias]);
                    }
                    (matrix, d)
                }
                Step::Convolution { shape, weights, bias, transposed, .. } => {
                    for run in &sink.runs {
                        let at = |word: usize| run.row * self.leading() + word;
                        let place = convolution::Place { weights: at(*weights), bias: bias.map(at), stride: self.leading() };
                        convolution::record_outer(
                            rec,
                            self.profile,
                            "d weights",
                            *shape,
                            self.rows(sink, run),
                            d,
                            source,
                            sink.buffer,
                            place,
                        );
                    }
                    let Some((to, adds)) = (if l == 0 { input } else { free.next() }) else { break };
                    let m = convolution::Weights { matrices: *transposed, bias: None, reverse: true, accumulate: adds };
                    convolution::record(rec, self.profile, "reverse", *shape, rows, m, d, &self.packed, to);
                    d = to;
                    continue;
                }
                Step::Dense { dense, matrix } => {
                    self.leaf(rec, sink, *dense, source, Columns::all(d, units));
                    (matrix, d)
                }
                Step::Attention { query_key_value, heads, matrix, parts, weights } => {
                    let (shape, d, d_products) = (self.shape(*heads, samples), Columns::all(d, units), &self.back.d_products);
                    let ([q, k, v], [dq, dk, dv]) = (thirds(parts, units), thirds(&self.back.d_parts, units));
                    attention::record_mix(rec, "d value", shape, true, weights, d, dv);
                    attention::record_vjp(rec, "attention vjp", shape, d, v, weights, d_products);
                    attention::record_mix(rec, "d query", shape, false, d_products, k, dq);
                    attention::record_mix(rec, "d key", shape, true, d_products, q, dk);
                    for (dense, d) in query_key_value.iter().zip([dq, dk, dv]) {
                        self.leaf(rec, sink, *dense, source, d);
                    }
                    (matrix, &self.back.d_parts)
                }
                Step::Positions { units, weights, .. } => {
                    let units = self.tokens * units;
                    self.sum(rec, "d positions", sink, By::Samples, Columns::all(d, units), [1, units, *weights]);
                    continue;
                }
                // what the outputs' gradient holds is the part of x itself
                Step::Residual(inner) => {
                    self.reverse(rec, inner, depth + 1, samples, (source, d), sink, Some((d, true)));
                    continue;
                }
                // in place: the layer behind wrote into a buffer of ours
                Step::Prelu { sites, units, slopes, packed } => {
                    let s = Slopes { rows: rows * sites, units: *units, buffer: &self.packed, first: *packed };
                    prelu::record_vjp(rec, "slopes vjp", s, source, d, &self.back.slopes);
                    self.sum(rec, "d slopes", sink, By::Ones(*sites), Columns::all(&self.back.slopes, *units), [1, *units, *slopes]);
                    continue;
                }
                Step::Tanh => {
                    activate::record_vjp(rec, "tanh vjp", rows * units / 4, &layer.output, d);
                    continue;
                }
            };
            let Some((to, adds)) = (if l == 0 { input } else { free.next() }) else { break };
            let Matrix { in4, out4, transposed, mask, .. } = *matrix;
            let p = linear::Params::new(rows, out4, in4, transposed);
            let p = if let Some(mask) = mask { p.masked(mask, true) } else { p };
            linear::record_in(rec, self.profile, "reverse", if adds { p.accumulate() } else { p }, outputs, &self.packed, to);
            d = to;
        }
    }

    /// The rows of the samples of a run.
    fn rows(&self, sink: &Sink, run: &Run) -> masked_outer::Rows {
        let [first, inner] = [run.first, run.samples].map(|samples| samples * self.tokens);
        masked_outer::Rows { first, batches: run.batches, inner, adds: sink.adds }
    }

    /// Gradients of one dense layer: its input `x`, the gradient `d` of its output.
    fn leaf(&self, rec: &mut Recording, sink: &Sink, dense: Dense, x: &Buffer, d: Columns) {
        let Dense { inputs, outputs, weights, bias } = dense;
        self.sum(rec, "d weights", sink, By::Inputs(Columns::all(x, inputs)), d, [inputs, outputs, weights]);
        if let Some(bias) = bias {
            self.sum(rec, "d bias", sink, By::Ones(1), d, [1, outputs, bias]);
        }
    }

    /// Sums outer products of the rows of x and y, or rows of y, over the samples of each batch; the array is rows, columns and
    /// first word of the result.
    fn sum(&self, rec: &mut Recording, name: &str, sink: &Sink, by: By, y: Columns, [rows_out, cols, place]: [usize; 3]) {
        let none = Columns { buffer: &self.back.ones, first: 0, ld4: 0 };
        let (x, parts, tokens, ones) = match by {
            By::Inputs(x) => (x, 1, self.tokens, 0),
            By::Ones(parts) => (none, parts, self.tokens, outer::ONES),
            By::Samples => (none, 1, 1, outer::ONES),
        };
        for run in &sink.runs {
            let [first, rows] = [run.first, run.samples].map(|samples| samples * tokens);
            // many rows are dealt out to several launches sample by sample
            let (outer, inner) = match parts {
                1 if rows <= LONGEST => (1, rows),
                1 => (run.samples, tokens),
                _ => (rows, parts),
            };
            let p = outer::Params {
                batches: run.batches as u32,
                outer: outer as u32,
                inner: inner as u32,
                rows_out: rows_out as u32,
                cols: cols as u32,
                x_offset: (x.first + first * x.ld4) as u32,
                x_stride: (rows * x.ld4) as u32,
                x_outer: (inner * x.ld4) as u32,
                x_inner: x.ld4 as u32,
                y_offset: (y.first + first * parts * y.ld4) as u32,
                y_stride: (rows * parts * y.ld4) as u32,
                y_outer: (inner * y.ld4) as u32,
                y_inner: y.ld4 as u32,
                g_offset: (run.row * self.leading() + place) as u32,
                g_stride: self.leading() as u32,
                flags: ones | if sink.adds { outer::ACCUMULATE } else { 0 },
            };
            if ones != 0 && self.sums == Profile::Gpu {
                column_sum::record(rec, name, p, y.buffer, sink.buffer);
            } else {
                outer::record(rec, name, p, x.buffer, y.buffer, sink.buffer);
            }
        }
    }
}
