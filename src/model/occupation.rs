//! p(K), the distribution of occupied orbitals: an autoregressive causal transformer.
//!
//! A state is an ascending tuple of orbital indices; row i of the logits sees the orbitals before it
//! and chooses inside the Pauli window s_(i-1) < j <= M - n + i. Architecture and parameter names
//! are those of Xie, Zhang, Wang, SciPost Phys. 14, 154 (2023), doi 10.21468/SciPostPhys.14.6.154.

use super::layer::{Dense, Layer};
use super::parameters::Table;
use crate::error::{Error, Result};
use crate::number::philox::{Stream, normal4, purpose};

/// Shapes of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Occupation {
    /// Number of fermions.
    pub n: usize,
    /// Number of orbitals M.
    pub orbitals: usize,
    /// Space dimension: components of a momentum, at most 4.
    pub dim: usize,
    /// Width D of the residual stream.
    pub model_size: usize,
    /// Attention heads; they share the width.
    pub heads: usize,
    /// Width of the hidden layer of each block.
    pub hidden: usize,
    /// Blocks of attention and hidden layer.
    pub layers: usize,
}

crate::config::choice!(
    /// What the network's logits are added to.
    Prior, "ideal, quasiparticle or none":
        /// The exact conditional of the ideal gas ([`crate::system::ideal_gas::IdealGas::bias`]).
        Ideal = "ideal",
        /// The same of quasi-particles whose energies c k² follow the local energies.
        #[default]
        Quasiparticle = "quasiparticle",
        /// Nothing: p(K) starts almost uniform over the windows.
        None = "none");

const ROOT: &str = "van/transformer";

impl Occupation {
    /// Refuses shapes that make no network.
    pub fn check(&self) -> Result<()> {
        let sizes = [self.n, self.orbitals, self.dim, self.model_size, self.heads, self.hidden, self.layers];
        if sizes.contains(&0) {
            return Err(Error::User(format!("occupation model: every size must be at least 1, got {self:?}")));
        }
        if self.n > self.orbitals {
            return Err(Error::User(format!(
                "occupation model: n = {} fermions need as many orbitals, there are {}; raise the orbital cut-off",
                self.n, self.orbitals
            )));
        }
        if !self.model_size.is_multiple_of(self.heads) {
            return Err(Error::User(format!(
                "occupation model: model_size = {} is not a multiple of heads = {}",
                self.model_size, self.heads
            )));
        }
        if self.dim > 4 {
            return Err(Error::User(format!("occupation model: dim = {}; at most 4", self.dim)));
        }
        Ok(())
    }

    /// Columns of a head.
    pub fn head_size(&self) -> usize {
        self.model_size / self.heads
    }

    /// Names, shapes and offsets of the parameters in the published order.
    pub fn parameters(&self) -> Table {
        let (d, m) = (self.model_size, self.orbitals);
        let mut entries = vec![(format!("{ROOT}/x1hat"), vec![m])];
        let mut linear = |name: String, rows: usize, cols: usize| {
            entries.push((format!("{ROOT}/{name}/b"), vec![cols]));
            entries.push((format!("{ROOT}/{name}/w"), vec![rows, cols]));
        };
        linear("embedding_mlp".into(), self.dim, d);
        for l in 0..self.layers {
            for part in ["query", "key", "value", "linear"] {
                linear(format!("layer{l}_attn/{part}"), d, d);
            }
            linear(format!("layer{l}_mlp/linear"), d, self.hidden);
            linear(format!("layer{l}_mlp/linear_1"), self.hidden, d);
        }
        linear("output_mlp".into(), d, m);
        Table::new(entries)
    }

    /// The network behind rows 1 .. n - 1 of the logits as layers over its parameters: from the momenta of the n - 1 orbitals
    /// before, the tokens, to M logits each. Row 0 is the parameter x1hat, words 0 .. M.
    pub fn layers(&self) -> Vec<Layer> {
        let table = self.parameters();
        let place = |name: String| table.get(&format!("{ROOT}/{name}")).map_or(0, |leaf| leaf.offset);
        let dense = |name: &str, inputs: usize, outputs: usize| {
            let (weights, bias) = (place(format!("{name}/w")), Some(place(format!("{name}/b"))));
            Dense { inputs, outputs, weights, bias }
        };
        let d = self.model_size;
        let mut layers = vec![Layer::Dense(dense("embedding_mlp", self.dim, d)), Layer::Tanh { units: d }];
        for l in 0..self.layers {
            let [query, key, value, linear] = ["query", "key", "value", "linear"].map(|part| dense(&format!("layer{l}_attn/{part}"), d, d));
            layers.push(Layer::Residual(vec![
                Layer::Attention { tokens: self.n - 1, heads: self.heads, query, key, value },
                Layer::Dense(linear),
            ]));
            layers.push(Layer::Residual(vec![
                Layer::Dense(dense(&format!("layer{l}_mlp/linear"), d, self.hidden)),
                Layer::Tanh { units: self.hidden },
                Layer::Dense(dense(&format!("layer{l}_mlp/linear_1"), self.hidden, d)),
            ]));
        }
        layers.extend([Layer::Tanh { units: d }, Layer::Dense(dense("output_mlp", d, self.orbitals))]);
        layers
    }

    /// Initial values in the order of [`Occupation::parameters`], exact in float32.
    ///
    /// Weights are normal numbers within two standard deviations, variance (0.02 / layers) / fan_in
    /// (the embedding: fan_out) after truncation; biases are 0. With [`Prior::Ideal`] the output layer
    /// and x1hat are 0, so that the untrained network is the ideal gas.
    pub fn initial(&self, seed: u64, prior: Prior) -> Vec<f32> {
        let table = self.parameters();
        let mut values = Vec::with_capacity(table.len());
        for (number, leaf) in table.leaves.iter().enumerate() {
            let name = leaf.name.trim_start_matches(ROOT);
            let output = name == "/x1hat" || name.starts_with("/output_mlp");
            if name.ends_with("/b") || (output && prior != Prior::None) {
                values.resize(values.len() + leaf.size(), 0.0);
                continue;
            }
            let variance = 0.02 / self.layers as f64;
            let sigma = match name {
                // as published: not widened for the truncation
                "/x1hat" => (variance / self.orbitals as f64).sqrt(),
                "/embedding_mlp/w" => (variance / self.model_size as f64).sqrt() / TRUNCATED,
                _ => (variance / leaf.shape[0] as f64).sqrt() / TRUNCATED,
            };
            values.extend((0..leaf.size()).map(|i| (sigma * truncated_normal(seed, number as u32, i as u32)) as f32));
        }
        values
    }
}

/// Standard deviation of a normal number that is kept within two standard deviations.
const TRUNCATED: f64 = 0.879_625_661_034_239_8;

/// Normal number within (-2, 2): the first of the stream's numbers that lies there. Leaves count as walkers.
fn truncated_normal(seed: u64, leaf: u32, index: u32) -> f64 {
    (0..)
        .flat_map(|attempt| normal4(Stream { seed, step: attempt, purpose: purpose::PARAMETERS, first_walker: leaf }.bits(index)))
        .find(|z| z.abs() < 2.0)
        .unwrap_or(0.0)
}
