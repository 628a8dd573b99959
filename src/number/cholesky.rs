//! Dense symmetric positive definite matrices in float64, row-major.

/// L with A = L Lᵀ of a row-major n x n matrix, in place (lower triangle); `None` if a pivot is not positive.
pub fn cholesky(a: &mut [f64], n: usize) -> Option<()> {
    for j in 0..n {
        for k in 0..j {
            let f = a[j * n + k];
            for i in j..n {
                a[i * n + j] -= f * a[i * n + k];
            }
        }
        let d = a[j * n + j];
        if d.is_nan() || d <= 0.0 {
            return None;
        }
        for i in j..n {
            a[i * n + j] /= d.sqrt();
        }
    }
    Some(())
}

/// Solves L Lᵀ x = b in place.
pub fn cholesky_solve(l: &[f64], n: usize, b: &mut [f64]) {
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| l[i * n + k] * b[k]).sum();
        b[i] = (b[i] - sum) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| l[k * n + i] * b[k]).sum();
        b[i] = (b[i] - sum) / l[i * n + i];
    }
}

/// A⁻¹ of a symmetric positive definite n x n matrix; `None` if it is not.
pub fn inverse(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut factor = a.to_vec();
    cholesky(&mut factor, n)?;
    let mut inverse = vec![0.0; n * n];
    // A⁻¹ is symmetric: its columns are its rows
    for (i, row) in inverse.chunks_mut(n).enumerate() {
        row[i] = 1.0;
        cholesky_solve(&factor, n, row);
    }
    Some(inverse)
}
