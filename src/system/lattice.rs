//! Integer momenta in order of their energy.

/// |m+t|².
pub(super) fn square(m: &[i32; 3], twist: &[f64; 3]) -> f64 {
    m.iter().zip(twist).map(|(m, t)| (*m as f64 + t).powi(2)).sum()
}

/// |m+t|² in units of 1e-9, so that rounding does not split a degenerate shell.
pub(super) fn key(m: &[i32; 3], twist: &[f64; 3]) -> i64 {
    (square(m, twist) * 1e9).round() as i64
}

/// Integer vectors with |m|² ≤ emax by |m+t|² ascending, equal ones in lattice order.
pub(super) fn momenta_below(emax: u32, dim: usize, twist: [f64; 3]) -> Vec<[i32; 3]> {
    let r = (emax as f64).sqrt() as i32;
    let depth = if dim == 3 { r } else { 0 };
    let mut all = Vec::new();
    for a in -r..=r {
        for b in -r..=r {
            for c in -depth..=depth {
                if (a * a + b * b + c * c) as i64 <= emax as i64 {
                    all.push([a, b, c]);
                }
            }
        }
    }
    all.sort_by_key(|m| key(m, &twist));
    all
}
