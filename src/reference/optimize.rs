//! Twins of the optimisers: Adam, and stochastic reconfiguration with dense float64 algebra.

pub use crate::number::cholesky::{cholesky, cholesky_solve};

/// Adam's state; see [`crate::optimize::Adam`].
#[derive(Clone, Debug, Default)]
pub struct Adam {
    pub m: Vec<f64>,
    pub v: Vec<f64>,
    pub steps: i32,
}

impl Adam {
    /// One step with the given (rate, β₁, β₂, ε) along a gradient cut to a largest norm; refuses gradients that are not finite.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64], [rate, beta1, beta2, epsilon]: [f64; 4], clip: f64) -> bool {
        if gradient.iter().any(|g| !g.is_finite()) {
            return false;
        }
        self.m.resize(gradient.len(), 0.0);
        self.v.resize(gradient.len(), 0.0);
        self.steps += 1;
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let factor = if norm > clip { clip / norm } else { 1.0 };
        for (i, g) in gradient.iter().map(|g| factor * g).enumerate() {
            self.m[i] = beta1 * self.m[i] + (1.0 - beta1) * g;
            self.v[i] = beta2 * self.v[i] + (1.0 - beta2) * g * g;
            let mean = self.m[i] / (1.0 - beta1.powi(self.steps));
            let square = self.v[i] / (1.0 - beta2.powi(self.steps));
            parameters[i] -= rate * mean / (square.sqrt() + epsilon);
        }
        true
    }
}

/// Removes from each column of the rows `[batch][parts][width]` what `columns` of the projection say:
/// the mean (complex rows) and, from imaginary rows, the regression on `momenta` `[batch][dim]`.
pub fn project_rows(rows: &mut [f64], batch: usize, parts: usize, width: usize, momenta: &[f64]) {
    if parts == 1 {
        return;
    }
    let dim = momenta.len() / batch;
    let mut basis: Vec<Vec<f64>> = vec![vec![1.0 / (batch as f64).sqrt(); batch]];
    for j in 0..dim {
        let mut q: Vec<f64> = (0..batch).map(|w| momenta[w * dim + j]).collect();
        let before = q.iter().map(|x| x * x).sum::<f64>();
        for _ in 0..2 {
            for b in &basis {
                let t: f64 = b.iter().zip(&q).map(|(x, y)| x * y).sum();
                q.iter_mut().zip(b).for_each(|(x, y)| *x -= t * y);
            }
        }
        let square = q.iter().map(|x| x * x).sum::<f64>();
        if square > 1e-8 * before {
            q.iter_mut().for_each(|x| *x /= square.sqrt());
            basis.push(q);
        }
    }
    for part in 0..2 {
        for q in basis.iter().take(if part == 0 { 1 } else { basis.len() }) {
            let mut mean = vec![0.0; width];
            for w in 0..batch {
                let row = &rows[(2 * w + part) * width..][..width];
                mean.iter_mut().zip(row).for_each(|(m, x)| *m += q[w] * x);
            }
            for w in 0..batch {
                let row = &mut rows[(2 * w + part) * width..][..width];
                row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= q[w] * m);
            }
        }
    }
}

/// d = (SᵀS + damping)⁻¹ g for projected rows S (`rows` x `width`, already scaled by B^-1/2), through the
/// smaller Gram matrix.
pub fn natural_gradient(s: &[f64], rows: usize, width: usize, g: &[f64], damping: f64) -> Option<Vec<f64>> {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
    if rows < width {
        let mut k = vec![0.0; rows * rows];
        for i in 0..rows {
            for j in 0..=i {
                k[i * rows + j] = dot(&s[i * width..][..width], &s[j * width..][..width]);
                k[j * rows + i] = k[i * rows + j];
            }
            k[i * rows + i] += damping;
        }
        cholesky(&mut k, rows)?;
        let mut y: Vec<f64> = s.chunks(width).map(|row| dot(row, g)).collect();
        cholesky_solve(&k, rows, &mut y);
        let mut d = g.to_vec();
        for (row, y) in s.chunks(width).zip(&y) {
            d.iter_mut().zip(row).for_each(|(d, x)| *d -= y * x);
        }
        return Some(d.iter().map(|x| x / damping).collect());
    }
    let mut f = vec![0.0; width * width];
    for row in s.chunks(width) {
        for i in 0..width {
            for j in 0..=i {
                f[i * width + j] += row[i] * row[j];
            }
        }
    }
    for i in 0..width {
        f[i * width + i] += damping;
    }
    cholesky(&mut f, width)?;
    let mut d = g.to_vec();
    cholesky_solve(&f, width, &mut d);
    Some(d)
}
