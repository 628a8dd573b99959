//! The ideal gas in all orbitals, and what a cut-off leaves out of it.
//!
//! Z(emax)/Z is the probability that no electron of the complete gas sits above the cut, -ln of it over β what the cut
//! adds to F. Shells |m|² are added until what is missing is a fraction of 1e-10 of Z.

use std::f64::consts::PI;

use super::ElectronGas;
use super::ideal_gas::Growing;
use super::lattice::{momenta_below, square};
use crate::error::{Error, Result};

/// Part of Z that is neglected at most.
const NEGLECTED: f64 = 1e-10;
/// Most orbitals, and most orbitals times electrons: a second of work.
const MOST_ORBITALS: usize = 2_000_000;
const MOST_WORK: usize = 40_000_000;

/// Exact thermodynamics of the ideal gas without a cut-off; energies in Ry/rs², S in k_B, all of n electrons.
#[derive(Clone, Debug)]
pub struct Complete {
    /// F.
    pub free_energy: f64,
    /// E.
    pub energy: f64,
    /// S.
    pub entropy: f64,
    n: usize,
    /// |m|² of each shell and ln Z of the orbitals up to it.
    shells: Vec<(u32, f64)>,
}

impl Complete {
    /// The gas of `gas`'s electrons, whatever its own cut-off.
    ///
    /// # Errors
    /// [`Error::User`] where the temperature is so high that two million orbitals do not suffice.
    pub fn new(gas: &ElectronGas) -> Result<Self> {
        Self::of([gas.up, gas.down()], gas.dim, gas.theta, gas.twist)
    }

    /// The gas of so many electrons of spin up and down at T/T_F = theta and this twist.
    ///
    /// # Errors
    /// As [`Complete::new`].
    pub fn of([up, down]: [usize; 2], dim: usize, theta: f64, twist: [f64; 3]) -> Result<Self> {
        let n = up + down;
        let beta = ElectronGas::inverse_temperature(dim, theta, up as f64 / n as f64);
        let unit = (2.0 * PI / ElectronGas::side(n, dim)).powi(2);
        let fermi = ElectronGas::fermi_square(up, dim);
        // both spins have the same levels
        let mut growing = Growing::new(up, beta);
        let mut shells: Vec<(u32, f64)> = Vec::new();
        let (mut done, mut limit): (Option<u32>, f64) = (None, (fermi * (1.0 + 10.0 * theta)).max(4.0));
        loop {
            let expected = if dim == 2 { PI * limit } else { 4.0 / 3.0 * PI * limit.powf(1.5) };
            if expected > MOST_ORBITALS as f64 || expected * n as f64 > MOST_WORK as f64 {
                return Err(Error::User(format!(
                    "theta = {theta}: the ideal gas of {n} electrons occupies more than {} orbitals at this temperature; lower theta",
                    MOST_ORBITALS.min(MOST_WORK / n.max(1))
                )));
            }
            let mut levels: Vec<(u32, f64)> = momenta_below(limit as u32, dim, twist)
                .iter()
                .map(|m| ((m[0] * m[0] + m[1] * m[1] + m[2] * m[2]) as u32, unit * square(m, &twist)))
                .filter(|(m2, _)| done.is_none_or(|d| *m2 > d))
                .collect();
            levels.sort_by_key(|(m2, _)| *m2);
            for shell in levels.chunk_by(|a, b| a.0 == b.0) {
                shell.iter().for_each(|(_, level)| growing.add(*level));
                shells.push((shell[0].0, growing.log_e[up] + growing.log_e[down]));
                // that of the more electrons bounds the other's
                let spins = if down > 0 { 2.0 } else { 1.0 };
                if spins * missing(&growing, dim, beta * unit, &twist, shell[0].0) < NEGLECTED {
                    let energy = growing.mean[up] + growing.mean[down];
                    let free_energy = -(growing.log_e[up] + growing.log_e[down]) / beta;
                    return Ok(Complete { free_energy, energy, entropy: beta * (energy - free_energy), n, shells });
                }
            }
            (done, limit) = (Some(limit as u32), 1.5 * limit);
        }
    }

    /// ln of Z(emax)/Z: minus infinity where the orbitals up to emax do not hold the electrons.
    fn log_share(&self, emax: u32) -> f64 {
        let within = self.shells.partition_point(|(m2, _)| *m2 <= emax);
        let whole = self.shells.last().map_or(0.0, |s| s.1);
        within.checked_sub(1).map_or(f64::NEG_INFINITY, |i| self.shells[i].1 - whole)
    }

    /// Probability that some electron sits in an orbital with |m|² > emax.
    pub fn above(&self, emax: u32) -> f64 {
        -self.log_share(emax).exp_m1()
    }

