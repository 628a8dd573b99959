//! The continuous dual of the Ising model: fields x on the L x L torus whose Gaussian integral gives the spins.
//!
//! With J = k_B = 1, A the adjacency matrix of the torus, K' = A/T + a I and a = 0.1 + 4/T (the least eigenvalue of K' is 0.1):
//!
//! ```text
//! U(x) = ½ xᵀ K'⁻¹ x - Σ ln cosh x_i,     dU/dx = K'⁻¹ x - tanh x
//! ln ∫dx e^{-U} = ln Z_Ising(T) + C,      C = N/2 (ln 2π - ln 4 + a) + ½ ln det K'
//! p(s_i = 1 | x) = sigmoid(2 x_i),        x | s ~ Normal(K' s, K'),   ⟨x xᵀ⟩ = K' + K' ⟨s sᵀ⟩ K'
//! ```
//!
//! All energies are dimensionless (β is inside). K' is a circulant, diagonal in the Hartley basis cas(2πmi/L)/√L along rows and
//! columns, because its eigenvalues are even in each momentum.
//!
//! Hubbard, Phys. Rev. Lett. 3, 77 (1959), doi 10.1103/PhysRevLett.3.77; Li, Wang, Phys. Rev. Lett. 121, 260601 (2018), doi
//! 10.1103/PhysRevLett.121.260601. The least eigenvalue 0.1 is theirs: C depends on it, ln Z_Ising does not.

use std::f64::consts::{LN_2, PI};

use super::spins::{Lattice, torus};
use crate::error::{Error, Result};

/// Critical temperature of the infinite lattice, 2/ln(1 + √2), in J/k_B.
pub const CRITICAL: f64 = 2.269_185_314_213_022;
/// Least eigenvalue of K'.
const LEAST: f64 = 0.1;
/// Sides that flows and kernels take.
pub const SIDES: [usize; 5] = [4, 8, 16, 32, 64];

/// The model at one temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DualIsing {
    /// Sites of a row, L.
    pub side: usize,
    /// T, in J/k_B.
    pub temperature: f64,
}

