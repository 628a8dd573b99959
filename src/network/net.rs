//! A network of layers: outputs of every row, and reverse mode into a gradient a row or into their sum.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Recording};
use crate::kernels::prelu::{self, Slopes};
use crate::kernels::{linear, masked_outer, occupation, outer, pack, pad4};

use super::Layer;

/// Buffers of one network on one device. Rows are padded with zeros to multiples of 4 words, those of its caller too.
pub struct Net {
    layers: Vec<Placed>,
    /// Most rows of a recording.
    batch: usize,
    /// Number of parameters P.
    parameters: usize,
    pack: pack::Layout,
    map: Buffer,
    packed: Buffer,
    ones: Buffer,
    zeros: Buffer,
    /// Outputs of each layer.
    values: Vec<Buffer>,
    /// Gradients by the outputs of a layer and by its inputs, in turn.
    gradients: [Buffer; 2],
    /// Gradients by the slopes of a layer, row by row.
    slopes: Buffer,
    /// Gradients of groups of rows.
    partial: Buffer,
}

/// A layer and the places of its packed matrix, the transpose and the vector of biases or slopes (vec4).
struct Placed {
    layer: Layer,
    matrix: usize,
    transposed: usize,
    vector: usize,
}

/// Where gradients by the parameters go: runs of (rows to sum, first row of the result).
struct Sink<'b> {
    runs: Vec<(masked_outer::Rows, usize)>,
    buffer: &'b Buffer,
}

/// Fewest rows of a group, and words that partial sums of groups may take unless one group needs more.
const GROUP: usize = 16;
const PARTIAL: usize = 1 << 20;

impl Net {
    /// A network of `layers` with `parameters` parameters in all, for recordings of at most `batch` rows.
    ///
    /// # Errors
    /// [`Error::User`] for layers that do not follow each other, do not begin and end with a linear one, or have parameters
    /// beyond the last.
    pub fn new(layers: &[Layer], parameters: usize, batch: usize) -> Result<Net> {
        let linear = |l: Option<&Layer>| matches!(l, Some(Layer::MaskedLinear { .. }));
        if batch == 0 || !linear(layers.first()) || !linear(layers.last()) {
            return Err(Error::User(format!("network: {} layers, batch {batch}; it begins and ends with a linear layer", layers.len())));
        }
        for (l, pair) in layers.windows(2).enumerate() {
            let (made, taken) = (pair[0].outputs(), pair[1].inputs());
            if made != taken {
                return Err(Error::User(format!("network: layer {l} has {made} outputs, the next takes {taken}")));
            }
        }
        if let Some(l) = layers.iter().position(|l| l.end() > parameters || l.inputs() * l.outputs() == 0) {
            return Err(Error::User(format!("network: layer {l} is empty, or ends beyond the {parameters} parameters: {:?}", layers[l])));
        }
        let mut pack = pack::Layout::default();
        let placed: Vec<Placed> = layers.iter().map(|layer| Placed::new(*layer, &mut pack)).collect();
        let widest = layers.iter().map(|l| pad4(l.inputs())).max().unwrap_or(0);
        let slopes = layers.iter().map(|l| if let Layer::Prelu { units, .. } = l { pad4(*units) } else { 0 }).max().unwrap_or(0);
        let ld = pad4(parameters);
        let groups = pad4(most_groups(ld) + 1);
        let map = pack.clone();
        Ok(Net {
            values: layers.iter().enumerate().map(|(l, y)| Buffer::new(format!("network {l}"), batch * pad4(y.outputs()))).collect(),
            layers: placed,
            batch,
            parameters,
            map: Buffer::filled("network map", pack.words(), move || map.map()),
            packed: Buffer::new("network packed", pack.words()),
            ones: Buffer::filled("ones", groups, move || vec![1.0f32; groups]),
            zeros: Buffer::filled("zeros", 4, || vec![0.0f32; 4]),
            gradients: ["d even", "d odd"].map(|name| Buffer::new(format!("network {name}"), batch * widest)),
            slopes: Buffer::new("network d slopes", (batch * slopes).max(4)),
            partial: Buffer::new("network partial", groups * ld),
            pack,
        })
    }

