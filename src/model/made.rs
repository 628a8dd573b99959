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
//!
//! Residual, for 1 < k < D: y_k = y_(k-1) + M_k f(C_k y_(k-1) + c_k) + b_k, C_k mixing the channels of each site alone.

use super::initial;
use super::layer::{Layer, Mask, Triangle};
use super::parameters::Table;
use crate::error::{Error, Result};

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
    /// Layers between the first and the last are added to what enters them.
    pub residual: bool,
}

/// A matrix, with the name of the module that its leaves are in.
struct Matrix {
    module: String,
    shape: Triangle,
    /// An activation follows.
    active: bool,
    /// Places of its initial values among the random numbers of a seed.
    stream: [u32; 2],
}

impl Made {
    /// Refuses shapes that make no network.
    pub fn check(&self) -> Result<()> {
        let (n, d, w) = (self.sites, self.depth, self.width);
        if n < 2 || d == 0 || w == 0 {
            return Err(Error::User(format!("MADE: n = {n} spins (at least 2), depth {d} and width {w} (at least 1)")));
        }
        if self.residual && d < 3 {
            return Err(Error::User(format!("MADE: depth {d}: residual layers lie between the first and the last, at least 3 in all")));
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
        Triangle { sites: self.sites, inputs, outputs, mask: if k == 0 { Mask::Before } else { Mask::Through } }
    }

    /// Whether layer `k` is a residual.
    fn adds(&self, k: usize) -> bool {
        self.residual && k > 0 && k + 1 < self.depth
    }

    /// M_k; what a residual goes on from has no activation behind it.
    fn matrix(&self, k: usize) -> Matrix {
        let active = k + 1 < self.depth && !self.adds(k + 1);
        Matrix { module: format!("made/layer{k:02}"), shape: self.shape(k), active, stream: [k as u32, 0] }
    }

    /// C_k of a residual.
    fn mix(&self, k: usize) -> Option<Matrix> {
        let shape = Triangle { mask: Mask::Own, ..self.shape(k) };
        self.adds(k).then(|| Matrix { module: format!("made/layer{k:02}/mix"), shape, active: true, stream: [k as u32, 2] })
    }

    fn matrices(&self) -> impl Iterator<Item = Matrix> {
        (0..self.depth).flat_map(|k| self.mix(k).into_iter().chain([self.matrix(k)]))
    }

    /// Names, shapes and offsets of the parameters: of each layer the weights `w`, the bias `b` and the slopes `slope` of the
    /// PReLU behind it, and of a residual the same of C_k in `mix`.
    ///
    /// The published matrices are channel-major, with row c n + i for channel c of site i, and hold the forbidden entries as
    /// well. Here units are site-major, i w + c, and weights hold the allowed entries alone ([`Triangle`]): row after row,
    /// entry (i, c; j, d) is the published M\[c n + i\]\[d n + j\]. Bias and slope i w + c are the published c n + i.
    pub fn parameters(&self) -> Table {
        let mut entries = Vec::new();
        for Matrix { module, shape, active, .. } in self.matrices() {
            entries.push((format!("{module}/w"), vec![shape.words()]));
            if self.bias {
                entries.push((format!("{module}/b"), vec![shape.rows()]));
            }
            if self.prelu && active {
                entries.push((format!("{module}/slope"), vec![shape.rows()]));
            }
        }
        Table::new(entries)
    }

    /// The network as layers over its parameters.
    pub fn layers(&self) -> Vec<Layer> {
        let table = self.parameters();
        let place = |m: &Matrix, leaf: &str| table.get(&format!("{}/{leaf}", m.module)).map(|l| l.offset);
        let linear = |m: &Matrix| Layer::MaskedLinear { shape: m.shape, weights: place(m, "w").unwrap_or(0), bias: place(m, "b") };
        let activation = |m: &Matrix| {
            let units = m.shape.rows();
            place(m, "slope").map_or(Layer::Tanh { units }, |slopes| Layer::Prelu { units, slopes })
        };
        let mut layers = Vec::new();
        for k in 0..self.depth {
            let m = self.matrix(k);
            layers.push(match self.mix(k) {
                Some(c) => Layer::Residual(vec![linear(&c), activation(&c), linear(&m)]),
                None => linear(&m),
            });
            layers.extend(m.active.then(|| activation(&m)));
        }
        layers
    }

    /// Initial values in the order of [`Made::parameters`], as published: weights uniform within 1/sqrt(fan in) of the matrix
    /// without a mask, times sqrt(all entries / allowed ones); biases uniform within 1/sqrt(fan in); slopes 0.5.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.parameters();
        let mut values = vec![initial::SLOPE; table.len()];
        for Matrix { module, shape, stream, .. } in self.matrices() {
            let fan = 1.0 / (shape.columns() as f64).sqrt();
            let live = ((shape.rows() * shape.columns()) as f64 / shape.words() as f64).sqrt();
            initial::linear(&table, &module, stream, seed, [fan * live, fan], &mut values);
        }
        values
    }
}
