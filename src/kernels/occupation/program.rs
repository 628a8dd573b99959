//! A network of layers as the sampler runs it, token by token: stages, and its matrices with heads padded to vec4.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Recording};
use crate::kernels::pack::{self, Heads};
use crate::kernels::pad4;
use crate::model::layer::{Dense, Layer};

/// Stages and packed matrices of p(K)'s network; places are vec4 units.
pub struct Program {
    pub(super) pack: pack::Layout,
    map: Buffer,
    pub(super) packed: Buffer,
    pub(super) table: Buffer,
    pub(super) work: Vec<Work>,
    /// Row 0 of the logits in the packed buffer.
    first_row: usize,
    /// Scratch of one walker, and where it has its logits.
    pub(super) stride: usize,
    pub(super) logits: usize,
    /// 1 / sqrt(size of a head).
    pub(super) scale: f32,
}

/// Size of a stage: tasks a walker and loop trips of a task, of a token already seen if it is an attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub tasks: usize,
    pub trips: usize,
    pub attention: bool,
}

const LINEAR: u32 = 0;
const ATTENTION: u32 = 1;
const TANH: u32 = 2;
const GATHER: u32 = 3;
const FLAG_TANH: u32 = 1;
const FLAG_ADD: u32 = 2;
const FLAG_WINDOW: u32 = 4;

/// Program and packed matrices while they are written.
#[derive(Default)]
struct Writer {
    pack: pack::Layout,
    words: Vec<u32>,
    work: Vec<Work>,
    /// Next free vec4 of a walker's scratch, and the most that were taken.
    free: usize,
    most: usize,
    /// Where the next attention keeps q, k, v of each token.
    cache: usize,
    size: Option<usize>,
}

/// Units that stand in the scratch, spread over heads.
#[derive(Clone, Copy)]
struct Source {
    place: usize,
    heads: Heads,
}

impl Program {
    /// Stages of `layers` behind row 0, `orbitals` parameters from word `first_row` on.
    ///
    /// # Errors
    /// [`Error::User`] for layers that are not dense, attention, residual or tanh, or have heads of several sizes.
    pub fn new(layers: &[Layer], first_row: usize, orbitals: usize, tokens: usize) -> Result<Program> {
        let m4 = pad4(orbitals) / 4;
        let cache = tokens * cached(layers);
        let mut w = Writer { free: cache, most: cache, ..Writer::default() };
        let (logits, momentum) = (w.take(m4), w.take(1));
        let first = w.pack.vector(first_row, orbitals);
        w.stage([LINEAR, 0, m4 as u32, FLAG_WINDOW], [momentum, logits, 0, 0], first);
        w.stage([GATHER, 0, 1, 0], [0, momentum, 0, 0], 0);
        let inputs = layers.first().map_or(0, Layer::inputs);
        w.layers(layers, Source { place: momentum, heads: Heads::one(inputs) }, (logits, FLAG_WINDOW), tokens)?;
        let (words, map) = (w.words, w.pack.clone());
        Ok(Program {
            map: Buffer::filled("occupation map", map.words(), move || map.map()),
            packed: Buffer::new("occupation packed", w.pack.words()),
            table: Buffer::filled("occupation program", words.len(), move || words),
            pack: w.pack,
            work: w.work,
            first_row: first,
            stride: w.most,
            logits,
            scale: 1.0 / (w.size.unwrap_or(1) as f32).sqrt(),
        })
    }

    /// Words of the scratch of `count` walkers.
    pub fn scratch_words(&self, count: usize) -> usize {
        4 * self.stride * count
    }

    /// Gathers `parameters` (with their number) for all that draws, and row 0.
    pub fn record_pack(&self, rec: &mut Recording, parameters: (&Buffer, usize)) {
        pack::record(rec, "pack", self.pack.words(), parameters, &self.map, &self.packed);
    }

    /// Row 0 of the logits, padded: the packed buffer and the vec4 of its first.
    pub fn first_row(&self) -> (&Buffer, usize) {
        (&self.packed, self.first_row)
    }
}

/// Vec4 that the attentions among `layers` keep of a token.
fn cached(layers: &[Layer]) -> usize {
    let of = |layer: &Layer| match layer {
        Layer::Attention { heads, query, .. } => 3 * split(query, *heads).wide() / 4,
        Layer::Residual(inner) => cached(inner),
        _ => 0,
    };
    layers.iter().map(of).sum()
}

fn split(dense: &Dense, heads: usize) -> Heads {
    Heads { count: heads, size: dense.outputs / heads }
}

impl Writer {
    fn take(&mut self, vec4: usize) -> usize {
        self.free += vec4;
        self.most = self.most.max(self.free);
        self.free - vec4
    }

    fn stage(&mut self, head: [u32; 4], place: [usize; 4], bias: usize) {
        self.words.extend(head);
        self.words.extend(place.map(|v| v as u32));
        self.words.extend([bias as u32, 0, 0, 0]);
        let attention = head[0] == ATTENTION;
        let trips = if attention { head[1] as usize + 1 } else { head[1] as usize };
        self.work.push(Work { tasks: head[2] as usize, trips, attention });
    }

    /// Writes `layers` on `source`, the last of which, dense, into the place and with the flags of `goal`.
    fn layers(&mut self, layers: &[Layer], mut source: Source, goal: (usize, u32), tokens: usize) -> Result<()> {
        let mut rest = layers;
        while let [layer, behind @ ..] = rest {
            rest = behind;
            source = match layer {
                Layer::Dense(dense) => {
                    let plain = Heads::one(dense.outputs);
                    let out4 = plain.wide() / 4;
                    let (place, flags) = match rest {
                        [] => goal,
                        [Layer::Tanh { .. }, behind @ ..] => {
                            rest = behind;
                            (self.take(out4), FLAG_TANH)
                        }
                        _ => (self.take(out4), 0),
                    };
                    let [matrix, bias] = self.pack.dense([*dense], source.heads, plain);
                    let in4 = source.heads.wide() / 4;
                    self.stage([LINEAR, in4 as u32, out4 as u32, flags], [source.place, place, 0, matrix], bias);
                    Source { place, heads: plain }
                }
                Layer::Attention { heads, query, key, value, .. } => {
                    let heads = split(query, *heads);
                    if *self.size.get_or_insert(heads.size) != heads.size {
                        return Err(Error::User("sampling of states: heads of one size in all layers".into()));
                    }
                    let (wide4, size4) = (heads.wide() / 4, pad4(heads.size) / 4);
                    let [matrix, bias] = self.pack.dense([*query, *key, *value], source.heads, heads);
                    let (cache, row) = (self.cache, 3 * wide4);
                    self.cache += row * tokens;
                    let in4 = source.heads.wide() / 4;
                    self.stage([LINEAR, in4 as u32, row as u32, 0], [source.place, cache, row, matrix], bias);
                    let place = self.take(wide4);
                    self.stage([ATTENTION, size4 as u32, wide4 as u32, 0], [cache, place, 0, 0], 0);
                    Source { place, heads }
                }
                Layer::Residual(inner) => {
                    let free = self.free;
                    self.layers(inner, source, (source.place, FLAG_ADD), tokens)?;
                    self.free = free;
                    source
                }
                Layer::Tanh { .. } => {
                    let wide4 = source.heads.wide() / 4;
                    let place = self.take(wide4);
                    self.stage([TANH, 0, wide4 as u32, 0], [source.place, place, 0, 0], 0);
                    Source { place, ..source }
                }
                other => return Err(Error::User(format!("sampling of states: {other:?} is no layer of it"))),
            };
        }
        Ok(())
    }
}
