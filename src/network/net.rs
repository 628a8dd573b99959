//! A network of layers: outputs of every row; reverse mode is next door.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Profile, Recording};
use crate::kernels::attention::{self, Columns};
use crate::kernels::pack::Heads;
use crate::kernels::prelu::{self, Slopes};
use crate::kernels::{activate, convolution, linear, pack, pad4};

use super::Layer;
use super::placed::{self, Matrix, Placed, Step};
use super::reverse::Reverse;

/// Buffers of one network on one device. Rows are padded with zeros to multiples of 4 words, those of its caller too. A sample
/// is one row, or as many as its attentions have tokens.
pub struct Net {
    pub(super) layers: Vec<Placed>,
    /// Most samples of a recording.
    batch: usize,
    /// Rows of a sample.
    pub(super) tokens: usize,
    /// Number of parameters P.
    pub(super) parameters: usize,
    /// Which tiles its products have.
    pub(super) profile: Profile,
    /// How sums of rows are made: in order, which runs on all devices, or by the lanes of GPUs.
    pub(super) sums: Profile,
    pack: pack::Layout,
    map: Buffer,
    pub(super) packed: Buffer,
    pub(super) back: Reverse,
}

impl Net {
    /// A network of `layers` with `parameters` parameters in all, for recordings of at most `batch` samples.
    ///
    /// # Errors
    /// [`Error::User`] for layers that do not follow each other, do not begin and end with a linear one, have parameters beyond
    /// the last, channels of convolutions that are not stored by four, or several numbers of tokens.
    pub fn new(layers: &[Layer], parameters: usize, batch: usize) -> Result<Net> {
        if batch == 0 || !placed::linear(layers.first()) || !placed::linear(layers.last()) {
            return Err(Error::User(format!("network: {} layers, batch {batch}; it begins and ends with a linear layer", layers.len())));
        }
        placed::check(layers, parameters, "")?;
        let mut all = Vec::new();
        placed::flat(layers, 0, &mut all);
        let rows = placed::tokens(layers)?;
        let mut pack = pack::Layout::default();
        let placed = Placed::all(layers, &mut pack, "", batch, rows);
        let map = pack.clone();
        Ok(Net {
            layers: placed,
            batch,
            tokens: rows,
            parameters,
            profile: Profile::Gpu,
            sums: Profile::Simd,
            map: Buffer::filled("network map", pack.words(), move || map.map()),
            packed: Buffer::new("network packed", pack.words()),
            pack,
            back: Reverse::new(&all, batch, rows, pad4(parameters)),
        })
    }

    /// With the tiles and sums that suit a device; those for GPUs run on all.
    pub fn tiled(self, profile: Profile) -> Net {
        Net { profile, sums: profile, ..self }
    }

    /// Rows of scores and gradients are this long: P rounded up to a multiple of 4.
    pub fn leading(&self) -> usize {
        pad4(self.parameters)
    }

    /// Most samples of a recording.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// What grows with the batch.
    pub(super) fn buffers(&self) -> Vec<&Buffer> {
        let mut all = self.back.rows();
        placed::buffers(&self.layers, &mut all);
        all
    }

    /// Rows of the last layer's outputs, as of the last [`Net::record_forward`].
    pub fn output(&self) -> &Buffer {
        // a network ends with a layer
        &self.layers[self.layers.len() - 1].output
    }

    /// Gathers `params` (P f32) for the other methods.
    pub fn record_pack(&self, rec: &mut Recording, params: &Buffer) {
        pack::record(rec, "pack", self.pack.words(), (params, self.parameters), &self.map, &self.packed);
    }

    /// Outputs of `samples` samples of `x`, into [`Net::output`]; what the reverse mode needs stays.
    pub fn record_forward(&self, rec: &mut Recording, samples: usize, x: &Buffer) {
        self.record_forward_into(rec, samples, x, self.output());
    }

