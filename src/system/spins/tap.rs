//! The equations of Thouless, Anderson and Palmer: mean field with the reaction of the neighbours, exact for many weak couplings
//! above their glass transition, and no bound.
//!
//! F(m) = E(m) - (1/β) Σ_i H₂((1 + m_i)/2) - (β/2) Σ_(i<j) J_ij² (1 - m_i²)(1 - m_j²), stationary where
//!
//! m_i = tanh β(h_i + Σ_j J_ij m_j - β m_i Σ_j J_ij² (1 - m_j²)).
//!
//! Iterated with the m_i of the reaction from the sweep before the last, it converges as far as the equations are stable. Where
//! β² Σ_ij J_ij² (1 - m_i²)(1 - m_j²)/n reaches 1 the expansion in β that F is the beginning of does not converge, and what
//! solves the equations is no approximation of anything.
//! Philos. Mag. 35, 593 (1977), doi 10.1080/14786437708235992; Plefka, J. Phys. A 15, 1971 (1982), doi
//! 10.1088/0305-4470/15/6/035; Bolthausen, Commun. Math. Phys. 325, 333 (2014), doi 10.1007/s00220-013-1862-3.

use super::couplings::{Couplings, Neighbours};
use super::iteration::{FixedPoint, Iteration, relax};
use super::mean_field;
use super::thermodynamics::temperature;
use crate::error::Result;

/// Couplings that all sweeps of all starts together may pass: about a second. A tanh takes as long as some of them.
const EFFORT: usize = 200_000_000;
const TANH: usize = 10;

/// Σ_j J_ij² (1 - m_j²).
fn reaction(near: &Neighbours, m: &[f64], i: usize) -> f64 {
    near.of(i).map(|(j, c)| c * c * (1.0 - m[j] * m[j])).sum()
}

/// F of the whole system at m_i.
pub fn free_energy(model: &Couplings, beta: f64, m: &[f64]) -> f64 {
    let fields: Vec<f64> = m.iter().map(|m| m.atanh()).collect();
    let squares = |m: f64| 1.0 - m * m;
    let reaction: f64 = model.bonds().iter().map(|b| b.coupling * b.coupling * squares(m[b.i]) * squares(m[b.j])).sum();
    mean_field::free_energy(model, beta, &fields) - 0.5 * beta * reaction
}

