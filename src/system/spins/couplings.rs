//! Pair couplings and fields of Ising spins.

use crate::error::{Error, Result};

/// Most spins of a model.
pub const MOST_SPINS: usize = 1 << 20;

/// One pair, i < j.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bond {
    /// The earlier site.
    pub i: usize,
    /// The later site.
    pub j: usize,
    /// J_ij.
    pub coupling: f64,
}

/// An Ising model of n spins s_i = ±1,
///
/// E(s) = offset - Σ_{i<j} J_ij s_i s_j - Σ_i h_i s_i,
///
/// each pair once. The offset is 0 but for a QUBO problem, whose costs the energies then are.
#[derive(Clone, Debug, PartialEq)]
pub struct Couplings {
    n: usize,
    bonds: Vec<Bond>,
    fields: Vec<f64>,
    pub(super) offset: f64,
}

/// The neighbours of every site: those of site i lie at `starts[i]..starts[i + 1]`, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// n + 1 places.
    pub starts: Vec<u32>,
    /// Each bond from both ends.
    pub sites: Vec<u32>,
    /// J_ij to each of them.
    pub couplings: Vec<f64>,
}

impl Neighbours {
    /// (site, J) of the neighbours of site i.
    pub fn of(&self, i: usize) -> impl Iterator<Item = (usize, f64)> {
        let own = self.starts[i] as usize..self.starts[i + 1] as usize;
        self.sites[own.clone()].iter().map(|&j| j as usize).zip(self.couplings[own].iter().copied())
    }
}

/// Refuses what kernels cannot hold.
fn finite(name: impl Fn() -> String, value: f64) -> Result<()> {
    if (value as f32).is_finite() {
        return Ok(());
    }
    let what = if value.is_finite() { "beyond single precision (3.4e38)" } else { "not a finite number" };
    Err(Error::User(format!("{} = {value} is {what}; every coupling and field must be finite", name())))
}

/// Refuses models without a pair, and those that no device holds.
pub(super) fn sized(n: usize) -> Result<()> {
    match n {
        0 | 1 => Err(Error::User(format!("n = {n}; a model of coupled spins has at least 2"))),
        2..=MOST_SPINS => Ok(()),
        _ => Err(Error::User(format!("n = {n}; at most {MOST_SPINS} spins are possible"))),
    }
}

impl Couplings {
    /// The model of n spins with these (i, j, J_ij), in either order of i and j; pairs with J = 0 are left out.
    ///
    /// # Errors
    /// [`Error::User`] for n < 2, a site beyond n, i = j, a pair given twice, and what is not finite in single precision.
    pub fn from_bonds(n: usize, bonds: impl IntoIterator<Item = (usize, usize, f64)>) -> Result<Couplings> {
        sized(n)?;
        let mut all = Vec::new();
        for (i, j, coupling) in bonds {
            if i.max(j) >= n {
                return Err(Error::User(format!("a bond of sites {i} and {j}; the sites are 0 to {}", n - 1)));
            }
            if i == j {
                return Err(Error::User(format!("a bond of site {i} with itself; s² = 1 is a constant, leave it out")));
            }
            finite(|| format!("J[{i}][{j}]"), coupling)?;
            all.push(Bond { i: i.min(j), j: i.max(j), coupling });
        }
        all.sort_by_key(|b| (b.i, b.j));
        if let Some(twice) = all.windows(2).find(|w| (w[0].i, w[0].j) == (w[1].i, w[1].j)) {
            let Bond { i, j, coupling } = twice[0];
            return Err(Error::User(format!(
                "the bond of sites {i} and {j} is given twice ({coupling} and {}); keep one",
                twice[1].coupling
            )));
        }
        all.retain(|b| b.coupling != 0.0);
        Ok(Couplings { n, bonds: all, fields: vec![0.0; n], offset: 0.0 })
    }

