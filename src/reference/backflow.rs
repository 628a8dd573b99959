//! Twin of the backflow kernels: z(x), J and ln Ψ in float64, written from the definition of the model.
//!
//! Derivatives of ln Ψ with respect to positions and parameters are taken by central differences of
//! sixth order, so that they share nothing with the kernels' derivation.

use super::determinant;
use crate::model::backflow::{Backflow, OUTPUT, UNLIKE};
use crate::model::parameters::Table;

/// The model with its parameters (flat, published order).
pub struct Flow {
    pub model: Backflow,
    pub n: usize,
    /// Those of spin up, the first ones.
    pub up: usize,
    pub length: f64,
    pub parameters: Vec<f64>,
}

/// A value and its D derivatives with respect to the coordinates.
type Jet = Vec<f64>;

impl Flow {
    fn linear(&self, table: &Table, name: &str, input: &[Jet]) -> Vec<Jet> {
        let w = table.get(&format!("{name}/w")).expect("leaf of the model");
        let b = table.get(&format!("{name}/b")).expect("leaf of the model");
        let cols = w.shape[1];
        (0..cols)
            .map(|c| {
                let mut out = vec![0.0; input[0].len()];
                out[0] = self.parameters[b.offset + c];
                for (r, jet) in input.iter().enumerate() {
                    let weight = self.parameters[w.offset + r * cols + c];
                    out.iter_mut().zip(jet).for_each(|(o, v)| *o += weight * v);
                }
                out
            })
            .collect()
    }

    /// Features of the pair (i, j): cos, sin and the distance, with derivatives.
    fn features(&self, x: &[f64], i: usize, j: usize) -> Vec<Jet> {
        let (dim, d) = (self.model.dim, x.len());
        let k = 2.0 * std::f64::consts::PI / self.length;
        let b = 0.5 * self.model.feature.half_turns() as f64 * k;
        let mut out = vec![vec![0.0; 1 + d]; 2 * dim + 1];
        let mut square = vec![0.0; 1 + d];
        for c in 0..dim {
            let r = x[i * dim + c] - x[j * dim + c];
            out[c][0] = (k * r).cos();
            out[dim + c][0] = (k * r).sin();
            square[0] += (b * r).sin().powi(2);
            if i != j {
                for (at, sign) in [(i * dim + c, 1.0), (j * dim + c, -1.0)] {
                    out[c][1 + at] = -sign * k * (k * r).sin();
                    out[dim + c][1 + at] = sign * k * (k * r).cos();
                    square[1 + at] += sign * b * (2.0 * b * r).sin();
                }
            }
        }
        if i != j {
            let q = square[0].sqrt();
            out[2 * dim] = square.iter().map(|v| v / (2.0 * q)).collect();
            out[2 * dim][0] = q;
        }
        out
    }

    /// z (n d) and J = ∂z/∂x (row-major, row = output).
    pub fn values(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (n, dim, d, table) = (self.n, self.model.dim, x.len(), self.model.table());
        let mut t: Vec<Vec<Jet>> = (0..n * n).map(|p| self.features(x, p / n, p % n)).collect();
        let mut h: Vec<Vec<Jet>> = vec![vec![vec![0.0; 1 + d]; dim]; n];
        for l in 0..self.model.depth {
            let mean_h = mean(&h);
            let new: Vec<Vec<Jet>> = (0..n)
                .map(|i| {
                    let y = mean(&t[i * n..(i + 1) * n]);
                    let input: Vec<Jet> = h[i].iter().chain(&mean_h).chain(&y).cloned().collect();
                    activate(&self.linear(&table, &self.model.one_name(l), &input))
                })
                .collect();
            if l + 1 < self.model.depth {
                let name = self.model.pair_name(l);
                let unlike = |p: usize| self.model.unlike && (p / n < self.up) != (p % n < self.up);
                let layer = |(p, t): (usize, &Vec<Jet>)| activate(&self.linear(&table, if unlike(p) { UNLIKE } else { &name }, t));
                let next: Vec<Vec<Jet>> = t.iter().enumerate().map(layer).collect();
                t = if l == 0 { next } else { add(&t, &next) };
            }
            h = if l == 0 { new } else { add(&h, &new) };
        }
        let out: Vec<Jet> = h.iter().flat_map(|jets| self.linear(&table, OUTPUT, jets)).collect();
        let z = (0..d).map(|r| x[r] + out[r][0]).collect();
        let jacobian = (0..d * d).map(|e| out[e / d][1 + e % d] + if e / d == e % d { 1.0 } else { 0.0 }).collect();
        (z, jacobian)
    }

    /// (ln|det e^{i k_a z_i}|, its phase, ½ ln|det J|); `k`: n wave vectors, those of spin up first. Of two spins: det↑ det↓.
    pub fn log_psi(&self, x: &[f64], k: &[f64]) -> (f64, f64, f64) {
        let (z, jacobian) = self.values(x);
        let (n, dim) = (self.n, self.model.dim);
        let mut m = Vec::with_capacity(2 * n * n);
        for i in 0..n {
            for a in 0..n {
                let phase: f64 = (0..dim).map(|c| k[a * dim + c] * z[i * dim + c]).sum();
                let like = f64::from((i < self.up) == (a < self.up));
                m.extend([like * phase.cos(), like * phase.sin()]);
            }
        }
        let (re, im) = determinant::complex(&m, n);
        (re, im, 0.5 * determinant::real(&jacobian, x.len()).0)
    }
}

fn mean(rows: &[Vec<Jet>]) -> Vec<Jet> {
    let mut out = vec![vec![0.0; rows[0][0].len()]; rows[0].len()];
    for row in rows {
        for (o, v) in out.iter_mut().zip(row) {
            o.iter_mut().zip(v).for_each(|(a, b)| *a += b / rows.len() as f64);
        }
    }
    out
}

fn add(a: &[Vec<Jet>], b: &[Vec<Jet>]) -> Vec<Vec<Jet>> {
    let sum = |x: &Jet, y: &Jet| x.iter().zip(y).map(|(p, q)| p + q).collect();
    a.iter().zip(b).map(|(r, s)| r.iter().zip(s).map(|(x, y)| sum(x, y)).collect()).collect()
}

fn activate(a: &[Jet]) -> Vec<Jet> {
    a.iter()
        .map(|jet| {
            let v = jet[0];
            let s = 1.0 / (1.0 + (-v).exp());
            let mut out: Jet = jet.iter().map(|g| s * g).collect();
            out[0] = v.max(0.0) + (-v.abs()).exp().ln_1p();
            out
        })
        .collect()
}

/// First and second derivative of f at 0 by central differences of sixth order with step h.
pub fn derivatives(h: f64, f: impl Fn(f64) -> f64) -> (f64, f64) {
    let v: Vec<f64> = (-3..=3).map(|k| f(k as f64 * h)).collect();
    let first = (45.0 * (v[4] - v[2]) - 9.0 * (v[5] - v[1]) + (v[6] - v[0])) / (60.0 * h);
    let second = (270.0 * (v[4] + v[2]) - 27.0 * (v[5] + v[1]) + 2.0 * (v[6] + v[0]) - 490.0 * v[3]) / (180.0 * h * h);
    (first, second)
}
