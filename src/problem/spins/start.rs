//! Parameters that a network of spins starts from.
//!
//! q is uniform, which is exact at β = 0 and from where a network follows as β rises: the last layer has weight 0 for all
//! channels but the first one of its own site. That channel begins as the plain path through the network: the first layer
//! gives it no weights yet, the layers between hand it on (weight 1, PReLU of slope 1). At first its weights are all that
//! moves the logits, as those of a network of one layer would, and the others join in.
//!
//! Between tanh no path is plain. There the last layer begins with 0 alone, and rows of the others with weights of norm 1, so
//! that units differ and none is saturated: a unit that bends follows conditionals that do (a spin that two neighbours force, the
//! overlap with a pattern) where straight ones lose whole groups of states.

use crate::model::layer::{Layer, Mask, Triangle};
use crate::model::window::Window;

/// What a masked layer makes of the plain path.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// It begins.
    First,
    /// It is handed on.
    Between,
    /// It is added to what a residual already hands on.
    Aside,
    /// It is all that the logits hold.
    Last,
}

/// Makes initial values those of a uniform q; networks whose layers have no channels of sites get a last layer of zeros.
pub fn uniform(layers: &[Layer], values: &mut [f32]) {
    let count = layers.len();
    let masked = matches!(layers.last(), Some(Layer::MaskedLinear { .. }));
    if masked && layers.iter().any(|layer| matches!(layer, Layer::Tanh { .. })) {
        return bent(layers, values);
    }
    for (l, layer) in layers.iter().enumerate() {
        let part = match l {
            _ if l + 1 == count => Part::Last,
            0 => Part::First,
            _ => Part::Between,
        };
        match layer {
            Layer::Residual(inner) => {
                if let Some(last) = inner.last() {
                    matrix(last, Part::Aside, values);
                }
            }
            Layer::Prelu { units, slopes } => {
                // behind a layer of so many channels a site
                let channels = layers[..l].iter().rev().find_map(channels).unwrap_or(*units);
                values[*slopes..slopes + units].iter_mut().step_by(channels).for_each(|slope| *slope = 1.0);
            }
            Layer::ChannelPrelu { slopes, .. } => values[*slopes] = 1.0,
            _ => matrix(layer, part, values),
        }
    }
}

/// The same of masked matrices with tanh between them.
fn bent(layers: &[Layer], values: &mut [f32]) {
    for (l, layer) in layers.iter().enumerate() {
        let Layer::MaskedLinear { shape, weights, bias } = layer else { continue };
        let matrix = &mut values[*weights..weights + shape.words()];
        if l + 1 == layers.len() {
            matrix.fill(0.0);
            bias.iter().for_each(|b| values[*b..b + shape.rows()].fill(0.0));
        } else {
            for row in 0..shape.rows() {
                let words = || (0..shape.columns()).filter_map(|column| shape.word(row, column));
                let norm = words().map(|word| matrix[word].powi(2)).sum::<f32>().sqrt();
                words().filter(|_| norm > 0.0).for_each(|word| matrix[word] /= norm);
            }
        }
    }
}

/// Channels of a site that leave a masked layer, or a residual of such.
fn channels(layer: &Layer) -> Option<usize> {
    match layer {
        Layer::MaskedLinear { shape, .. } => Some(shape.outputs),
        Layer::Residual(inner) => inner.last().and_then(channels),
        _ => None,
    }
}

fn matrix(layer: &Layer, part: Part, values: &mut [f32]) {
    let bias = match layer {
        Layer::MaskedLinear { shape, weights, bias } => {
            triangle(shape, &mut values[*weights..weights + shape.words()], part);
            // one for each channel of each site
            bias.map(|b| (b..b + shape.rows()).step_by(shape.outputs).collect::<Vec<_>>())
        }
        Layer::MaskedConvolution { shape, weights, bias } => {
            window(shape, &mut values[*weights..weights + shape.words()], part);
            bias.map(|b| vec![b])
        }
        Layer::Dense(d) if part == Part::Last => {
            values[d.weights..d.weights + d.inputs * d.outputs].fill(0.0);
            d.bias.map(|b| (b..b + d.outputs).collect())
        }
        _ => None,
    };
    bias.into_iter().flatten().for_each(|at| values[at] = 0.0);
}

/// Rows of the first channels.
fn triangle(shape: &Triangle, values: &mut [f32], part: Part) {
    for site in 0..shape.sites {
        let row = site * shape.outputs;
        for column in 0..shape.columns() {
            if let Some(word) = shape.word(row, column) {
                let own = shape.mask != Mask::Before && column == site * shape.inputs;
                values[word] = weight(own, part);
            }
        }
    }
}

