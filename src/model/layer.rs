//! The layers that networks are made of. A layer says where its parameters lie in the flat vector of the model's table.

use super::window::Window;

/// Sites j whose columns the rows of site i of a masked matrix hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// j < i.
    Before,
    /// j ≤ i.
    Through,
    /// j = i: channels of a site are mixed.
    Own,
}

/// A matrix that is block lower triangular by sites, or block diagonal: row (i, c) holds the columns (j, d) of the sites j that
/// its [`Mask`] lets i see.
///
/// Units are site-major, row i `outputs` + c and column j `inputs` + d. What the mask forbids is not stored: the rows stand
/// behind each other without gaps. One site that sees itself is a dense matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    /// Sites.
    pub sites: usize,
    /// Columns of a site.
    pub inputs: usize,
    /// Rows of a site.
    pub outputs: usize,
    /// What a site sees.
    pub mask: Mask,
}

impl Triangle {
    /// Rows of all sites.
    pub fn rows(&self) -> usize {
        self.sites * self.outputs
    }

    /// Columns of all sites.
    pub fn columns(&self) -> usize {
        self.sites * self.inputs
    }

    /// Columns that the rows of a site hold.
    pub fn seen(&self, site: usize) -> std::ops::Range<usize> {
        match self.mask {
            Mask::Before => 0..site * self.inputs,
            Mask::Through => 0..(site + 1) * self.inputs,
            Mask::Own => site * self.inputs..(site + 1) * self.inputs,
        }
    }

    /// Words of all rows of the sites before `site`.
    pub fn before(&self, site: usize) -> usize {
        let pairs = match self.mask {
            Mask::Before => (site * site - site) / 2,
            Mask::Through => site * (site + 1) / 2,
            Mask::Own => site,
        };
        self.outputs * self.inputs * pairs
    }

    /// Words of the whole matrix.
    pub fn words(&self) -> usize {
        self.before(self.sites)
    }

    /// The word that holds an entry, if the mask allows it.
    pub fn word(&self, row: usize, column: usize) -> Option<usize> {
        let (site, c) = (row / self.outputs, row % self.outputs);
        let seen = self.seen(site);
        (row < self.rows() && seen.contains(&column)).then(|| self.before(site) + c * seen.len() + column - seen.start)
    }
}

/// x W (+ b) with a matrix that hides nothing, stored row by row, a row an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Rows of W.
    pub inputs: usize,
    /// Columns of W.
    pub outputs: usize,
    /// First word of the weights.
    pub weights: usize,
    /// First word of the bias, if there is one.
    pub bias: Option<usize>,
}

impl Dense {
    /// Words of the flat vector up to its last parameter.
    pub fn end(&self) -> usize {
        (self.weights + self.inputs * self.outputs).max(self.bias.map_or(0, |b| b + self.outputs))
    }
}

/// A layer on rows of units, unit (i, c) = channel c of site i at place i channels + c. A row is a sample, or a token of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// y = W x (+ b), W a [`Triangle`]: `weights` and `bias` are the first words of both.
    MaskedLinear {
        /// The mask, with its channels.
        shape: Triangle,
        /// First word of the weights.
        weights: usize,
        /// First word of the bias, if there is one.
        bias: Option<usize>,
    },
    /// A convolution of a lattice, masked ([`Window`]): `weights` and `bias`, one a channel, are the first words of both.
    MaskedConvolution {
        /// Lattice, channels and mask.
        shape: Window,
        /// First word of the weights.
        weights: usize,
        /// First word of the bias, if there is one.
        bias: Option<usize>,
    },
    /// y = x W (+ b).
    Dense(Dense),
    /// Causal attention (Vaswani et al., arXiv 1706.03762) among the `tokens` rows of a sample: with q, k, v three dense layers
    /// of x, head by head y_i = sum_(j <= i) softmax_j(q_i . k_j / sqrt(size)) v_j. Heads share the units evenly.
    Attention {
        /// Rows of a sample.
        tokens: usize,
        /// Number of heads.
        heads: usize,
        /// q.
        query: Dense,
        /// k.
        key: Dense,
        /// v.
        value: Dense,
    },
    /// y = x + p_i in row i of a sample's `tokens` rows of `units` numbers, a multiple of 4: learned places of tokens.
    Positions {
        /// Rows of a sample.
        tokens: usize,
        /// Numbers of a row.
        units: usize,
        /// First word of the `tokens` x `units` numbers p.
        weights: usize,
    },
    /// y = x + f(x), f of at least two layers.
    Residual(Vec<Layer>),
    /// y = x where x > 0, else a x; one slope a for each unit, from word `slopes` on.
    Prelu {
        /// Numbers of a row.
        units: usize,
        /// First word of the slopes.
        slopes: usize,
    },
    /// The same, one slope for each of the `channels` of a site, a multiple of 4 of them.
    ChannelPrelu {
        /// Sites of a row.
        sites: usize,
        /// Numbers of a site.
        channels: usize,
        /// First word of the slopes.
        slopes: usize,
    },
    /// y = tanh x.
    Tanh {
        /// Numbers of a row.
        units: usize,
    },
}

impl Layer {
    /// A masked layer of one site, which hides nothing: weights row by row, a row an output.
    pub fn linear(inputs: usize, outputs: usize, weights: usize, bias: Option<usize>) -> Layer {
        Layer::MaskedLinear { shape: Triangle { sites: 1, inputs, outputs, mask: Mask::Through }, weights, bias }
    }

    /// Units it takes.
    pub fn inputs(&self) -> usize {
        match self {
            Layer::MaskedLinear { shape, .. } => shape.columns(),
            Layer::MaskedConvolution { shape, .. } => shape.columns(),
            Layer::Dense(dense) | Layer::Attention { query: dense, .. } => dense.inputs,
            Layer::Residual(layers) => layers.first().map_or(0, Layer::inputs),
            Layer::ChannelPrelu { sites, channels, .. } => sites * channels,
            Layer::Prelu { units, .. } | Layer::Tanh { units } | Layer::Positions { units, .. } => *units,
        }
    }

    /// Units it makes.
    pub fn outputs(&self) -> usize {
        match self {
            Layer::MaskedLinear { shape, .. } => shape.rows(),
            Layer::MaskedConvolution { shape, .. } => shape.rows(),
            Layer::Dense(dense) | Layer::Attention { value: dense, .. } => dense.outputs,
            Layer::Residual(layers) => layers.last().map_or(0, Layer::outputs),
            Layer::ChannelPrelu { sites, channels, .. } => sites * channels,
            Layer::Prelu { units, .. } | Layer::Tanh { units } | Layer::Positions { units, .. } => *units,
        }
    }

    /// Words of the flat vector up to its last parameter.
    pub fn end(&self) -> usize {
        match self {
            Layer::MaskedLinear { shape, weights, bias } => (weights + shape.words()).max(bias.map_or(0, |b| b + shape.rows())),
            Layer::MaskedConvolution { shape, weights, bias } => (weights + shape.words()).max(bias.map_or(0, |b| b + shape.outputs)),
            Layer::Dense(dense) => dense.end(),
            Layer::Attention { query, key, value, .. } => query.end().max(key.end()).max(value.end()),
            Layer::Positions { tokens, units, weights } => weights + tokens * units,
            Layer::Residual(layers) => layers.iter().map(Layer::end).max().unwrap_or(0),
            Layer::Prelu { units, slopes } => slopes + units,
            Layer::ChannelPrelu { channels, slopes, .. } => slopes + channels,
            Layer::Tanh { .. } => 0,
        }
    }
}
