//! Twin of `slater`, `slater_gradient` and `slater_laplacian`: determinants of plane waves.

use super::complex::Complex;

/// M_ia = exp(i k_a·z_i): `z` n x dim, `k` n x dim; rows particles. 0 where one is among the first `up` and the other is not.
pub fn matrix(z: &[f64], k: &[f64], dim: usize, up: usize) -> Vec<Complex> {
    let wave = |zi: &[f64], ka: &[f64]| Complex::phase(zi.iter().zip(ka).map(|(z, k)| z * k).sum());
    let row = |(i, zi)| {
        let element = move |(a, ka)| if (i < up) == (a < up) { wave(zi, ka) } else { Complex::default() };
        k.chunks(dim).enumerate().map(element)
    };
    z.chunks(dim).enumerate().flat_map(row).collect()
}

/// (ln det, inverse) of a complex n x n matrix, by Gauss-Jordan with row pivoting; the imaginary part of
/// ln det is a phase.
pub fn ln_det_inverse(m: &[Complex], n: usize) -> (Complex, Vec<Complex>) {
    let mut a = m.to_vec();
    let mut b = vec![Complex::default(); n * n];
    for i in 0..n {
        b[i * n + i] = Complex::new(1.0, 0.0);
    }
    let mut ln = Complex::default();
    for c in 0..n {
        let best = (c..n).max_by(|&x, &y| a[x * n + c].norm2().total_cmp(&a[y * n + c].norm2())).unwrap();
        if best != c {
            for q in 0..n {
                a.swap(best * n + q, c * n + q);
                b.swap(best * n + q, c * n + q);
            }
            ln.im += std::f64::consts::PI;
        }
        let pivot = a[c * n + c];
        ln += Complex::new(0.5 * pivot.norm2().ln(), pivot.im.atan2(pivot.re));
        let scale = pivot.inverse();
        for q in 0..n {
            a[c * n + q] = a[c * n + q] * scale;
            b[c * n + q] = b[c * n + q] * scale;
        }
        for r in (0..n).filter(|&r| r != c) {
            let f = a[r * n + c];
            for q in 0..n {
                a[r * n + q] = a[r * n + q] - f * a[c * n + q];
                b[r * n + q] = b[r * n + q] - f * b[c * n + q];
            }
        }
    }
    (ln, b)
}

/// C^c_ij = Σ_a M_ia (i k_a)_c M⁻¹_aj as \[i\]\[c\]\[j\], and its diagonal, the gradient of ln det M, as \[i\]\[c\].
pub fn current(m: &[Complex], inverse: &[Complex], k: &[f64], dim: usize) -> (Vec<Complex>, Vec<Complex>) {
    let n = k.len() / dim;
    let mut c = vec![Complex::default(); n * dim * n];
    let mut gradient = vec![Complex::default(); n * dim];
    for i in 0..n {
        for axis in 0..dim {
            for j in 0..n {
                let sum: Complex = (0..n).map(|a| m[i * n + a] * Complex::new(0.0, k[a * dim + axis]) * inverse[a * n + j]).sum();
                c[(i * dim + axis) * n + j] = sum;
                if i == j {
                    gradient[i * dim + axis] = sum;
                }
            }
        }
    }
    (c, gradient)
}

/// Second derivatives S_pq = ∂² ln det M/∂z_p ∂z_q, p = (particle, component): (n dim)².
pub fn hessian(m: &[Complex], inverse: &[Complex], k: &[f64], dim: usize) -> Vec<Complex> {
    let n = k.len() / dim;
    let (c, _) = current(m, inverse, k, dim);
    let mut s = Vec::new();
    for p in 0..n * dim {
        for q in 0..n * dim {
            let (i, j) = (p / dim, q / dim);
            let mut value = -(c[p * n + j] * c[q * n + i]);
            if i == j {
                value += (0..n).map(|a| (m[i * n + a] * inverse[a * n + i]).scale(-k[a * dim + p % dim] * k[a * dim + q % dim])).sum();
            }
            s.push(value);
        }
    }
    s
}

/// Σ_pq S_pq (J Jᵀ)_pq with `jacobian` (n dim)², row = output.
pub fn trace(hessian: &[Complex], jacobian: &[f64], size: usize) -> Complex {
    let row = |p: usize| &jacobian[p * size..][..size];
    let mut sum = Complex::default();
    for p in 0..size {
        for q in 0..size {
            let gram: f64 = row(p).iter().zip(row(q)).map(|(a, b)| a * b).sum();
            sum += hessian[p * size + q].scale(gram);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> (Vec<f64>, Vec<f64>) {
        let z = vec![0.3, 1.9, 2.2, 0.4, 1.1, 1.3, 2.9, 2.5, 0.1, 0.8];
        let k = vec![0.25, 0.25, -0.75, 0.25, 0.25, -0.75, 1.25, 0.25, -0.75, -0.75];
        (z, k)
    }

    #[test]
    fn inverse_times_matrix_is_one() {
        let (z, k) = setup();
        for up in [5, 3] {
            let m = matrix(&z, &k, 2, up);
            let (_, b) = ln_det_inverse(&m, 5);
            for i in 0..5 {
                for j in 0..5 {
                    let e: Complex = (0..5).map(|a| m[i * 5 + a] * b[a * 5 + j]).sum();
                    let want = if i == j { 1.0 } else { 0.0 };
                    assert!((e.re - want).abs() < 1e-12 && e.im.abs() < 1e-12);
                }
            }
        }
    }

    /// Central differences of ln det: h = 1e-4, error h² times the third derivative (of order 100).
    #[test]
    fn derivatives_are_those_of_the_determinant() {
        derivatives_of(5);
        derivatives_of(3);
    }

    fn derivatives_of(up: usize) {
        let (z, k) = setup();
        let m = matrix(&z, &k, 2, up);
        let (_, b) = ln_det_inverse(&m, 5);
        let (_, gradient) = current(&m, &b, &k, 2);
        let s = hessian(&m, &b, &k, 2);
        let h = 1e-4;
        for p in 0..10 {
            let at = |step: f64| {
                let mut y = z.clone();
                y[p] += step;
                let m = matrix(&y, &k, 2, up);
                let (ln, b) = ln_det_inverse(&m, 5);
                (ln, current(&m, &b, &k, 2).1)
            };
            let ((up, gu), (down, gd)) = (at(h), at(-h));
            // the phase is known modulo π
            let turn = |v: f64| v - std::f64::consts::PI * (v / std::f64::consts::PI).round();
            assert!(((up.re - down.re) / (2.0 * h) - gradient[p].re).abs() < 1e-4);
            assert!((turn(up.im - down.im) / (2.0 * h) - gradient[p].im).abs() < 1e-4);
            for q in 0..10 {
                let slope = (gu[q] - gd[q]).scale(0.5 / h);
                assert!((slope - s[q * 10 + p]).norm2().sqrt() < 1e-4 * (1.0 + s[q * 10 + p].norm2().sqrt()), "{p} {q}");
            }
        }
    }
}
