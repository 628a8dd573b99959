//! Twin of `local_energy`.

use super::complex::Complex;

/// Derivatives of ln Ψ = ln det M + ½ ln|det J| of one configuration.
pub struct Local {
    /// ∇ ln Ψ, n dim numbers.
    pub gradient: Vec<Complex>,
    /// -∇² ln Ψ - (∇ ln Ψ)².
    pub kinetic: Complex,
    /// Re[-∇² ln det M - (∇ ln det M)²] + |½ ∇ ln|det J||²: the same mean over |Ψ|².
    pub mixed: f64,
    /// |∇ ln Ψ|².
    pub square: f64,
}

/// `slater` = ∂ ln det M/∂z, `jacobian` = dz/dx (row = output), `trace` = Σ S_pq (J Jᵀ)_pq,
/// `grad_q` and `lap_q`: gradient and Laplacian of ln|det J|.
pub fn local(slater: &[Complex], jacobian: &[f64], trace: Complex, lap_z: &[f64], grad_q: &[f64], lap_q: f64) -> Local {
    let size = slater.len();
    let phi: Vec<Complex> = (0..size).map(|b| (0..size).map(|p| slater[p].scale(jacobian[p * size + b])).sum()).collect();
    let gradient: Vec<Complex> = phi.iter().zip(grad_q).map(|(g, q)| *g + Complex::new(0.5 * q, 0.0)).collect();
    let lap_phi = trace + slater.iter().zip(lap_z).map(|(s, l)| s.scale(*l)).sum();
    let square = |list: &[Complex]| -> Complex { list.iter().map(|g| *g * *g).sum() };
    Local {
        kinetic: -(lap_phi + Complex::new(0.5 * lap_q, 0.0) + square(&gradient)),
        mixed: -(lap_phi + square(&phi)).re + grad_q.iter().map(|q| 0.25 * q * q).sum::<f64>(),
        square: gradient.iter().map(|g| g.norm2()).sum(),
        gradient,
    }
}
