//! Twin of `dpp`: the determinantal point processes of n plane waves, one of each spin, with the same random numbers.

use super::complex::Complex;
use super::philox::{philox, uniform4};

/// A draw.
pub struct Draw {
    /// n x dim, in units of the box.
    pub u: Vec<f64>,
    /// Candidates tried.
    pub candidates: usize,
    /// How closely the closest decision was taken: below the rounding errors of a device, it may decide otherwise.
    pub margin: f64,
}

/// One walker: `momenta` n x dim in units of 2π/L (twist included), the first `up` of them those of spin up; `walker` is its global
/// number.
pub fn dpp(momenta: &[f64], dim: usize, up: usize, key: [u32; 2], walker: u32, step: u32, purpose: u32) -> Draw {
    let n = momenta.len() / dim;
    let mut basis: Vec<Vec<Complex>> = Vec::new();
    let mut draw = Draw { u: Vec::new(), candidates: 0, margin: 1.0 };
    let overlap = |q: &[Complex], v: &[Complex]| q.iter().zip(v).fold(Complex::default(), |s, (q, v)| s + Complex::new(q.re, -q.im) * *v);
    for i in 0..n {
        if i == up {
            // nothing of spin up is seen by spin down
            basis.clear();
        }
        let own = if i < up { &momenta[..up * dim] } else { &momenta[up * dim..] };
        let count = (own.len() / dim) as f64;
        for t in 0.. {
            let y = uniform4(philox(key, [(i as u32) << 16 | t, walker, step, purpose]));
            let phase = |k: &[f64]| 2.0 * std::f64::consts::PI * k.iter().zip(y).map(|(k, y)| k * y).sum::<f64>();
            let mut v: Vec<Complex> = own.chunks(dim).map(|k| Complex::phase(phase(k)).scale(1.0 / count.sqrt())).collect();
            let outside = 1.0 - basis.iter().map(|q| overlap(q, &v).norm2()).sum::<f64>();
            draw.candidates += 1;
            draw.margin = draw.margin.min((outside - y[3]).abs());
            if outside <= y[3] {
                continue;
            }
            for _ in 0..2 {
                for q in &basis {
                    let c = overlap(q, &v);
                    v.iter_mut().zip(q).for_each(|(v, q)| *v = *v - *q * c);
                }
            }
            let norm = v.iter().map(|v| v.norm2()).sum::<f64>().sqrt();
            basis.push(v.iter().map(|v| v.scale(1.0 / norm)).collect());
            draw.u.extend(&y[..dim]);
            break;
        }
    }
    draw
}
