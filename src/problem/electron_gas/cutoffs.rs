//! What the cut-offs of a run cost: of the Coulomb sum (κ, Gmax) and of the orbitals (emax).

use super::Settings;
use crate::error::Result;
use crate::system::electron_gas::LEFT_OUT;
use crate::system::{Complete, ElectronGas, splitting};

/// Known before anything is run.
pub struct Cutoffs {
    settings: Settings,
    gas: ElectronGas,
    /// Pairs ±G of the reciprocal sum.
    pub vectors: usize,
    /// Bound of what V per electron may be too low by, in the printed unit.
    pub coulomb: f64,
    /// The ideal gas in all orbitals; an error where they are too many to be summed.
    complete: Result<Complete>,
}

impl Cutoffs {
    /// Of resolved settings and their gas.
    pub fn new(s: &Settings, gas: &ElectronGas) -> Cutoffs {
        // Ry/rs to Ry; at rs = 0 there is no V
        let per_rs = if s.rs > 0.0 { 1.0 / s.rs } else { 0.0 };
        Cutoffs {
            vectors: splitting::vectors(s.dim, s.gmax as u32),
            coulomb: per_rs * splitting::error_of(gas, s.kappa, s.gmax as u32),
            complete: Complete::new(gas),
            settings: s.clone(),
            gas: gas.clone(),
        }
    }

    /// What the cut |m|² ≤ emax adds to F of the ideal gas per electron, in the printed unit; NaN if unknown.
    pub fn orbital_energy(&self) -> f64 {
        let units = self.settings.units();
        self.cost() / self.gas.beta() * self.gas.n as f64 * units.energy
    }

    /// Probability that the ideal gas has an electron above the cut; NaN if unknown.
    pub fn above(&self) -> f64 {
        self.complete.as_ref().map_or(f64::NAN, |c| c.above(self.gas.emax))
    }

    /// F that the cut adds, k_B T per electron.
    fn cost(&self) -> f64 {
        self.complete.as_ref().map_or(f64::NAN, |c| c.cost(self.gas.emax))
    }

    /// What `check` says.
    pub fn lines(&self) -> Vec<String> {
        let (s, unit) = (&self.settings, self.settings.units().energy_name);
        let sum = if s.rs > 0.0 { format!("; V too low by at most {:.1e} {unit} per electron", self.coulomb) } else { String::new() };
        let above = match self.above() {
            p if p < 1e-9 => "less than 1e-9".to_string(),
            p => format!("{p:.1e}"),
        };
        vec![
            format!("Coulomb sum: κ = {}/L, {} pairs of vectors with |G| ≤ {} · 2π/L{sum}", s.kappa, self.vectors, s.gmax),
            format!(
                "orbitals: the ideal gas has an electron above |m|² = {} with probability {above}; leaving that out adds {:.1e} {unit} per electron to its F",
                self.gas.emax,
                self.orbital_energy().max(0.0)
            ),
        ]
    }

    /// What a reader of the results has to know: nothing if the cut-offs were left to the program.
    pub fn warnings(&self) -> Vec<String> {
        let (s, unit) = (&self.settings, self.settings.units().energy_name);
        let mut all = Vec::new();
        if s.rs > 0.0 && self.coulomb * s.rs > s.ewald_tolerance {
            let better = splitting::choose(&self.gas, s.ewald_tolerance, None, None);
            all.push(format!(
                "kappa={} gmax={}: V, E and F may be too low by {:.1e} {unit} per electron, so that F is a bound only up to that{}",
                s.kappa,
                s.gmax,
                self.coulomb,
                better.map_or(String::new(), |(k, g)| format!(
                    "; kappa={k} gmax={g} keep within ewald_tolerance={:e} Ry/rs",
                    s.ewald_tolerance
                ))
            ));
        }
        match &self.complete {
            Ok(c) if self.cost() > LEFT_OUT => all.push(format!(
                "emax={}: the ideal gas has an electron in the orbitals left out with probability {:.2}; its F per electron in the run's orbitals is {:.1e} {unit} above the exact one of all orbitals, and F of this run suffers alike; emax={} would do",
                self.gas.emax,
                self.above(),
                self.orbital_energy(),
                c.emax(LEFT_OUT)
            )),
            Ok(_) => {}
            Err(e) => all.push(format!("emax={}: what is left out above it is not known: {e}", self.gas.emax)),
        }
        all
    }

