//! The uniform electron gas: n electrons, of one spin or of both, in a periodic box at temperature T > 0.
//!
//! Lengths are in units of rs a0 (the density parameter times the Bohr radius), energies in
//! **Ry/rs²** (ħ = 2m = 1: H = -Σ ∇² + Σ 2 rs/r + background), β in (Ry/rs²)⁻¹. Divide an energy by rs² to
//! get Ry. Conventions of Xie, Zhang and Wang, SciPost Phys. 14, 154 (2023), doi 10.21468/SciPostPhys.14.6.154.
//!
//! Electrons of spin up come first, then those of spin down, which are never more. With both, an orbital is a spin orbital: the
//! table holds the plane waves of spin up, then the same ones of spin down, so that a state is an ascending row of n orbitals as
//! without spin. rs is that of all electrons; T_F is that of spin up, k_F = (6π² n↑/V)^(1/3) in 3D and (4π n↑/A)^(1/2) in 2D, as
//! for the spin-resolved gas of Groth et al., Phys. Rev. Lett. 119, 135001 (2017), doi 10.1103/PhysRevLett.119.135001: the usual
//! one of the polarised and of the unpolarised gas.

use std::f64::consts::PI;

use super::lattice::{key, momenta_below, square};
use super::{Complete, IdealGas};
use crate::error::{Error, Result};

/// Largest emax: 31,000 orbitals in 2D and 4 million in 3D, past any use.
pub const MOST_EMAX: u32 = 10_000;
/// Free energy per electron in k_B T that the cut may add to the ideal gas: more is not left out in silence. It is also
/// the number of electrons above the cut over all electrons. The published cuts cost 0 to 5e-5 at Θ = 0.15.
pub const LEFT_OUT: f64 = 1e-4;

/// Cell, temperature and one-particle orbitals of the electron gas.
#[derive(Clone, Debug, PartialEq)]
pub struct ElectronGas {
    /// Number of electrons.
    pub n: usize,
    /// Those of spin up, the first ones: at least half of them. All by default: the polarised gas.
    pub up: usize,
    /// Dimension of space, 2 or 3.
    pub dim: usize,
    /// Wigner-Seitz radius over the Bohr radius; 0 is the ideal gas.
    pub rs: f64,
    /// Temperature over the Fermi temperature.
    pub theta: f64,
    /// Orbitals are the integer momenta m with |m|² ≤ emax (without the twist).
    pub emax: u32,
    /// Twist t of the boundary condition in units of 2π/L, each in (-1/2, 1/2]; unused entries are 0.
    pub twist: [f64; 3],
    orbitals: Vec<[i32; 3]>,
}

impl ElectronGas {
    /// A gas with the default cut-off and twist: see [`ElectronGas::default_emax`] and
    /// [`ElectronGas::default_twist`].
    pub fn new(n: usize, dim: usize, rs: f64, theta: f64) -> Result<Self> {
        Self::with(n, dim, rs, theta, None, None)
    }

    /// A gas with a given cut-off and twist (`dim` numbers); `None` takes the default.
    ///
    /// # Errors
    /// [`Error::User`] for a dimension other than 2 and 3, n = 0 or more electrons than orbitals, rs < 0,
    /// theta ≤ 0, a twist outside (-1/2, 1/2], and anything that is not finite. An open shell is no
    /// error: see [`ElectronGas::closed_shell`].
    pub fn with(n: usize, dim: usize, rs: f64, theta: f64, emax: Option<u32>, twist: Option<&[f64]>) -> Result<Self> {
        Self::of_spins([n, 0], dim, rs, theta, emax, twist)
    }

