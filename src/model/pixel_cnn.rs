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
//! Residual, for 1 < k < D: y_k = y_(k-1) + C_k f(A_k y_(k-1) + a_k) + b_k, A_k a 1 x 1 convolution.
//!
//! f is PReLU with a slope for each channel. Beyond the edges are zeros: the kernel does not know a periodic boundary.

use super::initial;
use super::layer::Layer;
use super::parameters::Table;
use super::window::{MOST_SIDE, Window};
use crate::error::{Error, Result};

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
    /// Convolutions between the first and the last masked one are added to what enters them.
    pub residual: bool,
}

/// A convolution, with the name of the module that its leaves are in.
struct Convolution {
    module: String,
    shape: Window,
    /// PReLU follows.
    active: bool,
    /// Places of its initial values among the random numbers of a seed.
    stream: [u32; 2],
}

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
        if self.residual && depth < 3 {
            return refuse("residual layers lie between the first and the last masked one: a depth of at least 3");
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

    /// Whether convolution `k` is a residual.
    fn adds(&self, k: usize) -> bool {
        self.residual && k > 0 && k + 1 < self.depth
    }

    /// C_k; what a residual goes on from has no activation behind it.
    fn convolution(&self, k: usize) -> Convolution {
        let active = k + 1 < self.convolutions() && !self.adds(k + 1);
        Convolution { module: format!("pixel_cnn/layer{k:02}"), shape: self.shape(k), active, stream: [k as u32, 0] }
    }

    /// A_k of a residual.
    fn mix(&self, k: usize) -> Option<Convolution> {
        let shape = Window { half: 0, ..self.shape(k) };
        self.adds(k).then(|| Convolution { module: format!("pixel_cnn/layer{k:02}/mix"), shape, active: true, stream: [k as u32, 2] })
    }

    fn all(&self) -> impl Iterator<Item = Convolution> {
        (0..self.convolutions()).flat_map(|k| self.mix(k).into_iter().chain([self.convolution(k)]))
    }

    /// Names, shapes and offsets of the parameters: of each convolution the weights `w`, the bias `b` and the slopes `slope` of
    /// the PReLU behind it, one a channel, and of a residual the same of A_k in `mix`.
    ///
    /// The published weights \[c\]\[d\]\[y\]\[x\], from channel d to c, hold the taps behind the mask as well. Here `w` is
    /// \[tap\]\[d\]\[c\] with the live taps alone, y (2 h + 1) + x = tap ([`Window`]).
    pub fn parameters(&self) -> Table {
        let mut entries = Vec::new();
        for Convolution { module, shape, active, .. } in self.all() {
            entries.push((format!("{module}/w"), vec![shape.taps(), shape.inputs, shape.outputs]));
            if self.bias {
                entries.push((format!("{module}/b"), vec![shape.outputs]));
            }
            if active {
                entries.push((format!("{module}/slope"), vec![shape.outputs]));
            }
        }
        Table::new(entries)
    }

    /// The network as layers over its parameters.
    pub fn layers(&self) -> Vec<Layer> {
        let table = self.parameters();
        let place = |c: &Convolution, leaf: &str| table.get(&format!("{}/{leaf}", c.module)).map(|l| l.offset);
        let masked =
            |c: &Convolution| Layer::MaskedConvolution { shape: c.shape, weights: place(c, "w").unwrap_or(0), bias: place(c, "b") };
        let prelu = |c: &Convolution| {
            let slopes = place(c, "slope")?;
            Some(Layer::ChannelPrelu { sites: c.shape.sites(), channels: c.shape.outputs, slopes })
        };
        let mut layers = Vec::new();
        for k in 0..self.convolutions() {
            let c = self.convolution(k);
            layers.push(match self.mix(k) {
                Some(mix) => Layer::Residual([masked(&mix)].into_iter().chain(prelu(&mix)).chain([masked(&c)]).collect()),
                None => masked(&c),
            });
            layers.extend(prelu(&c));
        }
        layers
    }

    /// Initial values in the order of [`PixelCnn::parameters`], as published: weights uniform within 1/sqrt(fan in) of the
    /// kernel without a mask, times sqrt(all taps / live ones); biases uniform within 1/sqrt(fan in); slopes 0.5.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let table = self.parameters();
        let mut values = vec![initial::SLOPE; table.len()];
        for Convolution { module, shape, stream, .. } in self.all() {
            let fan = 1.0 / ((shape.inputs * shape.area()) as f64).sqrt();
            let live = (shape.area() as f64 / shape.taps() as f64).sqrt();
            initial::linear(&table, &module, stream, seed, [fan * live, fan], &mut values);
        }
        values
    }
}
