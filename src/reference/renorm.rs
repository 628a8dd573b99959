//! Twin of `renorm_base`, `renorm_coupling`, `dual_modes` and `dual_action`: the hierarchical flow, sample by sample.

use crate::model::parameters::Table;
use crate::model::renorm::{Block, Renorm};
use crate::system::DualIsing;

/// The flow with its parameters.
pub struct Twin {
    model: Renorm,
    table: Table,
    parameters: Vec<f64>,
}

/// S or T of a coupling at its two inputs: what enters each layer, and the two outputs.
struct Pass {
    entered: Vec<Vec<f64>>,
    out: [f64; 2],
}

/// What the reverse mode of a sample gives.
pub struct Pulled {
    /// Where it came from.
    pub z: Vec<f64>,
    /// (dx/dz)ᵀ c + λ d(log-det)/dz.
    pub cotangent: Vec<f64>,
    /// The same by the parameters.
    pub gradient: Vec<f64>,
}

fn elu(v: f64) -> f64 {
    if v > 0.0 { v } else { v.exp_m1() }
}

/// ln of the standard normal density.
pub fn ln_normal(z: &[f64]) -> f64 {
    z.iter().map(|z| -0.5 * (z * z + (2.0 * std::f64::consts::PI).ln())).sum()
}

impl Twin {
    /// With parameters in the order of the model's table.
    pub fn new(model: &Renorm, parameters: &[f64]) -> Twin {
        Twin { model: model.clone(), table: model.parameters(), parameters: parameters.to_vec() }
    }

    fn pass(&self, network: usize, k: usize, net: usize, u: [f64; 2]) -> Pass {
        let (mut entered, mut x) = (Vec::new(), u.to_vec());
        for m in 0..=self.model.hidden_layers {
            let [inputs, outputs] = self.model.layer(m);
            let [w, b] = self.model.words(&self.table, network, k, net, m);
            let y = (0..outputs)
                .map(|o| self.parameters[b + o] + (0..inputs).map(|i| x[i] * self.parameters[w + i * outputs + o]).sum::<f64>());
            let y: Vec<f64> = if m < self.model.hidden_layers { y.map(elu).collect() } else { y.collect() };
            entered.push(std::mem::replace(&mut x, y));
        }
        Pass { entered, out: [x[0], x[1]] }
    }

    fn scales(&self, network: usize, k: usize) -> [f64; 2] {
        let at = self.model.scale(&self.table, network, k);
        [self.parameters[at], self.parameters[at + 1]]
    }

    /// s and t of a coupling.
    fn moves(&self, network: usize, k: usize, u: [f64; 2]) -> ([f64; 2], [f64; 2]) {
        let (scale, s, t) = (self.scales(network, k), self.pass(network, k, 0, u).out, self.pass(network, k, 1, u).out);
        ([scale[0] * s[0].tanh(), scale[1] * s[1].tanh()], t)
    }

    /// Adds the gradient of d·out to `gradient`, and gives that by the inputs.
    fn back(&self, network: usize, k: usize, net: usize, pass: &Pass, d: [f64; 2], gradient: &mut [f64]) -> [f64; 2] {
        let mut delta = d.to_vec();
        for m in (0..=self.model.hidden_layers).rev() {
            let [inputs, outputs] = self.model.layer(m);
            let ([w, b], x) = (self.model.words(&self.table, network, k, net, m), &pass.entered[m]);
            (0..outputs).for_each(|o| gradient[b + o] += delta[o]);
            let mut below = vec![0.0; inputs];
            for (i, below) in below.iter_mut().enumerate() {
                for o in 0..outputs {
                    gradient[w + i * outputs + o] += x[i] * delta[o];
                    *below += self.parameters[w + i * outputs + o] * delta[o];
                }
                // of ELU, by what left it
                if m > 0 {
                    *below *= if x[i] > 0.0 { 1.0 } else { x[i] + 1.0 };
                }
            }
            delta = below;
        }
        [delta[0], delta[1]]
    }

    /// Sites that a coupling of a patch keeps, then those it moves.
    fn places(&self, block: Block, patch: usize, k: usize) -> [usize; 4] {
        let sites = self.model.patch(block, patch);
        self.model.halves(k).map(|c| sites[c])
    }