    /// What the cut at emax adds to the free energy of an electron, in k_B T.
    pub fn cost(&self, emax: u32) -> f64 {
        -self.log_share(emax) / self.n as f64
    }

    /// The smallest emax with a [`Complete::cost`] of at most `cost` (1e-9 or more).
    pub fn emax(&self, cost: f64) -> u32 {
        self.shells.iter().map(|s| s.0).find(|m2| self.cost(*m2) <= cost).unwrap_or(0)
    }
}

/// Bound of ln(Z/Z_up to |m|² = m2): the orbitals beyond have the summed weight W, and e_(n-k)/e_n ≤ (e_(n-1)/e_n)^k
/// (Newton), so that Z/Z_m2 ≤ exp(W e_(n-1)/e_n). W is bounded by an integral: every m lies in a unit cube whose points
/// are at most √d/2 away, and |m+t| ≥ |m| - |t|.
fn missing(growing: &Growing, dim: usize, b: f64, twist: &[f64; 3], m2: u32) -> f64 {
    let cube = 0.5 * (dim as f64).sqrt();
    let shift = square(&[0; 3], twist).sqrt() + cube;
    let u = (m2 as f64).sqrt() - cube - shift;
    let n = growing.log_e.len() - 1;
    if u <= 0.0 || growing.log_e[n] == f64::NEG_INFINITY {
        return f64::INFINITY;
    }
    // ∫ (v + shift)^(d-1) exp(-b v²) dv from u on, over exp(-b u²)
    let (first, zeroth) = (0.5 / b, 0.5 / (b * u));
    let polynomial = match dim {
        2 => 2.0 * PI * (first + shift * zeroth),
        _ => 4.0 * PI * (u * first + zeroth / (2.0 * b) + 2.0 * shift * first + shift * shift * zeroth),
    };
    (growing.log_e[n - 1] - growing.log_e[n] - b * u * u + polynomial.ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::IdealGas;

    /// Against the ideal gas on the very orbitals: both are exact, so they agree to rounding at every cut.
    #[test]
    fn what_a_cut_removes_is_the_ratio_of_partition_functions() {
        for (n, dim, theta, twist) in [(5, 2, 0.3, [0.25, 0.25, 0.0]), (9, 2, 1.0, [0.0; 3]), (7, 3, 0.25, [0.0; 3]), (4, 3, 0.5, [0.5; 3])]
        {
            let whole = Complete::of([n, 0], dim, theta, twist).unwrap();
            let of = |emax: u32| {
                let gas = ElectronGas::with(n, dim, 1.0, theta, Some(emax), Some(&twist[..dim])).unwrap();
                IdealGas::new(&gas.energies(), n, gas.beta()).unwrap()
            };
            let large = of(whole.emax(1e-9) * 2);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.abs();
            assert!(close(whole.free_energy, large.free_energy) && close(whole.energy, large.energy));
            assert!(close(whole.entropy, large.entropy), "{} {}", whole.entropy, large.entropy);
            for emax in [3, 4, 6, 10] {
                let cut = of(emax);
                let added = cut.free_energy - large.free_energy;
                let cost = added * large.beta / n as f64;
                assert!((whole.cost(emax) - cost).abs() < 1e-9, "n = {n}, {emax}: {cost}");
                let above = 1.0 - (-added * large.beta).exp();
                assert!((whole.above(emax) - above).abs() < 1e-8, "n = {n}, {emax}: {above}");
            }
        }
    }

    /// One electron: Z is a sum over orbitals, and the share above the cut a plain sum.
    #[test]
    fn one_electron_sits_above_as_often_as_boltzmann_says() {
        let (twist, theta) = ([0.1, -0.2, 0.3], 2.0);
        let whole = Complete::of([1, 0], 3, theta, twist).unwrap();
        let b = ElectronGas::inverse_temperature(3, theta, 1.0) * (2.0 * PI / ElectronGas::side(1, 3)).powi(2);
        let weight = |emax: u32| momenta_below(emax, 3, twist).iter().map(|m| (-b * square(m, &twist)).exp()).sum::<f64>();
        for emax in [0, 1, 2, 3, 5, 9] {
            let above = 1.0 - weight(emax) / weight(400);
            assert!((whole.above(emax) - above).abs() < 1e-9, "{emax}: {} instead of {above}", whole.above(emax));
        }
    }

    #[test]
    fn what_cannot_be_summed_is_refused() {
        let text = Complete::of([7, 0], 3, 1e6, [0.0; 3]).unwrap_err().to_string();
        assert!(text.contains("theta = 1000000") && text.contains("lower theta"), "{text}");
    }
}
