//! Twin of the `lu_*` kernels: elimination with partial pivoting in float64.

/// ln|det| and sign of a row-major m x m matrix; (-1e30, 0) if a pivot is zero or not finite.
pub fn real(a: &[f64], m: usize) -> (f64, f64) {
    let pairs: Vec<f64> = a.iter().flat_map(|&x| [x, 0.0]).collect();
    let (logdet, phase) = complex(&pairs, m);
    (logdet, if logdet <= -1e30 { 0.0 } else { phase.cos().round() })
}

/// ln|det| and phase of a row-major m x m matrix of (re, im); (-1e30, 0) if a pivot is zero or not finite.
pub fn complex(a: &[f64], m: usize) -> (f64, f64) {
    let mut a = a.to_vec();
    let at = |i: usize, j: usize| 2 * (i * m + j);
    let (mut logdet, mut phase) = (0.0, 0.0);
    for k in 0..m {
        let size = |a: &[f64], i: usize| a[at(i, k)].hypot(a[at(i, k) + 1]);
        let r = (k..m).max_by(|&i, &j| size(&a, i).total_cmp(&size(&a, j))).unwrap_or(k);
        let pivot = [a[at(r, k)], a[at(r, k) + 1]];
        let norm = pivot[0].hypot(pivot[1]);
        if norm == 0.0 || !norm.is_finite() {
            return (-1e30, 0.0);
        }
        logdet += norm.ln();
        phase += pivot[1].atan2(pivot[0]);
        if r != k {
            phase += std::f64::consts::PI;
            for j in 0..m {
                a.swap(at(k, j), at(r, j));
                a.swap(at(k, j) + 1, at(r, j) + 1);
            }
        }
        for i in k + 1..m {
            let (x, y) = (a[at(i, k)] / norm, a[at(i, k) + 1] / norm);
            let f = [(x * pivot[0] + y * pivot[1]) / norm, (y * pivot[0] - x * pivot[1]) / norm];
            for j in k..m {
                let (re, im) = (a[at(k, j)], a[at(k, j) + 1]);
                a[at(i, j)] -= f[0] * re - f[1] * im;
                a[at(i, j) + 1] -= f[0] * im + f[1] * re;
            }
        }
    }
    (logdet, phase.sin().atan2(phase.cos()))
}
