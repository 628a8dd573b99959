//! q(s) of spins in any order: a causal transformer (Vaswani et al., arXiv 1706.03762) with a token for each site.
//!
//! q(s_i = +1 | s_1 .. s_(i-1)) = sigmoid(logit_i); token i knows s_(i-1), with s_0 = 0, and its place:
//!
//! ```text
//! h      = s_(i-1) e + p_i                      d numbers a token, e and p learned
//! h     += O attention(Q h, K h, V h) + o       among the tokens j <= i, in each of D blocks
//! h     += B tanh(A h + a) + b                  4 d hidden units
//! logit  = u . tanh(h) + c
//! ```
//!
//! The blocks are those of the occupation network of the electron gas ([`super::occupation`]).

use super::initial;
use super::layer::{Dense, Layer};
use super::parameters::Table;
use crate::error::{Error, Result};

/// Shapes of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    /// Number of spins n, in the order in which they are drawn.
    pub sites: usize,
    /// Blocks of attention and hidden layer D.
    pub depth: usize,
    /// Numbers of a token d, a multiple of 4.
    pub width: usize,
    /// Attention heads; they share the width.
    pub heads: usize,
    /// Dense layers have a bias.
    pub bias: bool,
}

/// Hidden units of a block for each number of a token.
const HIDDEN: usize = 4;
/// Trips of an invocation that goes through all tokens of one head.
const MOST_TRIPS: usize = 60_000;

/// A dense layer of the table: module, inputs, outputs, bias.
type Part = (String, usize, usize, bool);

impl Transformer {
    /// Refuses shapes that make no network.
    pub fn check(&self) -> Result<()> {
        let Transformer { sites: n, depth, width, heads, .. } = *self;
        let refuse =
            |why: &str| Err(Error::User(format!("transformer: n = {n} spins, depth {depth}, width {width}, {heads} heads: {why}")));
        if n < 2 || depth == 0 || width == 0 || heads == 0 {
            return refuse("at least 2 spins, depth, width and heads at least 1");
        }
        if !width.is_multiple_of(4) || !width.is_multiple_of(heads) {
            return refuse("the width must be a multiple of 4 and of the heads");
        }
        if n * (width / heads / 4 + 5) > MOST_TRIPS {
            return refuse("too many spins for the width of a head: take more heads, a smaller width, or another network");
        }
        Ok(())
    }

    /// Dense layers of a block.
    fn block(&self, l: usize) -> [Part; 6] {
        let (d, hidden) = (self.width, HIDDEN * self.width);
        let part = |name: &str, inputs, outputs| (format!("transformer/block{l:02}/{name}"), inputs, outputs, self.bias);
        [part("query", d, d), part("key", d, d), part("value", d, d), part("mix", d, d), part("hidden", d, hidden), part("back", hidden, d)]
    }

    /// What stands before and behind the blocks. The places of tokens are the bias of the first.
    fn ends(&self) -> [Part; 2] {
        [("transformer/spin".into(), 1, self.width, false), ("transformer/logit".into(), self.width, 1, self.bias)]
    }

    fn parts(&self) -> impl Iterator<Item = Part> {
        self.ends().into_iter().chain((0..self.depth).flat_map(|l| self.block(l)))
    }

    /// Names, shapes and offsets of the parameters: of each dense layer `w` (a row an input) and `b`, and the places of the
    /// tokens `transformer/place/w`.
    pub fn parameters(&self) -> Table {
        let mut entries = vec![("transformer/place/w".to_string(), vec![self.sites, self.width])];
        for (name, inputs, outputs, bias) in self.parts() {
            entries.push((format!("{name}/w"), vec![inputs, outputs]));
            entries.extend(bias.then(|| (format!("{name}/b"), vec![outputs])));
        }
        Table::new(entries)
    }

    /// The network as layers over its parameters, from rows (sample, token) of a spin each to rows of a logit each.
    pub fn layers(&self) -> Vec<Layer> {
        let table = self.parameters();
        let place = |name: &str, leaf: &str| table.get(&format!("{name}/{leaf}")).map(|leaf| leaf.offset);
        let dense = |(name, inputs, outputs, _): Part| {
            let (weights, bias) = (place(&name, "w").unwrap_or(0), place(&name, "b"));
            Dense { inputs, outputs, weights, bias }
        };
        let (n, d) = (self.sites, self.width);
        let [spin, logit] = self.ends().map(dense);
        let positions = Layer::Positions { tokens: n, units: d, weights: place("transformer/place", "w").unwrap_or(0) };
        let mut layers = vec![Layer::Dense(spin), positions];
        for l in 0..self.depth {
            let [query, key, value, mix, hidden, back] = self.block(l).map(dense);
            layers.push(Layer::Residual(vec![Layer::Attention { tokens: n, heads: self.heads, query, key, value }, Layer::Dense(mix)]));
            layers.push(Layer::Residual(vec![Layer::Dense(hidden), Layer::Tanh { units: hidden.outputs }, Layer::Dense(back)]));
        }
        layers.extend([Layer::Tanh { units: d }, Layer::Dense(logit)]);
        layers
    }

    /// Initial values in the order of [`Transformer::parameters`]: weights and biases uniform within 1/sqrt(inputs), e and the
    /// places of tokens within 1.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.parameters();
        let mut values = vec![0.0; table.len()];
        initial::linear(&table, "transformer/place", [0, 2], seed, [1.0; 2], &mut values);
        for (k, (name, inputs, ..)) in self.parts().enumerate() {
            initial::linear(&table, &name, [k as u32, 0], seed, [1.0 / (inputs as f64).sqrt(); 2], &mut values);
        }
        values
    }
}
