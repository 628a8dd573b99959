//! Twin of a causal transformer of spins (`ancestral_attention`): its layers entry by entry.

use super::made::{Layer, Linear, Then, Twin};
use crate::model::transformer::Transformer;

impl<'a> Twin<'a> {
    pub fn transformer(model: &Transformer, parameters: &'a [f64]) -> Twin<'a> {
        let (n, d, table) = (model.sites, model.width, model.parameters());
        let place = |name: String| table.get(&format!("transformer/{name}")).map(|leaf| leaf.offset);
        // the same dense matrix for the units of each site
        let dense = |name: &str, inputs: usize, outputs: usize| {
            let word = place(format!("{name}/w")).unwrap_or(0);
            let each = (0..n).flat_map(|i| (0..inputs).flat_map(move |x| (0..outputs).map(move |y| (i, x, y))));
            let entries = each.map(|(i, x, y)| [i * outputs + y, i * inputs + x, word + x * outputs + y]).collect();
            let bias = place(format!("{name}/b")).map(|b| (0..n * outputs).map(|row| b + row % outputs).collect());
            Linear { rows: n * outputs, entries, bias, adds: None, then: Then::Nothing }
        };
        let (spin, places) = (place("spin/w".into()).unwrap_or(0), place("place/w".into()).unwrap_or(0));
        let embedding = Linear {
            rows: n * d,
            entries: (d..n * d).map(|row| [row, row / d - 1, spin + row % d]).collect(),
            bias: Some((places..places + n * d).collect()),
            adds: None,
            then: Then::Nothing,
        };
        let mut layers = vec![Layer::Linear(embedding)];
        for l in 0..model.depth {
            let part = |name: &str, inputs, outputs| dense(&format!("block{l:02}/{name}"), inputs, outputs);
            // queries, keys and values of all sites behind each other
            let parts = ["query", "key", "value"].map(|name| part(name, d, d));
            let entries = parts.iter().enumerate().flat_map(|(k, p)| p.entries.iter().map(move |e| [e[0] + k * n * d, e[1], e[2]]));
            let bias: Vec<usize> = parts.iter().flat_map(|p| p.bias.clone().unwrap_or_default()).collect();
            let qkv = Linear {
                rows: 3 * n * d,
                entries: entries.collect(),
                bias: Some(bias).filter(|b| !b.is_empty()),
                adds: None,
                then: Then::Nothing,
            };
            layers.extend([Layer::Linear(qkv), Layer::Attention { heads: model.heads, units: d }]);
            layers.push(Layer::Linear(Linear { adds: Some(2), ..part("mix", d, d) }));
            layers.push(Layer::Linear(Linear { then: Then::Tanh, ..part("hidden", d, 4 * d) }));
            layers.push(Layer::Linear(Linear { adds: Some(1), ..part("back", 4 * d, d) }));
        }
        if let Some(Layer::Linear(last)) = layers.last_mut() {
            last.then = Then::Tanh;
        }
        layers.push(Layer::Linear(dense("logit", d, 1)));
        Twin { sites: n, layers, parameters, known: None }
    }
}