    /// The same numbers for programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "reciprocal_vector_pairs": self.vectors,
            "coulomb_error_per_electron": self.coulomb,
            "probability_above_emax": self.above(),
            "ideal_free_energy_added_per_electron": self.orbital_energy(),
            "warnings": self.warnings(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::resolve;
    use crate::system::Ewald;

    fn resolved(text: &str) -> std::result::Result<Settings, String> {
        let words: Vec<String> = text.split_whitespace().map(String::from).collect();
        resolve("electron-gas", &words).map(|r| r.read()).map_err(|e| e.to_string())
    }

    fn cutoffs(text: &str) -> Cutoffs {
        let s = resolved(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        Cutoffs::new(&s, &s.gas().unwrap())
    }

    /// Every splitting ends with the right V (here to the tolerance, of electrons spread evenly but not on a lattice), with
    /// a warning whose number bounds the error, or with a refusal that says what to give.
    #[test]
    fn no_splitting_gives_a_wrong_potential_in_silence() {
        let (mut right, mut warned, mut refused) = (0, 0, 0);
        for dim in [2, 3] {
            let gas = format!("n=5 dim={dim} rs=10 theta=0.3");
            let x: Vec<f64> = (0..5 * dim).map(|i| (i as f64 * 0.618_034 + 0.1 * (i % dim) as f64).fract()).collect();
            let total = |kappa: f64, gmax: usize, per: f64| {
                let e = Ewald::new(dim, kappa, gmax as u32).unwrap();
                (e.pairs(&x) + 2.5 * e.xi) * per / 5.0
            };
            for (kappa, gmax) in [
                ("0.1", "auto"),
                ("0.1", "30"),
                ("2", "4"),
                ("4", "6"),
                ("5.5", "7"),
                ("7", "9"),
                ("30", "auto"),
                ("30", "9"),
                ("auto", "1"),
                ("auto", "30"),
                ("7", "1"),
                ("30", "30"),
            ] {
                match resolved(&format!("{gas} kappa={kappa} gmax={gmax}")) {
                    Err(text) => {
                        refused += 1;
                        assert!(text.contains("auto") && (text.contains("too low") || text.contains("cannot be had")), "{text}");
                    }
                    Ok(s) => {
                        let c = Cutoffs::new(&s, &s.gas().unwrap());
                        // box of side 1 to Ry per electron
                        let per = 2.0 / s.gas().unwrap().length() / s.rs;
                        let error = (total(s.kappa, s.gmax, per) - total(11.0, 20, per)).abs();
                        assert!(error <= c.coulomb + 1e-15, "{dim}D κ={} Gmax={}: {error:.1e}, bound {:.1e}", s.kappa, s.gmax, c.coulomb);
                        let words = c.warnings();
                        if c.coulomb > s.ewald_tolerance / s.rs {
                            warned += 1;
                            assert!(words.iter().any(|w| w.contains("gmax=") && w.contains(&format!("{:.1e}", c.coulomb))), "{words:?}");
                        } else {
                            right += 1;
                            assert!(words.is_empty(), "{words:?}");
                        }
                    }
                }
            }
        }
        assert!(right >= 6 && warned >= 2 && refused >= 8, "{right} right, {warned} warned, {refused} refused");
        // without interaction there is no V to be wrong
        assert!(cutoffs("n=5 rs=0 theta=0.3 kappa=30 gmax=1").warnings().is_empty());
        assert!(resolved("n=5 rs=10 theta=0.3 kappa=0").unwrap_err().contains("out of range"));
        // what the published program used
        assert!(cutoffs("n=57 rs=10 theta=0.15 kappa=10 gmax=15").warnings().is_empty());
    }

    /// F of the ideal gas in the run's orbitals less the exact one, n = 7 in 3D at T = T_F/2 (canonical recursion with 1200
    /// digits): 4 leaves out a tenth of Z.
    #[test]
    fn what_a_cut_costs_is_said() {
        let c = cutoffs("n=7 dim=3 rs=1 theta=0.5 emax=4");
        assert!((c.above() - 0.0967664604751634).abs() < 1e-9, "{}", c.above());
        // 7.788501… - 7.491075539540265 Ry/rs², over 7
        let beta = (4.5 * std::f64::consts::PI).powf(-2.0 / 3.0) / 0.5;
        let added = -(-0.0967664604751634_f64).ln_1p() / beta / 7.0;
        assert!((c.orbital_energy() - added).abs() < 1e-9 && added > 0.04);
        let words = c.warnings();
        assert!(words.len() == 1 && words[0].contains("probability 0.10") && words[0].contains("emax=8 would do"), "{words:?}");
        assert!(cutoffs("n=7 dim=3 rs=1 theta=0.5 emax=8").warnings().is_empty());
        assert!(cutoffs("n=7 dim=3 rs=1 theta=0.5").warnings().is_empty());
        // the printed exact value is that of all orbitals: rs = 1 has Ry/rs² = Ry
        let s = resolved("n=7 dim=3 rs=1 theta=0.5 emax=4").unwrap();
        assert!((crate::problem::electron_gas::ideal(&s).unwrap().get("F").unwrap() - 7.491075539540265 / 7.0).abs() < 1e-9);
    }

    /// Orbitals at a twist of half a reciprocal vector: |m|² up to 6 belongs to the Fermi sea of 27 electrons.
    #[test]
    fn the_automatic_cut_holds_at_any_twist() {
        let s = resolved("n=27 dim=3 theta=0.01 twist=0.5 rs=0").unwrap();
        let ideal = crate::system::IdealGas::new(&s.gas().unwrap().energies(), 27, s.gas().unwrap().beta()).unwrap();
        assert!((ideal.free_energy / 27.0 - 3.618786).abs() < 1e-5, "{}", ideal.free_energy / 27.0);
        let text = cutoffs("n=27 dim=3 theta=0.01 twist=0.5 rs=0 emax=4").warnings().join("");
        assert!(text.contains("probability 1.00") && text.contains("emax=6"), "{text}");
    }
}
