//! The Ising model on the L x L torus, exactly: four Pfaffians, one for each choice of periodic and antiperiodic fermions.
//!
//! With κ = β|J|, N = L² and w = -(energy per site of a satisfied bond arrangement)/|J|,
//!
//!   Z = 2^(N-1) e^(wNκ) [ -P(0,0) + P(0,½) + P(½,0) + P(½,½) ],    P(a,b) = Π_k √B(k),  k = 2π(m + (a,b))/L,
//!
//! where √B at k = -k is a signed root. B are positive sums that lose no digits anywhere (x = e^(-2κ), y = x²):
//!
//!   square         w = 2:  B = (1-2x-y)²/4 + x(1-y) g/2,  g = 2 ∓ (cos k₁ + cos k₂)
//!   triangular FM  w = 3:  B = (1-3y)²/4 + y(1-y) g/2,    g = 3 - cos k₁ - cos k₂ - cos(k₁+k₂)
//!   triangular AFM w = 1:  B = (1-y) g/2 + (y²+3y)/4,     g = 3/2 + cos k₁ + cos k₂ + cos(k₁+k₂) = |1 + e^(ik₁) + e^(-ik₂)|²/2
//!
//! Derivatives with respect to κ are carried along, so that E and C keep their digits at every temperature, C's excitations
//! of the frustrated lattice included. What remains is the cancellation between the four P of a square antiferromagnet of
//! odd L, which is frustrated by the wrap alone; its size is known, and a result without digits is refused.
//!
//! Kaufman, Phys. Rev. 76, 1232 (1949), doi 10.1103/PhysRev.76.1232; Houtappel, Physica 16, 425 (1950),
//! doi 10.1016/0031-8914(50)90130-3; Wannier, Phys. Rev. 79, 357 (1950), doi 10.1103/PhysRev.79.357.

use std::f64::consts::{LN_2, PI};
use std::ops::{Add, Mul};

use super::lattice::Lattice;
use super::thermodynamics::{Thermodynamics, temperature};
use crate::error::{Error, Result};

/// Entropy per site of the infinite triangular antiferromagnet at T = 0 (Wannier).
pub const WANNIER: f64 = 0.323_065_947_219_450_5;

/// Largest L: 67 million momenta, seconds.
pub const MOST: usize = 4096;

/// A function of κ with its first two derivatives.
#[derive(Clone, Copy)]
struct Jet(f64, f64, f64);

impl Mul for Jet {
    type Output = Jet;
    fn mul(self, o: Jet) -> Jet {
        Jet(self.0 * o.0, self.1 * o.0 + self.0 * o.1, self.2 * o.0 + 2.0 * self.1 * o.1 + self.0 * o.2)
    }
}

impl Add for Jet {
    type Output = Jet;
    fn add(self, o: Jet) -> Jet {
        Jet(self.0 + o.0, self.1 + o.1, self.2 + o.2)
    }
}

impl Mul<Jet> for f64 {
    type Output = Jet;
    fn mul(self, o: Jet) -> Jet {
        Jet(self * o.0, self * o.1, self * o.2)
    }
}

impl Add<Jet> for f64 {
    type Output = Jet;
    fn add(self, o: Jet) -> Jet {
        Jet(self + o.0, o.1, o.2)
    }
}

/// Lattice and sign at one temperature.
struct Model {
    lattice: Lattice,
    ferromagnet: bool,
    /// e^(-2κ) and e^(-4κ).
    x: Jet,
    y: Jet,
}

impl Model {
    /// Satisfied bonds a site at T = 0, less the unsatisfied ones.
    fn weight(&self) -> f64 {
        match (self.lattice, self.ferromagnet) {
            (Lattice::Square, _) => 2.0,
            (Lattice::Triangular, true) => 3.0,
            (Lattice::Triangular, false) => 1.0,
        }
    }

    /// B at k = π(a, b)/L.
    fn factor(&self, a: usize, b: usize, side: usize) -> Jet {
        let (x, y) = (self.x, self.y);
        let angle = |m: usize| PI * (m % (2 * side)) as f64 / side as f64;
        // 1 - cos k and 1 + cos k
        let (far, near) = (|m: usize| 2.0 * (0.5 * angle(m)).sin().powi(2), |m: usize| 2.0 * (0.5 * angle(m)).cos().powi(2));
        let square = |j: Jet| 0.25 * (j * j);
        match (self.lattice, self.ferromagnet) {
            (Lattice::Square, sign) => {
                let g = if sign { far(a) + far(b) } else { near(a) + near(b) };
                square(1.0 + -2.0 * x + -1.0 * y) + 0.5 * g * (x * (1.0 + -1.0 * y))
            }
            (Lattice::Triangular, true) => {
                let g = far(a) + far(b) + far(a + b);
                square(1.0 + -3.0 * y) + 0.5 * g * (y * (1.0 + -1.0 * y))
            }
            (Lattice::Triangular, false) => {
                let (re, im) = (1.0 + angle(a).cos() + angle(b).cos(), angle(a).sin() - angle(b).sin());
                0.25 * (re * re + im * im) * (1.0 + -1.0 * y) + 0.25 * (y * y + 3.0 * y)
            }
        }
    }

