//! The kernels of spin systems together, as a training step uses them: zero variance where the trial state is exact, the
//! gradient of the variational free energy, and importance weights, against sums over all states.

use helmholtz::estimate::free_energy::{Averages, Quantity, Weighted};
use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::bernoulli::Factors;
use helmholtz::kernels::free_energy::{COLUMNS, FreeEnergy, SPAN, Samples};
use helmholtz::kernels::made_bits::{OneLayer, Outputs};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::kernels::z2::{self, Logarithms};
use helmholtz::kernels::{Chunk, couplings};
use helmholtz::model::made::Made;
use helmholtz::reference::couplings::energy;
use helmholtz::reference::made::Known;
use helmholtz::reference::z2 as mixture;

use crate::couplings::matrix;
use crate::harness::{Check, verify};
use crate::made::shape;
use crate::spins::{Setup, states};

/// q, R and d ln q of a state.
type State = (f64, f64, Vec<f64>);

/// Averages, weighted sums and the gradient of βF from samples of the symmetric mixture of a network, or of the network alone.
fn step(
    gpu: &Gpu,
    s: &Setup<Made>,
    j: &[f64],
    beta: f64,
    samples: usize,
    symmetric: bool,
) -> Result<(Averages, Weighted, Vec<f32>), String> {
    let (n, failed) = (s.model.sites, |e: helmholtz::Error| e.to_string());
    let batch = 2048.min(samples);
    let (layer, net) = (OneLayer::new(&s.model, samples, gpu.profile).map_err(failed)?, s.network(batch, gpu.profile)?);
    let (params, table) = (s.upload(gpu), gpu.upload("couplings", &couplings::table(n, j, &[]).map_err(failed)?));
    let (spins, free) = (Buffer::new("spins", samples * n), FreeEnergy::new(samples, n));
    let [plus, minus, energy, magnetisation, mixed, forward, backward] = &std::array::from_fn(|_| Buffer::new("of samples", samples));
    let at = Stream { seed: 3, step: 0, purpose: purpose::SPINS, first_walker: 0 };
    let gradient = Buffer::new("gradient", net.net().leading());
    let (mut rec, logs) = (Recording::new(), Logarithms { plus, minus });
    net.record_pack(&mut rec, &params);
    let all = Chunk { first: 0, count: samples };
    layer.record(&mut rec, at, all, &params, &table, s.known.factor, Outputs { spins: &spins, plus, minus, energy, magnetisation });
    z2::record_join(&mut rec, samples, logs, mixed);
    let columns = Samples { log_q: if symmetric { mixed } else { plus }, energy, magnetisation };
    free.record_averages(&mut rec, columns, beta);
    free.record_importance(&mut rec, columns, beta);
    free.record_factors(&mut rec, columns, beta, 1.0 / samples as f64);
    z2::record_split(&mut rec, samples, logs, Factors { buffer: &free.factors, first: 0, step: 1 }, forward, backward);
    let signs = if symmetric { vec![(1.0, forward), (-1.0, backward)] } else { vec![(1.0, &free.factors)] };
    for (sign, factors) in signs {
        for first in (0..samples).step_by(batch) {
            let chunk = Chunk { first, count: batch.min(samples - first) };
            net.record_gradient(&mut rec, chunk, sign, &spins, factors, &gradient, sign < 0.0 || first > 0);
        }
    }
    gpu.run(&rec).map_err(failed)?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(failed);
    let (centre, rows) = (read(&free.centre, COLUMNS)?, COLUMNS * samples.div_ceil(SPAN));
    let (averages, weighted) =
        (Averages::finish(&centre, &read(&free.partial, rows)?), Weighted::finish(&centre, &read(&free.weighted, rows)?));
    Ok((averages, weighted, read(&gradient, s.parameters.len())?))
}