    /// The same of so many electrons of spin up and down.
    ///
    /// # Errors
    /// As [`ElectronGas::with`], and for more electrons of spin down than up.
    pub fn of_spins([up, down]: [usize; 2], dim: usize, rs: f64, theta: f64, emax: Option<u32>, twist: Option<&[f64]>) -> Result<Self> {
        let n = up + down;
        let wrong = |text: String| Err(Error::User(format!("electron gas: {text}")));
        if dim != 2 && dim != 3 {
            return wrong(format!("dim = {dim}; only 2 and 3 are possible"));
        }
        if n == 0 {
            return wrong("n = 0; give at least one electron".into());
        }
        if down > up {
            return wrong(format!("{up} electrons of spin up and {down} of spin down; call the more of them up"));
        }
        if !rs.is_finite() || rs < 0.0 {
            return wrong(format!("rs = {rs}; give a finite number ≥ 0 (0 is the ideal gas)"));
        }
        if !theta.is_finite() || theta <= 0.0 {
            return wrong(format!("theta = {theta}; give a finite temperature T/T_F > 0, for example 0.15"));
        }
        let standard = Self::default_twist(dim);
        let given = twist.unwrap_or(&standard[..dim]);
        if given.len() != dim {
            return wrong(format!("a twist of {} numbers in {dim} dimensions; give {dim}", given.len()));
        }
        if let Some(t) = given.iter().find(|t| !(**t > -0.5 && **t <= 0.5)) {
            return wrong(format!("twist {t}; each component must lie in (-1/2, 1/2], in units of 2π/L"));
        }
        let mut twist = [0.0; 3];
        twist[..dim].copy_from_slice(given);
        let emax = match emax {
            Some(emax) => emax,
            None => Self::default_emax([up, down], dim, theta, twist)?,
        };
        if emax > MOST_EMAX {
            return wrong(format!("emax = {emax}; at most {MOST_EMAX} (if it was chosen for you, theta = {theta} is too high)"));
        }
        let mut orbitals = momenta_below(emax, dim, twist);
        orbitals.reverse();
        if up > orbitals.len() {
            let few = format!(
                "n = {up} electrons{} but only {} orbitals with |m|² ≤ emax = {emax}",
                if down > 0 { " of spin up" } else { "" },
                orbitals.len()
            );
            // a little below the ball that holds n cubes, or there is none to be had
            let least = (Self::fermi_square(up, dim).min(1e6) as u32 * 2 / 3).max(emax + 1);
            return match (least..=MOST_EMAX).find(|&e| momenta_below(e, dim, twist).len() >= up) {
                Some(needed) => wrong(format!("{few}; raise emax to {needed} or more")),
                None => wrong(format!("{few}, and emax = {MOST_EMAX} is the most; give fewer electrons")),
            };
        }
        let orbitals = spin_orbitals(orbitals, down);
        Ok(ElectronGas { n, up, dim, rs, theta, emax, twist, orbitals })
    }

    /// Replaces the table of plane waves by a stored one, which may order degenerate shells otherwise.
    ///
    /// # Errors
    /// [`Error::User`] if it is not a permutation of this gas's table.
    pub fn with_orbitals(mut self, table: Vec<[i32; 3]>) -> Result<Self> {
        let (mut a, mut b) = (self.orbitals[..self.plane_wave_count()].to_vec(), table.clone());
        a.sort_unstable();
        b.sort_unstable();
        if a != b {
            return Err(Error::User(format!(
                "electron gas: the stored table of {} orbitals does not hold the {} momenta with |m|² ≤ {}; the file belongs to another emax or dim",
                table.len(),
                self.plane_wave_count(),
                self.emax
            )));
        }
        self.orbitals = spin_orbitals(table, self.down());
        Ok(self)
    }

    /// (1/4, 1/4) in 2D, as in the published runs; none in 3D.
    pub fn default_twist(dim: usize) -> [f64; 3] {
        if dim == 2 { [0.25, 0.25, 0.0] } else { [0.0; 3] }
    }

