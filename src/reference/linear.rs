//! Twin of `linear` and `outer`: dense products of unpadded row-major matrices.

/// Y = X W + b: `x` rows x k, `w` k x n, `b` n or empty.
pub fn linear(x: &[f64], w: &[f64], b: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len() / k.max(1) * n);
    for row in x.chunks(k) {
        for c in 0..n {
            let bias = if b.is_empty() { 0.0 } else { b[c] };
            y.push(bias + row.iter().enumerate().map(|(r, v)| v * w[r * n + c]).sum::<f64>());
        }
    }
    y
}

/// Xᵀ Y: `x` rows x f, `y` rows x c; result f x c.
pub fn outer(x: &[f64], y: &[f64], f: usize, c: usize) -> Vec<f64> {
    let mut g = vec![0.0; f * c];
    for (xr, yr) in x.chunks(f).zip(y.chunks(c)) {
        for (i, a) in xr.iter().enumerate() {
            for (j, b) in yr.iter().enumerate() {
                g[i * c + j] += a * b;
            }
        }
    }
    g
}
