//! Networks of dense layers and attention as samplers run them, token by token: a list of stages over the scratch of a sample,
//! which `shaders/shared/tokens.wgsl` carries out, and matrices with heads padded to vec4.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Profile, Recording};
use crate::model::layer::{Dense, Layer};

use super::pack::{self, Heads};
use super::pad4;

/// Size of a stage: tasks a sample and loop trips of a task, of a token already seen if it is an attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    kind: Kind,
    tasks: usize,
    trips: usize,
}

/// Lanes and samples of a workgroup, and samples of an invocation in a product: many samples share the loaded weights on CPU
/// drivers; on GPUs the lanes share a sample's columns.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub lanes: usize,
    pub samples: usize,
    pub tile: usize,
}

impl Shape {
    pub fn of(profile: Profile) -> Shape {
        match profile {
            Profile::Simd => Shape { lanes: 32, samples: 32, tile: 4 },
            Profile::Gpu => Shape { lanes: 64, samples: 4, tile: 1 },
        }
    }
}

impl Work {
    /// Vec4 of a sample that it multiplies by 4 columns each, for a token that sees so many, itself among them.
    pub fn products(&self, seen: usize) -> usize {
        self.tasks * self.length(seen)
    }

    /// Loop trips of an invocation for such a token.
    pub fn trips(&self, seen: usize, shape: Shape) -> u64 {
        // only products have several samples an invocation
        let rows = if self.kind == Kind::Linear { shape.samples / shape.tile } else { shape.samples };
        1 + ((rows * self.tasks).div_ceil(shape.lanes) * (self.length(seen) + 1)) as u64
    }

    fn length(&self, seen: usize) -> usize {
        self.trips * if self.kind == Kind::Attention { seen } else { 1 }
    }
}

/// What a stage does; [`Kind::Own`] is the kernel's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Linear = 0,
    Attention = 1,
    Tanh = 2,
    Positions = 3,
    Own = 4,
}

const FLAG_TANH: u32 = 1;
const FLAG_ADD: u32 = 2;

/// Stages and packed matrices; places are vec4 units.
pub(super) struct Stages {
    pub pack: pack::Layout,
    map: Buffer,
    pub packed: Buffer,
    pub table: Buffer,
    pub work: Vec<Work>,
    /// Scratch of a sample.
    pub stride: usize,
    /// 1 / sqrt(size of a head).
    pub scale: f32,
}

/// Stages while they are written.
pub(super) struct Writer {
    pub pack: pack::Layout,
    words: Vec<u32>,
    work: Vec<Work>,
    /// Next free vec4 of a sample's scratch, and the most that were taken.
    free: usize,
    most: usize,
    /// Where the next attention keeps q, k, v of each token.
    cache: usize,
    tokens: usize,
    size: Option<usize>,
}

/// Units that stand in the scratch, spread over heads.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub place: usize,
    pub heads: Heads,
}

/// Where the last layer leaves what it makes: place, vec4 from one token's to the next one's, flags.
#[derive(Clone, Copy)]
pub(super) struct Goal {
    pub place: usize,
    pub row: usize,
    pub flags: u32,
}

impl Stages {
    /// Words of the scratch of `count` samples.
    pub fn scratch_words(&self, count: usize) -> usize {
        4 * self.stride * count
    }