    /// Rows of scores and gradients are this long: P rounded up to a multiple of 4.
    pub fn leading(&self) -> usize {
        pad4(self.parameters)
    }

    /// Most rows of a recording.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Rows of the last layer's outputs, as of the last [`Net::record_forward`].
    pub fn output(&self) -> &Buffer {
        self.values.last().unwrap_or(&self.zeros)
    }

    /// Gathers `params` (P f32) for the other methods.
    pub fn record_pack(&self, rec: &mut Recording, params: &Buffer) {
        pack::record(rec, "pack", self.pack.words(), (params, self.parameters), &self.map, &self.packed);
    }

    /// Outputs of `rows` rows of `x`, into [`Net::output`]; all activations stay for the reverse mode.
    pub fn record_forward(&self, rec: &mut Recording, rows: usize, x: &Buffer) {
        let mut input = x;
        for (l, (placed, y)) in self.layers.iter().zip(&self.values).enumerate() {
            match placed.layer {
                Layer::MaskedLinear { shape, bias, .. } => {
                    let p = linear::Params::new(rows, pad4(shape.columns()) / 4, pad4(shape.rows()) / 4, placed.matrix);
                    let p = if bias.is_some() { p.bias(placed.vector, 1) } else { p };
                    linear::record(rec, &format!("layer {l}"), p, input, &self.packed, y);
                }
                Layer::Prelu { .. } => {
                    let slopes = self.slopes_of(placed, rows);
                    prelu::record(rec, &format!("layer {l}"), slopes, input, y, &self.gradients[0]);
                }
                Layer::Tanh { units } => occupation::activate(rec, &format!("layer {l}"), rows * pad4(units) / 4, input, y),
            }
            input = y;
        }
    }

    /// Gradients by the parameters of each of `rows` rows, whose outputs have the gradient `d`, into rows `first_row` .. of
    /// `scores` (f32 \[..\]\[[`Net::leading`]\], padding 0). For the rows `x` of the last [`Net::record_forward`].
    pub fn record_scores(&self, rec: &mut Recording, rows: usize, x: &Buffer, d: &Buffer, scores: &Buffer, first_row: usize) {
        let runs = vec![(masked_outer::Rows { first: 0, batches: rows, inner: 1 }, first_row)];
        let sink = Sink { runs, buffer: scores };
        let padding = self.leading() - self.parameters;
        if padding > 0 && rows > 0 {
            let p = outer::Params {
                batches: rows as u32,
                outer: 1,
                inner: 1,
                rows_out: 1,
                cols: padding as u32,
                g_offset: (first_row * self.leading() + self.parameters) as u32,
                g_stride: self.leading() as u32,
                flags: outer::ONES,
                ..Default::default()
            };
            outer::record(rec, "padding", p, &self.ones, &self.zeros, scores);
        }
        self.reverse(rec, rows, x, d, &sink, None);
    }

    /// Sum over `rows` rows, whose outputs have the gradient `d`, of the gradients by the parameters, into `gradient`
    /// (f32 \[[`Net::leading`]\]; `accumulate` adds to what it holds), and the gradient by each row of `x` into `input`.
    /// For the rows `x` of the last [`Net::record_forward`].
    #[allow(clippy::too_many_arguments)]
    pub fn record_vjp(
        &self,
        rec: &mut Recording,
        rows: usize,
        x: &Buffer,
        d: &Buffer,
        gradient: &Buffer,
        accumulate: bool,
        input: Option<&Buffer>,
    ) {
        let group = rows.div_ceil(most_groups(self.leading())).max(GROUP);
        let (full, rest) = (rows / group, rows % group);
        let runs = [(full, group, 0), (1, rest, full)].into_iter().filter(|r| r.0 * r.1 > 0);
        let runs = runs.map(|(batches, inner, row)| (masked_outer::Rows { first: row * group, batches, inner }, row)).collect();
        // the sum over groups reads whole vec4: what no group wrote must be 0
        rec.clear(&self.partial);
        self.reverse(rec, rows, x, d, &Sink { runs, buffer: &self.partial }, input);
        let p = linear::Params::new(1, pad4(full + rest.min(1)) / 4, self.leading() / 4, 0);
        linear::record(rec, "gradient", if accumulate { p.accumulate() } else { p }, &self.ones, &self.partial, gradient);
    }

