//! What the cut-offs of an Ewald sum cost, and the cheapest ones for a wanted accuracy.
//!
//! Both cut-offs leave out positive terms only: V comes out too low, and the bound on F suffers. Per electron, in a box
//! of side 1, these are
//! - images beyond the nearest: ½ [Σ_{j≠i} w(r_ij) + w(0)] with w(r) = Σ_{R≠0} erfc(κ|r+R|)/|r+R|, r in the cell;
//! - |G| > Gmax: ½ Σ g_G S(G) with the structure factor S(G) = |ρ_G|²/n.
//!
//! Of the electrons it is assumed that they are a liquid: no distance is more than `CROWDING` times as frequent as
//! without correlation, and S(G) is nowhere above that number (Hansen and Verlet, Phys. Rev. 184, 151 (1969): a liquid
//! freezes before 2.85).

use std::f64::consts::PI;

use super::ElectronGas;
use crate::error::{Error, Result};

/// Largest κ that is accepted, in units of 1/L.
pub const MOST_KAPPA: f64 = 30.0;
/// Largest Gmax that is accepted.
pub const MOST_GMAX: u32 = 40;
/// Error of V per electron in Ry/rs above which cut-offs are refused; V itself is -1 to -2 there.
pub const REFUSED: f64 = 1e-3;
/// How much more than on average: see above.
const CROWDING: f64 = 3.0;
/// Least κ that is chosen for the user.
const LEAST_KAPPA: u32 = 3;

/// Bound of the error of V₁ and ξ per electron, box of side 1, of an n-electron liquid: 1 to 3.5 times the error
/// of uncorrelated electrons.
pub fn error(dim: usize, kappa: f64, gmax: u32, n: usize) -> f64 {
    images(dim, kappa, n) + reciprocal(dim, kappa, gmax, n)
}

/// The same for the electrons of a gas: Ry/rs per electron.
pub fn error_of(gas: &ElectronGas, kappa: f64, gmax: u32) -> f64 {
    2.0 / gas.length() * error(gas.dim, kappa, gmax, gas.n)
}

/// The smallest whole κ, and then the smallest Gmax, with which [`error_of`] stays below `tolerance` (Ry/rs per electron);
/// one that is given stays.
///
/// # Errors
/// [`Error::User`] where no allowed value does.
pub fn choose(gas: &ElectronGas, tolerance: f64, kappa: Option<f64>, gmax: Option<u32>) -> Result<(f64, u32)> {
    let kappas = kappa.map_or_else(|| (LEAST_KAPPA..=MOST_KAPPA as u32).map(f64::from).collect(), |k| vec![k]);
    for &k in &kappas {
        let scale = 2.0 / gas.length();
        let room = tolerance - scale * images(gas.dim, k, gas.n);
        let fits = |g: &u32| scale * reciprocal(gas.dim, k, *g, gas.n) <= room;
        let found = if room <= 0.0 { None } else { gmax.map_or_else(|| (1..=MOST_GMAX).find(fits), |g| Some(g).filter(fits)) };
        if let Some(g) = found {
            return Ok((k, g));
        }
    }
    let given = match (kappa, gmax) {
        (Some(k), _) => format!("kappa={k}"),
        (_, Some(g)) => format!("gmax={g}"),
        _ => String::new(),
    };
    Err(Error::User(format!(
        "{given}: V cannot be had to ewald_tolerance={tolerance:e} Ry/rs per electron with it; give {} (auto) or a larger ewald_tolerance",
        if kappa.is_some() { "another kappa" } else { "a larger gmax" }
    )))
}

/// Number of vectors with 0 < |G| ≤ gmax, one of each pair G, -G.
pub fn vectors(dim: usize, gmax: u32) -> usize {
    shells(dim, gmax as usize)[1..].iter().sum::<u32>() as usize / 2
}

/// erfc(x) for x ≥ 0 from above, within 4 % (Abramowitz and Stegun 7.1.13).
fn erfc_bound(x: f64) -> f64 {
    2.0 * (-x * x).exp() / (PI.sqrt() * (x + (x * x + 4.0 / PI).sqrt()))
}

