//! Ewald sums of the Coulomb energy in a periodic box with a neutralising background (3D), and of
//! electrons in a plane (2D), in a box of side 1 and in float64.
//!
//! V₁ = Σ_{i<j} [ erfc(κr)/r + g₀ + Σ_G g_G cos(2πG·r) ] with the nearest image only, |G| ≤ Gmax, and
//! - 2D: g_G = erfc(π|G|/κ)/|G|, g₀ = -2√π/κ;
//! - 3D: g_G = exp(-π²G²/κ²)/(πG²), g₀ = -π/κ².
//!
//! ξ = Σ g_G + g₀ - 2κ/√π is the energy of an electron with its own images (Madelung constant).
//! Fraser et al., Phys. Rev. B 53, 1814 (1996).

use std::f64::consts::PI;

use super::splitting::{self, MOST_GMAX, MOST_KAPPA};
use crate::error::{Error, Result};
use crate::number::special::erfc;

/// κ and Gmax whose error is below the rounding of f32: what [`splitting::choose`] gives for up to a hundred electrons.
pub const DEVICE: (f64, u32) = (7.0, 9);
/// κ and Gmax of the published code; error per electron about 1e-10.
pub const FINE: (f64, u32) = (10.0, 15);

/// Tables of one splitting κ and cut-off Gmax, in a box of side 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Ewald {
    /// 2 or 3.
    pub dim: usize,
    /// Splitting parameter, in units of 1/L.
    pub kappa: f64,
    /// Longest reciprocal vector, |G| ≤ gmax.
    pub gmax: u32,
    /// One of each pair G, -G, shortest first; unused components are 0.
    pub vectors: Vec<[i32; 3]>,
    /// g_G of each vector (its partner has the same).
    pub coefficients: Vec<f64>,
    /// What the missing term G = 0 leaves.
    pub g0: f64,
    /// Madelung constant ξ.
    pub xi: f64,
}

impl Ewald {
    /// Tables for `dim` 2 or 3.
    ///
    /// # Errors
    /// [`Error::User`] for another dimension, κ outside (0, 30] or Gmax outside 1..=40.
    pub fn new(dim: usize, kappa: f64, gmax: u32) -> Result<Self> {
        if dim != 2 && dim != 3 {
            return Err(Error::User(format!("ewald: dim = {dim}; only 2 and 3 are possible")));
        }
        if !(kappa > 0.0 && kappa <= MOST_KAPPA) {
            return Err(Error::User(format!("ewald: kappa = {kappa}; give auto or a number in (0, {MOST_KAPPA}], usually {}", DEVICE.0)));
        }
        if !(1..=MOST_GMAX).contains(&gmax) {
            return Err(Error::User(format!("ewald: gmax = {gmax}; give auto or 1 to {MOST_GMAX}, usually {}", DEVICE.1)));
        }
        let r = gmax as i32;
        let depth = if dim == 3 { r } else { 0 };
        let mut vectors = Vec::new();
        for a in 0..=r {
            for b in -r..=r {
                for c in -depth..=depth {
                    // the first non-zero component of the kept one of G, -G is positive
                    let kept = a > 0 || b > 0 || (b == 0 && c > 0);
                    if kept && a * a + b * b + c * c <= r * r {
                        vectors.push([a, b, c]);
                    }
                }
            }
        }
        vectors.sort_by_key(norm2);
        let coefficients: Vec<f64> = vectors
            .iter()
            .map(|g| {
                let g2 = norm2(g) as f64;
                match dim {
                    2 => erfc(PI * g2.sqrt() / kappa) / g2.sqrt(),
                    _ => (-PI * PI * g2 / (kappa * kappa)).exp() / (PI * g2),
                }
            })
            .collect();
        let g0 = if dim == 2 { -2.0 * PI.sqrt() / kappa } else { -PI / (kappa * kappa) };
        // smallest terms first
        let sum: f64 = coefficients.iter().rev().map(|g| 2.0 * g).sum();
        let xi = sum + g0 - 2.0 * kappa / PI.sqrt();
        Ok(Ewald { dim, kappa, gmax, vectors, coefficients, g0, xi })
    }

    /// V₁ of `x` (n x `dim`, in units of the box): Σ over pairs, by the structure factor.
    pub fn pairs(&self, x: &[f64]) -> f64 {
        let n = x.len() / self.dim;
        let mut v = 0.5 * (n * n.saturating_sub(1)) as f64 * self.g0;
        for i in 0..n {
            for j in 0..i {
                let r2: f64 = (0..self.dim)
                    .map(|c| {
                        let r = x[i * self.dim + c] - x[j * self.dim + c];
                        (r - r.round()).powi(2)
                    })
                    .sum();
                v += erfc(self.kappa * r2.sqrt()) / r2.sqrt();
            }
        }
        for (g, w) in self.vectors.iter().zip(&self.coefficients) {
            let (mut re, mut im) = (0.0, 0.0);
            for xi in x.chunks(self.dim) {
                let turns: f64 = xi.iter().zip(g).map(|(x, g)| x * *g as f64).sum();
                let (s, c) = (2.0 * PI * (turns - turns.round())).sin_cos();
                re += c;
                im += s;
            }
            // pairs and both of G, -G: 2 (|ρ|² - n)/2
            v += w * (re * re + im * im - n as f64);
        }
        v
    }

