//! q(s), the distribution of spins: a masked autoregressive network (MADE; Germain, Gregor, Murray, Larochelle,
//! arXiv 1502.03509) as used by Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019), doi 10.1103/PhysRevLett.122.080602.
//!
//! q(s_i = +1 | s_1 .. s_(i-1)) = sigmoid(logit_i):
//!
//! ```text
//! y_1    = M_1 s + b_1                 (w n) x n, sites j < i
//! y_k    = M_k f(y_(k-1)) + b_k        (w n) x (w n), sites j <= i
//! logits = M_D f(y_(D-1)) + b_D        n x (w n), sites j <= i;  D = 1: n x n, j < i
//! ```

use super::layer::{Layer, Triangle};
use super::parameters::Table;
use crate::error::{Error, Result};
use crate::number::philox::{philox, purpose, uniform4};

/// Shapes of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Number of spins n, in the order in which they are drawn.
    pub sites: usize,
    /// Linear layers D.
    pub depth: usize,
    /// Channels w of a site in the layers between.
    pub width: usize,
    /// Layers have a bias.
    pub bias: bool,
    /// Between layers PReLU with a slope for each unit; else tanh.
    pub prelu: bool,
}

/// Slopes before training.
const SLOPE: f32 = 0.5;

impl Made {
    /// Refuses shapes that make no network.
    pub fn check(&self) -> Result<()> {
        let (n, d, w) = (self.sites, self.depth, self.width);
        if n < 2 || d == 0 || w == 0 {
            return Err(Error::User(format!("MADE: n = {n} spins (at least 2), depth {d} and width {w} (at least 1)")));
        }
        // places in vec4 of the packed matrices, and of their transposes, are 32-bit numbers
        let words = d as f64 * (w as f64 * n as f64).powi(2);
        if words > 1e9 {
            return Err(Error::User(format!(
                "MADE: n = {n} spins, depth {d} and width {w} are {words:.1e} weights; at most 1e9: reduce the width"
            )));
        }
        Ok(())
    }

    /// Sites, channels and mask of linear layer `k`.
    pub fn shape(&self, k: usize) -> Triangle {
        let inputs = if k == 0 { 1 } else { self.width };
        let outputs = if k + 1 == self.depth { 1 } else { self.width };
        Triangle { sites: self.sites, inputs, outputs, inclusive: k > 0 }
    }

    /// Names, shapes and offsets of the parameters: of each layer the weights `w`, the bias `b` and the slopes `slope` of the
    /// PReLU behind it.
    ///
    /// The published matrices are channel-major, with row c n + i for channel c of site i, and hold the forbidden entries as
    /// well. Here units are site-major, i w + c, and weights hold the allowed entries alone ([`Triangle`]): row after row,
    /// entry (i, c; j, d) is the published M\[c n + i\]\[d n + j\]. Bias and slope i w + c are the published c n + i.
    pub fn parameters(&self) -> Table {
        let mut entries = Vec::new();
        for k in 0..self.depth {
            let shape = self.shape(k);
            entries.push((name(k, "w"), vec![shape.words()]));
            if self.bias {
                entries.push((name(k, "b"), vec![shape.rows()]));
            }
            if self.prelu && k + 1 < self.depth {
                entries.push((name(k, "slope"), vec![shape.rows()]));
            }
        }
        Table::new(entries)
    }

    /// The network as layers over its parameters.
    pub fn layers(&self) -> Vec<Layer> {
        let table = self.parameters();
        let place = |k: usize, leaf: &str| table.get(&name(k, leaf)).map(|l| l.offset);
        let mut layers = Vec::new();
        for k in 0..self.depth {
            let (shape, weights) = (self.shape(k), place(k, "w").unwrap_or(0));
            layers.push(Layer::MaskedLinear { shape, weights, bias: place(k, "b") });
            let units = shape.rows();
            match place(k, "slope") {
                Some(slopes) => layers.push(Layer::Prelu { units, slopes }),
                None if k + 1 < self.depth => layers.push(Layer::Tanh { units }),
                None => {}
            }
        }
        layers
    }

    /// Initial values in the order of [`Made::parameters`], as published: weights uniform within 1/sqrt(fan in) of the matrix
    /// without a mask, times sqrt(all entries / allowed ones); biases uniform within 1/sqrt(fan in); slopes 0.5.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.parameters();
        let mut values = vec![SLOPE; table.len()];
        for k in 0..self.depth {
            let shape = self.shape(k);
            let fan = 1.0 / (shape.columns() as f64).sqrt();
            let live = ((shape.rows() * shape.columns()) as f64 / shape.words() as f64).sqrt();
            for (number, (leaf, bound)) in [("w", fan * live), ("b", fan)].into_iter().enumerate() {
                let Some(leaf) = table.get(&name(k, leaf)) else { continue };
                let key = [seed as u32, (seed >> 32) as u32];
                for (i, value) in values[leaf.offset..leaf.offset + leaf.size()].iter_mut().enumerate() {
                    let u = uniform4(philox(key, [i as u32, k as u32, number as u32, purpose::PARAMETERS]))[0];
                    *value = (bound * (2.0 * u - 1.0)) as f32;
                }
            }
        }
        values
    }
}

/// Name of a leaf of linear layer `k`; two digits, as names are sorted as text.
fn name(k: usize, leaf: &str) -> String {
    format!("made/layer{k:02}/{leaf}")
}