/// The open chain: 2β times the field of the spin before makes q the Boltzmann distribution, ln Z = n ln 2 + (n - 1) ln cosh βJ, R = -ln Z for every
/// sample up to the rounding of two sums of n terms of order 1.
fn chain(gpu: &Gpu) -> Check {
    let (n, beta, coupling) = (20, 0.75, 1.25);
    let mut s = Setup::random(shape(n, 1, 1, false, true), 1);
    let row = |i: usize| i * (i - 1) / 2;
    s.parameters.iter_mut().for_each(|v| *v = 0.0);
    let j: Vec<f64> = (0..n * n).map(|k| if (k / n).abs_diff(k % n) == 1 { coupling } else { 0.0 }).collect();
    // a part of it known, the rest from parameters
    let factor = 0.5;
    s.known = Known { factor, couplings: j.clone(), fields: vec![0.0; n] };
    (1..n).for_each(|i| s.parameters[row(i) + i - 1] = (2.0 * beta - factor) * coupling);
    let log_z = n as f64 * 2.0_f64.ln() + (n - 1) as f64 * (beta * coupling).cosh().ln();
    let rounding = 4.0 * f32::EPSILON as f64 * log_z;
    for symmetric in [false, true] {
        let (a, w, gradient) = step(gpu, &s, &j, beta, 1500, symmetric)?;
        let (r, spread) = (a.mean(Quantity::Reduced).value, a.variance(Quantity::Reduced).sqrt());
        let (z, lost) = (w.log_z(), 1500.0 - w.effective());
        // weights differ by the spread of R, of which B squares are the samples lost
        let good = (r + log_z).abs().max((z.value - log_z).abs()).max(spread) <= rounding;
        if !(good && z.error <= rounding / 1500.0_f64.sqrt() && lost <= 1500.0 * rounding * rounding) {
            return Err(format!("R = {r} ± {spread}, ln Z = {z:?}, exact {log_z}; {lost} samples lost"));
        }
        // each term is that spread times a score below 1
        if let Some(g) = gradient.iter().find(|g| g.abs() as f64 > rounding) {
            return Err(format!("gradient {g}"));
        }
    }
    Ok(())
}

/// A glass of six spins and any parameters: every average of a fixed draw within 4.5 of its error of the sum over all states.
fn glass(gpu: &Gpu) -> Check {
    let (n, samples, beta) = (6, 20_000, 1.25);
    let mut s = Setup::random(shape(n, 1, 1, true, true), 1);
    s.parameters.iter_mut().for_each(|v| *v *= 0.5);
    let j: Vec<f64> = matrix(n, 3).iter().map(|v| 2.0 * v).collect();
    s.known = Known { factor: 0.75, couplings: j.clone(), fields: vec![0.0; n] };
    let all = states(n);
    for symmetric in [false, true] {
        let (a, w, gradient) = step(gpu, &s, &j, beta, samples, symmetric)?;
        let exact: Vec<State> = all
            .chunks(n)
            .map(|spins| {
                let mirror: Vec<f64> = spins.iter().map(|v| -v).collect();
                let [up, down] = [spins, &mirror].map(|state| s.twin().log_q(state));
                let e = energy(spins, &j, &[0.0; 6]);
                if !symmetric {
                    return (up.exp(), up + beta * e, s.twin().score(spins));
                }
                let ([p, m], [a, b]) = (mixture::split(up, down), [spins, &mirror].map(|state| s.twin().score(state)));
                let (log_q, score) = (mixture::join(up, down), a.iter().zip(&b).map(|(a, b)| p * a + m * b).collect());
                (log_q.exp(), log_q + beta * e, score)
            })
            .collect();
        let mean = |f: &dyn Fn(&State) -> f64| exact.iter().map(|s| s.0 * f(s)).sum::<f64>();
        let (r, log_z) = (mean(&|s| s.1), exact.iter().map(|s| s.0 * (-s.1).exp()).sum::<f64>().ln());
        for (name, got, want) in [("R", a.mean(Quantity::Reduced), r), ("ln Z", w.log_z(), log_z)] {
            if !((got.value - want).abs() <= 4.5 * got.error && got.error > 0.0) {
                return Err(format!("{name}: {got:?}, exact {want}"));
            }
        }
        for (k, got) in gradient.iter().enumerate() {
            let want = mean(&|s| (s.1 - r) * s.2[k]);
            let error = (mean(&|s| ((s.1 - r) * s.2[k] - want).powi(2)) / samples as f64).sqrt();
            if !((*got as f64 - want).abs() <= 4.5 * error + 1e-6) {
                return Err(format!("symmetric {symmetric}, gradient {k}: {got}, exact {want} ± {error}"));
            }
        }
    }
    Ok(())
}

#[test]
fn an_exact_trial_state_has_no_variance() {
    verify(chain);
}

#[test]
fn free_energy_and_gradient_are_those_of_all_states() {
    verify(glass);
}
