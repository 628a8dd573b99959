//! Ising models on L x L lattices, site (i, j) at i L + j.

use super::couplings::Couplings;
use crate::error::{Error, Result};

crate::config::choice!(
    /// Which neighbours are coupled.
    Lattice, "square or triangular":
        /// (i, j) with (i + 1, j) and (i, j + 1).
        #[default]
        Square = "square",
        /// Those of the square lattice and (i + 1, j + 1).
        Triangular = "triangular");
crate::config::choice!(
    /// What happens at the edges.
    Boundary, "periodic or open":
        /// A torus.
        #[default]
        Periodic = "periodic",
        /// No bond leads over an edge.
        Open = "open");

impl Lattice {
    /// Steps (down, right) to the neighbours of which each bond is counted from.
    pub fn steps(self) -> &'static [(usize, usize)] {
        match self {
            Lattice::Square => &[(1, 0), (0, 1)],
            Lattice::Triangular => &[(1, 0), (0, 1), (1, 1)],
        }
    }

    /// Bonds of a site on the torus.
    pub fn degree(self) -> usize {
        2 * self.steps().len()
    }
}

impl Lattice {
    /// Permutations of the sites of an L x L lattice that take bonds to bonds, whether its boundary is periodic or open: site i
    /// of an image is site p\[i\]. Of the eight rotations and reflections of the square those that keep the steps to neighbours:
    /// all of them for the square lattice, half of them for the triangular one, whose third bond is one diagonal. The first
    /// leaves all sites alone; together they are a group.
    pub fn images(self, side: usize) -> Vec<Vec<usize>> {
        let last = side - 1;
        let turned = |image: usize, i: usize, j: usize| {
            let (i, j) = if image & 1 == 0 { (i, j) } else { (j, i) };
            (if image & 2 == 0 { i } else { last - i }, if image & 4 == 0 { j } else { last - j })
        };
        // a diagonal that goes down and to the right still does, or goes up and to the left
        let keeps = |image: &usize| self == Lattice::Square || (image & 2 == 0) == (image & 4 == 0);
        let site = |image: usize, s: usize| {
            let (i, j) = turned(image, s / side, s % side);
            i * side + j
        };
        (0..8).filter(keeps).map(|image| (0..side * side).map(|s| site(image, s)).collect()).collect()
    }
}

impl Couplings {
    /// J on every bond of an L x L lattice: 1 the ferromagnet, -1 the antiferromagnet.
    ///
    /// # Errors
    /// [`Error::User`] for L < 3, and J that is 0 or not finite.
    pub fn lattice(lattice: Lattice, side: usize, boundary: Boundary, coupling: f64) -> Result<Couplings> {
        if side < 3 {
            return Err(Error::User(format!("lattice: L = {side}; give L ≥ 3 (at L = 2 the wrap would count every bond twice)")));
        }
        if !coupling.is_finite() || coupling == 0.0 {
            return Err(Error::User(format!("lattice: J = {coupling}; give 1 for the ferromagnet, -1 for the antiferromagnet")));
        }
        let sites = side.checked_mul(side).filter(|n| *n <= super::couplings::MOST_SPINS);
        let sites = sites.ok_or_else(|| Error::User(format!("lattice: L = {side}; at most 1024 is possible")))?;
        let mut bonds = Vec::with_capacity(lattice.steps().len() * sites);
        for (i, j) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
            for (down, right) in lattice.steps() {
                let (k, l) = (i + down, j + right);
                if boundary == Boundary::Periodic || k.max(l) < side {
                    bonds.push((i * side + j, k % side * side + l % side, coupling));
                }
            }
        }
        Couplings::from_bonds(sites, bonds)
    }
}
