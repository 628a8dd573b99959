//! Twin of `distinct_*`: the distinct states among walkers.

/// Two hashes of a state.
pub fn hash(state: &[u32]) -> [u32; 2] {
    let (mut a, mut b) = (0x811c_9dc5_u32, 0x9e37_79b9_u32);
    for &s in state {
        a = (a ^ s).wrapping_mul(0x0100_0193);
        a ^= a >> 15;
        b = b.wrapping_add(s).wrapping_mul(0x85eb_ca6b);
        b ^= b >> 13;
    }
    [a, b]
}

/// Walkers grouped by state.
#[derive(Debug, Clone, PartialEq)]
pub struct Distinct {
    /// First walker in the same state.
    pub first: Vec<u32>,
    /// Row of its state.
    pub place: Vec<u32>,
    /// The distinct states in the order of their first walkers, and how many walkers each has.
    pub states: Vec<Vec<u32>>,
    pub counts: Vec<usize>,
}

/// Groups walkers with states of `n` orbitals.
pub fn distinct(states: &[u32], n: usize) -> Distinct {
    let mut d = Distinct { first: Vec::new(), place: Vec::new(), states: Vec::new(), counts: Vec::new() };
    let mut firsts = Vec::new();
    for (w, state) in states.chunks(n).enumerate() {
        let row = d.states.iter().position(|s| s == state).unwrap_or(d.states.len());
        if row == d.states.len() {
            d.states.push(state.to_vec());
            d.counts.push(0);
            firsts.push(w as u32);
        }
        d.counts[row] += 1;
        d.first.push(firsts[row]);
        d.place.push(row as u32);
    }
    d
}

/// Σ weight / √c of each row.
pub fn weights(d: &Distinct, weights: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; d.states.len()];
    d.place.iter().zip(weights).for_each(|(row, w)| sum[*row as usize] += w);
    sum.iter().zip(&d.counts).map(|(s, c)| s / (*c as f64).sqrt()).collect()
}
