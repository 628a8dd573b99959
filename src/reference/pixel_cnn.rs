//! Twin of `convolution`, `convolution_outer` and `ancestral_convolution`: PixelCNN tap by tap, with the mask of the whole kernel.

use super::made::{Layer, Linear, Then, Twin};
use crate::model::pixel_cnn::PixelCnn;

impl<'a> Twin<'a> {
    pub fn pixel_cnn(model: &PixelCnn, parameters: &'a [f64]) -> Twin<'a> {
        let (side, w, table) = (model.side as isize, model.width, model.parameters());
        let all = model.depth + model.last as usize;
        let layer = |k: usize, module: String, h: isize| {
            let place = |leaf: &str| table.get(&format!("pixel_cnn/{module}/{leaf}")).map(|l| l.offset);
            let (inputs, outputs) = (if k == 0 { 1 } else { w }, if k + 1 == all { 1 } else { w });
            let mut word = place("w").unwrap_or(0);
            let mut entries = Vec::new();
            for (dy, dx) in (-h..=h).flat_map(|dy| (-h..=h).map(move |dx| (dy, dx))) {
                // nothing behind the site, nor the site itself in the first layer
                if dy > 0 || (dy == 0 && dx > 0) || (k == 0 && (dy, dx) == (0, 0)) {
                    continue;
                }
                for (d, c) in (0..inputs).flat_map(|d| (0..outputs).map(move |c| (d, c))) {
                    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
                        if (0..side).contains(&(y + dy)) && (0..side).contains(&(x + dx)) {
                            let [to, from] = [y * side + x, (y + dy) * side + x + dx].map(|site| site as usize);
                            entries.push([to * outputs + c, from * inputs + d, word]);
                        }
                    }
                    word += 1;
                }
            }
            let rows = model.side.pow(2) * outputs;
            let each = |at: usize| (0..rows).map(|row| at + row % outputs).collect::<Vec<_>>();
            let then = place("slope").map_or(Then::Nothing, |at| Then::Prelu(each(at)));
            Linear { rows, entries, bias: place("b").map(each), adds: None, then }
        };
        let mut layers = Vec::new();
        for k in 0..all {
            let h = if k < model.depth { model.half as isize } else { 0 };
            let adds = (model.residual && k > 0 && k + 1 < model.depth).then_some(1);
            layers.extend(adds.map(|_| layer(k, format!("layer{k:02}/mix"), 0)));
            layers.push(Linear { adds, ..layer(k, format!("layer{k:02}"), h) });
        }
        Twin { sites: model.side.pow(2), layers: layers.into_iter().map(Layer::Linear).collect(), parameters, known: None }
    }
}
