//! Open lattices exactly, in a uniform field too: the transfer matrix, site by site.
//!
//! Sites are added in row order. What later sites see is the last site of every column, and on the triangular lattice the one
//! above the last: the sums of e^(-βE), E e^(-βE) and E² e^(-βE) over all others are kept for each of their 2^L (2^(L+1)) states.
//! All terms are positive: no digits are lost at any temperature. Binder, J. Comput. Phys. 8, 340 (1971).

use super::lattice::Lattice;
use super::thermodynamics::{Thermodynamics, temperature};
use crate::error::{Error, Result};

/// Largest L: seconds.
pub const MOST: usize = 16;

/// The open L x L lattice of [`super::Couplings::lattice`] in a field; 2^L L² operations.
///
/// # Errors
/// [`Error::User`] for L outside 3 to [`MOST`], J or h that are not finite, and a β that is negative or not finite.
pub fn exact(lattice: Lattice, side: usize, coupling: f64, field: f64, beta: f64) -> Result<Thermodynamics> {
    temperature(beta)?;
    if !(3..=MOST).contains(&side) || !coupling.is_finite() || !field.is_finite() {
        return Err(Error::User(format!(
            "transfer matrix: L = {side}, J = {coupling}, h = {field}; give L from 3 to {MOST}, finite J and h"
        )));
    }
    let diagonal = lattice == Lattice::Triangular;
    let size = 1usize << (side + diagonal as usize);
    // weight, and its first two moments of the energy above that of all bonds satisfied
    let mut sums = vec![[0.0f64; 3]; size];
    sums[0][0] = 1.0;
    let (mut ln, mut least) = (0.0, 0.0);
    for (i, j) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
        let bonds = [i > 0, j > 0, diagonal && i > 0 && j > 0].map(|there| there as u8 as f64 * coupling);
        let satisfied = bonds.iter().map(|b| b.abs()).sum::<f64>() + field.abs();
        least -= satisfied;
        // by the bits of the site, its neighbours above, left, and diagonally above
        let steps: [(f64, f64); 16] = std::array::from_fn(|bits| {
            let [s, up, left, across] = [0, 1, 2, 3].map(|b| 1.0 - 2.0 * (bits >> b & 1) as f64);
            let above = satisfied - s * (bonds[0] * up + bonds[1] * left + bonds[2] * across + field);
            ((-beta * above).exp(), above)
        });
        let mixed = 1 << j | if diagonal { 1 << side } else { 0 };
        for state in (0..size).filter(|c| c & mixed == 0) {
            let left = if j > 0 { state >> (j - 1) & 1 } else { 0 };
            let place = |column: usize, across: usize| state | column << j | across << side;
            let mut new = [[0.0; 3]; 4];
            for (up, across) in [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().take(if diagonal { 4 } else { 2 }) {
                let [one, first, second] = sums[place(up, across)];
                for s in 0..2 {
                    let (weight, above) = steps[s | up << 1 | left << 2 | across << 3];
                    // what was above is diagonally above the next site
                    let to = &mut new[s | if diagonal { up << 1 } else { 0 }];
                    to[0] += weight * one;
                    to[1] += weight * (first + above * one);
                    to[2] += weight * (second + above * (2.0 * first + above * one));
                }
            }
            for (s, across) in [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().take(if diagonal { 4 } else { 2 }) {
                sums[place(s, across)] = new[s | across << 1];
            }
        }
        let largest = sums.iter().map(|s| s[0]).fold(0.0, f64::max);
        sums.iter_mut().flatten().for_each(|x| *x /= largest);
        ln += largest.ln();
    }
    let [one, first, second] = sums.iter().fold([0.0; 3], |t, s| [t[0] + s[0], t[1] + s[1], t[2] + s[2]]);
    let mean = first / one;
    Ok(Thermodynamics {
        n: side * side,
        beta,
        ln_z: ln + one.ln() - beta * least,
        energy: Some(least + mean),
        heat_capacity: Some(beta * beta * (second / one - mean * mean)),
    })
}
