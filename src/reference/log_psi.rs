//! Twin of `log_psi`.

/// ln|Ψ| = ln|det M| + ½ ln|det J| + norm.
pub fn log_psi(slater: f64, jacobian: f64, norm: f64) -> f64 {
    slater + 0.5 * jacobian + norm
}
