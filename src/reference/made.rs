//! Twin of the kernels of networks of spins (`spin_rows`, `prelu`, `bernoulli`, `masked_outer`, `ancestral`): logits, ln q0, its
//! score, vector-Jacobian products and draws, entry by entry. How layers are made is the model's: MADE here, others in
//! `pixel_cnn` and `transformer`.

use super::attention::{attention, attention_vjp};
use super::philox::{philox, uniform4};
use super::special::log_sigmoid;
use crate::kernels::philox::Stream;
use crate::model::made::Made;

/// A matrix of which only some entries are there, and the activation behind it; words are those of the parameters.
pub struct Linear {
    /// Units that leave.
    pub rows: usize,
    /// Row and column (units), and the word of the weight.
    pub entries: Vec<[usize; 3]>,
    /// Word of each row's bias.
    pub bias: Option<Vec<usize>>,
    /// It ends a residual: what enters the layer so many before it is added to its sums.
    pub adds: Option<usize>,
    pub then: Then,
}

pub enum Then {
    Nothing,
    Tanh,
    /// Word of each row's slope.
    Prelu(Vec<usize>),
}

pub enum Layer {
    Linear(Linear),
    /// Causal attention of the queries, keys and values of all sites, one behind the other, `units` a site.
    Attention {
        heads: usize,
        units: usize,
    },
}

/// A network with its parameters.
pub struct Twin<'a> {
    pub sites: usize,
    pub layers: Vec<Layer>,
    pub parameters: &'a [f64],
    pub known: Option<Known>,
}

/// What is known of the logits: `factor` (h_i + Σ_(j<i) J_ij s_j).
#[derive(Clone, Debug)]
pub struct Known {
    pub factor: f64,
    /// J, n x n.
    pub couplings: Vec<f64>,
    /// h, n.
    pub fields: Vec<f64>,
}

impl<'a> Twin<'a> {
    /// Allowed entries in the order in which they are stored.
    pub fn made(model: &Made, parameters: &'a [f64]) -> Twin<'a> {
        let (n, w, depth) = (model.sites, model.width, model.depth);
        let table = model.parameters();
        // sites j that the rows of site i see, from and to
        let linear = |module: String, [inputs, outputs]: [usize; 2], sees: &dyn Fn(usize) -> std::ops::Range<usize>| {
            let place = |leaf: &str| table.get(&format!("made/{module}/{leaf}")).map(|l| l.offset);
            let mut word = place("w").unwrap_or(0);
            let mut entries = Vec::new();
            for i in 0..n {
                for c in 0..outputs {
                    for j in sees(i) {
                        for d in 0..inputs {
                            entries.push([i * outputs + c, j * inputs + d, word]);
                            word += 1;
                        }
                    }
                }
            }
            let rows = n * outputs;
            let each = |at: usize| (at..at + rows).collect::<Vec<_>>();
            let then = place("slope").map_or(Then::Nothing, |at| Then::Prelu(each(at)));
            Linear { rows, entries, bias: place("b").map(each), adds: None, then }
        };
        let mut layers: Vec<Linear> = Vec::new();
        for k in 0..depth {
            let between = k > 0 && k + 1 < depth;
            let channels = [if k == 0 { 1 } else { w }, if k + 1 == depth { 1 } else { w }];
            if between && model.residual {
                layers.push(linear(format!("layer{k:02}/mix"), [w, w], &|i| i..i + 1));
            }
            let adds = (between && model.residual).then_some(1);
            layers.push(Linear { adds, ..linear(format!("layer{k:02}"), channels, &|i| 0..if k == 0 { i } else { i + 1 }) });
        }
        // a residual goes on from sums, the others from what an activation makes of them
        let count = layers.len();
        for l in 0..count.saturating_sub(1) {
            let goes_on = layers.get(l + 2).is_some_and(|next| next.adds == Some(1));
            if !model.prelu && !goes_on {
                layers[l].then = Then::Tanh;
            }
        }
        Twin { sites: n, layers: layers.into_iter().map(Layer::Linear).collect(), parameters, known: None }
    }
}

impl Linear {
    /// What leaves, from what enters; `all` holds the inputs and outputs of the layers before it.
    fn outputs(&self, x: &[f64], all: &[[Vec<f64>; 2]], parameters: &[f64]) -> [Vec<f64>; 2] {
        let mut y = self.bias.as_ref().map_or(vec![0.0; self.rows], |bias| bias.iter().map(|b| parameters[*b]).collect());
        for &[row, column, word] in &self.entries {
            y[row] += parameters[word] * x[column];
        }
        if let Some(back) = self.adds {
            y.iter_mut().zip(&all[all.len() - back][0]).for_each(|(y, x)| *y += x);
        }
        let next = y.iter().enumerate().map(|(u, v)| self.activation(u, *v, parameters)[0]).collect();
        [y, next]
    }