    /// Every coupling of every patch in the density direction.
    fn couplings(&self) -> Vec<(Block, usize, usize)> {
        let m = &self.model;
        let all = m.blocks().into_iter().flat_map(|b| (0..m.couplings).rev().map(move |k| (b, k)));
        all.flat_map(|(b, k)| (0..m.patches(b.level)).map(move |p| (b, k, p))).collect()
    }

    /// The Haar rotation of a patch, where one stands between coupling k and finer levels.
    fn turn(&self, block: Block, patch: usize, k: usize, v: &mut [f64]) {
        if block.rotates && k + 1 == self.model.couplings {
            let sites = self.model.patch(block, patch);
            let [a, b, c, d] = sites.map(|i| v[i]);
            let turned = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d];
            sites.iter().zip(turned).for_each(|(i, t)| v[*i] = 0.5 * t);
        }
    }

    /// x = f(z) and ln|det dx/dz|.
    pub fn sample(&self, z: &[f64]) -> (Vec<f64>, f64) {
        let (x, log_det, _) = self.carried(z);
        (x, log_det)
    }

    /// The same with G = d ln q/dx, by the recursion that travels with the sample.
    pub fn carried(&self, z: &[f64]) -> (Vec<f64>, f64, Vec<f64>) {
        let (mut x, mut log_det) = (z.to_vec(), 0.0);
        let mut g: Vec<f64> = z.iter().map(|z| -z).collect();
        let mut unused = vec![0.0; self.parameters.len()];
        for (block, k, patch) in self.couplings().into_iter().rev() {
            let [a, b, c, d] = self.places(block, patch, k);
            let (u, n) = ([x[a], x[b]], block.network);
            let (s, t) = self.moves(n, k, u);
            let of_s = [1.0 + x[c] * g[c], 1.0 + x[d] * g[d]];
            let of_t = [g[c] * (-s[0]).exp(), g[d] * (-s[1]).exp()];
            for (j, place) in [c, d].into_iter().enumerate() {
                x[place] = x[place] * s[j].exp() + t[j];
                g[place] = of_t[j];
                log_det += s[j];
            }
            let (down, right) = (self.pull_s(n, k, u, of_s, &mut unused), self.back(n, k, 1, &self.pass(n, k, 1, u), of_t, &mut unused));
            g[a] -= down[0] + right[0];
            g[b] -= down[1] + right[1];
            self.turn(block, patch, k, &mut x);
            self.turn(block, patch, k, &mut g);
        }
        (x, log_det, g)
    }

    /// (ds/du)ᵀ d, with the gradient by the parameters.
    fn pull_s(&self, network: usize, k: usize, u: [f64; 2], d: [f64; 2], gradient: &mut [f64]) -> [f64; 2] {
        let (pass, scale, at) = (self.pass(network, k, 0, u), self.scales(network, k), self.model.scale(&self.table, network, k));
        let h = pass.out.map(f64::tanh);
        (0..2).for_each(|j| gradient[at + j] += d[j] * h[j]);
        let before = [0, 1].map(|j: usize| d[j] * scale[j] * (1.0 - h[j] * h[j]));
        self.back(network, k, 0, &pass, before, gradient)
    }

    /// z = f⁻¹(x), and ln|det dx/dz| there.
    pub fn density(&self, x: &[f64]) -> (Vec<f64>, f64) {
        let (mut x, mut log_det) = (x.to_vec(), 0.0);
        for (block, k, patch) in self.couplings() {
            self.turn(block, patch, k, &mut x);
            let [a, b, c, d] = self.places(block, patch, k);
            let (s, t) = self.moves(block.network, k, [x[a], x[b]]);
            for (j, place) in [c, d].into_iter().enumerate() {
                x[place] = (x[place] - t[j]) * (-s[j]).exp();
                log_det += s[j];
            }
        }
        (x, log_det)
    }

    /// ln q(x) of the flow alone.
    pub fn ln_q(&self, x: &[f64]) -> f64 {
        let (z, log_det) = self.density(x);
        ln_normal(&z) - log_det
    }

    /// Reverse mode of sampling at x: of c·x + λ log-det, by z and by the parameters. Nothing is stored on the way: what
    /// enters a coupling is computed from what leaves it.
    pub fn pull(&self, x: &[f64], c: &[f64], lambda: f64) -> Pulled {
        let (mut x, mut g, mut gradient) = (x.to_vec(), c.to_vec(), vec![0.0; self.parameters.len()]);
        for (block, k, patch) in self.couplings() {
            self.turn(block, patch, k, &mut x);
            self.turn(block, patch, k, &mut g);
            let [a, b, c, d] = self.places(block, patch, k);
            let (u, n) = ([x[a], x[b]], block.network);
            let (s, t) = self.moves(n, k, u);
            let of_t = [g[c], g[d]];
            let of_s = [g[c] * (x[c] - t[0]) + lambda, g[d] * (x[d] - t[1]) + lambda];
            for (j, place) in [c, d].into_iter().enumerate() {
                x[place] = (x[place] - t[j]) * (-s[j]).exp();
                g[place] *= s[j].exp();
            }
            let right = self.back(n, k, 1, &self.pass(n, k, 1, u), of_t, &mut gradient);
            let down = self.pull_s(n, k, u, of_s, &mut gradient);
            g[a] += down[0] + right[0];
            g[b] += down[1] + right[1];
        }
        Pulled { z: x, cotangent: g, gradient }
    }

    /// R = ln q_sym + U of a sample of z, its gradient along the path (q differentiated by x alone) and what the total derivative
    /// adds to it, the score d ln q_sym/dθ, whose mean is 0. Without `z2` q is that of the flow; `white`: the flow draws K'^-½ x.
    pub fn reduced(&self, dual: &DualIsing, z: &[f64], z2: bool, white: bool) -> (f64, Vec<f64>, Vec<f64>) {
        let (x, log_det, g) = self.carried(z);
        let (u, force) = if white { dual.white_action(&x) } else { dual.action(&x) };
        let plus = ln_normal(z) - log_det;
        let mirrored: Vec<f64> = x.iter().map(|x| -x).collect();
        let (other, _) = self.density(&mirrored);
        let (minus, _, back) = if z2 {
            let (_, log_det, back) = self.carried(&other);
            (ln_normal(&other) - log_det, 0.0, back)
        } else {
            (f64::NEG_INFINITY, 0.0, vec![0.0; x.len()])
        };
        let top = plus.max(minus);
        let sum = (plus - top).exp() + (minus - top).exp();
        let share = (plus - top).exp() / sum;
        let log_q = top + sum.ln() - if z2 { 2f64.ln() } else { 0.0 };
        let c: Vec<f64> = (0..x.len()).map(|i| share * g[i] - (1.0 - share) * back[i] + force[i]).collect();
        let path = self.pull(&x, &c, 0.0).gradient;
        // d ln q/dθ at fixed x is the reverse mode of sampling along -(G, 1)
        let own = self.pull(&x, &g.iter().map(|g| -share * g).collect::<Vec<_>>(), -share).gradient;
        let far = self.pull(&mirrored, &back.iter().map(|g| -(1.0 - share) * g).collect::<Vec<_>>(), share - 1.0).gradient;
        (log_q + u, path, own.iter().zip(&far).map(|(a, b)| if z2 { a + b } else { *a }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::philox::{Stream, purpose};

    fn normals(seed: u64, count: usize) -> Vec<f64> {
        Stream { seed, step: 0, purpose: purpose::START, first_walker: 0 }.normals().take(count).collect()
    }

    /// Random networks whose scales are not 0.
    fn twin(side: usize, depth: usize, repeats: usize, shared: bool, haar: bool) -> Twin {
        let model = Renorm { side, depth, repeats, couplings: 3, hidden_layers: 2, hidden: 3, shared, haar };
        let mut values: Vec<f64> = model.initial(5).iter().map(|v| *v as f64).collect();
        values.iter_mut().zip(normals(6, 100_000)).for_each(|(v, n)| *v += 0.3 * n);
        Twin::new(&model, &values)
    }

    fn far(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn both_directions_are_inverse() {
        for (side, depth, repeats, shared) in
            [(2, 1, 1, false), (4, 2, 2, false), (8, 3, 1, true), (8, 1, 1, false), (16, 4, 1, false), (32, 5, 1, false)]
        {
            let t = twin(side, depth, repeats, shared, side != 8);
            let z = normals(1, side * side);
            let (x, log_det) = t.sample(&z);
            let (back, again) = t.density(&x);
            assert!(far(&z, &x) > 0.1 && far(&z, &back) < 1e-9, "L = {side}: {}", far(&z, &back));
            assert!((log_det - again).abs() < 1e-9);
        }
    }

    /// Columns of dx/dz by differences; Gaussian elimination gives the determinant.
    #[test]
    fn the_log_determinant_is_that_of_the_jacobian() {
        let t = twin(4, 2, 1, false, true);
        let z = normals(2, 16);
        let moved = |k: usize, h: f64| t.sample(&z.iter().enumerate().map(|(i, v)| if i == k { v + h } else { *v }).collect::<Vec<_>>()).0;
        let mut j: Vec<Vec<f64>> =
            (0..16).map(|k| moved(k, 1e-5).iter().zip(moved(k, -1e-5)).map(|(a, b)| (a - b) / 2e-5).collect()).collect();
        let mut log = 0.0;
        for c in 0..16 {
            let pivot = (c..16).max_by(|a, b| j[*a][c].abs().total_cmp(&j[*b][c].abs())).unwrap();
            j.swap(c, pivot);
            log += j[c][c].abs().ln();
            for r in c + 1..16 {
                let f = j[r][c] / j[c][c];
                for k in c..16 {
                    j[r][k] -= f * j[c][k];
                }
            }
        }
        assert!((log - t.sample(&z).1).abs() < 1e-6, "{log} instead of {}", t.sample(&z).1);
    }

    /// dx_i/dz_k is 0 beyond a Chebyshev distance of 2 (2^d - 1) on the torus, and not within.
    #[test]
    fn levels_see_as_far_as_their_light_cone() {
        for depth in [1, 2] {
            let (side, t) = (16usize, twin(16, depth, 1, false, false));
            let z = normals(3, 256);
            let x = t.sample(&z).0;
            let apart = |a: usize, b: usize| (a.abs_diff(b)).min(side - a.abs_diff(b));
            // of latents of every class
            let of = |k: usize| {
                let mut moved = z.clone();
                moved[k] += 0.1;
                let y = t.sample(&moved).0;
                let there = (0..256).filter(|i| x[*i] != y[*i]);
                there.map(|i| apart(i / side, k / side).max(apart(i % side, k % side))).max().unwrap()
            };
            let reach = (0..16).map(|k| of(k / 4 * side + k % 4)).max().unwrap();
            assert!(reach <= 2 * ((1 << depth) - 1) && reach > (1 << depth) - 1, "depth {depth}: {reach}");
        }
    }

    #[test]
    fn the_carried_gradient_is_the_slope_of_ln_q() {
        let t = twin(4, 2, 1, false, true);
        let (x, log_det, g) = t.carried(&normals(4, 16));
        assert!((t.ln_q(&x) - (ln_normal(&normals(4, 16)) - log_det)).abs() < 1e-10);
        for i in 0..16 {
            let at = |h: f64| t.ln_q(&x.iter().enumerate().map(|(j, v)| if i == j { v + h } else { *v }).collect::<Vec<_>>());
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - g[i]).abs() < 1e-6 * (1.0 + slope.abs()), "site {i}: {} instead of {slope}", g[i]);
        }
    }

    /// Along one direction of the parameters: path and score together are the derivative of R at fixed z.
    #[test]
    fn path_and_score_are_the_total_derivative() {
        let dual = DualIsing::new(4, 2.269).unwrap();
        for (z2, shared) in [(true, false), (false, false), (true, true)] {
            let t = twin(4, 2, 1, shared, z2);
            let z = normals(8, 16);
            let (_, path, score) = t.reduced(&dual, &z, z2, shared);
            let along = normals(9, t.parameters.len());
            let at = |h: f64| {
                let values: Vec<f64> = t.parameters.iter().zip(&along).map(|(v, a)| v + h * a).collect();
                Twin::new(&t.model, &values).reduced(&dual, &z, z2, shared).0
            };
            let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
            let got: f64 = (0..along.len()).map(|i| along[i] * (path[i] + score[i])).sum();
            assert!((slope - got).abs() < 1e-5 * (1.0 + slope.abs()), "z2 {z2}: {got} instead of {slope}");
            assert!(score.iter().any(|s| s.abs() > 1e-3));
        }
    }
}
