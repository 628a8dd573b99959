//! Twin of `couplings`, `neighbours` and `stencil`: energies of spins ±1 by plain loops.

/// -Σ_{i<j} J_ij s_i s_j - Σ_i h_i s_i; `couplings` n x n, `fields` n.
pub fn energy(spins: &[f64], couplings: &[f64], fields: &[f64]) -> f64 {
    let n = spins.len();
    let mut energy = 0.0;
    for i in 0..n {
        energy -= fields[i] * spins[i];
        for j in i + 1..n {
            energy -= couplings[i * n + j] * spins[i] * spins[j];
        }
    }
    energy
}

/// Bonds (site, site) of a lattice of `side` x `side` sites, each once: to the right, below, and below to the right.
pub fn lattice(side: usize, triangular: bool, periodic: bool) -> Vec<(usize, usize)> {
    let mut bonds = Vec::new();
    for i in 0..side {
        for j in 0..side {
            for (di, dj) in [(0, 1), (1, 0), (1, 1)] {
                let inside = i + di < side && j + dj < side;
                if (inside || periodic) && (triangular || di + dj == 1) {
                    bonds.push((i * side + j, (i + di) % side * side + (j + dj) % side));
                }
            }
        }
    }
    bonds
}

/// -J Σ_bonds s s' - h Σ s of such a lattice.
pub fn stencil(spins: &[f64], bonds: &[(usize, usize)], coupling: f64, field: f64) -> f64 {
    let pairs: f64 = bonds.iter().map(|&(i, j)| spins[i] * spins[j]).sum();
    -coupling * pairs - field * spins.iter().sum::<f64>()
}