/// Iterates the equations, damped where they must be, from up to `starts` starts: all spins up, then random ones; fewer where
/// these take longer than about a second. Fixed points beyond the expansion are none.
///
/// # Errors
/// [`crate::Error::User`] for a β that is negative or not finite.
pub fn iterate(model: &Couplings, beta: f64, starts: usize, seed: u64) -> Result<Iteration> {
    temperature(beta)?;
    let (n, near) = (model.n(), model.neighbours());
    let cost = 2 * model.bonds().len() + TANH * n;
    Ok(Iteration::run(starts, EFFORT / cost, |start, sweeps| {
        let mut m = mean_field::start(n, start, seed);
        let mut before = m.clone();
        let (made, converged) = relax(&mut m, sweeps, |m, new| {
            for (i, new) in new.iter_mut().enumerate() {
                let field = model.fields()[i] + near.of(i).map(|(j, c)| c * m[j]).sum::<f64>();
                *new = (beta * (field - beta * reaction(&near, m, i) * before[i])).tanh();
            }
            before.copy_from_slice(m);
        });
        let unstable: f64 = (0..n).map(|i| (1.0 - m[i] * m[i]) * reaction(&near, &m, i)).sum();
        let physical = beta * beta * unstable < n as f64;
        let point = || FixedPoint { free_energy: free_energy(model, beta, &m), magnetisations: m };
        (made, (converged && physical).then(point))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::close;
    use super::super::{Boundary, Enumeration, Lattice, MeanField, bethe};
    use super::*;

    fn glass(n: usize) -> Couplings {
        let fields: Vec<f64> = (0..n).map(|i| 0.3 - 0.1 * (i % 5) as f64).collect();
        Couplings::sherrington_kirkpatrick(n, 2).unwrap().with_fields(&fields).unwrap()
    }

    /// -Σ J m - h + artanh(m)/β + β m Σ J² (1 - m²) is the gradient of F: by central differences, wrong by δ² F'''/6.
    #[test]
    fn the_equations_are_where_f_is_stationary() {
        let (model, beta, step) = (glass(8), 0.7, 1e-4);
        let near = model.neighbours();
        let m: Vec<f64> = (0..8).map(|i| (1.7 * i as f64).sin() * 0.8).collect();
        for i in 0..8 {
            let at = |shift: f64| {
                let mut m = m.clone();
                m[i] += shift;
                free_energy(&model, beta, &m)
            };
            let field = model.fields()[i] + near.of(i).map(|(j, c)| c * m[j]).sum::<f64>();
            let want = m[i].atanh() / beta - field + beta * m[i] * reaction(&near, &m, i);
            close("gradient", (at(step) - at(-step)) / (2.0 * step), want, 1e-6);
        }
    }

    /// In a field, weakly coupled: all starts come to the same point, which solves the equations, and whose F misses the exact
    /// one by far less than the naive mean field's.
    #[test]
    fn fixed_points_solve_the_equations() {
        let (model, beta) = (glass(14), 0.5);
        let near = model.neighbours();
        let found = iterate(&model, beta, 5, 1).unwrap();
        assert_eq!((found.starts, found.converged), (5, 5));
        let point = found.lowest.unwrap();
        for (i, m) in point.magnetisations.iter().enumerate() {
            let field = model.fields()[i] + near.of(i).map(|(j, c)| c * point.magnetisations[j]).sum::<f64>();
            let want = (beta * (field - beta * m * reaction(&near, &point.magnetisations, i))).tanh();
            assert!(m.abs() > 1e-3);
            close("magnetisation", *m, want, 1e-9);
        }
        close("F", point.free_energy, free_energy(&model, beta, &point.magnetisations), 1e-12);
        let exact = -Enumeration::new(&model).unwrap().at(beta).unwrap().ln_z / beta;
        let naive = MeanField::new(&model, beta, 5, 1).unwrap().free_energy;
        assert!((point.free_energy - exact).abs() < 0.2 * (naive - exact), "{} {naive} {exact}", point.free_energy);
    }

    /// Without a field and above the transition m = 0, with the F that is known there.
    #[test]
    fn paramagnets_have_the_known_value() {
        let lattice = Couplings::lattice(Lattice::Square, 8, Boundary::Periodic, 1.0).unwrap();
        for (model, beta) in [(Couplings::sherrington_kirkpatrick(60, 3).unwrap(), 0.6), (lattice.clone(), 0.25)] {
            let found = iterate(&model, beta, 3, 1).unwrap();
            let point = found.lowest.unwrap();
            assert!(found.converged == 3 && point.q() < 1e-15, "{}", point.q());
            close("F", point.free_energy, bethe::thouless_anderson_palmer(&model, beta).unwrap(), 1e-11);
        }
        let ordered = iterate(&lattice, 0.6, 1, 1).unwrap().lowest.unwrap();
        assert!(ordered.q() > 0.8);
    }

    /// A glass far below its transition has no point that the iteration finds; two spins have m = 0 at any temperature, which is no
    /// approximation beyond β = 1.
    #[test]
    fn failures_are_told() {
        let cold = iterate(&Couplings::sherrington_kirkpatrick(100, 3).unwrap(), 4.0, 2, 1).unwrap();
        assert_eq!((cold.starts, cold.converged, cold.lowest), (2, 0, None));
        let pair = Couplings::chain(2, 1.0).unwrap();
        assert_eq!(iterate(&pair, 0.8, 3, 1).unwrap().converged, 3);
        assert_eq!(iterate(&pair, 1.2, 3, 1).unwrap().converged, 0);
        assert!(iterate(&pair, f64::NAN, 3, 1).is_err());
    }
}