    /// The signed root of B at k = -k; `a`, `b`: whether k₁, k₂ are π.
    fn root(&self, a: bool, b: bool) -> Jet {
        let (x, y) = (self.x, self.y);
        let regular = 0.5 * (1.0 + y);
        match (self.lattice, self.ferromagnet) {
            (Lattice::Square, _) if a != b => regular,
            // changes its sign at the critical temperature
            (Lattice::Square, sign) if a != sign => 0.5 * (-1.0 + 2.0 * x + y),
            (Lattice::Square, _) => 0.5 * (1.0 + 2.0 * x + -1.0 * y),
            (Lattice::Triangular, _) if a || b => regular,
            (Lattice::Triangular, true) => 0.5 * (-1.0 + 3.0 * y),
            (Lattice::Triangular, false) => 0.5 * (3.0 + -1.0 * y),
        }
    }

    /// P in two parts: the product of the roots, and ln of the product of the other factors; `None` where P is 0.
    fn pfaffian(&self, a: usize, b: usize, side: usize) -> Option<(Jet, Jet)> {
        let (mut roots, mut log) = (Jet(1.0, 0.0, 0.0), Jet(0.0, 0.0, 0.0));
        for (p, q) in (0..side).flat_map(|m| (0..side).map(move |n| (2 * m + a, 2 * n + b))) {
            if p % side == 0 && q % side == 0 {
                roots = roots * self.root(p == side, q == side);
                continue;
            }
            let Jet(v, d, dd) = self.factor(p, q, side);
            if v <= 0.0 {
                // k = (2π/3, 2π/3) of the frustrated lattice, when y is below the smallest number
                return None;
            }
            // of the two of ±k each takes a half
            log = log + Jet(0.5 * v.ln(), 0.5 * d / v, 0.5 * (dd / v - (d / v).powi(2)));
        }
        Some((roots, log))
    }
}

/// The torus without a field, J on every bond (as [`super::Couplings::lattice`]); L from 3 to [`MOST`], 4 L² factors.
///
/// The error of ln Z is about 1e-16 N, times what the four terms lose by cancellation; energy and heat capacity are `None`
/// where that leaves fewer than eight digits.
///
/// # Errors
/// [`Error::User`] for another L, J that is 0 or not finite, and a β that is negative or not finite; [`Error::Numerics`] where
/// cancellation leaves ln Z without digits (cold square antiferromagnets of odd L).
pub fn exact(lattice: Lattice, side: usize, coupling: f64, beta: f64) -> Result<Thermodynamics> {
    temperature(beta)?;
    if !(3..=MOST).contains(&side) {
        return Err(Error::User(format!("torus: L = {side}; give 3 to {MOST}")));
    }
    if !coupling.is_finite() || coupling == 0.0 {
        return Err(Error::User(format!("torus: J = {coupling}; give 1 for the ferromagnet, -1 for the antiferromagnet")));
    }
    let (sites, unit) = ((side * side) as f64, coupling.abs());
    let kappa = beta * unit;
    let x = (-2.0 * kappa).exp();
    let x = Jet(x, -2.0 * x, 4.0 * x);
    let model = Model { lattice, ferromagnet: coupling > 0.0, x, y: x * x };
    let terms: Vec<(Jet, Jet)> = [(0, 0, -1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0)]
        .into_iter()
        .filter_map(|(a, b, sign)| model.pfaffian(a, b, side).map(|(roots, log)| (sign * roots, log)))
        .collect();
    // about the largest term, and about its slope: the rest is small
    let top = terms.iter().map(|(roots, log)| (roots.0.abs().ln() + log.0, log)).max_by(|a, b| a.0.total_cmp(&b.0));
    let top = *top.expect("P(½,½) is not 0").1;
    let mut sum = Jet(0.0, 0.0, 0.0);
    let mut largest = 0.0f64;
    for (roots, log) in terms {
        let (slope, front) = (log.1 - top.1, (log.0 - top.0).exp());
        let term = roots * (front * Jet(1.0, slope, log.2 + slope * slope));
        largest = largest.max(term.0.abs());
        sum = sum + term;
    }
    let error = f64::EPSILON * sites * largest / sum.0;
    if !(0.0..1e-4).contains(&error) {
        return Err(Error::Numerics(format!(
            "torus: the exact formula loses its digits for J = {coupling}, L = {side}, beta = {beta} (an antiferromagnet frustrated by odd L): take an even L or a smaller beta"
        )));
    }
    let slope = top.1 + sum.1 / sum.0;
    let curvature = sum.2 / sum.0 - (sum.1 / sum.0).powi(2);
    let ln_z = (sites - 1.0) * LN_2 + model.weight() * sites * kappa + top.0 + sum.0.ln();
    let known = error < 1e-8;
    Ok(Thermodynamics {
        n: side * side,
        beta,
        ln_z,
        energy: known.then(|| -unit * (model.weight() * sites + slope)),
        heat_capacity: known.then_some(kappa * kappa * curvature),
    })
}