    /// The published cut-offs (2D: 25 up to n = 29, 36 up to 49, 49 up to 57; 3D: 4), E_F + 7 k_B T in units of (2π/L)²
    /// where that is more, and more still where the ideal gas at this twist would lose more than [`LEFT_OUT`] by it.
    ///
    /// # Errors
    /// [`Error::User`] at temperatures where millions of orbitals would be needed.
    pub fn default_emax([up, down]: [usize; 2], dim: usize, theta: f64, twist: [f64; 3]) -> Result<u32> {
        let published = match (dim, up) {
            (2, 0..=29) => 25,
            (2, 30..=49) => 36,
            (2, 50..=57) => 49,
            (2, _) => 0,
            _ => 4,
        };
        let usual = (Self::fermi_square(up, dim) * (1.0 + 7.0 * theta)).ceil().min(1e6) as u32;
        Ok(usual.max(published).max(Complete::of([up, down], dim, theta, twist)?.emax(LEFT_OUT)))
    }

    /// Square of the Fermi momentum of an infinite system in units of (2π/L)², of n electrons of one spin.
    pub fn fermi_square(n: usize, dim: usize) -> f64 {
        if dim == 2 { n as f64 / PI } else { (3.0 * n as f64 / (4.0 * PI)).powf(2.0 / 3.0) }
    }

    /// Side of the box of n electrons in units of rs a0.
    pub fn side(n: usize, dim: usize) -> f64 {
        if dim == 2 { (PI * n as f64).sqrt() } else { (4.0 * PI * n as f64 / 3.0).cbrt() }
    }

    /// β in (Ry/rs²)⁻¹ at T/T_F = theta, T_F that of spin up, of which are so many of all electrons.
    pub fn inverse_temperature(dim: usize, theta: f64, share: f64) -> f64 {
        if dim == 2 { 1.0 / (4.0 * share * theta) } else { 1.0 / ((4.5 * PI * share).powf(2.0 / 3.0) * theta) }
    }

    /// Electrons of spin down, the last ones.
    pub fn down(&self) -> usize {
        self.n - self.up
    }

    /// How many electrons each spin has that has any.
    pub fn spins(&self) -> Vec<usize> {
        [self.up, self.down()].into_iter().filter(|n| *n > 0).collect()
    }

    /// Side L of the box in units of rs a0: one electron a disk (ball) of radius 1.
    pub fn length(&self) -> f64 {
        Self::side(self.n, self.dim)
    }

    /// Inverse temperature in (Ry/rs²)⁻¹.
    pub fn beta(&self) -> f64 {
        Self::inverse_temperature(self.dim, self.theta, self.up as f64 / self.n as f64)
    }

    /// Integer momenta m, highest energy first: sorted by |m+t|² ascending, equal energies in the order
    /// of the lattice (first component slowest, each from low to high), then reversed. The free ground
    /// state is the last n entries. Unused components are 0. With two spins all of them twice: for spin up, then for down.
    pub fn orbitals(&self) -> &[[i32; 3]] {
        &self.orbitals
    }

    /// Integer momenta m of the plane waves with |m + t| ≤ `most` (units of 2π/L), the lowest first, among the orbitals or not.
    pub fn plane_waves(&self, most: f64) -> Vec<[i32; 3]> {
        // the list is cut without the twist, which is shorter than 1
        let mut all = momenta_below((most + 1.0).powi(2) as u32, self.dim, self.twist);
        all.retain(|m| square(m, &self.twist) <= most * most);
        all
    }

    /// Number of orbitals M: of spin orbitals where there are two spins.
    pub fn orbital_count(&self) -> usize {
        self.orbitals.len()
    }

    /// Number of plane waves that each spin has.
    pub fn plane_wave_count(&self) -> usize {
        self.orbitals.len() / self.spins().len()
    }

    /// The canonical ideal gas of these electrons in these orbitals.
    ///
    /// # Errors
    /// As [`IdealGas::of_species`].
    pub fn ideal(&self) -> Result<IdealGas> {
        IdealGas::of_species(&self.energies(), &self.spins(), self.beta())
    }