    fn slopes_of(&self, placed: &Placed, rows: usize) -> Slopes<'_> {
        Slopes { rows, units: placed.layer.outputs(), buffer: &self.packed, first: placed.vector }
    }

    /// From the gradient by the outputs to that by the parameters, and by the input where it is asked for.
    fn reverse(&self, rec: &mut Recording, rows: usize, x: &Buffer, d: &Buffer, sink: &Sink, input: Option<&Buffer>) {
        let mut d = d;
        let mut free = self.gradients.iter().cycle();
        for (l, placed) in self.layers.iter().enumerate().rev() {
            let source = if l == 0 { x } else { &self.values[l - 1] };
            match placed.layer {
                Layer::MaskedLinear { shape, weights, bias } => {
                    for (run, row) in &sink.runs {
                        let place = (row * self.leading() + weights, self.leading());
                        masked_outer::record(rec, "d weights", shape, *run, d, source, sink.buffer, place);
                    }
                    if let Some(bias) = bias {
                        self.sum(rec, "d bias", sink, d, shape.rows(), bias);
                    }
                    let Some(to) = (if l == 0 { input } else { free.next() }) else { break };
                    let p = linear::Params::new(rows, pad4(shape.rows()) / 4, pad4(shape.columns()) / 4, placed.transposed);
                    linear::record(rec, "reverse", p, d, &self.packed, to);
                    d = to;
                }
                // in place: the layer behind is linear, and wrote into a buffer of ours
                Layer::Prelu { units, slopes } => {
                    prelu::record_vjp(rec, "slopes vjp", self.slopes_of(placed, rows), source, d, &self.slopes);
                    self.sum(rec, "d slopes", sink, &self.slopes, units, slopes);
                }
                Layer::Tanh { units } => occupation::activate_vjp(rec, "tanh vjp", rows * pad4(units) / 4, &self.values[l], d),
            }
        }
    }

    /// Sums of rows of `y`, `units` wide, to word `place` of the sink's rows.
    fn sum(&self, rec: &mut Recording, name: &str, sink: &Sink, y: &Buffer, units: usize, place: usize) {
        let units4 = pad4(units) / 4;
        for (run, row) in &sink.runs {
            let p = outer::Params {
                batches: run.batches as u32,
                outer: 1,
                inner: run.inner as u32,
                rows_out: 1,
                cols: units as u32,
                y_offset: (run.first * units4) as u32,
                y_stride: (run.inner * units4) as u32,
                y_inner: units4 as u32,
                g_offset: (row * self.leading() + place) as u32,
                g_stride: self.leading() as u32,
                flags: outer::ONES,
                ..Default::default()
            };
            outer::record(rec, name, p, &self.ones, y, sink.buffer);
        }
    }
}

impl Placed {
    fn new(layer: Layer, pack: &mut pack::Layout) -> Placed {
        let mut placed = Placed { layer, matrix: 0, transposed: 0, vector: 0 };
        match layer {
            Layer::MaskedLinear { shape, weights, bias } => {
                let (rows, columns) = (pad4(shape.rows()), pad4(shape.columns()));
                placed.matrix = pack.block(columns, rows, move |c, r| shape.word(r, c).map(|w| weights + w));
                placed.transposed = pack.block(rows, columns, move |r, c| shape.word(r, c).map(|w| weights + w));
                placed.vector = bias.map_or(0, |b| pack.vector(b, shape.rows()));
            }
            Layer::Prelu { units, slopes } => placed.vector = pack.vector(slopes, units),
            Layer::Tanh { .. } => {}
        }
        placed
    }
}

/// Most groups of rows that sums of gradients are divided into.
fn most_groups(ld: usize) -> usize {
    (PARTIAL / ld).clamp(1, 64)
}
