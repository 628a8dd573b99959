//! Twin of `free_energy`, `free_energy_factors` and `importance`: what one sample adds to each column.

/// ln q, E and M of a sample.
pub type Sample = [f64; 3];

/// R, E, ln q, |m|, m², m⁴, m with m = M/n.
pub fn values([log_q, energy, magnetisation]: Sample, beta: f64, sites: usize) -> [f64; 7] {
    let m = magnetisation / sites as f64;
    [log_q + beta * energy, energy, log_q, m.abs(), m * m, m.powi(4), m]
}

/// Columns of `free_energy` from the deviations of the values from the centre.
pub fn moments(d: [f64; 7]) -> [f64; 20] {
    let mut row = [0.0; 20];
    row[0] = 1.0;
    row[1..7].copy_from_slice(&d[..6]);
    d[..6].iter().enumerate().for_each(|(k, d)| row[7 + k] = d * d);
    (row[13], row[14], row[15], row[16]) = (d[3] * d[4], d[4] * d[5], d[1].powi(3), d[1].powi(4));
    (row[17], row[18]) = (d[6], d[6] * d[6]);
    row
}

/// Columns of `importance` from the same and the weight; 15, which is no sum, stays 0.
pub fn weighted(d: [f64; 7], weight: f64) -> [f64; 20] {
    let mut row = [0.0; 20];
    for (k, d) in [d[1], d[3], d[4], d[5]].into_iter().enumerate() {
        (row[k], row[4 + k], row[8 + k]) = (weight * d, weight * weight * d, (weight * d).powi(2));
    }
    (row[12], row[13], row[14], row[16]) = (weight, weight * weight, weight * d[1] * d[1], 1.0);
    (row[18], row[19]) = (1.0 - weight, (1.0 - weight).powi(2));
    row
}

/// `scale` (R - mean of R over the other samples); 0 for a sample that is not finite.
pub fn factors(samples: &[Sample], beta: f64, scale: f64) -> Vec<f64> {
    let counts = |s: &Sample| s.iter().all(|v| v.is_finite());
    let reduced = |s: &Sample| s[0] + beta * s[1];
    let others = |w: usize| samples.iter().enumerate().filter(move |(v, s)| *v != w && counts(s)).map(|(_, s)| reduced(s));
    let one = |(w, s): (usize, &Sample)| match others(w).count() {
        count if count > 0 && counts(s) => scale * (reduced(s) - others(w).sum::<f64>() / count as f64),
        _ => 0.0,
    };
    samples.iter().enumerate().map(one).collect()
}
