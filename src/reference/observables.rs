//! Twin of `structure_factor`, `pair_histogram`, `occupation_shells` and `bin_sums`.

/// 1/(n V) Σ over `vectors` m of |Σ_i exp(2πi m·x_i/L)|² of one walker; x: n x dim.
pub fn structure_factor(x: &[f64], dim: usize, length: f64, vectors: &[[i32; 3]]) -> f64 {
    let square = |m: &[i32; 3]| {
        let (mut re, mut im) = (0.0, 0.0);
        for r in x.chunks(dim) {
            let phase = std::f64::consts::TAU * r.iter().zip(m).map(|(r, m)| r / length * f64::from(*m)).sum::<f64>();
            re += phase.cos();
            im += phase.sin();
        }
        re * re + im * im
    };
    vectors.iter().map(square).sum::<f64>() / (vectors.len() * (x.len() / dim)) as f64
}

/// Distances of all pairs of one walker to the nearest image, over L.
pub fn distances(x: &[f64], dim: usize, length: f64) -> Vec<f64> {
    let rows: Vec<&[f64]> = x.chunks(dim).collect();
    let between = |a: &[f64], b: &[f64]| {
        let parts = a.iter().zip(b).map(|(a, b)| (a - b) / length);
        parts.map(|u| (u - u.round()).powi(2)).sum::<f64>().sqrt()
    };
    (0..rows.len()).flat_map(|i| (0..i).map(|j| between(rows[i], rows[j])).collect::<Vec<_>>()).collect()
}

/// Pairs in each of `bins` parts of 0 to L/2.
pub fn pair_histogram(distances: &[f64], bins: usize) -> Vec<f64> {
    let mut counts = vec![0.0; bins];
    for r in distances {
        if let Some(count) = counts.get_mut((2.0 * bins as f64 * r) as usize) {
            *count += 1.0;
        }
    }
    counts
}

/// Share of the orbitals of each shell that a state occupies.
pub fn occupation_shells(state: &[u32], shells: &[u32], count: usize) -> Vec<f64> {
    let of = |s: usize| shells.iter().filter(|t| **t as usize == s).count() as f64;
    (0..count).map(|s| state.iter().filter(|k| shells[**k as usize] as usize == s).count() as f64 / of(s)).collect()
}

/// Sums of the columns of rows that count, and of their squares.
pub fn bin_sums(rows: &[Vec<f64>], counts: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let columns = rows.first().map_or(0, Vec::len);
    let sum = |c: usize, power: i32| rows.iter().zip(counts).filter(|(_, counts)| **counts).map(|(row, _)| row[c].powi(power)).sum();
    ((0..columns).map(|c| sum(c, 1)).collect(), (0..columns).map(|c| sum(c, 2)).collect())
}
