//! Twin of the occupation kernels: ln p of a state, the logits behind it, and the score d ln p / d theta,
//! written out layer by layer with plain loops.

use super::attention::{attention, attention_vjp, log_sum};
use super::linear::{linear, outer};
use crate::model::occupation::Occupation;
use crate::model::parameters::Table;

/// A model with its parameters, momenta (M x dim) and prior logits (n x M, or empty).
pub struct Twin<'a> {
    pub model: &'a Occupation,
    pub parameters: &'a [f64],
    pub orbitals: &'a [f64],
    pub bias: &'a [f64],
}

/// Activations of one block, rows of tokens.
#[derive(Default)]
struct Block {
    input: Vec<f64>,
    query: Vec<f64>,
    key: Vec<f64>,
    value: Vec<f64>,
    /// heads x tokens x tokens
    weights: Vec<f64>,
    mixed: Vec<f64>,
    middle: Vec<f64>,
    hidden: Vec<f64>,
}

struct Pass {
    momenta: Vec<f64>,
    blocks: Vec<Block>,
    output: Vec<f64>,
    /// n x M, without prior
    logits: Vec<f64>,
}

/// Transpose of a row-major rows x cols matrix.
fn transpose(w: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    (0..rows * cols).map(|i| w[(i % rows) * cols + i / rows]).collect()
}