impl DualIsing {
    /// L one of [`SIDES`], T > 0.
    ///
    /// # Errors
    /// [`Error::User`] for others.
    pub fn new(side: usize, temperature: f64) -> Result<DualIsing> {
        if !SIDES.contains(&side) {
            return Err(Error::User(format!("L = {side}: the flow halves the lattice at every level; give 4, 8, 16, 32 or 64")));
        }
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(Error::User(format!("T = {temperature}: give a temperature above 0, in J; the critical one is 2.269185")));
        }
        Ok(DualIsing { side, temperature })
    }

    /// Sites N = L².
    pub fn sites(&self) -> usize {
        self.side * self.side
    }

    /// a, the diagonal of K'.
    pub fn offset(&self) -> f64 {
        LEAST + 4.0 / self.temperature
    }

    /// Eigenvalues of K' by momentum (m₁, m₂), row-major.
    pub fn eigenvalues(&self) -> Vec<f64> {
        let cosine = |m: usize| (2.0 * PI * m as f64 / self.side as f64).cos();
        let pairs = (0..self.side).flat_map(|m| (0..self.side).map(move |n| (m, n)));
        pairs.map(|(m, n)| self.offset() + 2.0 * (cosine(m) + cosine(n)) / self.temperature).collect()
    }

    /// g, the first row of K'⁻¹: (K'⁻¹ x)_i = Σ_d g(d) x_{i+d}.
    pub fn inverse(&self) -> Vec<f64> {
        let (side, values) = (self.side, self.eigenvalues());
        let phase = |m: usize, d: usize| 2.0 * PI * (m * d % side) as f64 / side as f64;
        (0..side * side)
            .map(|d| {
                let terms = values.iter().enumerate().map(|(k, v)| (phase(k / side, d / side) + phase(k % side, d % side)).cos() / v);
                terms.sum::<f64>() / (side * side) as f64
            })
            .collect()
    }

    /// cas(2πmi/L)/√L = (cos + sin)/√L, row m: symmetric, and its own inverse.
    pub fn hartley(&self) -> Vec<f64> {
        let side = self.side;
        let angle = |m: usize, i: usize| 2.0 * PI * (m * i % side) as f64 / side as f64;
        let entry = |m: usize, i: usize| (angle(m, i).cos() + angle(m, i).sin()) / (side as f64).sqrt();
        (0..side).flat_map(|m| (0..side).map(move |i| entry(m, i))).collect()
    }

    /// f(K') x, `f` of the eigenvalues: 1/λ solves, √λ colours white noise.
    pub fn apply(&self, x: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
        let (side, basis) = (self.side, self.hartley());
        // along rows and columns, H X H
        let transform = |x: &[f64]| -> Vec<f64> {
            let rows: Vec<f64> =
                (0..side * side).map(|i| (0..side).map(|k| x[i / side * side + k] * basis[k * side + i % side]).sum()).collect();
            (0..side * side).map(|i| (0..side).map(|k| basis[i / side * side + k] * rows[k * side + i % side]).sum()).collect()
        };
        let modes: Vec<f64> = transform(x).iter().zip(self.eigenvalues()).map(|(v, l)| f(l) * v).collect();
        transform(&modes)
    }

    /// Fields of given spins, x = K' s + √K' ξ, ξ white noise.
    pub fn fields(&self, s: &[f64], noise: &[f64]) -> Vec<f64> {
        self.apply(s, |l| l).iter().zip(self.apply(noise, f64::sqrt)).map(|(a, b)| a + b).collect()
    }

    /// U(x) and dU/dx.
    pub fn action(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let y = self.apply(x, |l| 1.0 / l);
        // ln cosh without overflow
        let ln_cosh = |v: f64| v.abs() + (-2.0 * v.abs()).exp().ln_1p() - LN_2;
        let u = x.iter().zip(&y).map(|(x, y)| 0.5 * x * y - ln_cosh(*x)).sum();
        (u, x.iter().zip(&y).map(|(x, y)| y - x.tanh()).collect())
    }

    /// U(x) - ½ ln det K' at x = √K' y, and its gradient by y: minus the logarithm of the density of y, which at given spins are
    /// white noise about √K' s.
    pub fn white_action(&self, y: &[f64]) -> (f64, Vec<f64>) {
        let (u, force) = self.action(&self.apply(y, f64::sqrt));
        (u - 0.5 * self.ln_det(), self.apply(&force, f64::sqrt))
    }

    /// ln det K'.
    pub fn ln_det(&self) -> f64 {
        self.eigenvalues().iter().map(|l| l.ln()).sum()
    }

    /// C = ln ∫dx e^{-U} - ln Z_Ising.
    pub fn constant(&self) -> f64 {
        0.5 * self.sites() as f64 * ((2.0 * PI).ln() - 2.0 * LN_2 + self.offset()) + 0.5 * self.ln_det()
    }

    /// ln Z of the Ising model on the torus.
    pub fn ln_z_ising(&self) -> Result<f64> {
        Ok(torus::exact(Lattice::Square, self.side, 1.0, 1.0 / self.temperature)?.ln_z)
    }

    /// -ln ∫dx e^{-U}: the least loss.
    pub fn least_loss(&self) -> Result<f64> {
        Ok(-(self.ln_z_ising()? + self.constant()))
    }

    /// F per site of the Ising model, in J, for a loss: T (loss + C)/N.
    pub fn free_energy(&self, loss: f64) -> f64 {
        self.temperature * (loss + self.constant()) / self.sites() as f64
    }

    /// ⟨m²⟩ of the spins at given fields: (Σ t/N)² - Σ t²/N² + 1/N, t = tanh x. Never negative.
    pub fn square(&self, x: &[f64]) -> f64 {
        let n = self.sites() as f64;
        let (sum, squares) = x.iter().fold((0.0, 0.0), |(a, b), x| (a + x.tanh(), b + x.tanh().powi(2)));
        (sum / n).powi(2) + (1.0 - squares / n) / n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::philox::{Stream, purpose};
    use crate::system::spins::{Boundary, Couplings};

    const DATA: &str = include_str!("../../kernels-tests/data/dual_ising.json");

    fn rows() -> Vec<serde_json::Value> {
        serde_json::from_str::<serde_json::Value>(DATA).unwrap()["rows"].as_array().unwrap().clone()
    }

    fn model(row: &serde_json::Value) -> DualIsing {
        DualIsing::new(row["L"].as_u64().unwrap() as usize, row["T"].as_f64().unwrap()).unwrap()
    }

    /// Both sides of the critical point; float64 sums of N terms of order 1 to 10 round by N ε of them.
    #[test]
    fn constants_are_those_of_sixty_digits() {
        for row in rows() {
            let m = model(&row);
            let check = |name: &str, got: f64| {
                let want = row[name].as_f64().unwrap();
                assert!((got - want).abs() < 1e-11 * m.sites() as f64, "{m:?} {name}: {got} instead of {want}");
            };
            check("lnZ_ising", m.ln_z_ising().unwrap());
            check("const", m.constant());
            check("diagonal_offset", m.offset());
            check("logdet_Kprime", m.ln_det());
            check("best_possible_loss", m.least_loss().unwrap());
        }
        assert!(rows().iter().any(|r| r["T"].as_f64() > Some(CRITICAL)) && rows().iter().any(|r| r["T"].as_f64() < Some(CRITICAL)));
    }

    /// g is the inverse of K' = A/T + a, and so is what the Hartley basis makes.
    #[test]
    fn the_circulant_solves() {
        for side in [4, 8] {
            let m = DualIsing::new(side, 2.5).unwrap();
            let (n, g) = (m.sites(), m.inverse());
            let x: Vec<f64> = Stream { seed: 3, step: 0, purpose: purpose::START, first_walker: 0 }.normals().take(n).collect();
            let place = |i: usize, a: usize, b: usize| (i / side + a) % side * side + (i + b) % side;
            let convolved: Vec<f64> = (0..n).map(|i| (0..n).map(|d| g[d] * x[place(i, d / side, d % side)]).sum()).collect();
            let last = side - 1;
            for (what, y) in [("convolution", convolved), ("Hartley", m.apply(&x, |l| 1.0 / l))] {
                for i in 0..n {
                    let neighbours: f64 = [(0, 1), (1, 0), (0, last), (last, 0)].iter().map(|(a, b)| y[place(i, *a, *b)]).sum();
                    let back = neighbours / m.temperature + m.offset() * y[i];
                    assert!((back - x[i]).abs() < 1e-11, "{what}, L = {side}: {back} instead of {}", x[i]);
                }
            }
        }
    }

    #[test]
    fn the_force_is_the_slope() {
        let m = DualIsing::new(4, 2.0).unwrap();
        let x: Vec<f64> =
            Stream { seed: 4, step: 0, purpose: purpose::START, first_walker: 0 }.normals().take(16).map(|v| 3.0 * v).collect();
        for action in [DualIsing::action, DualIsing::white_action] {
            let (_, force) = action(&m, &x);
            for i in 0..16 {
                let at = |h: f64| action(&m, &x.iter().enumerate().map(|(j, v)| if i == j { v + h } else { *v }).collect::<Vec<_>>()).0;
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - force[i]).abs() < 1e-7, "site {i}: {} instead of {slope}", force[i]);
            }
        }
        // det √K' between both densities
        let white = m.white_action(&m.apply(&x, |l| 1.0 / l.sqrt())).0;
        assert!((white - (m.action(&x).0 - 0.5 * m.ln_det())).abs() < 1e-10);
    }

    /// ⟨x²⟩ and ⟨x₀x₁⟩ from ⟨s sᵀ⟩ summed over all states, ⟨x xᵀ⟩ = K' + K' ⟨s sᵀ⟩ K'; and ⟨m²⟩.
    #[test]
    fn moments_follow_from_those_of_spins() {
        let bonds = Couplings::lattice(Lattice::Square, 4, Boundary::Periodic, 1.0).unwrap();
        for row in rows().iter().filter(|r| r["L"] == 4) {
            let m = model(row);
            let (mut z, mut c) = (0.0, [0.0; 16]);
            for state in 0..1u32 << 16 {
                let s = |i: usize| if state >> i & 1 == 1 { 1.0 } else { -1.0 };
                let w = bonds.bonds().iter().map(|b| s(b.i) * s(b.j)).sum::<f64>() / m.temperature;
                let w = w.exp();
                z += w;
                (0..16).for_each(|d| c[d] += w * s(0) * s(d));
            }
            c.iter_mut().for_each(|c| *c /= z);
            // all matrices are circulants: their first rows
            let mut identity = [0.0; 16];
            identity[0] = 1.0;
            let (kernel, spins) = (m.apply(&identity, |l| l), m.apply(&m.apply(&c, |l| l), |l| l));
            let checks = [
                ("x2_per_site", kernel[0] + spins[0]),
                ("x0_x1_neighbour", kernel[1] + spins[1]),
                ("M2_per_site_sq", c.iter().sum::<f64>() / 16.0),
            ];
            for (name, got) in checks {
                let want = row[name].as_f64().unwrap();
                assert!((got / want - 1.0).abs() < 1e-11, "{m:?} {name}: {got} instead of {want}");
            }
        }
    }

    /// Two spins with K' = ((a, k), (k, a)): the integral of e^{-U} on a grid is Z e^C.
    #[test]
    fn the_integral_over_fields_is_the_sum_over_spins() {
        let (k, a) = (0.7f64, 1.1f64);
        let det = a * a - k * k;
        let ln_cosh = |v: f64| v.abs() + (-2.0 * v.abs()).exp().ln_1p() - LN_2;
        let (h, most) = (0.05, 200i32);
        let mut sum = 0.0;
        for i in -most..=most {
            for j in -most..=most {
                let (x, y) = (i as f64 * h, j as f64 * h);
                let quadratic = 0.5 * (a * x * x - 2.0 * k * x * y + a * y * y) / det;
                sum += (-quadratic + ln_cosh(x) + ln_cosh(y)).exp() * h * h;
            }
        }
        let ln_z = (2.0 * k.exp() + 2.0 * (-k).exp()).ln();
        let constant = (2.0 * PI).ln() - 2.0 * LN_2 + a + 0.5 * det.ln();
        assert!((sum.ln() - ln_z - constant).abs() < 1e-9, "{} instead of {}", sum.ln(), ln_z + constant);
    }
}
