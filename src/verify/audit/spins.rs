//! Spins: ln q, E and R = ln q + β E of samples.
//!
//! With ε = 2⁻²³, θ the parameters and s = ∂ ln q0/∂θ: a product that is rounded is one with another parameter, so that all of them
//! together move ln q0 by some ε |θ·s|, and n logarithms of sigmoids by ε √n each its size; the factors are those with which the
//! kernels' tests and reference cases of the occupation network are held (`super::super::compare`). What is known of the logits is a
//! sum of n terms, each rounded.

use super::super::compare::EPS;
use super::super::{Measure, Quantity};
use crate::config::{Group, Values};
use crate::error::Result;
use crate::problem::spins::kinds::model_of;
use crate::problem::spins::settings::{Masked, Model, model, options};
use crate::problem::{Kind, Parameters, Walkers};
use crate::reference::made::{Known, Twin};
use crate::reference::{couplings, images};

pub fn rows(kind: &Kind, values: &Values, parameters: &Parameters, w: &Walkers) -> Result<Vec<Quantity>> {
    let (couplings, _) = model_of(kind, values)?;
    let (n, dense, mut fields) = (couplings.n(), couplings.dense(), couplings.fields().to_vec());
    fields.resize(n, 0.0);
    let (set, own) = (options(values), model(couplings.n(), values)?);
    let theta: Vec<f64> = parameters.iter().flatten().map(|v| f64::from(*v)).collect();
    let mut twin = match &own {
        Model::Made(m) => Twin::made(m, &theta),
        Model::PixelCnn(m) => Twin::pixel_cnn(m, &theta),
        Model::Transformer(m) => Twin::transformer(m, &theta),
    };
    let size = n as f64;
    let row = |i: usize| dense[i * n..][..n].iter().map(|j| j.abs()).sum::<f64>() + fields[i].abs();
    let mut known = 0.0;
    if Masked::read(values).fields {
        known = 4.0 * EPS * size.sqrt() * 2.0 * set.beta * (0..n).map(|i| row(i).powi(2)).sum::<f64>().sqrt();
        twin.known = Some(Known { factor: 2.0 * set.beta, couplings: dense.clone(), fields: fields.clone() });
    }
    let permutations = if set.images.is_empty() { vec![(0..n).collect()] } else { set.images.clone() };
    let signs: &[f64] = if set.z2 { &[1.0, -1.0] } else { &[1.0] };
    let of = |spins: &[f64]| {
        let all = signs.iter().flat_map(|sign| permutations.iter().map(move |p| images::image(spins, p, *sign)));
        let (mut logs, mut moved) = (Vec::new(), 0.0_f64);
        for image in all {
            logs.push(twin.log_q(&image));
            moved = moved.max(twin.score(&image).iter().zip(&theta).map(|(s, t)| (s * t).powi(2)).sum::<f64>().sqrt());
        }
        [images::join(&logs), EPS * (16.0 * (size + 4.0) + 8.0 * moved) + known]
    };
    let numbers: Vec<[f64; 2]> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = w.count.div_ceil(threads).max(1) * n;
        let work: Vec<_> =
            w.of("spins").chunks(share).map(|part| scope.spawn(move || part.chunks(n).map(of).collect::<Vec<_>>())).collect();
        work.into_iter().flat_map(|t| t.join().unwrap_or_default()).collect()
    });
    let log_q: Vec<f64> = numbers.iter().map(|v| v[0]).collect();
    let allowed_q: Vec<f64> = numbers.iter().map(|v| v[1]).collect();
    let energy: Vec<f64> = w.of("spins").chunks(n).map(|s| couplings::energy(s, &dense, &fields)).collect();
    // a sum of n terms for each of n spins, none of them larger than the sum of all |J|
    let allowed_e = 4.0 * EPS * size.sqrt() * (0..n).map(row).sum::<f64>();
    let per = |all: &[f64], by: f64| all.iter().map(|v| v / by).collect::<Vec<f64>>();
    let reduced = |log_q: &[f64], e: &[f64]| log_q.iter().zip(e).map(|(l, e)| (l + set.beta * e) / (set.beta * size)).collect::<Vec<f64>>();
    let allowed_f: Vec<f64> = allowed_q.iter().map(|q| (q + set.beta * allowed_e) / (set.beta * size)).collect();
    let (unit, compare) = ((kind.energy_unit)(values), Quantity::compare);
    Ok(vec![
        compare(
            "ln q",
            "",
            Measure::Absolute,
            w.of("ln q"),
            &log_q,
            &allowed_q,
            "ε (16 (n + 4) + 8 |θ·score|), of all logits known 4 ε √n",
        ),
        compare("E", unit, Measure::Absolute, &per(w.of("E"), size), &per(&energy, size), &[allowed_e / size], "4 ε √n Σ|J|"),
        compare(
            "F",
            unit,
            Measure::Absolute,
            &reduced(w.of("ln q"), w.of("E")),
            &reduced(&log_q, &energy),
            &allowed_f,
            "those of (ln q + β E)/(β n)",
        ),
    ])
}