    /// m + t of every orbital, M x `dim`, row-major. Times 2π/L this is the wave vector.
    pub fn momenta(&self) -> Vec<f64> {
        self.orbitals.iter().flat_map(|m| (0..self.dim).map(|c| m[c] as f64 + self.twist[c])).collect()
    }

    /// What tells orbitals apart, M rows of [`ElectronGas::label_count`] numbers: m + t, and with two spins s = ±1/2.
    pub fn labels(&self) -> Vec<f64> {
        let spin = |j: usize| if j < self.plane_wave_count() { 0.5 } else { -0.5 };
        let momenta = self.momenta();
        let row = |j: usize| momenta[j * self.dim..][..self.dim].iter().copied().chain((self.down() > 0).then(|| spin(j)));
        (0..self.orbital_count()).flat_map(row).collect()
    }

    /// Numbers of a label.
    pub fn label_count(&self) -> usize {
        self.dim + usize::from(self.down() > 0)
    }

    /// m + t as f32 rows of 4 (M x 4, zero padded): the table kernels read.
    pub fn momenta_padded(&self) -> Vec<f32> {
        self.orbitals
            .iter()
            .flat_map(|m| [0, 1, 2, 3].map(|c| if c < self.dim { (m[c] as f64 + self.twist[c]) as f32 } else { 0.0 }))
            .collect()
    }

    /// Kinetic energies (2π/L)² |m+t|² of all orbitals, Ry/rs².
    pub fn energies(&self) -> Vec<f64> {
        let k2 = (2.0 * PI / self.length()).powi(2);
        self.orbitals.iter().map(|m| k2 * square(m, &self.twist)).collect()
    }

    /// Indices of the free ground state, ascending: the last orbitals of each spin.
    pub fn ground_state(&self) -> impl Iterator<Item = usize> {
        let (m, all) = (self.plane_wave_count(), self.orbitals.len());
        (m - self.up..m).chain(all - self.down()..all)
    }

    /// ln of the normalisation L^(-nd/2) of the plane waves: add it to ln|det e^(ik·z)|.
    pub fn ln_norm(&self) -> f64 {
        -0.5 * (self.n * self.dim) as f64 * self.length().ln()
    }

    /// Whether the free ground state at T = 0 is unique (a closed shell).
    pub fn closed_shell(&self) -> bool {
        let closed = Self::closed_shells(self.dim, &self.twist[..self.dim], self.up);
        self.spins().iter().all(|n| closed.contains(n))
    }

    /// Numbers of electrons up to `most` whose free ground state is unique at this twist.
    pub fn closed_shells(dim: usize, twist: &[f64], most: usize) -> Vec<usize> {
        let mut t = [0.0; 3];
        t[..dim].copy_from_slice(&twist[..dim]);
        // the cut is without the twist: orbitals of |m+t|² below (√emax - |t|)² are complete
        let shift: f64 = t.iter().map(|v| v * v).sum::<f64>().sqrt();
        let mut emax = 1u32;
        loop {
            let all = momenta_below(emax, dim, t);
            let complete = (emax as f64).sqrt() - shift;
            let inside = all.iter().filter(|m| complete > 0.0 && square(m, &t) < complete * complete).count();
            if inside > most {
                return (1..=most).filter(|&n| key(&all[n - 1], &t) < key(&all[n], &t)).collect();
            }
            emax *= 2;
        }
    }
}

