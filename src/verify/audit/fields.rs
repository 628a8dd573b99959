//! Fields of the dual of the Ising model: ln q, U and R = ln q + U of samples.
//!
//! With ε = 2⁻²³: fields that are rounded move ln q by ε |x·d ln q/dx|, those on the way through the flow by as much each; n
//! logarithms are summed. U is a sum of n products x y, y = K'⁻¹ x the sum of n terms.

use super::super::compare::EPS;
use super::super::{Measure, Quantity};
use crate::config::Values;
use crate::error::Result;
use crate::problem::dual_ising::{KIND, Symmetry, settings};
use crate::problem::{Parameters, Walkers};
use crate::reference::renorm::{Twin, ln_normal};

pub fn rows(values: &Values, parameters: &Parameters, w: &Walkers) -> Result<Vec<Quantity>> {
    let (dual, flow) = (settings::dual(values)?, settings::flow(values)?);
    let theta: Vec<f64> = parameters.iter().flatten().map(|v| f64::from(*v)).collect();
    let (twin, n) = (Twin::new(&flow, &theta), dual.sites());
    let z2 = values.get::<Symmetry>("symmetry") == Symmetry::Z2;
    let (mut log_q, mut allowed_q, mut action, mut allowed_u) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // what the flow draws, and ln q of it
    let white: bool = values.get("white");
    let constant = if white { -0.5 * dual.ln_det() } else { 0.0 };
    for x in w.of("x").chunks_exact(n) {
        let drawn = if white { dual.apply(x, |l| 1.0 / l.sqrt()) } else { x.to_vec() };
        // of either sign: ln q, and how far rounding moves it
        let of = |sign: f64| {
            let x: Vec<f64> = drawn.iter().map(|v| sign * v).collect();
            let (z, log_det) = twin.density(&x);
            let g = twin.carried(&z).2;
            let moved = x.iter().zip(&g).map(|(x, g)| (x * g).powi(2)).sum::<f64>().sqrt();
            (ln_normal(&z) - log_det + constant, moved)
        };
        let ((plus, near), (minus, far)) = (of(1.0), if z2 { of(-1.0) } else { (f64::NEG_INFINITY, 0.0) });
        let top = plus.max(minus);
        log_q.push(top + ((plus - top).exp() + (minus - top).exp()).ln() - if z2 { 2f64.ln() } else { 0.0 });
        allowed_q.push(EPS * (16.0 * (n as f64 + 4.0) + 64.0 * near.max(far)));
        let (u, force) = dual.action(x);
        let products = x.iter().zip(&force).map(|(x, f)| (x * (f + x.tanh())).abs() + x.abs()).sum::<f64>();
        action.push(u);
        allowed_u.push(EPS * 16.0 * (n as f64).sqrt() * products.max(1.0));
    }
    let slope = dual.temperature / n as f64;
    let per_site = |log_q: &[f64], u: &[f64]| log_q.iter().zip(u).map(|(l, u)| dual.free_energy(l + u)).collect::<Vec<f64>>();
    let allowed_f: Vec<f64> = allowed_q.iter().zip(&allowed_u).map(|(q, u)| slope * (q + u)).collect();
    let (unit, compare) = ((KIND.energy_unit)(values), Quantity::compare);
    let (own_q, own_u) = (w.of("ln q"), w.of("U"));
    let rule = "ε (16 (n + 4) + 64 |x d ln q/dx|)";
    Ok(vec![
        compare("ln q", "", Measure::Absolute, own_q, &log_q, &allowed_q, rule),
        compare("U", "", Measure::Absolute, own_u, &action, &allowed_u, "16 ε √n Σ (|x K'⁻¹ x| + |x|)"),
        compare(
            "F",
            unit,
            Measure::Absolute,
            &per_site(own_q, own_u),
            &per_site(&log_q, &action),
            &allowed_f,
            "those of T (ln q + U + C)/n",
        ),
    ])
}