impl Twin<'_> {
    fn leaf<'t>(&'t self, table: &Table, name: &str) -> &'t [f64] {
        let leaf = table.get(&format!("van/transformer/{name}")).expect("a leaf of the table");
        &self.parameters[leaf.offset..leaf.offset + leaf.size()]
    }

    fn dense(&self, table: &Table, name: &str, x: &[f64]) -> Vec<f64> {
        let (w, b) = (self.leaf(table, &format!("{name}/w")), self.leaf(table, &format!("{name}/b")));
        linear(x, w, b, w.len() / b.len(), b.len())
    }

    fn pass(&self, state: &[usize]) -> Pass {
        let (m, table) = (self.model, self.model.parameters());
        let tokens = m.n - 1;
        let momenta: Vec<f64> = state[..tokens].iter().flat_map(|&s| self.orbitals[s * m.dim..][..m.dim].to_vec()).collect();
        let mut h: Vec<f64> = self.dense(&table, "embedding_mlp", &momenta).iter().map(|v| v.tanh()).collect();
        let mut blocks = Vec::new();
        for l in 0..m.layers {
            let mut b = Block { input: h.clone(), ..Default::default() };
            b.query = self.dense(&table, &format!("layer{l}_attn/query"), &h);
            b.key = self.dense(&table, &format!("layer{l}_attn/key"), &h);
            b.value = self.dense(&table, &format!("layer{l}_attn/value"), &h);
            (b.weights, b.mixed) = attention(&b.query, &b.key, &b.value, m.heads, m.model_size);
            let mixed = self.dense(&table, &format!("layer{l}_attn/linear"), &b.mixed);
            h.iter_mut().zip(&mixed).for_each(|(h, v)| *h += v);
            b.middle = h.clone();
            b.hidden = self.dense(&table, &format!("layer{l}_mlp/linear"), &h).iter().map(|v| v.tanh()).collect();
            let back = self.dense(&table, &format!("layer{l}_mlp/linear_1"), &b.hidden);
            h.iter_mut().zip(&back).for_each(|(h, v)| *h += v);
            blocks.push(b);
        }
        let output: Vec<f64> = h.iter().map(|v| v.tanh()).collect();
        let mut logits = self.leaf(&table, "x1hat").to_vec();
        logits.extend(self.dense(&table, "output_mlp", &output));
        Pass { momenta, blocks, output, logits }
    }

    /// Logits, n x M, prior included.
    pub fn logits(&self, state: &[usize]) -> Vec<f64> {
        let mut logits = self.pass(state).logits;
        logits.iter_mut().zip(self.bias).for_each(|(l, b)| *l += b);
        logits
    }

    /// Conditional log-probabilities of row i: (first legal orbital, ln p of each legal one).
    pub fn conditional(&self, state: &[usize], i: usize) -> (usize, Vec<f64>) {
        self.window(&self.logits(state), state, i)
    }

    fn window(&self, logits: &[f64], state: &[usize], i: usize) -> (usize, Vec<f64>) {
        let (m, n) = (self.model.orbitals, self.model.n);
        let low = if i == 0 { 0 } else { state[i - 1] + 1 };
        let row = &logits[i * m..][low..=m - n + i];
        let norm = log_sum(row);
        (low, row.iter().map(|v| v - norm).collect())
    }

    /// ln p of an ascending state.
    pub fn log_probability(&self, state: &[usize]) -> f64 {
        let logits = self.logits(state);
        (0..self.model.n)
            .map(|i| {
                let (low, row) = self.window(&logits, state, i);
                row[state[i] - low]
            })
            .sum()
    }

    /// d ln p / d theta in the order of the parameter table.
    pub fn score(&self, state: &[usize]) -> Vec<f64> {
        let (model, table) = (self.model, self.model.parameters());
        let (tokens, d, m) = (model.n - 1, model.model_size, model.orbitals);
        let pass = self.pass(state);
        let mut with_prior = pass.logits.clone();
        with_prior.iter_mut().zip(self.bias).for_each(|(l, b)| *l += b);
        let mut d_logits = vec![0.0; model.n * m];
        for i in 0..model.n {
            let (low, row) = self.window(&with_prior, state, i);
            row.iter().enumerate().for_each(|(j, v)| d_logits[i * m + low + j] = -v.exp());
            d_logits[i * m + state[i]] += 1.0;
        }
        let mut score = vec![0.0; table.len()];
        let mut store = |name: &str, g: &[f64]| {
            let leaf = table.get(&format!("van/transformer/{name}")).expect("a leaf of the table");
            score[leaf.offset..leaf.offset + leaf.size()].copy_from_slice(g);
        };
        store("x1hat", &d_logits[..m]);
        // gradients of a linear layer; returns the gradient of its input
        let mut reverse = |name: String, x: &[f64], dy: &[f64], cols: usize| -> Vec<f64> {
            let w = self.leaf(&table, &format!("{name}/w"));
            let rows = w.len() / cols;
            store(&format!("{name}/w"), &outer(x, dy, rows, cols));
            store(&format!("{name}/b"), &outer(&vec![1.0; tokens], dy, 1, cols));
            linear(dy, &transpose(w, rows, cols), &[], cols, rows)
        };
        let add = |to: &mut [f64], v: &[f64]| to.iter_mut().zip(v).for_each(|(t, v)| *t += v);
        let through_tanh = |to: &mut [f64], t: &[f64]| to.iter_mut().zip(t).for_each(|(g, t)| *g *= 1.0 - t * t);
        let mut dh = reverse("output_mlp".into(), &pass.output, &d_logits[m..], m);
        through_tanh(&mut dh, &pass.output);
        for (l, b) in pass.blocks.iter().enumerate().rev() {
            let mut dt = reverse(format!("layer{l}_mlp/linear_1"), &b.hidden, &dh, d);
            through_tanh(&mut dt, &b.hidden);
            add(&mut dh, &reverse(format!("layer{l}_mlp/linear"), &b.middle, &dt, model.hidden));
            let d_mixed = reverse(format!("layer{l}_attn/linear"), &b.mixed, &dh, d);
            let [dq, dk, dv] = attention_vjp(&b.query, &b.key, &b.value, &b.weights, &d_mixed, model.heads, d);
            for (part, g) in [("query", dq), ("key", dk), ("value", dv)] {
                add(&mut dh, &reverse(format!("layer{l}_attn/{part}"), &b.input, &g, d));
            }
        }
        let first = pass.blocks.first().map_or(&pass.output, |b| &b.input);
        through_tanh(&mut dh, first);
        reverse("embedding_mlp".into(), &pass.momenta, &dh, d);
        score
    }
}
