//! q(s) of a square lattice: masked convolutions (PixelCNN; van den Oord, Kalchbrenner, Kavukcuoglu, arXiv 1601.06759) as used by
//! Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019), doi 10.1103/PhysRevLett.122.080602.
//!
//! q(s_i = +1 | s_1 .. s_(i-1)) = sigmoid(logit_i), sites in row-major order:
//!
//! ```text
//! y_1    = C_1 s + b_1                 1 -> w channels, taps before the site
//! y_k    = C_k f(y_(k-1)) + b_k        w -> w, taps up to the site
//! logits = C_D f(y_(D-1)) + b_D        w -> 1, or w -> w and C f(y_D) + b, 1 x 1, behind it;  D = 1: 1 -> 1
//! ```
//!
//! f is PReLU with a slope for each channel. Beyond the edges are zeros: the kernel does not know a periodic boundary.

use super::layer::Layer;
use super::parameters::Table;
use super::window::{MOST_SIDE, Window};
use crate::error::{Error, Result};
use crate::number::philox::{philox, purpose, uniform4};

/// Shapes of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelCnn {
    /// Side L of the lattice; spin i stands in row i / L and column i % L.
    pub side: usize,
    /// Masked convolutions D.
    pub depth: usize,
    /// Channels w of a site in the layers between, a multiple of 4.
    pub width: usize,
    /// Half the kernel h, of 2 h + 1 rows and columns.
    pub half: usize,
    /// Convolutions have a bias.
    pub bias: bool,
    /// Behind the masked convolutions a 1 x 1 one makes the logits.
    pub last: bool,
}

/// Slopes before training.
const SLOPE: f32 = 0.5;

impl PixelCnn {
    /// Refuses shapes that make no network.
    pub fn check(&self) -> Result<()> {
        let PixelCnn { side, depth, width, half, last, .. } = *self;
        let refuse = |why: &str| {
            let shape = format!("L = {side}, depth {depth}, width {width}, half kernel {half}");
            Err(Error::User(format!("PixelCNN: {shape}: {why}")))
        };
        if !(2..=MOST_SIDE).contains(&side) || depth == 0 || half == 0 {
            return refuse(&format!("L is 2 to {MOST_SIDE}, depth and half kernel are at least 1"));
        }
        if width == 0 || !width.is_multiple_of(4) {
            return refuse("the width must be a multiple of 4");
        }
        if last && depth < 2 {
            return refuse("a last 1 x 1 convolution needs a depth of at least 2");
        }
        // places of the packed weights, and of their transposes, are 32-bit numbers
        let words = depth as f64 * (width as f64 * (2.0 * half as f64 + 1.0)).powi(2);
        if words > 1e9 {
            return refuse(&format!("{words:.1e} weights; at most 1e9: reduce the width"));
        }
        Ok(())
    }

    /// Spins.
    pub fn sites(&self) -> usize {
        self.side * self.side
    }

    /// Convolutions, with the 1 x 1 one.
    fn convolutions(&self) -> usize {
        self.depth + self.last as usize
    }

    /// Lattice, channels and mask of convolution `k`.
    pub fn shape(&self, k: usize) -> Window {
        Window {
            side: self.side,
            half: if k < self.depth { self.half } else { 0 },
            inputs: if k == 0 { 1 } else { self.width },
            outputs: if k + 1 == self.convolutions() { 1 } else { self.width },
            inclusive: k > 0,
        }
    }

    /// Names, shapes and offsets of the parameters: of each convolution the weights `w`, the bias `b` and the slopes `slope` of
    /// the PReLU behind it, one a channel.
    ///
    /// The published weights \[c\]\[d\]\[y\]\[x\], from channel d to c, hold the taps behind the mask as well. Here `w` is
    /// \[tap\]\[d\]\[c\] with the live taps alone, y (2 h + 1) + x = tap ([`Window`]).
    pub fn parameters(&self) -> Table {
        let mut entries = Vec::new();
        for k in 0..self.convolutions() {
            let shape = self.shape(k);
            entries.push((name(k, "w"), vec![shape.taps(), shape.inputs, shape.outputs]));
            if self.bias {
                entries.push((name(k, "b"), vec![shape.outputs]));
            }
            if k + 1 < self.convolutions() {
                entries.push((name(k, "slope"), vec![shape.outputs]));
            }
        }
        Table::new(entries)
    }

    /// The network as layers over its parameters.
    pub fn layers(&self) -> Vec<Layer> {
        let table = self.parameters();
        let place = |k: usize, leaf: &str| table.get(&name(k, leaf)).map(|l| l.offset);
        let mut layers = Vec::new();
        for k in 0..self.convolutions() {
            let shape = self.shape(k);
            layers.push(Layer::MaskedConvolution { shape, weights: place(k, "w").unwrap_or(0), bias: place(k, "b") });
            if let Some(slopes) = place(k, "slope") {
                layers.push(Layer::ChannelPrelu { sites: shape.sites(), channels: shape.outputs, slopes });
            }
        }
        layers
    }

    /// Initial values in the order of [`PixelCnn::parameters`], as published: weights uniform within 1/sqrt(fan in) of the
    /// kernel without a mask, times sqrt(all taps / live ones); biases uniform within 1/sqrt(fan in); slopes 0.5.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.parameters();
        let mut values = vec![SLOPE; table.len()];
        for k in 0..self.convolutions() {
            let shape = self.shape(k);
            let fan = 1.0 / ((shape.inputs * shape.area()) as f64).sqrt();
            let live = (shape.area() as f64 / shape.taps() as f64).sqrt();
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

/// Name of a leaf of convolution `k`; two digits, as names are sorted as text.
fn name(k: usize, leaf: &str) -> String {
    format!("pixel_cnn/layer{k:02}/{leaf}")
}