fn images(dim: usize, kappa: f64, n: usize) -> f64 {
    // ∫ erfc(κr)/r over all space: above w(r) wherever the lattice is not resolved, and above the mean of w always
    let whole = if dim == 2 { 2.0 * PI.sqrt() / kappa } else { PI / (kappa * kappa) };
    let others = n.saturating_sub(1) as f64;
    if kappa < 0.3 {
        return 0.5 * (others + 1.0) * whole;
    }
    let reach = (7.0 / kappa + 1.0).ceil() as i32;
    let w = |at: [f64; 3]| -> f64 {
        let depth = if dim == 3 { reach } else { 0 };
        let mut sum = 0.0;
        for a in -reach..=reach {
            for b in -reach..=reach {
                for c in -depth..=depth {
                    let r = ((a as f64 + at[0]).powi(2) + (b as f64 + at[1]).powi(2) + (c as f64 + at[2]).powi(2)).sqrt();
                    if (a, b, c) != (0, 0, 0) && kappa * r < 7.0 {
                        sum += erfc_bound(kappa * r) / r;
                    }
                }
            }
        }
        sum
    };
    // w is largest where most images are near: in the middle of a face, of an edge, or at a corner of the cell
    let corners = [[0.5, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.5]];
    let largest = corners[..dim].iter().map(|at| w(*at)).fold(0.0, f64::max);
    // the mean of w is ∫ erfc(κr)/r outside the cell, at most that over the half spaces beyond its 2 dim faces
    let step = 0.02 / kappa;
    let half_space: f64 = (0..350)
        .map(|i| {
            let r = 0.5 + step * (i as f64 + 0.5);
            let surface = if dim == 2 { 2.0 * (0.5 / r).acos() } else { 2.0 * PI * (r - 0.5) };
            step * surface * erfc_bound(kappa * r)
        })
        .sum();
    let mean = (2.0 * dim as f64 * half_space).min(whole);
    0.5 * (others * largest.min(CROWDING * mean) + w([0.0; 3]))
}

fn reciprocal(dim: usize, kappa: f64, gmax: u32, n: usize) -> f64 {
    let reach = (gmax as usize + 1).max((7.0 * kappa / PI).ceil() as usize) + 1;
    let beyond = (gmax * gmax) as usize + 1;
    let tail: f64 = shells(dim, reach)
        .iter()
        .enumerate()
        .skip(beyond)
        .map(|(g2, count)| {
            let g = (g2 as f64).sqrt();
            let w = match dim {
                2 => erfc_bound(PI * g / kappa) / g,
                _ => (-(PI * g / kappa).powi(2)).exp() / (PI * g * g),
            };
            *count as f64 * w
        })
        .sum();
    0.5 * (n as f64).min(CROWDING) * tail
}

