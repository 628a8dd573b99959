//! Natural-gradient updates against dense float64 solves.

use super::Quantity;
use super::compare::EPS;
use super::table::Measure;
use crate::optimize::Options;
use crate::reference::optimize::{natural_gradient, project_rows};

/// A network as the device has it.
#[derive(Clone, Default)]
pub struct Device {
    /// Parameters, `[P]`.
    pub theta: Vec<f64>,
    /// `[walker][parts][P]`.
    pub scores: Vec<f64>,
    /// The rows that the update was solved with: the scores, or √c times those of distinct states with c walkers each.
    pub solved: Vec<f64>,
    pub gradient: Vec<f64>,
    /// What is added to the parameters.
    pub update: Vec<f64>,
}

/// (F + damping) d = g; the update is -min(1, √(max_norm/g·d)) d, with F of the published gauge.
pub struct Solve {
    pub damping: f64,
    pub max_norm: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Rows Π O/√B of F = rowsᵀ rows for B walkers.
fn rows(scores: &[f64], batch: usize, parts: usize, width: usize) -> Vec<f64> {
    let mut rows = scores.to_vec();
    project_rows(&mut rows, batch, parts, width, &[]);
    rows.iter_mut().for_each(|x| *x /= (batch as f64).sqrt());
    rows
}

impl Solve {
    fn update(&self, rows: &[f64], gradient: &[f64]) -> Option<Vec<f64>> {
        let d = natural_gradient(rows, rows.len() / gradient.len(), gradient.len(), gradient, self.damping)?;
        let scale = (self.max_norm / dot(gradient, &d)).sqrt().min(1.0);
        Some(d.iter().map(|x| -scale * x).collect())
    }

    /// |v| in the norm of F + damping, in which a solve is well conditioned.
    fn norm(&self, rows: &[f64], v: &[f64]) -> f64 {
        (rows.chunks(v.len()).map(|row| dot(row, v).powi(2)).sum::<f64>() + self.damping * dot(v, v)).sqrt()
    }

    /// The error of `got` over the length of the float64 update, both in the norm of F + damping; not a number if there is none.
    fn error(&self, rows: &[f64], gradient: &[f64], got: &[f64]) -> f64 {
        let Some(want) = self.update(rows, gradient) else { return f64::NAN };
        let difference: Vec<f64> = got.iter().zip(&want).map(|(a, b)| a - b).collect();
        let norm = self.norm(rows, &want);
        if got.len() == want.len() && norm > 0.0 { self.norm(rows, &difference) / norm } else { f64::NAN }
    }

    /// What the device made of its own scores and gradient.
    pub fn of_device(&self, name: &str, device: &Device, walkers: usize, parts: usize) -> Quantity {
        let rows = rows(&device.solved, walkers, parts, device.theta.len());
        let error = self.error(&rows, &device.gradient, &device.update);
        // stored in float32: elements are off by ε/2, which F sees with its diagonal
        let diagonal = |p: usize| rows.chunks(device.update.len()).map(|row| row[p].powi(2)).sum::<f64>() + self.damping;
        let rounded: f64 = device.update.iter().enumerate().map(|(p, d)| diagonal(p) * (0.5 * EPS * d).powi(2)).sum::<f64>().sqrt();
        let allowed = 2.0 * Options::default().tolerance + 4.0 * rounded / self.norm(&rows, &device.update);
        let text = "twice the solver's tolerance + 4 times the rounding of its elements to float32, in the norm of F + damping";
        Quantity::compare(name, "", Measure::Absolute, &[error], &[0.0], &[allowed], text)
    }

    /// The float64 solve itself against a stored update of stored scores (`[walker][parts][P]`) and gradient.
    pub fn of_stored(&self, name: &str, scores: &[f64], parts: usize, gradient: &[f64], update: &[f64]) -> Quantity {
        let width = gradient.len();
        let rows = rows(scores, scores.len() / (parts * width), parts, width);
        let error = self.error(&rows, gradient, update);
        let trace = rows.iter().map(|x| x * x).sum::<f64>();
        let allowed = 1e-9 + 16.0 * f64::EPSILON * trace / self.damping;
        let text = "1e-9 + 16 ε tr F/damping in float64: stored scores and gradient against the stored update, in the norm of F + damping";
        Quantity::compare(name, "", Measure::Absolute, &[error], &[0.0], &[allowed], text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;

    /// Twenty walkers of thirty and of five parameters; what is broken by 1e-3 is off by 1e-3.
    #[test]
    fn updates_are_solved_and_errors_seen() {
        for (parts, width) in [(1, 30), (2, 30), (2, 5)] {
            let mut noise = Noise(1);
            let mut random = |count: usize| -> Vec<f64> { (0..count).map(|_| noise.normal()).collect() };
            let (theta, scores, gradient) = (random(width), random(20 * parts * width), random(width));
            let solve = Solve { damping: 1e-3, max_norm: 1e-3 };
            let rows = rows(&scores, 20, parts, width);
            let update = solve.update(&rows, &gradient).unwrap();
            // F u + damping u is -g times the scale, and u is as long as allowed
            let length = solve.norm(&rows, &update);
            assert!((length.powi(2) / solve.max_norm - 1.0).abs() < 1e-9, "{length}");
            let image = |p: usize| rows.chunks(width).map(|row| row[p] * dot(row, &update)).sum::<f64>() + solve.damping * update[p];
            let scale = image(0) / gradient[0];
            assert!((0..width).all(|p| (image(p) - scale * gradient[p]).abs() < 1e-9 * scale.abs()) && scale < 0.0);
            let device = Device { theta, scores: Vec::new(), solved: scores.clone(), gradient: gradient.clone(), update: update.clone() };
            assert!(solve.of_device("u", &device, 20, parts).pass);
            assert!(solve.of_stored("u", &scores, parts, &gradient, &update).pass);
            let longer: Vec<f64> = update.iter().map(|u| 1.001 * u).collect();
            for q in [
                solve.of_device("u", &Device { update: longer.clone(), ..device.clone() }, 20, parts),
                solve.of_stored("u", &scores, parts, &gradient, &longer),
                solve.of_device("u", &Device { update: vec![0.0; width], ..device.clone() }, 20, parts),
                solve.of_device("u", &Device { update: vec![f64::NAN; width], ..device.clone() }, 20, parts),
                Solve { damping: 1.1e-3, ..solve }.of_device("u", &device, 20, parts),
            ] {
                assert!(!q.pass, "{q:?}");
            }
        }
    }
}
