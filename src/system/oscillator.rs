//! Electrons in a two-dimensional harmonic trap: orbitals, determinants, and what is exact without interaction.
//!
//! H = Σ_i (-∇_i²/2 + r_i²/2) + Z Σ_{i<j} 1/r_ij; energies in ħω, lengths in √(ħ/mω), β in 1/ħω, entropies in nats. Z is
//! the length over Bohr's radius. Electrons of one spin.

use super::IdealGas;
use crate::error::{Error, Result};
use crate::number::special::erfc;

/// Shells from which determinants are made: 36 orbitals, as published.
pub const SHELLS: usize = 8;
/// Most electrons: those whose derivatives a workgroup holds.
pub const MOST_ELECTRONS: usize = 16;
/// Most determinants of a list.
pub const MOST_STATES: usize = 4096;

/// An orbital h_nx(x) h_ny(y) e^(-r²/2)/√π of energy nx + ny + 1; h_k are Hermite polynomials of norm 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orbital {
    /// Quanta along x.
    pub nx: usize,
    /// Quanta along y.
    pub ny: usize,
}

impl Orbital {
    /// ħω.
    pub fn energy(self) -> usize {
        self.nx + self.ny + 1
    }
}

/// Orbitals of the lowest shells in their order: shell s = 0, 1, …; in it nx = 0 … s.
pub fn orbitals(shells: usize) -> Vec<Orbital> {
    (0..shells).flat_map(|s| (0..=s).map(move |nx| Orbital { nx, ny: s - nx })).collect()
}

/// N electrons at a temperature: the determinants that are listed, and the gas without interaction.
#[derive(Clone, Debug)]
pub struct Dot {
    /// Number of electrons.
    pub n: usize,
    /// Orbitals of the lowest [`SHELLS`] shells.
    pub orbitals: Vec<Orbital>,
    /// Occupied orbitals of each determinant, ascending; the lowest energy first.
    pub states: Vec<Vec<usize>>,
    /// Their energies without interaction, ħω.
    pub energies: Vec<f64>,
}

/// F, E and S of a canonical ensemble; ħω and nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canonical {
    /// F.
    pub free_energy: f64,
    /// E.
    pub energy: f64,
    /// S.
    pub entropy: f64,
}

impl Dot {
    /// All determinants of up to `above` quanta over the lowest one.
    ///
    /// # Errors
    /// [`Error::User`] for a number of electrons that the kernels do not take, and for more than [`MOST_STATES`] determinants.
    pub fn new(n: usize, above: usize) -> Result<Dot> {
        let orbitals = orbitals(SHELLS);
        if !(1..=MOST_ELECTRONS).contains(&n) {
            return Err(Error::User(format!("n = {n}: a dot has 1 to {MOST_ELECTRONS} electrons here")));
        }
        let lowest: usize = orbitals[..n].iter().map(|o| o.energy()).sum();
        let mut states = Vec::new();
        choose(&orbitals, n, lowest + above, &mut Vec::new(), &mut states);
        if states.len() > MOST_STATES {
            return Err(Error::User(format!("delta_e={above} lists more than {MOST_STATES} determinants of {n} electrons: lower delta_e")));
        }
        let energy = |s: &Vec<usize>| s.iter().map(|j| orbitals[*j].energy()).sum::<usize>();
        states.sort_by_key(|s| (energy(s), s.clone()));
        let energies = states.iter().map(|s| energy(s) as f64).collect();
        Ok(Dot { n, orbitals, states, energies })
    }

    /// The lowest determinant alone.
    ///
    /// # Errors
    /// As [`Dot::new`].
    pub fn ground(n: usize) -> Result<Dot> {
        let mut dot = Dot::new(n, 0)?;
        dot.states.truncate(1);
        dot.energies.truncate(1);
        Ok(dot)
    }

    /// Energy of the lowest determinant, ħω.
    pub fn lowest(&self) -> f64 {
        self.energies[0]
    }

    /// The listed determinants without interaction, at inverse temperature β.
    pub fn truncated(&self, beta: f64) -> Canonical {
        canonical(&self.energies, beta)
    }

    /// Weight of the highest energy that is listed, without interaction: what is left out has weights like it.
    pub fn highest_weight(&self, beta: f64) -> f64 {
        let top = self.energies[self.energies.len() - 1];
        let weight = |e: f64| (-beta * (e - self.lowest())).exp();
        let all: f64 = self.energies.iter().map(|e| weight(*e)).sum();
        self.energies.iter().filter(|e| **e == top).map(|e| weight(*e)).sum::<f64>() / all
    }