    /// The same, into the first rows of `y`.
    pub fn record_forward_into(&self, rec: &mut Recording, samples: usize, x: &Buffer, y: &Buffer) {
        if samples * self.tokens > 0 {
            self.forward(rec, &self.layers, 0, samples, x, (y, false));
        }
    }

    /// Outputs of `layers`, inside of `depth` residuals; `adds`: the last one adds to what `y` holds.
    fn forward(&self, rec: &mut Recording, layers: &[Placed], depth: usize, samples: usize, x: &Buffer, (y, adds): (&Buffer, bool)) {
        let mut input = x;
        for (l, layer) in layers.iter().enumerate() {
            let to = match layers.get(l + 1) {
                None => y,
                // what only a tanh reads is not kept
                Some(Placed { step: Step::Tanh, .. }) if !matches!(layer.step, Step::Tanh) => self.back.free(depth),
                Some(_) => &layer.output,
            };
            self.layer(rec, layer, depth, samples, input, (to, adds && l + 1 == layers.len()));
            input = to;
        }
    }

    fn layer(&self, rec: &mut Recording, layer: &Placed, depth: usize, samples: usize, x: &Buffer, (y, adds): (&Buffer, bool)) {
        let rows = samples * self.tokens;
        let (name, units) = (format!("layer {}", layer.name), pad4(layer.units));
        match &layer.step {
            Step::Masked { matrix, .. } | Step::Dense { matrix, .. } => self.product(rec, &name, rows, *matrix, x, (y, adds)),
            Step::Convolution { shape, forward, packed_bias, .. } => {
                let m = convolution::Weights { matrices: *forward, bias: *packed_bias, reverse: false, accumulate: adds };
                convolution::record(rec, self.profile, &name, *shape, rows, m, x, &self.packed, y);
            }
            Step::Attention { heads, matrix, parts, weights, .. } => {
                self.product(rec, &format!("{name} q k v"), rows, *matrix, x, (parts, false));
                let (shape, [q, k, v]) = (self.shape(*heads, samples), thirds(parts, units));
                attention::record(rec, &format!("{name} attention"), shape, q, k, weights);
                attention::record_mix(rec, &name, shape, false, weights, v, Columns::all(y, units));
            }
            Step::Positions { units, packed, .. } => {
                rec.copy(x, y, rows * units);
                // rows of whole samples as a product without columns: only its bias
                let p = linear::Params::new(samples, 0, self.tokens * units / 4, 0).bias(*packed, 1).accumulate();
                linear::record(rec, &name, p, &self.back.ones, &self.packed, y);
            }
            Step::Residual(inner) => {
                rec.copy(x, y, rows * units);
                self.forward(rec, inner, depth + 1, samples, x, (y, true));
            }
            Step::Prelu { sites, units, packed, .. } => {
                let slopes = Slopes { rows: rows * sites, units: *units, buffer: &self.packed, first: *packed };
                prelu::record(rec, &name, slopes, x, y, self.back.free(depth));
            }
            Step::Tanh => activate::record(rec, &name, rows * units / 4, x, y),
        }
    }

    fn product(&self, rec: &mut Recording, name: &str, rows: usize, m: Matrix, x: &Buffer, (y, adds): (&Buffer, bool)) {
        let p = linear::Params::new(rows, m.in4, m.out4, m.forward);
        let p = if let Some(bias) = m.bias { p.bias(bias, 1) } else { p };
        let p = if let Some(mask) = m.mask { p.masked(mask, false) } else { p };
        linear::record_in(rec, self.profile, name, if adds { p.accumulate() } else { p }, x, &self.packed, y);
    }

    pub(super) fn shape(&self, heads: Heads, samples: usize) -> attention::Shape {
        attention::Shape { count: samples, tokens: self.tokens, heads: heads.count, size: heads.size }
    }
}

/// Queries, keys and values in rows of all three, each padded to `units` numbers.
pub(super) fn thirds(parts: &Buffer, units: usize) -> [Columns<'_>; 3] {
    [0, 1, 2].map(|k| Columns { buffer: parts, first: k * units / 4, ld4: 3 * units / 4 })
}
