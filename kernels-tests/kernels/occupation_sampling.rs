//! Sampling p(K): every draw is the inversion of the exact conditional, the histogram is that of
//! enumeration, and the ideal prior gives the ideal gas.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::{Chunk, occupation};
use helmholtz::model::occupation::Prior;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::reference::philox::{philox, uniform4};
use helmholtz::system::{ElectronGas, IdealGas};

use crate::harness::{Check, mutant, random, verify};
use crate::ideal_gas::states;
use crate::occupation::{Setup, shape};

const SEED: u64 = 0x1234_5678_9abc_def0;
const STEP: u32 = 9;

/// States and ln p of `walkers` walkers from global index `first_walker` on, in chunks of `batch`.
fn draw(gpu: &Gpu, s: &Setup, batch: usize, walkers: usize, first_walker: u32) -> Result<(Vec<u32>, Vec<f32>), String> {
    let k = s.kernels(batch, gpu)?;
    let params = gpu.upload("parameters", &s.parameters32());
    let (states, logp) = (Buffer::new("states", walkers * s.model.n), Buffer::new("logp", walkers));
    let mut rec = Recording::new();
    k.record_pack(&mut rec, &params);
    for chunk in k.chunks(walkers) {
        let at = Stream { seed: SEED, step: STEP, purpose: purpose::OCCUPATION, first_walker };
        k.record_sample(&mut rec, at, chunk, &states, &logp);
    }
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |e: helmholtz::Error| e.to_string();
    Ok((gpu.read_words(&states, walkers * s.model.n).map_err(read)?, gpu.read_words(&logp, walkers).map_err(read)?))
}

/// The distribution function of each draw brackets its uniform number. A logit is off by some tens of
/// eps, and so is a probability; the sum of the window adds its own rounding: 200 eps.
pub(crate) fn inversion(gpu: &Gpu) -> Check {
    let allowed = 200.0 * f32::EPSILON as f64;
    for sizes in [[5, 11, 2, 8, 2, 12, 2], [1, 6, 3, 4, 1, 4, 1], [7, 7, 2, 6, 2, 5, 1], [4, 19, 1, 15, 5, 7, 3], [9, 33, 3, 16, 4, 32, 2]]
    {
        let mut s = Setup::random(shape(sizes), 0.5, 1);
        let (n, walkers, first) = (s.model.n, 37, 1000);
        let (states, logp) = draw(gpu, &s, walkers, walkers, first)?;
        s.states = states;
        for w in 0..walkers {
            let state = s.state(w);
            if !state.windows(2).all(|p| p[0] < p[1]) || state[n - 1] >= s.model.orbitals {
                return Err(format!("walker {w}: {state:?} is no state"));
            }
            for i in 0..n {
                let bits = philox([SEED as u32, (SEED >> 32) as u32], [i as u32, first + w as u32, STEP, purpose::OCCUPATION]);
                let (low, row) = s.twin().conditional(&state, i);
                let below: f64 = row[..state[i] - low].iter().map(|v| v.exp()).sum();
                let above = below + row[state[i] - low].exp();
                let u = uniform4(bits)[0];
                if !(u >= below - allowed && u <= above + allowed) {
                    return Err(format!("{sizes:?} walker {w} row {i}: {u} is not between {below} and {above}"));
                }
            }
            let want = s.twin().log_probability(&state);
            let error = (logp[w] as f64 - want).abs();
            if !(error <= crate::occupation::bound_logp(n)) {
                return Err(format!("{sizes:?} ln p of walker {w}: {} instead of {want}", logp[w]));
            }
        }
    }
    Ok(())
}