    /// Radius of a circle that most electrons are in, for where a flow's functions have their centres: of the gas without
    /// interaction, pushed out where the repulsion of N electrons is more than their energy.
    pub fn radius(&self, z: f64) -> f64 {
        let n = self.n as f64;
        1.5 * (2.0 * self.lowest() / n).sqrt() * (1.0 + z * n / self.lowest()).cbrt()
    }
}

/// States of `left` more electrons above the last chosen orbital, up to an energy in quanta.
fn choose(orbitals: &[Orbital], left: usize, most: usize, chosen: &mut Vec<usize>, states: &mut Vec<Vec<usize>>) {
    if left == 0 {
        states.push(chosen.clone());
        return;
    }
    let first = chosen.last().map_or(0, |j| j + 1);
    for j in first..orbitals.len() {
        // those that follow have at least these energies
        let least: usize = orbitals[j..].iter().take(left).map(|o| o.energy()).sum();
        if j + left > orbitals.len() || least > most || states.len() > MOST_STATES {
            return;
        }
        chosen.push(j);
        choose(orbitals, left - 1, most - orbitals[j].energy(), chosen, states);
        chosen.pop();
    }
}

/// The ensemble of given levels.
fn canonical(levels: &[f64], beta: f64) -> Canonical {
    let lowest = levels.iter().copied().fold(f64::INFINITY, f64::min);
    let weights: Vec<f64> = levels.iter().map(|e| (-beta * (e - lowest)).exp()).collect();
    let z: f64 = weights.iter().sum();
    let energy = levels.iter().zip(&weights).map(|(e, w)| e * w).sum::<f64>() / z;
    let free_energy = lowest - z.ln() / beta;
    Canonical { free_energy, energy, entropy: beta * (energy - free_energy) }
}

/// N electrons of one spin without interaction in all orbitals: exact. β infinite: the lowest determinant.
///
/// # Errors
/// [`Error::User`] for no electrons, and for a β that is not positive.
pub fn free(n: usize, beta: f64) -> Result<Canonical> {
    if beta.is_infinite() {
        let energy = Dot::ground(n)?.lowest();
        return Ok(Canonical { free_energy: energy, energy, entropy: 0.0 });
    }
    // the weight of the last shell over that of the Fermi level is below 1e-17
    let shells = (2.0 * (n as f64).sqrt() + 40.0 / beta).ceil() as usize + 2;
    let levels: Vec<f64> = orbitals(shells).iter().map(|o| o.energy() as f64).collect();
    let gas = IdealGas::new(&levels, n, beta)?;
    Ok(Canonical { free_energy: gas.free_energy, energy: gas.energy, entropy: gas.entropy })
}

/// ∫ of the density of h_k e^(-x²/2)/π^(1/4) up to x, in closed form: (1 + erf x)/2 - Σ_{j≤k} u_j u_(j-1)/√(2j), as
/// (u_j u_(j-1))' = √(2j) (u_(j-1)² - u_j²).
pub fn cumulative(k: usize, x: f64) -> f64 {
    let u = waves(k, x);
    0.5 * erfc(-x) - (1..=k).map(|j| u[j] * u[j - 1] / (2.0 * j as f64).sqrt()).sum::<f64>()
}

/// u_0 … u_k at x, normalised on the line.
fn waves(k: usize, x: f64) -> Vec<f64> {
    let norm = std::f64::consts::PI.powf(-0.25) * (-0.5 * x * x).exp();
    hermite(k, x).into_iter().map(|h| norm * h).collect()
}

/// Normalised Hermite polynomials h_0 … h_k at x: ∫ h_j² e^(-x²) dx = √π.
pub fn hermite(k: usize, x: f64) -> Vec<f64> {
    let mut h = vec![1.0];
    for j in 1..=k {
        let before = if j > 1 { h[j - 2] } else { 0.0 };
        h.push((2.0 / j as f64).sqrt() * x * h[j - 1] - ((j - 1) as f64 / j as f64).sqrt() * before);
    }
    h
}

/// Where the density of state k of the oscillator has the share u below it.
pub fn quantile(k: usize, u: f64) -> f64 {
    let share = u.min(1.0 - u);
    let (mut low, mut high) = (-EDGE, 0.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if cumulative(k, middle) < share { low = middle } else { high = middle }
    }
    let x = 0.5 * (low + high);
    if u > 0.5 { -x } else { x }
}