    /// The model of a symmetric row-major n x n matrix J with zero diagonal.
    ///
    /// # Errors
    /// [`Error::User`] names the first entry that is not finite in single precision, on the diagonal and not 0, or differs
    /// from its mirror image by more than 1e-6 of it (the one above the diagonal counts); also n < 2 and another length.
    pub fn from_dense(n: usize, matrix: &[f64]) -> Result<Couplings> {
        sized(n)?;
        if matrix.len() != n * n {
            return Err(Error::User(format!("{} numbers for J of {n} spins; give n² = {}", matrix.len(), n * n)));
        }
        for (at, value) in matrix.iter().enumerate() {
            finite(|| format!("J[{}][{}]", at / n, at % n), *value)?;
        }
        for i in 0..n {
            let own = matrix[i * n + i];
            if own != 0.0 {
                return Err(Error::User(format!("J[{i}][{i}] = {own} on the diagonal; s² = 1 makes it a constant, set it to 0")));
            }
            for j in i + 1..n {
                let (above, below) = (matrix[i * n + j], matrix[j * n + i]);
                if (above - below).abs() > 1e-6 * above.abs().max(below.abs()) {
                    return Err(Error::User(format!(
                        "J[{i}][{j}] = {above}, but J[{j}][{i}] = {below}; J must be symmetric (of a triangle, give J + Jᵀ)"
                    )));
                }
            }
        }
        Couplings::from_bonds(n, (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j, matrix[i * n + j]))))
    }

    /// The same couplings with these fields h_i.
    ///
    /// # Errors
    /// [`Error::User`] if there are not n of them, or one is not finite in single precision.
    pub fn with_fields(mut self, fields: &[f64]) -> Result<Couplings> {
        if fields.len() != self.n {
            return Err(Error::User(format!("{} fields h for {} spins; give one a spin", fields.len(), self.n)));
        }
        for (i, h) in fields.iter().enumerate() {
            finite(|| format!("h[{i}]"), *h)?;
        }
        self.fields = fields.to_vec();
        Ok(self)
    }

    /// The same couplings in a uniform field h.
    ///
    /// # Errors
    /// [`Error::User`] if it is not finite in single precision.
    pub fn with_field(self, field: f64) -> Result<Couplings> {
        let fields = vec![field; self.n];
        self.with_fields(&fields)
    }

    /// Number of spins.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Every pair with J ≠ 0 once, in order of i, then j.
    pub fn bonds(&self) -> &[Bond] {
        &self.bonds
    }

    /// h_i.
    pub fn fields(&self) -> &[f64] {
        &self.fields
    }

    /// What is added to every energy.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// Whether E(-s) = E(s): no field.
    pub fn is_even(&self) -> bool {
        self.fields.iter().all(|h| *h == 0.0)
    }

    /// J row-major, n x n, symmetric with zero diagonal.
    pub fn dense(&self) -> Vec<f64> {
        let mut matrix = vec![0.0; self.n * self.n];
        for b in &self.bonds {
            matrix[b.i * self.n + b.j] = b.coupling;
            matrix[b.j * self.n + b.i] = b.coupling;
        }
        matrix
    }

    /// As lists of neighbours (compressed sparse rows).
    pub fn neighbours(&self) -> Neighbours {
        let mut starts = vec![0u32; self.n + 1];
        self.bonds.iter().for_each(|b| [b.i, b.j].iter().for_each(|end| starts[end + 1] += 1));
        (0..self.n).for_each(|i| starts[i + 1] += starts[i]);
        let (mut sites, mut couplings) = (vec![0; 2 * self.bonds.len()], vec![0.0; 2 * self.bonds.len()]);
        let mut next = starts.clone();
        // in the order of bonds, those of a site come in ascending order
        for b in &self.bonds {
            for (site, other) in [(b.i, b.j), (b.j, b.i)] {
                let place = next[site] as usize;
                (sites[place], couplings[place]) = (other as u32, b.coupling);
                next[site] += 1;
            }
        }
        Neighbours { starts, sites, couplings }
    }

    /// The model that single precision holds: couplings and fields rounded to f32, as kernels read them.
    pub fn rounded(&self) -> Couplings {
        let round = |x: f64| x as f32 as f64;
        let bonds = self.bonds.iter().map(|b| Bond { coupling: round(b.coupling), ..*b }).collect();
        Couplings { n: self.n, bonds, fields: self.fields.iter().map(|&h| round(h)).collect(), offset: self.offset }
    }

    /// E(s).
    ///
    /// # Panics
    /// If there are not n spins.
    pub fn energy(&self, spins: &[i8]) -> f64 {
        assert_eq!(spins.len(), self.n, "spins of a model");
        let pairs: f64 = self.bonds.iter().map(|b| b.coupling * (spins[b.i] * spins[b.j]) as f64).sum();
        let singles: f64 = self.fields.iter().zip(spins).map(|(h, s)| h * *s as f64).sum();
        self.offset - pairs - singles
    }
}

#[cfg(test)]
mod tests;