/// Chunks and the number of walkers change no bit; nor does the profile's work sharing change a state.
fn independence(gpu: &Gpu) -> Check {
    let s = Setup::random(shape([6, 13, 2, 8, 4, 10, 2]), 0.5, 1);
    let (states, logp) = draw(gpu, &s, 50, 50, 7)?;
    for (batch, walkers, first) in [(13, 50, 7), (50, 20, 7), (50, 23, 34)] {
        let skip = first as usize - 7;
        let (other, other_logp) = draw(gpu, &s, batch, walkers, first)?;
        if other != states[6 * skip..][..6 * walkers] || other_logp != logp[skip..][..walkers] {
            return Err(format!("batch {batch}, {walkers} walkers from {first} on: other draws"));
        }
    }
    Ok(())
}

/// Chi square of sampled states against exact probabilities; cells under 5 expected are joined.
fn chi_square(s: &Setup, drawn: &[u32], exact: impl Fn(&[usize]) -> f64) -> (f64, usize) {
    let n = s.model.n;
    let mut counts = std::collections::HashMap::new();
    for state in drawn.chunks(n) {
        *counts.entry(state.iter().map(|&v| v as usize).collect::<Vec<_>>()).or_insert(0.0) += 1.0;
    }
    let total = (drawn.len() / n) as f64;
    let (mut chi, mut cells, mut rest) = (0.0, 0, (0.0, 0.0));
    for state in states(n, s.model.orbitals) {
        let want = total * exact(&state).exp();
        let got = counts.get(&state).copied().unwrap_or(0.0);
        if want < 5.0 {
            rest = (rest.0 + want, rest.1 + got);
        } else {
            chi += (got - want) * (got - want) / want;
            cells += 1;
        }
    }
    if rest.0 > 0.0 {
        chi += (rest.1 - rest.0) * (rest.1 - rest.0) / rest.0;
        cells += 1;
    }
    (chi, cells - 1)
}

/// A fixed seed; chi square has variance 2 a degree of freedom: four standard deviations.
fn histogram(gpu: &Gpu) -> Check {
    let walkers = 8192;
    let network = Setup::random(shape([3, 8, 2, 8, 2, 6, 1]), 1.0, 1);
    let (drawn, _) = draw(gpu, &network, 1024, walkers, 0)?;
    let judge = |(chi, freedom): (f64, usize), what: &str| {
        println!("{what}: chi square {chi:.1} for {freedom}");
        let allowed = freedom as f64 + 4.0 * (2.0 * freedom as f64).sqrt();
        if chi < allowed && freedom > 20 { Ok(()) } else { Err(format!("{what}: chi square {chi} for {freedom}")) }
    };
    judge(chi_square(&network, &drawn, |k| network.twin().log_probability(k)), "network")?;
    let (ideal, gas) = untrained(4, 9, &random(5, 9).iter().map(|v| 2.0 * v).collect::<Vec<f64>>(), 1.1, &random(6, 18));
    let (drawn, _) = draw(gpu, &ideal, 1024, walkers, 0)?;
    judge(chi_square(&ideal, &drawn, |k| gas.log_probability(k)), "ideal gas")
}

/// An untrained network on the ideal prior.
fn untrained(n: usize, m: usize, levels: &[f64], beta: f64, orbitals: &[f64]) -> (Setup, IdealGas) {
    let gas = IdealGas::new(levels, n, beta).unwrap();
    let model = shape([n, m, 2, 16, 4, 32, 2]);
    let parameters = model.initial(1, Prior::Ideal).iter().map(|&v| v as f64).collect();
    (Setup { model, parameters, orbitals: orbitals.to_vec(), bias: gas.bias(), states: Vec::new() }, gas)
}