    /// Adds to the gradient by the parameters; from that by what leaves, `d`, to that by the sums, and by what enters.
    fn vjp(&self, [x, y]: [&[f64]; 2], d: &mut [f64], parameters: &[f64], gradient: &mut [f64]) -> Vec<f64> {
        for (u, (d, y)) in d.iter_mut().zip(y).enumerate() {
            let [_, slope, by_slope] = self.activation(u, *y, parameters);
            if let Then::Prelu(slopes) = &self.then {
                gradient[slopes[u]] += *d * by_slope;
            }
            *d *= slope;
            if let Some(bias) = &self.bias {
                gradient[bias[u]] += *d;
            }
        }
        let mut by_x = vec![0.0; x.len()];
        for &[row, column, word] in &self.entries {
            gradient[word] += d[row] * x[column];
            by_x[column] += d[row] * parameters[word];
        }
        by_x
    }

    /// Activation of a unit: value, derivative, derivative by the slope.
    fn activation(&self, unit: usize, x: f64, parameters: &[f64]) -> [f64; 3] {
        match &self.then {
            Then::Nothing => [x, 1.0, 0.0],
            Then::Tanh => [x.tanh(), 1.0 - x.tanh().powi(2), 0.0],
            Then::Prelu(_) if x > 0.0 => [x, 1.0, 0.0],
            Then::Prelu(slopes) => [parameters[slopes[unit]] * x, parameters[slopes[unit]], x],
        }
    }
}

impl Twin<'_> {
    /// Inputs of every layer, and its outputs before an activation.
    fn pass(&self, spins: &[f64]) -> Vec<[Vec<f64>; 2]> {
        let mut x = spins.to_vec();
        let mut all: Vec<[Vec<f64>; 2]> = Vec::new();
        for layer in &self.layers {
            let [y, next] = match layer {
                Layer::Linear(linear) => linear.outputs(&x, &all, self.parameters),
                Layer::Attention { heads, units } => {
                    let [q, k, v] = thirds(&x);
                    let (_, mixed) = attention(q, k, v, *heads, *units);
                    [mixed.clone(), mixed]
                }
            };
            all.push([std::mem::replace(&mut x, next), y]);
        }
        all
    }

    pub fn logits(&self, spins: &[f64]) -> Vec<f64> {
        let mut logits = self.pass(spins).pop().map_or(Vec::new(), |[_, logits]| logits);
        if let Some(Known { factor, couplings, fields }) = &self.known {
            for (i, logit) in logits.iter_mut().enumerate() {
                let row = &couplings[i * spins.len()..][..i];
                *logit += factor * (fields[i] + row.iter().zip(spins).map(|(j, s)| j * s).sum::<f64>());
            }
        }
        logits
    }

    /// ln q0(s).
    pub fn log_q(&self, spins: &[f64]) -> f64 {
        self.logits(spins).iter().zip(spins).map(|(l, s)| log_sigmoid(s * l)).sum()
    }

    /// Gradients of Σ d_i logit_i by the parameters and by the spins.
    pub fn vjp(&self, spins: &[f64], d: &[f64]) -> [Vec<f64>; 2] {
        let mut gradient = vec![0.0; self.parameters.len()];
        let mut d = d.to_vec();
        // of what enters a layer, by way of the residual that begins there
        let mut past: Vec<Vec<f64>> = vec![Vec::new(); self.layers.len()];
        for (l, (layer, [x, y])) in self.layers.iter().zip(self.pass(spins)).enumerate().rev() {
            let mut by_x = match layer {
                Layer::Linear(linear) => linear.vjp([&x, &y], &mut d, self.parameters, &mut gradient),
                Layer::Attention { heads, units } => {
                    let [q, k, v] = thirds(&x);
                    let (weights, _) = attention(q, k, v, *heads, *units);
                    attention_vjp(q, k, v, &weights, &d, *heads, *units).concat()
                }
            };
            by_x.iter_mut().zip(&past[l]).for_each(|(g, d)| *g += d);
            if let Layer::Linear(Linear { adds: Some(back), .. }) = layer {
                past[l - back] = d;
            }
            d = by_x;
        }
        [gradient, d]
    }

    /// d ln q0 / d theta: d ln q0 / d logit_i = (1 + s_i)/2 - sigmoid(logit_i).
    pub fn score(&self, spins: &[f64]) -> Vec<f64> {
        let d: Vec<f64> = self.logits(spins).iter().zip(spins).map(|(l, s)| 0.5 * (1.0 + s) - log_sigmoid(*l).exp()).collect();
        let [score, _] = self.vjp(spins, &d);
        score
    }

    /// The spins of sample `walker` of a stream, and how far the closest random number was from the other choice.
    pub fn draw(&self, at: Stream, walker: u32) -> (Vec<f64>, f64) {
        let mut spins = vec![0.0; self.sites];
        let mut margin = 1.0_f64;
        for i in 0..spins.len() {
            let up = log_sigmoid(self.logits(&spins)[i]).exp();
            let counter = [i as u32 / 4, at.first_walker.wrapping_add(walker), at.step, at.purpose];
            let u = uniform4(philox([at.seed as u32, (at.seed >> 32) as u32], counter))[i % 4];
            spins[i] = if u < up { 1.0 } else { -1.0 };
            margin = margin.min((u - up).abs());
        }
        (spins, margin)
    }
}

fn thirds(x: &[f64]) -> [&[f64]; 3] {
    let third = x.len() / 3;
    [0, 1, 2].map(|k| &x[k * third..(k + 1) * third])
}