/// Beyond it the densities of the lowest [`SHELLS`] orbitals are below 1e-20.
pub const EDGE: f64 = 8.5;

/// For each k < `SHELLS` where the cumulative density is 0, 1/(2 `cells`), …, 1/2: x from -[`EDGE`] to 0, f32.
pub fn quantiles(cells: usize) -> Vec<f32> {
    let row = |k: usize| {
        (0..=cells).map(move |i| match i {
            0 => -EDGE as f32,
            _ if i == cells => 0.0,
            _ => quantile(k, i as f64 / (2 * cells) as f64) as f32,
        })
    };
    (0..SHELLS).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(key: &str) -> Vec<serde_json::Value> {
        let text = include_str!("../../kernels-tests/data/dot_free_fermions.json");
        serde_json::from_str::<serde_json::Value>(text).unwrap()[key].as_array().unwrap().clone()
    }

    fn close(what: &str, got: f64, want: f64) {
        assert!((got - want).abs() < 1e-11 * want.abs().max(1.0), "{what}: {got}, want {want}");
    }

    #[test]
    fn free_electrons_have_the_exact_rows() {
        let all = rows("rows");
        for row in &all {
            let (n, beta) = (row["N"].as_u64().unwrap() as usize, row["beta"].as_f64().unwrap());
            let got = free(n, beta).unwrap();
            for (name, value) in [("F", got.free_energy), ("E", got.energy), ("S", got.entropy)] {
                close(&format!("n={n} beta={beta} {name}"), value, row[name].as_f64().unwrap());
            }
        }
        assert!(all.len() >= 9);
        assert_eq!(free(6, f64::INFINITY).unwrap().free_energy, 14.0);
    }

    #[test]
    fn truncated_lists_have_the_rows_of_the_published_code() {
        let all = rows("truncated");
        for row in &all {
            let n = row["N"].as_u64().unwrap() as usize;
            let (beta, above) = (row["beta"].as_f64().unwrap(), row["deltaE"].as_f64().unwrap());
            let dot = Dot::new(n, above as usize).unwrap();
            assert_eq!(dot.states.len() as u64, row["states"].as_u64().unwrap(), "n={n} deltaE={above}");
            let got = dot.truncated(beta);
            for (name, value) in [("F", got.free_energy), ("E", got.energy), ("S", got.entropy)] {
                close(&format!("n={n} beta={beta} deltaE={above} {name}"), value, row[name].as_f64().unwrap());
            }
        }
        assert!(all.len() >= 6);
    }

    #[test]
    fn determinants_are_distinct_and_in_order() {
        let dot = Dot::new(6, 4).unwrap();
        assert_eq!(dot.states[0], [0, 1, 2, 3, 4, 5]);
        assert!(dot.energies.windows(2).all(|e| e[0] <= e[1]));
        assert!(dot.states.iter().all(|s| s.len() == 6 && s.windows(2).all(|w| w[0] < w[1])));
        let distinct: std::collections::BTreeSet<_> = dot.states.iter().collect();
        assert_eq!(distinct.len(), dot.states.len());
        assert!(dot.highest_weight(2.0) > 0.0 && dot.highest_weight(50.0) < 1e-80);
        assert!(Dot::new(10, 8).unwrap_err().to_string().contains("lower delta_e"));
        assert!(Dot::new(17, 0).is_err() && Dot::new(0, 0).is_err());
    }

    #[test]
    fn quantiles_divide_the_density_evenly() {
        let cells = 16;
        let table = quantiles(cells);
        for k in 0..SHELLS {
            let row = &table[k * (cells + 1)..][..cells + 1];
            assert!(row.windows(2).all(|x| x[0] < x[1]), "{k}: {row:?}");
            for i in 1..cells {
                // trapezoidal sums of the density itself
                let (x, steps) = (row[i] as f64, 20_000);
                let h = (x + EDGE) / steps as f64;
                let density = |x: f64| waves(k, x)[k].powi(2);
                let inner: f64 = (1..steps).map(|s| density(-EDGE + s as f64 * h)).sum();
                let sum = h * (inner + 0.5 * (density(-EDGE) + density(x)));
                assert!((sum - i as f64 / (2 * cells) as f64).abs() < 1e-6, "k = {k}, {i}: {sum}");
            }
        }
    }
}