/// The plane waves of spin up, and those of spin down if there are such electrons.
fn spin_orbitals(plane_waves: Vec<[i32; 3]>, down: usize) -> Vec<[i32; 3]> {
    if down == 0 { plane_waves } else { [plane_waves.clone(), plane_waves].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_and_orbital_counts_are_the_published_ones() {
        for (n, dim, theta, count) in [(29, 2, 0.15, 81), (13, 2, 0.15, 81), (49, 2, 0.15, 113), (57, 2, 0.15, 149), (7, 3, 0.25, 33)] {
            let gas = ElectronGas::new(n, dim, 1.0, theta).unwrap();
            assert_eq!(gas.orbital_count(), count, "n = {n}");
        }
        let gas = ElectronGas::new(29, 2, 10.0, 0.15).unwrap();
        assert!((gas.length() - 9.544956100166413).abs() < 1e-14 && (gas.beta() - 1.6666666666666667).abs() < 1e-14);
        let gas = ElectronGas::new(7, 3, 2.0, 0.25).unwrap();
        assert!((gas.length() - 3.0836296752162995).abs() < 1e-14 && (gas.beta() - 0.6841506338828918).abs() < 1e-14);
    }

    /// Occupied orbitals at the edge of the Brillouin zone have |m|² far above |m+t|², and F of the ideal gas must not
    /// depend on where the cut is: exact 3.618786 Ry/rs² per electron.
    #[test]
    fn the_automatic_cut_counts_the_twist() {
        let gas = ElectronGas::with(27, 3, 0.0, 0.01, None, Some(&[0.5; 3])).unwrap();
        // the shell |m+t|² = 2.75 holds m = (-2, -1, -1)
        assert!(gas.emax >= 6, "emax = {}", gas.emax);
        let ideal = crate::system::IdealGas::new(&gas.energies(), 27, gas.beta()).unwrap();
        assert!((ideal.free_energy / 27.0 - 3.618786).abs() < 1e-5, "{}", ideal.free_energy / 27.0);
    }

    /// Whatever the gas, the cut adds less than LEFT_OUT k_B T per electron to the exact free energy.
    #[test]
    fn the_automatic_cut_leaves_little_out() {
        for (dim, most) in [(2, 57), (3, 40)] {
            for (i, n) in (1..=most).step_by(3).enumerate() {
                for theta in [0.01, 0.15, 0.5, 2.0] {
                    let t = [[0.0; 3], [0.5; 3], [0.25; 3], [-0.4, 0.3, 0.5]][i % 4];
                    let gas = ElectronGas::with(n, dim, 1.0, theta, None, Some(&t[..dim])).unwrap();
                    let whole = Complete::new(&gas).unwrap();
                    let cost = whole.cost(gas.emax);
                    assert!(cost <= LEFT_OUT, "n={n} dim={dim} theta={theta} {t:?}: {cost}");
                }
            }
        }
    }

    /// 7 + 7 electrons at rs = 5: k_F rs = (9π/4)^(1/3), and a Fermi sea of 0.627711 Ha.
    #[test]
    fn both_spins_fill_the_same_plane_waves() {
        let gas = ElectronGas::of_spins([7, 7], 3, 5.0, 0.1, None, None).unwrap();
        assert_eq!((gas.orbital_count(), gas.plane_wave_count(), gas.down()), (66, 33, 7));
        assert!(
            (1.0 / (gas.beta() * 0.1) - (2.25 * PI).powf(2.0 / 3.0)).abs() < 1e-12
                && (gas.length() - (56.0 * PI / 3.0).cbrt()).abs() < 1e-12
        );
        let sea: f64 = gas.ground_state().map(|j| gas.energies()[j]).sum();
        assert!((sea / 25.0 / 2.0 - 0.627711).abs() < 1e-6, "{sea}");
        assert!(gas.closed_shell() && !ElectronGas::of_spins([7, 6], 3, 5.0, 0.1, None, None).unwrap().closed_shell());
        let refused = ElectronGas::of_spins([6, 7], 3, 5.0, 0.1, None, None).unwrap_err().to_string();
        assert!(refused.contains("6 electrons of spin up and 7 of spin down"), "{refused}");
    }

    #[test]
    fn labels_tell_spins_apart() {
        let gas = ElectronGas::of_spins([3, 2], 2, 1.0, 0.3, None, None).unwrap();
        let labels = gas.labels();
        let m = gas.plane_wave_count();
        assert_eq!(labels.len(), 3 * 2 * m);
        for (j, label) in labels.chunks(3).enumerate() {
            assert_eq!((label[..2].to_vec(), label[2]), (gas.momenta()[2 * j..][..2].to_vec(), if j < m { 0.5 } else { -0.5 }));
        }
        let polarised = ElectronGas::new(5, 2, 1.0, 0.3).unwrap();
        assert_eq!(polarised.labels(), polarised.momenta());
    }

    #[test]
    fn energies_fall_along_the_table() {
        for dim in [2, 3] {
            let gas = ElectronGas::with(7, dim, 1.0, 0.3, Some(9), Some(&[0.1, -0.3, 0.5][..dim])).unwrap();
            let e = gas.energies();
            assert!(e.windows(2).all(|w| w[0] >= w[1] - 1e-9));
            assert_eq!(gas.ground_state().last(), Some(gas.orbital_count() - 1));
        }
    }

    #[test]
    fn degenerate_shells_keep_the_lattice_order() {
        let gas = ElectronGas::with(5, 2, 1.0, 0.3, Some(1), Some(&[0.0, 0.0])).unwrap();
        assert_eq!(gas.orbitals(), [[1, 0, 0], [0, 1, 0], [0, -1, 0], [-1, 0, 0], [0, 0, 0]]);
    }

    #[test]
    fn shells_close_where_they_should() {
        assert_eq!(ElectronGas::closed_shells(2, &[0.0, 0.0], 60), [1, 5, 9, 13, 21, 25, 29, 37, 45, 49, 57]);
        assert_eq!(ElectronGas::closed_shells(3, &[0.0; 3], 60), [1, 7, 19, 27, 33, 57]);
        assert!(ElectronGas::with(29, 2, 1.0, 0.15, None, Some(&[0.0, 0.0])).unwrap().closed_shell());
        assert!(!ElectronGas::with(30, 2, 1.0, 0.15, None, Some(&[0.0, 0.0])).unwrap().closed_shell());
    }

    #[test]
    fn bad_input_is_refused_with_a_remedy() {
        let text = |r: Result<ElectronGas>| match r {
            Err(Error::User(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(text(ElectronGas::with(30, 2, 1.0, 0.15, Some(4), None)).contains("raise emax to 10"));
        assert!(text(ElectronGas::new(5, 4, 1.0, 0.15)).contains("dim = 4"));
        assert!(text(ElectronGas::new(0, 2, 1.0, 0.15)).contains("n = 0"));
        for rs in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(text(ElectronGas::new(5, 2, rs, 0.15)).contains("rs ="));
        }
        for theta in [0.0, -0.1, f64::NAN] {
            assert!(text(ElectronGas::new(5, 2, 1.0, theta)).contains("theta ="));
        }
        for t in [-0.5, 0.6, f64::NAN] {
            assert!(text(ElectronGas::with(5, 2, 1.0, 0.15, None, Some(&[0.0, t]))).contains("twist"));
        }
        assert!(text(ElectronGas::with(5, 2, 1.0, 0.15, None, Some(&[0.0]))).contains("give 2"));
        assert!(ElectronGas::with(5, 2, 0.0, 0.15, None, Some(&[0.5, 0.5])).is_ok());
    }

    #[test]
    fn stored_tables_may_only_permute() {
        let gas = ElectronGas::new(5, 2, 1.0, 0.15).unwrap();
        let mut table = gas.orbitals().to_vec();
        table.swap(0, 1);
        assert_eq!(gas.clone().with_orbitals(table.clone()).unwrap().orbitals()[0], gas.orbitals()[1]);
        table[0] = [0, 0, 0];
        assert!(gas.with_orbitals(table).is_err());
    }
}
