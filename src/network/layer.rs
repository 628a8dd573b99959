//! The layers that networks are made of. A layer says where its parameters lie in the flat vector of the model's table.

pub use crate::kernels::masked_outer::Triangle;

/// A layer on rows of units, unit (i, c) = channel c of site i at place i channels + c.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer {
    /// y = W x (+ b), W a [`Triangle`]: `weights` and `bias` are the first words of both.
    MaskedLinear { shape: Triangle, weights: usize, bias: Option<usize> },
    /// y = x where x > 0, else a x; one slope a for each unit, from word `slopes` on.
    Prelu { units: usize, slopes: usize },
    /// y = tanh x.
    Tanh { units: usize },
}

impl Layer {
    /// A dense layer: weights row by row, a row an output.
    pub fn linear(inputs: usize, outputs: usize, weights: usize, bias: Option<usize>) -> Layer {
        Layer::MaskedLinear { shape: Triangle { sites: 1, inputs, outputs, inclusive: true }, weights, bias }
    }

    /// Units it takes.
    pub fn inputs(&self) -> usize {
        match *self {
            Layer::MaskedLinear { shape, .. } => shape.columns(),
            Layer::Prelu { units, .. } | Layer::Tanh { units } => units,
        }
    }

    /// Units it makes.
    pub fn outputs(&self) -> usize {
        match *self {
            Layer::MaskedLinear { shape, .. } => shape.rows(),
            Layer::Prelu { units, .. } | Layer::Tanh { units } => units,
        }
    }

    /// Words of the flat vector up to its last parameter.
    pub fn end(&self) -> usize {
        match *self {
            Layer::MaskedLinear { shape, weights, bias } => (weights + shape.words()).max(bias.map_or(0, |b| b + shape.rows())),
            Layer::Prelu { units, slopes } => slopes + units,
            Layer::Tanh { .. } => 0,
        }
    }
}
