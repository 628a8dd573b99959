//! Layers with the places of their packed matrices and the buffers of what they make, and which layers make a network.

use crate::error::{Error, Result};
use crate::gpu::Buffer;
use crate::kernels::pack::{self, Heads};
use crate::kernels::pad4;
use crate::model::layer::{Dense, Triangle};
use crate::model::window::{MOST_SIDE, Window};

use super::Layer;

/// A packed matrix: its padded sizes over 4, and the places (vec4) of it, its transpose and its bias.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub in4: usize,
    pub out4: usize,
    pub forward: usize,
    pub transposed: usize,
    pub bias: Option<usize>,
    /// What of it is not 0.
    pub mask: Option<Triangle>,
}

/// A layer on its device.
pub(super) struct Placed {
    /// Shown in listings: numbers from the outermost layer in.
    pub name: String,
    pub units: usize,
    /// What it makes, for the layer behind.
    pub output: Buffer,
    pub step: Step,
}

pub(super) enum Step {
    Masked {
        shape: Triangle,
        weights: usize,
        bias: Option<usize>,
        matrix: Matrix,
    },
    /// Places (vec4) of the packed matrices of all taps, of their transposes and of the bias.
    Convolution {
        shape: Window,
        weights: usize,
        bias: Option<usize>,
        forward: usize,
        transposed: usize,
        packed_bias: Option<usize>,
    },
    Dense {
        dense: Dense,
        matrix: Matrix,
    },
    /// q, k, v side by side in the rows of `parts`, made by one matrix; `weights` mix the values.
    Attention {
        query_key_value: [Dense; 3],
        heads: Heads,
        matrix: Matrix,
        parts: Buffer,
        weights: Buffer,
    },
    /// Packed numbers of all tokens from place (vec4) `packed` on.
    Positions {
        units: usize,
        weights: usize,
        packed: usize,
    },
    Residual(Vec<Placed>),
    /// A row has the same `units` slopes for each of its sites.
    Prelu {
        sites: usize,
        units: usize,
        slopes: usize,
        /// Place (vec4) of the packed slopes.
        packed: usize,
    },
    Tanh,
}

impl Placed {
    /// Appends the matrices of `layers` to `pack`; buffers are for at most `batch` samples of `tokens` rows.
    pub fn all(layers: &[Layer], pack: &mut pack::Layout, within: &str, batch: usize, tokens: usize) -> Vec<Placed> {
        let rows = batch * tokens;
        let place = |(l, layer): (usize, &Layer)| {
            let name = format!("{within}{l}");
            let buffer = |what: &str, words: usize| Buffer::new(format!("network {name}{what}"), words);
            let step = match layer {
                Layer::MaskedLinear { shape, weights, bias } => {
                    let (shape, first) = (*shape, *weights);
                    let (out, columns) = (pad4(shape.rows()), pad4(shape.columns()));
                    let matrix = Matrix {
                        in4: columns / 4,
                        out4: out / 4,
                        forward: pack.block(columns, out, move |c, r| shape.word(r, c).map(|w| first + w)),
                        transposed: pack.block(out, columns, move |r, c| shape.word(r, c).map(|w| first + w)),
                        bias: bias.map(|b| pack.vector(b, shape.rows())),
                        mask: (shape.sites > 1).then_some(shape),
                    };
                    Step::Masked { shape, weights: *weights, bias: *bias, matrix }
                }
                Layer::MaskedConvolution { shape, weights, bias } => {
                    let (shape, first) = (*shape, *weights);
                    let (rows, columns) = (shape.inputs, shape.outputs);
                    Step::Convolution {
                        shape,
                        weights: first,
                        bias: *bias,
                        forward: pack.block(shape.taps() * rows, pad4(columns), move |r, c| {
                            (c < columns).then(|| first + shape.word(r / rows, r % rows, c))
                        }),
                        transposed: pack.block(shape.taps() * columns, pad4(rows), move |r, d| {
                            (d < rows).then(|| first + shape.word(r / columns, d, r % columns))
                        }),
                        packed_bias: bias.map(|b| pack.vector(b, columns)),
                    }
                }
                Layer::Dense(dense) => Step::Dense { dense: *dense, matrix: side_by_side(pack, [*dense]) },
                Layer::Attention { heads, query, key, value, .. } => Step::Attention {
                    query_key_value: [*query, *key, *value],
                    heads: Heads { count: *heads, size: query.outputs / heads },
                    matrix: side_by_side(pack, [*query, *key, *value]),
                    parts: buffer(" q k v", 3 * rows * pad4(query.outputs)),
                    weights: buffer(" attention", rows * heads * tokens),
                },
                Layer::Positions { tokens, units, weights } => {
                    Step::Positions { units: *units, weights: *weights, packed: pack.vector(*weights, tokens * units) }
                }
                Layer::Residual(inner) => Step::Residual(Placed::all(inner, pack, &format!("{name}."), batch, tokens)),
                Layer::Prelu { units, slopes } => prelu(pack, 1, *units, *slopes),
                Layer::ChannelPrelu { sites, channels, slopes } => prelu(pack, *sites, *channels, *slopes),
                Layer::Tanh { .. } => Step::Tanh,
            };
            Placed { units: layer.outputs(), output: buffer("", rows * pad4(layer.outputs())), step, name }
        };
        layers.iter().enumerate().map(place).collect()
    }
}