    /// Potential energy of `x` (n x `dim`, lengths in units of rs a0, box side `length`) in Ry/rs².
    pub fn potential(&self, x: &[f64], rs: f64, length: f64) -> f64 {
        let scaled: Vec<f64> = x.iter().map(|v| v / length).collect();
        2.0 * rs / length * self.pairs(&scaled) + self.constant(x.len() / self.dim, rs, length)
    }

    /// Vconst = n (rs/L) ξ: every electron with its own images, Ry/rs².
    pub fn constant(&self, n: usize, rs: f64, length: f64) -> f64 {
        n as f64 * rs / length * self.xi
    }

    /// Bound of the error of V₁ and ξ per electron of a liquid of n electrons, box of side 1: see [`splitting::error`].
    pub fn error(&self, n: usize) -> f64 {
        splitting::error(self.dim, self.kappa, self.gmax, n)
    }

    /// Rows (Gx, Gy, Gz, g_G) as f32, padded with zero rows to a multiple of 4 rows: what the kernel reads.
    pub fn table(&self) -> Vec<f32> {
        let mut rows: Vec<f32> =
            self.vectors.iter().zip(&self.coefficients).flat_map(|(g, w)| [g[0] as f32, g[1] as f32, g[2] as f32, *w as f32]).collect();
        rows.resize(self.vectors.len().div_ceil(4) * 16, 0.0);
        rows
    }
}

fn norm2(g: &[i32; 3]) -> i32 {
    g[0] * g[0] + g[1] * g[1] + g[2] * g[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(count: usize) -> Vec<f64> {
        let mut s = 88172645463325252u64;
        (0..count)
            .map(|_| {
                s ^= s << 13;
                s ^= s >> 7;
                s ^= s << 17;
                (s >> 11) as f64 / (1u64 << 53) as f64
            })
            .collect()
    }

    #[test]
    fn madelung_constants_are_the_published_ones() {
        let (plane, cube) = (Ewald::new(2, 10.0, 15).unwrap(), Ewald::new(3, 10.0, 15).unwrap());
        assert_eq!((plane.vectors.len(), cube.vectors.len()), (354, 7073));
        assert!((plane.xi + 3.9002649200558634).abs() < 1e-12, "{}", plane.xi);
        assert!((cube.xi + 2.837297479777476).abs() < 1e-12, "{}", cube.xi);
        // what the device uses, to the rounding of f32
        assert!((Ewald::new(2, DEVICE.0, DEVICE.1).unwrap().xi + 3.90026492).abs() < 1e-7);
        assert!((Ewald::new(3, DEVICE.0, DEVICE.1).unwrap().xi + 2.83729748).abs() < 1e-7);
    }

    /// The energy does not depend on how the sum is split: errors per electron as measured against a sum over two
    /// images (n = 29 in 2D, 19 in 3D), and below the stated ones.
    #[test]
    fn energy_does_not_depend_on_kappa() {
        let splittings = [(10.0, 15), (8.0, 10), (7.0, 9), (7.0, 8), (6.0, 7)];
        let measured = [[2.9e-11, 2.6e-8, 4e-7, 7e-7, 1.6e-5], [1.5e-10, 1.4e-7, 1e-7, 1.7e-6, 4.7e-6]];
        for (dim, n) in [(2, 29), (3, 19)] {
            let x = random(n * dim);
            let total = |e: &Ewald| e.pairs(&x) + 0.5 * n as f64 * e.xi;
            let reference = total(&Ewald::new(dim, 12.0, 24).unwrap());
            for ((kappa, gmax), known) in splittings.iter().zip(measured[dim - 2]) {
                let e = Ewald::new(dim, *kappa, *gmax).unwrap();
                let (error, stated) = ((total(&e) - reference).abs() / n as f64, e.error(n));
                assert!(error < 2.0 * known, "{dim}D κ={kappa} Gmax={gmax}: {error:.1e}, known {known:.1e}");
                assert!(error <= stated && stated < 30.0 * known, "{dim}D κ={kappa} Gmax={gmax}: {error:.1e}, stated {stated:.1e}");
            }
        }
    }

    #[test]
    fn bad_settings_are_refused() {
        for (dim, kappa, gmax) in [(1, 7.0, 9), (2, 0.0, 9), (2, f64::NAN, 9), (3, 7.0, 0), (3, 7.0, 100)] {
            assert!(Ewald::new(dim, kappa, gmax).is_err());
        }
    }
}