/// Number of integer vectors of each |G|² up to reach².
fn shells(dim: usize, reach: usize) -> Vec<u32> {
    let mut count = vec![0; reach * reach + 1];
    let depth = if dim == 3 { reach } else { 0 };
    let signs = |v: usize| if v == 0 { 1 } else { 2 };
    for a in 0..=reach {
        for b in 0..=reach {
            for c in 0..=depth {
                if let Some(number) = count.get_mut(a * a + b * b + c * c) {
                    *number += signs(a) * signs(b) * signs(c);
                }
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Ewald, ewald::DEVICE};

    struct Noise(u64);

    impl Noise {
        fn uniform(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }

        /// n electrons in the unit box, no two nearer than `core` (0: uncorrelated).
        fn electrons(&mut self, n: usize, dim: usize, core: f64) -> Vec<f64> {
            let mut x: Vec<f64> = Vec::new();
            while x.len() < n * dim {
                let new: Vec<f64> = (0..dim).map(|_| self.uniform()).collect();
                let apart = |old: &[f64]| old.iter().zip(&new).map(|(a, b)| (a - b - (a - b).round()).powi(2)).sum::<f64>() > core * core;
                if x.chunks(dim).all(apart) {
                    x.extend(new);
                }
            }
            x
        }
    }

    /// V computed less V converged, per electron, averaged over configurations: never below minus the bound, never
    /// above zero, and not far inside the bound. Uncorrelated electrons, and ones that keep off each other as in a dense liquid.
    #[test]
    fn the_error_is_bounded_for_every_splitting() {
        let mut noise = Noise(88172645463325252);
        let (mut worst, mut loosest) = (0.0_f64, 0.0_f64);
        for (dim, n) in [(2, 2), (2, 7), (2, 29), (3, 2), (3, 7)] {
            let reference = if dim == 2 { Ewald::new(2, 11.0, 20).unwrap() } else { Ewald::new(3, 10.0, 15).unwrap() };
            let spacing = (1.0 / n as f64).powf(1.0 / dim as f64);
            let total = |e: &Ewald, x: &[f64]| e.pairs(x) + 0.5 * n as f64 * e.xi;
            for core in [0.0, 0.72 * spacing] {
                let sets: Vec<Vec<f64>> = (0..8).map(|_| noise.electrons(n, dim, core)).collect();
                let exact: Vec<f64> = sets.iter().map(|x| total(&reference, x)).collect();
                for kappa in [0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 10.0, 18.0, 30.0] {
                    for gmax in if dim == 2 { vec![1, 2, 4, 9, 25] } else { vec![1, 2, 4, 9] } {
                        let e = Ewald::new(dim, kappa, gmax).unwrap();
                        let off = sets.iter().zip(&exact).map(|(x, v)| total(&e, x) - v).sum::<f64>() / (8 * n) as f64;
                        let bound = error(dim, kappa, gmax, n);
                        assert!(off < 1e-9, "{dim}D n={n} κ={kappa} Gmax={gmax}: V is too high by {off:.1e}");
                        assert!(-off <= bound + 1e-9, "{dim}D n={n} κ={kappa} Gmax={gmax}: {off:.2e}, bound {bound:.2e}");
                        if core == 0.0 && off < -1e-8 && n > 2 {
                            (worst, loosest) = (worst.max(-off / bound), loosest.max(-bound / off));
                            assert!(bound <= 10.0 * -off, "{dim}D n={n} κ={kappa} Gmax={gmax}: {off:.2e}, bound {bound:.2e}");
                        }
                    }
                }
            }
        }
        eprintln!("largest error over bound {worst:.2}, loosest bound {loosest:.1} times the error");
    }

    /// What is chosen at the usual sizes is what the device was made for; and it fulfils what was asked for.
    #[test]
    fn the_usual_splitting_is_chosen_at_the_usual_sizes() {
        for dim in [2, 3] {
            for n in 2..=100 {
                let gas = ElectronGas::with(n, dim, 1.0, 0.1, Some(64), None).unwrap();
                assert_eq!(choose(&gas, 5e-7, None, None).unwrap(), DEVICE, "{dim}D, n = {n}");
            }
            let gas = ElectronGas::with(13, dim, 1.0, 0.1, Some(16), None).unwrap();
            for tolerance in [1e-10, 1e-8, 1e-5, 1e-3] {
                let (k, g) = choose(&gas, tolerance, None, None).unwrap();
                assert!(error_of(&gas, k, g) <= tolerance && (g == 1 || error_of(&gas, k, g - 1) > tolerance), "κ={k} Gmax={g}");
            }
            let (k, g) = choose(&gas, 5e-7, Some(9.5), None).unwrap();
            assert!(k == 9.5 && error_of(&gas, k, g) <= 5e-7);
            let (k, g) = choose(&gas, 5e-7, None, Some(14)).unwrap();
            assert!(g == 14 && error_of(&gas, k, g) <= 5e-7);
            for (kappa, gmax, remedy) in [(Some(1.0), None, "another kappa"), (None, Some(3), "a larger gmax")] {
                let text = choose(&gas, 5e-7, kappa, gmax).unwrap_err().to_string();
                assert!(text.contains(remedy), "{text}");
            }
        }
    }

    #[test]
    fn vectors_are_counted() {
        for (dim, gmax) in [(2, 1), (2, 9), (2, 15), (3, 9), (3, 15)] {
            assert_eq!(vectors(dim, gmax), Ewald::new(dim, 7.0, gmax).unwrap().vectors.len());
        }
    }
}