/// ln p of every state of a small gas. The logits carry eps / 2 of their own size, here up to 10, and
/// each of the n rows two more roundings: 16 n eps.
fn ideal_states(gpu: &Gpu) -> Check {
    let (mut s, gas) = untrained(4, 10, &random(8, 10).iter().map(|v| 3.0 * v).collect::<Vec<f64>>(), 1.0, &random(9, 20));
    let all = states(4, 10);
    s.states = all.iter().flatten().map(|&v| v as u32).collect();
    let k = s.kernels(all.len(), gpu)?;
    let (params, states) = (gpu.upload("parameters", &s.parameters32()), gpu.upload("states", &s.states));
    let logp = Buffer::new("logp", all.len());
    let mut rec = Recording::new();
    k.record_pack(&mut rec, &params);
    k.record_logp(&mut rec, Chunk { first: 0, count: all.len() }, &states, &logp);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let got: Vec<f32> = gpu.read_words(&logp, all.len()).map_err(|e| e.to_string())?;
    let mut worst = 0.0_f64;
    for (state, g) in all.iter().zip(&got) {
        worst = worst.max((*g as f64 - gas.log_probability(state)).abs());
    }
    println!("ideal gas: ln p of {} states to {worst:.1e}", all.len());
    if worst <= 64.0 * f32::EPSILON as f64 { Ok(()) } else { Err(format!("ln p of an ideal state off by {worst:.1e}")) }
}

/// n = 13 at Theta = 0.15: F has no variance, E and S have that of the gas.
fn thermodynamics(gpu: &Gpu) -> Check {
    let system = ElectronGas::with(13, 2, 1.0, 0.15, Some(25), Some(&[0.25, 0.25])).map_err(|e| e.to_string())?;
    let m = system.orbital_count();
    let levels = system.energies();
    let orbitals: Vec<f64> = system.momenta_padded().chunks(4).flat_map(|k| [k[0] as f64, k[1] as f64]).collect();
    let (s, gas) = untrained(13, m, &levels, system.beta(), &orbitals);
    let walkers = 4096;
    let (drawn, logp) = draw(gpu, &s, 1024, walkers, 0)?;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let energies: Vec<f64> = drawn.chunks(13).map(|k| k.iter().map(|&j| levels[j as usize]).sum()).collect();
    let free: Vec<f64> = energies.iter().zip(&logp).map(|(e, &l)| l as f64 / gas.beta + e).collect();
    let worst = free.iter().fold(0.0_f64, |a, f| a.max((f - 24.811_051_764_311_38).abs()));
    let (e, s) = (mean(&energies), -mean(&logp.iter().map(|&l| l as f64).collect::<Vec<_>>()));
    let error = (mean(&energies.iter().map(|v| (v - e) * (v - e)).collect::<Vec<_>>()) / walkers as f64).sqrt();
    let (de, ds) = ((e - gas.energy) / error, (s - gas.entropy) / (gas.beta * error));
    println!("F to {worst:.1e}; E {e:.4} ({de:+.2} sigma), S {s:.4} ({ds:+.2} sigma)");
    // ln p of size 5 to 20 to 13 x 16 eps; fixed seed, three standard errors
    if worst < 13.0 * 16.0 * f32::EPSILON as f64 && de.abs() < 3.0 && ds.abs() < 3.0 {
        Ok(())
    } else {
        Err(format!("F off by {worst:.1e}, E by {de:.2} and S by {ds:.2} standard errors"))
    }
}

#[test]
fn draws_invert_the_exact_conditionals() {
    verify(inversion);
    verify(independence);
}

#[test]
fn histograms_are_those_of_enumeration() {
    verify(histogram);
}

#[test]
fn ideal_prior_is_the_ideal_gas() {
    verify(ideal_states);
    verify(thermodynamics);
}

#[test]
fn broken_kernels_are_noticed() {
    let edits = [
        ("p.first_walker + walker, p.step", "walker, p.step"),
        ("log1p_(sum - 1.0)", "log1p_(sum)"),
        ("4u * col + 3u <= before", "4u * col <= before"),
        ("p.orbitals - p.n + token", "p.orbitals - p.n"),
        ("states[(p.first + walker) * p.n + token - 1u]", "states[(p.first + walker) * p.n]"),
    ];
    for (from, to) in edits {
        mutant(&occupation::SAMPLE, from, to, inversion);
    }
    mutant(&occupation::SAMPLE, "logp[p.first + walker] = before", "logp[walker] = before", independence);
}
