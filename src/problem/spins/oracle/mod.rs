//! What is known of e^{-βE}/Z without a network: the sum over all states of few spins, parallel tempering of more; and the
//! bounds of ln Z that both sides give: E_p\[R\] ≤ -ln Z ≤ E_q\[R\], p = e^{-βE}/Z.

mod sandwich;
mod tempered;
mod trips;
mod walk;

pub use sandwich::Sandwich;
pub use tempered::{NAMES, Settings, Tempered};

use crate::error::Result;
use crate::estimate::Estimate;
use crate::gpu::Gpu;
use crate::kernels::gray;
use crate::number::philox::{Stream, purpose};
use crate::system::spins::{Boundary, Couplings, Enumeration, enumeration};

/// Most spins of which all states are summed on the device.
pub const SUMMED: usize = 30;

/// How the values came about.
pub enum Method {
    /// The sum over all states.
    Sum,
    /// Parallel tempering.
    Tempering(Box<Tempered>),
}

/// Averages over e^{-βE}/Z.
pub struct Oracle {
    /// What gave them.
    pub method: Method,
    /// Under [`NAMES`]; without an error where they are exact.
    pub values: Vec<(&'static str, Estimate)>,
    /// C_ij = ⟨s_i s_j⟩, n x n; empty where it was not computed: sums over more than 22 spins.
    pub correlations: Vec<f64>,
    /// On a lattice, C_ij of pairs that are 0, 1, … sites apart along a row or a column.
    pub distances: Vec<Estimate>,
    /// States of e^{-βE}/Z, ±1 `[state][n]`; those of tempering `[round][ladder][n]`.
    pub states: Vec<f32>,
}

/// A side of a lattice, and whether its edges are joined.
pub type Shape = (usize, Boundary);

/// Pairs of sites 0, 1, … apart along rows and columns: up to half a side of a torus.
pub(super) fn pairs((side, boundary): Shape) -> Vec<Vec<(usize, usize)>> {
    let most = if boundary == Boundary::Periodic { side / 2 } else { side - 1 };
    let of = |r: usize| {
        let sites = (0..side).flat_map(|i| (0..side).map(move |j| (i, j)));
        let ends = sites.flat_map(move |(i, j)| [(i, j, i + r, j), (i, j, i, j + r)]);
        let inside = ends.filter(|(_, _, k, l)| boundary == Boundary::Periodic || *k.max(l) < side);
        inside.map(|(i, j, k, l)| (i * side + j, k % side * side + l % side)).collect()
    };
    (0..=most).map(of).collect()
}

/// ln Z, ⟨E⟩, β² Var(E) and ⟨m²⟩ of all states: on the device, of two spins here.
fn summed(gpu: &Gpu, model: &Couplings, beta: f64) -> Result<[f64; 4]> {
    let n = model.n();
    if n < 3 {
        let all = Enumeration::new(model)?;
        let (t, square) = (all.at(beta)?, all.magnetisation_squared(beta) / (n * n) as f64);
        return Ok([t.ln_z, t.energy.unwrap_or(f64::NAN), t.heat_capacity.unwrap_or(f64::NAN), square]);
    }
    let (_, all) = gray::Enumeration::new(n, &model.dense(), model.fields())?.solve(gpu, &[beta])?;
    let e = all[0];
    Ok([e.log_z - beta * model.offset(), e.energy + model.offset(), e.heat_capacity, e.square])
}

impl Oracle {
    /// By the sum over all states up to [`SUMMED`] spins, unless `tempering` is asked for; `lattice`: of a lattice. `tell` hears
    /// how far it is.
    ///
    /// # Errors
    /// Those of [`Tempered::new`] and of the device.
    pub fn new(
        gpu: &Gpu,
        model: &Couplings,
        beta: f64,
        lattice: Option<Shape>,
        tempering: bool,
        s: &Settings,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Oracle> {
        let sets = lattice.map_or(Vec::new(), pairs);
        if tempering || model.n() > SUMMED {
            let run = Tempered::new(gpu, model, beta, s, tell)?;
            let values = NAMES.into_iter().zip(run.values()).collect();
            let (correlations, distances) = run.correlations(&sets);
            let states = run.states.clone();
            return Ok(Oracle { method: Method::Tempering(Box::new(run)), values, correlations, distances, states });
        }
        let n = model.n();
        let size = n as f64;
        let [log_z, energy, heat, square] = summed(gpu, model, beta)?;
        let values = [log_z, -log_z / (beta * size), energy / size, (log_z + beta * energy) / size, heat / size, square];
        let values = NAMES.into_iter().zip(values.map(Estimate::from)).collect();
        let (mut correlations, mut states) = (Vec::new(), Vec::new());
        if n <= enumeration::MOST {
            let all = Enumeration::new(model)?;
            correlations = all.correlations(beta).0;
            let at = Stream { seed: s.seed, step: 0, purpose: purpose::METROPOLIS, first_walker: 0 };
            states = all.draw(beta, at.uniforms().take(s.keep)).concat().iter().map(|s| *s as f32).collect();
        }
        let mean = |set: &Vec<(usize, usize)>| set.iter().map(|(i, j)| correlations[i * n + j]).sum::<f64>() / set.len() as f64;
        let distances = if correlations.is_empty() { Vec::new() } else { sets.iter().map(|set| mean(set).into()).collect() };
        Ok(Oracle { method: Method::Sum, values, correlations, distances, states })
    }

    /// A value of [`NAMES`].
    pub fn value(&self, name: &str) -> Estimate {
        self.values.iter().find(|(n, _)| *n == name).map_or(Estimate::default(), |(_, e)| *e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each distance has every site's two pairs; on an open lattice those that fit.
    #[test]
    fn pairs_lie_along_rows_and_columns() {
        let torus = pairs((4, Boundary::Periodic));
        assert_eq!(torus.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 32]);
        assert!(torus[0].iter().all(|(i, j)| i == j) && torus[1].contains(&(3, 0)) && torus[2].contains(&(12, 4)));
        let open = pairs((3, Boundary::Open));
        assert_eq!(open.iter().map(Vec::len).collect::<Vec<_>>(), [18, 12, 6]);
        assert!(open[2].contains(&(0, 2)) && open[2].contains(&(2, 8)) && !open[1].contains(&(2, 3)));
    }
}
