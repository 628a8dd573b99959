//! Twins of the draws of electrons in a trap, with the same random numbers, and of the scores of their states.

use super::philox::{philox, uniform4};
use super::trap::{Point, derivatives};
use crate::system::oscillator::{Orbital, quantile};

/// A draw of a determinant's points.
pub struct Draw {
    /// Where the electrons are.
    pub z: Vec<Point>,
    /// The orbital whose density each came from.
    pub chosen: Vec<Orbital>,
    /// Candidates tried.
    pub candidates: usize,
    /// How closely the closest decision was taken: below the rounding errors of a device, it may decide otherwise.
    pub margin: f64,
}

/// Exact draw of |Φ|² by the projection process of its orbitals; `walker` is the global number.
pub fn trap_draw(state: &[Orbital], key: [u32; 2], walker: u32, step: u32, purpose: u32) -> Draw {
    let n = state.len();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut draw = Draw { z: Vec::new(), chosen: Vec::new(), candidates: 0, margin: 1.0 };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for i in 0..n {
        for t in 0.. {
            let u = uniform4(philox(key, [(i as u32) << 16 | t, walker, step, purpose]));
            let o = state[((u[0] * n as f64) as usize).min(n - 1)];
            let z = [quantile(o.nx, u[1]), quantile(o.ny, u[2])];
            let phi: Vec<f64> = state.iter().map(|o| derivatives(*o, z)[0]).collect();
            let mut v = phi.clone();
            for _ in 0..2 {
                for q in &basis {
                    let c = dot(q, &v);
                    v.iter_mut().zip(q).for_each(|(v, q)| *v -= c * q);
                }
            }
            let share = dot(&v, &v) / dot(&phi, &phi);
            draw.candidates += 1;
            draw.margin = draw.margin.min((share - u[3]).abs());
            if share > u[3] {
                let norm = dot(&v, &v).sqrt();
                basis.push(v.iter().map(|v| v / norm).collect());
                draw.z.push(z);
                draw.chosen.push(o);
                break;
            }
        }
    }
    draw
}

/// The state that 32 random bits choose, by the cumulative probabilities in units of 2⁻³².
pub fn trap_states(cumulative: &[u32], key: [u32; 2], walker: u32, step: u32, purpose: u32) -> usize {
    let bits = philox(key, [0, walker, step, purpose])[0];
    cumulative.iter().position(|c| bits < *c).unwrap_or(cumulative.len() - 1)
}
