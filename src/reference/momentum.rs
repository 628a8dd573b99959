//! Twin of `displace`, `amplitude` and `momentum_distribution`.

use super::complex::Complex;
use crate::number::philox::{Stream, uniform4};

/// The first walker of `stream` in a box of side `length` with one electron elsewhere, by block `index`; and by how much, over L.
pub fn displace(x: &[f64], dim: usize, length: f64, stream: Stream, index: u32) -> (Vec<f64>, Vec<f64>) {
    let u = uniform4(stream.bits(index));
    let n = x.len() / dim;
    let chosen = ((u[0] * n as f64) as usize).min(n - 1);
    let mut moved = x.to_vec();
    moved[chosen * dim..][..dim].iter_mut().zip(&u[1..]).for_each(|(x, u)| *x += u * length);
    (moved, u[1..=dim].to_vec())
}

/// ln Ψ from ln|det M|, arg det M, ln|det J|.
pub fn amplitude(slater: f64, phase: f64, jacobian: f64) -> Complex {
    Complex::new(slater + 0.5 * jacobian, phase)
}

/// 2n Re[Ψ*(x) Ψ(x + s) e^{-ik·s}]/(|Ψ(x)|² + |Ψ(x + s)|²) averaged over `vectors` k L/2π; ln Ψ before and after, s over L.
pub fn momentum_distribution(n: usize, here: Complex, moved: Complex, shift: &[f64], vectors: &[Vec<f64>]) -> f64 {
    let one = |k: &Vec<f64>| {
        let turns: f64 = k.iter().zip(shift).map(|(k, s)| k * s).sum();
        (moved.re - here.re).cosh().recip() * (moved.im - here.im - std::f64::consts::TAU * turns).cos()
    };
    n as f64 * vectors.iter().map(one).sum::<f64>() / vectors.len() as f64
}