fn prelu(pack: &mut pack::Layout, sites: usize, units: usize, slopes: usize) -> Step {
    Step::Prelu { sites, units, slopes, packed: pack.vector(slopes, units) }
}

fn side_by_side<const K: usize>(pack: &mut pack::Layout, parts: [Dense; K]) -> Matrix {
    let (rows, columns) = (Heads::one(parts[0].inputs), Heads::one(parts[0].outputs));
    let [forward, bias] = pack.dense(parts, rows, columns);
    let bias = parts.iter().any(|p| p.bias.is_some()).then_some(bias);
    let transposed = pack.dense_transposed(parts, rows, columns);
    Matrix { in4: rows.wide() / 4, out4: K * columns.wide() / 4, forward, transposed, bias, mask: None }
}

/// Refuses layers that do not follow each other or lie beyond the parameters; `within` names the residual they are in.
pub(super) fn check(layers: &[Layer], parameters: usize, within: &str) -> Result<()> {
    let refuse = |l: usize, what: String| Err(Error::User(format!("network: layer {within}{l} {what}")));
    for (l, layer) in layers.iter().enumerate() {
        if let Some(next) = layers.get(l + 1)
            && layer.outputs() != next.inputs()
        {
            return refuse(l, format!("has {} outputs, the next takes {}", layer.outputs(), next.inputs()));
        }
        if layer.end() > parameters || layer.inputs() * layer.outputs() == 0 {
            return refuse(l, format!("is empty, or ends beyond the {parameters} parameters: {layer:?}"));
        }
        match layer {
            Layer::MaskedConvolution { shape, .. } if !shape.valid() => {
                return refuse(
                    l,
                    format!(
                        "is a convolution without taps, of a side above {MOST_SIDE}, or of channels that are neither 1 nor a multiple of 4: {layer:?}"
                    ),
                );
            }
            Layer::ChannelPrelu { channels, .. } if !channels.is_multiple_of(4) => {
                return refuse(l, format!("has channels that are no multiple of 4: {layer:?}"));
            }
            Layer::Positions { tokens, units, .. } if *tokens == 0 || !units.is_multiple_of(4) => {
                return refuse(l, format!("has no tokens, or units that are no multiple of 4: {layer:?}"));
            }
            Layer::Attention { heads, query, key, value, .. } => {
                let shape = |d: &Dense| (d.inputs, d.outputs);
                if shape(query) != shape(key) || shape(key) != shape(value) || *heads == 0 || !query.outputs.is_multiple_of(*heads) {
                    return refuse(l, format!("has q, k, v of several shapes, or heads that do not share their columns: {layer:?}"));
                }
            }
            Layer::Residual(inner) => {
                let first = linear(inner.first()) || matches!(inner[0], Layer::Attention { .. });
                if inner.len() < 2 || !first || !linear(inner.last()) || layer.inputs() != layer.outputs() {
                    return refuse(l, "is a residual that does not lead from a linear layer or attention to a linear one as wide".into());
                }
                check(inner, parameters, &format!("{within}{l}."))?;
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn linear(layer: Option<&Layer>) -> bool {
    matches!(layer, Some(Layer::MaskedLinear { .. } | Layer::MaskedConvolution { .. } | Layer::Dense(_)))
}

/// Rows of a sample: the tokens that layers mix or tell apart, else one.
pub(super) fn tokens(layers: &[Layer]) -> Result<usize> {
    let mut all = Vec::new();
    flat(layers, 0, &mut all);
    let mut tokens = all.iter().filter_map(|(l, _)| match l {
        Layer::Attention { tokens, .. } | Layer::Positions { tokens, .. } => Some(*tokens),
        _ => None,
    });
    let rows = tokens.next().unwrap_or(1);
    match tokens.find(|t| *t != rows) {
        Some(other) => Err(Error::User(format!("network: layers of {rows} tokens and of {other}"))),
        None => Ok(rows),
    }
}

/// Buffers of what layers make, with those inside of residuals.
pub(super) fn buffers<'l>(layers: &'l [Placed], all: &mut Vec<&'l Buffer>) {
    for layer in layers {
        all.push(&layer.output);
        match &layer.step {
            Step::Attention { parts, weights, .. } => all.extend([parts, weights]),
            Step::Residual(inner) => buffers(inner, all),
            _ => {}
        }
    }
}

/// Layers with those inside of residuals, and how many residuals each lies in.
pub(super) fn flat<'l>(layers: &'l [Layer], depth: usize, all: &mut Vec<(&'l Layer, usize)>) {
    for layer in layers {
        all.push((layer, depth));
        if let Layer::Residual(inner) = layer {
            flat(inner, depth + 1, all);
        }
    }
}