    /// Gathers `parameters` (with their number) into the packed matrices.
    pub fn record_pack(&self, rec: &mut Recording, parameters: (&Buffer, usize)) {
        pack::record(rec, "pack", self.pack.words(), parameters, &self.map, &self.packed);
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
    /// With room for what the attentions among `layers` keep of all tokens.
    pub fn new(layers: &[Layer], tokens: usize) -> Writer {
        let cache = tokens * cached(layers);
        let (pack, words, work) = Default::default();
        Writer { pack, words, work, free: cache, most: cache, cache: 0, tokens, size: None }
    }

    /// What was written.
    pub fn finish(self) -> Stages {
        let (words, map) = (self.words, self.pack.clone());
        Stages {
            map: Buffer::filled("token map", map.words(), move || map.map()),
            packed: Buffer::new("token weights", self.pack.words()),
            table: Buffer::filled("token program", words.len(), move || words),
            pack: self.pack,
            work: self.work,
            stride: self.most,
            scale: 1.0 / (self.size.unwrap_or(1) as f32).sqrt(),
        }
    }

    /// Vec4 of the scratch.
    pub fn take(&mut self, vec4: usize) -> usize {
        self.free += vec4;
        self.most = self.most.max(self.free);
        self.free - vec4
    }

    /// Appends a stage of `out4` tasks: its vec4 that enter, source, goal, weights and bias.
    pub fn stage(&mut self, kind: Kind, [in4, out4]: [usize; 2], source: usize, goal: Goal, [weights, bias]: [usize; 2]) {
        let row = [kind as usize, in4, out4, goal.flags as usize, source, goal.place, goal.row, weights, bias, 0, 0, 0];
        self.words.extend(row.map(|v| v as u32));
        self.work.push(Work { kind, tasks: out4, trips: in4 + (kind == Kind::Attention) as usize });
    }

    /// Appends `layers` on `source`, the last of which is dense and leaves its units at the goal.
    ///
    /// # Errors
    /// [`Error::User`] for layers that are not dense, attention, positions, residual or tanh, or have heads of several sizes.
    pub fn layers(&mut self, layers: &[Layer], mut source: Source, goal: Goal) -> Result<()> {
        let refuse = |what: &str| Error::User(format!("sampling token by token: {what}"));
        let mut rest = layers;
        while let [layer, behind @ ..] = rest {
            rest = behind;
            let wide4 = source.heads.wide() / 4;
            source = match layer {
                Layer::Dense(dense) => {
                    let plain = Heads::one(dense.outputs);
                    let out4 = plain.wide() / 4;
                    let to = match rest {
                        [] => goal,
                        [Layer::Tanh { .. }, behind @ ..] => {
                            rest = behind;
                            Goal { place: self.take(out4), row: 0, flags: FLAG_TANH }
                        }
                        _ => self.own(out4),
                    };
                    let packed = self.pack.dense([*dense], source.heads, plain);
                    self.stage(Kind::Linear, [wide4, out4], source.place, to, packed);
                    Source { place: to.place, heads: plain }
                }
                Layer::Attention { heads, query, key, value, .. } => {
                    let heads = split(query, *heads);
                    if *self.size.get_or_insert(heads.size) != heads.size {
                        return Err(refuse("heads of one size in all layers"));
                    }
                    let (out4, size4) = (heads.wide() / 4, pad4(heads.size) / 4);
                    let packed = self.pack.dense([*query, *key, *value], source.heads, heads);
                    let (cache, row) = (self.cache, 3 * out4);
                    self.cache += row * self.tokens;
                    self.stage(Kind::Linear, [wide4, row], source.place, Goal { place: cache, row, flags: 0 }, packed);
                    let to = self.own(out4);
                    self.stage(Kind::Attention, [size4, out4], cache, to, [0; 2]);
                    Source { place: to.place, heads }
                }
                Layer::Positions { tokens, units, weights } => {
                    let bias = self.pack.vector(*weights, tokens * units);
                    let to = self.own(wide4);
                    self.stage(Kind::Positions, [0, wide4], source.place, to, [0, bias]);
                    Source { place: to.place, ..source }
                }
                Layer::Residual(inner) => {
                    let free = self.free;
                    self.layers(inner, source, Goal { place: source.place, row: 0, flags: FLAG_ADD })?;
                    self.free = free;
                    source
                }
                Layer::Tanh { .. } => {
                    let to = self.own(wide4);
                    self.stage(Kind::Tanh, [0, wide4], source.place, to, [0; 2]);
                    Source { place: to.place, ..source }
                }
                other => return Err(refuse(&format!("{other:?} is no layer of it"))),
            };
        }
        Ok(())
    }

    /// A place of the scratch that is the same for every token.
    fn own(&mut self, out4: usize) -> Goal {
        Goal { place: self.take(out4), row: 0, flags: 0 }
    }
}