/// Taps to the first channel.
fn window(shape: &Window, values: &mut [f32], part: Part) {
    for tap in 0..shape.taps() {
        for input in 0..shape.inputs {
            // the last tap of a kernel that sees its own site
            let own = shape.inclusive && tap + 1 == shape.taps() && input == 0;
            values[shape.word(tap, input, 0)] = weight(own, part);
        }
    }
}

fn weight(own: bool, part: Part) -> f32 {
    if own && matches!(part, Part::Between | Part::Last) { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::Network;
    use super::Layer;
    use crate::model::made::Made;
    use crate::model::pixel_cnn::PixelCnn;
    use crate::model::transformer::Transformer;
    use crate::reference::made::Twin;

    /// Logits of some spins, for parameters that begin uniform and then have `plain` in a word of the plain path.
    fn logits(network: &Network, twin: impl Fn(&[f64]) -> Vec<f64>, plain: Option<(usize, f32)>) -> Vec<f64> {
        let mut values = network.start(7);
        assert!(values.iter().any(|v| *v != 0.0) || network.layers.len() == 1, "all is 0");
        plain.into_iter().for_each(|(word, v)| values[word] = v);
        twin(&values.iter().map(|v| *v as f64).collect::<Vec<_>>())
    }

    /// First word of the first layer.
    fn first(network: &Network) -> usize {
        match network.layers[0] {
            Layer::MaskedLinear { weights, .. } | Layer::MaskedConvolution { weights, .. } => weights,
            _ => panic!("not masked"),
        }
    }

    fn spins(n: usize) -> Vec<f64> {
        (0..n).map(|i| if i * i % 3 == 1 { 1.0 } else { -1.0 }).collect()
    }

    #[test]
    fn networks_with_tanh_begin_uniform_with_units_that_differ() {
        let s = spins(9);
        for (depth, residual) in [(2, false), (3, false), (4, true)] {
            let made = Made { sites: 9, depth, width: 3, bias: true, prelu: false, residual };
            let network = Network::from(made.clone());
            let values = network.start(7);
            let logits = Twin::made(&made, &values.iter().map(|v| *v as f64).collect::<Vec<_>>()).logits(&s);
            assert!(logits.iter().all(|l| *l == 0.0), "{made:?}");
            let (shape, first) = (made.shape(0), first(&network));
            for row in shape.outputs..shape.rows() {
                let weights: Vec<f32> = (0..9).filter_map(|j| shape.word(row, j)).map(|word| values[first + word]).collect();
                let norm = weights.iter().map(|w| w * w).sum::<f32>();
                assert!((norm - 1.0).abs() < 1e-5, "{made:?} row {row}: {weights:?}");
            }
        }
    }

    #[test]
    fn networks_begin_uniform_and_with_a_plain_path() {
        let s = spins(9);
        for (depth, residual) in [(1, false), (2, false), (3, false), (4, true)] {
            let made = Made { sites: 9, depth, width: 3, bias: true, prelu: true, residual };
            let network = Network::from(made.clone());
            let twin = |p: &[f64]| Twin::made(&made, p).logits(&s);
            assert!(logits(&network, twin, None).iter().all(|l| *l == 0.0), "{made:?}");
            // site 4 from site 2, in its first channel
            let shape = made.shape(0);
            let word = first(&network) + shape.word(4 * shape.outputs, 2).unwrap();
            let got = logits(&network, twin, Some((word, 0.5)));
            let want: Vec<f64> = (0..9).map(|i| if i == 4 { 0.5 * s[2] } else { 0.0 }).collect();
            assert_eq!(got, want, "{made:?}");

            if residual || depth < 4 {
                let cnn = PixelCnn { side: 3, depth, width: if depth == 1 { 4 } else { 8 }, half: 1, bias: true, last: false, residual };
                let network = Network::from(cnn.clone());
                let twin = |p: &[f64]| Twin::pixel_cnn(&cnn, p).logits(&s);
                assert!(logits(&network, twin, None).iter().all(|l| *l == 0.0), "{cnn:?}");
                // the tap above
                let got = logits(&network, twin, Some((first(&network) + cnn.shape(0).word(1, 0, 0), 0.5)));
                let want: Vec<f64> = (0..9).map(|i: usize| i.checked_sub(3).map_or(0.0, |up| 0.5 * s[up])).collect();
                assert_eq!(got, want, "{cnn:?}");
            }
        }
        let cnn = PixelCnn { side: 3, depth: 2, width: 8, half: 1, bias: true, last: true, residual: false };
        let network = Network::from(cnn.clone());
        assert!(logits(&network, |p: &[f64]| Twin::pixel_cnn(&cnn, p).logits(&s), None).iter().all(|l| *l == 0.0));
        let transformer = Transformer { sites: 9, depth: 1, width: 8, heads: 2, bias: true };
        let network = Network::from(transformer.clone());
        assert!(logits(&network, |p: &[f64]| Twin::transformer(&transformer, p).logits(&s), None).iter().all(|l| *l == 0.0));
    }
}
