//! Natural gradient of the weights w of p = softmax(w), in closed form.
//!
//! Scores of state k are e_k - p, so that the Fisher matrix of walkers of which a share q_k is in state k is a diagonal and two
//! columns: F = ⟨(e_k - p)(e_k - p)ᵀ⟩ = diag q - q pᵀ - p qᵀ + p pᵀ, and (F + damping) d = g is solved by Woodbury's identity.
//! q and not its mean p: a state that is drawn once has a step as sure as its energy then, one that is not drawn has none.

/// The update, and what was drawn.
#[derive(Clone, Debug)]
pub struct Softmax {
    /// Added to the diagonal of F.
    pub damping: f64,
    /// Largest g·d of a step.
    pub max_norm: f64,
    /// q.
    pub shares: Vec<f64>,
    /// p.
    pub probabilities: Vec<f64>,
}

fn product<'a>(a: &'a [f64], b: &'a [f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Softmax {
    /// Before anything was drawn.
    pub fn new(damping: f64, max_norm: f64) -> Softmax {
        Softmax { damping, max_norm, shares: Vec::new(), probabilities: Vec::new() }
    }

    /// d of (F + damping) d = g.
    pub fn solve(&self, g: &[f64]) -> Vec<f64> {
        let (q, p) = (&self.shares, &self.probabilities);
        let over = |v: &[f64]| v.iter().zip(q).map(|(v, q)| v / (q + self.damping)).collect::<Vec<f64>>();
        let (dq, dp, mut d) = (over(q), over(p), over(g));
        // columns (q, p) between the matrix C = ((0, -1), (-1, 1)), whose inverse is ((-1, -1), (-1, 0))
        let (a, b, c) = (product(q, &dq) - 1.0, product(q, &dp) - 1.0, product(p, &dp));
        let (u, v) = (product(q, &d), product(p, &d));
        let det = a * c - b * b;
        let (x, y) = ((c * u - b * v) / det, (a * v - b * u) / det);
        d.iter_mut().zip(dq.iter().zip(&dp)).for_each(|(d, (q, p))| *d -= x * q + y * p);
        d
    }

    /// What is added to the weights: -d, cut to the largest step.
    pub fn step(&self, gradient: &[f32]) -> Vec<f64> {
        let g: Vec<f64> = gradient.iter().map(|g| f64::from(*g)).collect();
        let d = self.solve(&g);
        let energy = product(&g, &d);
        let scale = if energy > self.max_norm { (self.max_norm / energy).sqrt() } else { 1.0 };
        d.iter().map(|d| -scale * d).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Softmax {
        let (shares, probabilities) = (vec![0.5, 0.25, 0.25, 0.0], vec![0.4, 0.3, 0.2, 0.1]);
        Softmax { shares, probabilities, ..Softmax::new(0.01, 1e9) }
    }

    #[test]
    fn it_solves_the_sum_over_walkers() {
        let (s, g) = (drawn(), [0.3, -0.2, 0.4, -0.1]);
        let d = s.solve(&g);
        for i in 0..4 {
            // row i of F, walker by walker
            let score = |k: usize, j: usize| f64::from(u8::from(j == k)) - s.probabilities[j];
            let f = |j: usize| (0..4).map(|k| s.shares[k] * score(k, i) * score(k, j)).sum::<f64>();
            let got: f64 = (0..4).map(|j| f(j) * d[j]).sum::<f64>() + 0.01 * d[i];
            assert!((got - g[i]).abs() < 1e-12, "row {i}: {got}, want {}", g[i]);
        }
    }

    #[test]
    fn a_long_step_is_cut_in_the_fisher_norm() {
        let (free, g) = (drawn(), [0.3f32, -0.2, 0.4, -0.1]);
        let energy = -free.step(&g).iter().zip(g).map(|(d, g)| d * f64::from(g)).sum::<f64>();
        let cut = Softmax { max_norm: 0.25 * energy, ..drawn() }.step(&g);
        for (cut, free) in cut.iter().zip(free.step(&g)) {
            assert!((cut - 0.5 * free).abs() < 1e-12);
        }
    }
}
