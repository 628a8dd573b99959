//! Exact draws of |Ψ_K|²: against long chains, on published flows, and on flows that are not invertible.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::model::backflow::{self, Backflow};
use helmholtz::number::statistics::Running;
use helmholtz::problem::electron_gas::{Sampler, Settings, Trainer};
use helmholtz::sample::{self, Chunk, Exact, Metropolis, Round, Sampler as _, exact};
use helmholtz::system::ElectronGas;
use helmholtz::wave_function::WaveFunction;

use crate::harness::{Check, devices, random, verify};
use crate::published::{self, single};

fn text(e: helmholtz::Error) -> String {
    e.to_string()
}

/// Weights and biases uniform with the given standard deviation.
fn parameters(model: &Backflow, deviation: f64, seed: u64) -> Vec<f32> {
    single(&random(seed, model.table().len()).iter().map(|v| 3f64.sqrt() * deviation * v).collect::<Vec<_>>())
}

/// A gas with its wave functions, all walkers in the ground state, in chunks.
struct System {
    gas: ElectronGas,
    wave: WaveFunction,
    states: Vec<helmholtz::gpu::Buffer>,
}

fn system(gpu: &Gpu, n: usize, model: Backflow, values: &[f32], walkers: usize, chunk: usize) -> Result<System, String> {
    let gas = ElectronGas::with(n, model.dim, 2.0, 0.2, None, None).map_err(text)?;
    let wave = WaveFunction::new(gpu, &gas, model, chunk).map_err(text)?;
    let mut rec = Recording::new();
    wave.flow.record_pack(&mut rec, &gpu.upload("parameters", values));
    gpu.run(&rec).map_err(text)?;
    let row: Vec<u32> = gas.ground_state().map(|s| s as u32).collect();
    let states = (0..walkers.div_ceil(chunk)).map(|c| gpu.upload("states", &row.repeat(chunk.min(walkers - c * chunk)))).collect();
    Ok(System { gas, wave, states })
}

/// ln|det J|, a repulsive pair sum, and the size of ∇ ln|Φ|, of every walker of a chunk.
fn observe(gpu: &Gpu, s: &System, chunk: &Chunk, states: &helmholtz::gpu::Buffer) -> Result<Vec<[f64; 4]>, String> {
    let mut rec = Recording::new();
    s.wave.record_gradients(&mut rec, &chunk.x, states, chunk.walkers, helmholtz::kernels::backflow::Order::First);
    gpu.run(&rec).map_err(text)?;
    let (size, dim, length) = (s.gas.n * s.gas.dim, s.gas.dim, s.gas.length());
    let logdet: Vec<f32> = gpu.read_words(&s.wave.jacobian.logdet, chunk.walkers).map_err(text)?;
    let slope: Vec<f32> = gpu.read_words(&s.wave.slater_gradient, 2 * chunk.walkers * size).map_err(text)?;
    let x: Vec<f32> = gpu.read_words(&chunk.x, chunk.walkers * size).map_err(text)?;
    let mut out = Vec::new();
    for w in 0..chunk.walkers {
        let r: Vec<&[f32]> = x[w * size..][..size].chunks(dim).collect();
        let (mut pairs, mut wave) = (0.0, 0.0);
        for i in 0..s.gas.n {
            wave += (2.0 * std::f64::consts::PI * r[i][0] as f64 / length).cos();
            for j in 0..i {
                let square: f64 = (0..dim).map(|c| (std::f64::consts::PI * (r[i][c] - r[j][c]) as f64 / length).sin().powi(2)).sum();
                pairs += 1.0 / square.sqrt();
            }
        }
        // bounded, unlike the kinetic energy, whose mean needs many walkers
        let kinetic: f64 = slope[2 * w * size..][..2 * size].iter().map(|g| (*g as f64).powi(2)).sum();
        out.push([logdet[w] as f64, pairs, kinetic.min(60.0), wave * wave]);
    }
    Ok(out)
}

/// A random flow far from the identity: means of exact draws and of long chains agree.
fn chains_agree(gpu: &Gpu) -> Check {
    let model = Backflow { dim: 2, depth: 2, one: 8, pair: 8, feature: backflow::Feature::Half, unlike: false };
    means_agree(gpu, 7, model, &parameters(&model, 0.3, 4))
}

/// Flows as training leaves them, in two dimensions and three.
fn trained_chains_agree(gpu: &Gpu) -> Check {
    // the networks of the default sizes in two dimensions, smaller ones in three
    for (n, dim, size) in [(7, "2", "16"), (7, "3", "8")] {
        let number = n.to_string();
        let line =
            format!("n={number} dim={dim} rs=10 theta=0.15 prior=ideal batch=128 chunk=128 max_norm=0.02 spsize={size} tpsize={size}");
        let settings = Settings::of(&line).map_err(text)?;
        let mut trainer = Trainer::new(gpu, &settings, None, None).map_err(text)?;
        let fresh = trainer.flow.values(gpu).map_err(text)?;
        for _ in 0..15 {
            if !trainer.sample(gpu).map_err(text)?.usable() {
                trainer.take_back(gpu).map_err(text)?;
                continue;
            }
            trainer.energies_and_scores(gpu).map_err(text)?;
            trainer.update(gpu).map_err(text)?;
        }
        if !trainer.sample(gpu).map_err(text)?.usable() {
            trainer.take_back(gpu).map_err(text)?;
        }
        let values = trainer.flow.values(gpu).map_err(text)?;
        let moved = values.iter().zip(&fresh).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        // fresh weights are N(0, 0.01²)
        if moved < 0.1 {
            return Err(format!("n = {n}: training moved no parameter by more than {moved}"));
        }
        means_agree(gpu, n, settings.backflow(), &values).map_err(|e| format!("n = {n}, {dim}D, trained: {e}"))?;
    }
    Ok(())
}

/// Means over exact draws and over long chains in the ground state of the plane waves, within 4 errors; the errors must be small
/// against the spread.
fn means_agree(gpu: &Gpu, n: usize, model: Backflow, values: &[f32]) -> Check {
    let (walkers, chunk) = (160, 100);
    let s = system(gpu, n, model, values, walkers, chunk)?;
    let mut direct = Exact::new(&s.gas, exact::Settings::new(walkers, chunk, 6)).map_err(text)?;
    let mut a = [Running::default(); 4];
    for _ in 0..4 {
        let round = direct.draw(gpu, &s.wave, &s.states).map_err(text)?;
        if round.failed > 0 || !round.usable() || round.residual > 1e-4 {
            return Err(format!("{round:?}"));
        }
        for (chunk, states) in direct.chunks().iter().zip(&s.states) {
            observe(gpu, &s, chunk, states)?.iter().for_each(|v| {
                a.iter_mut().zip(v).for_each(|(a, v)| {
                    a.push(*v);
                })
            });
        }
    }
    let settings = sample::Settings {
        walkers,
        chunk,
        first: 0,
        size: n * model.dim,
        length: s.gas.length(),
        sweeps: 30,
        width: 0.2,
        acceptance: Some(0.4),
        seed: 9,
    };
    let mut chains = Metropolis::new(settings).map_err(text)?;
    let mut sums = vec![[Running::default(); 4]; walkers];
    for number in 0..8 {
        chains.draw(gpu, &s.wave, &s.states).map_err(text)?;
        if number < 4 {
            continue;
        }
        for (chunk, states) in chains.chunks().iter().zip(&s.states) {
            for (w, v) in observe(gpu, &s, chunk, states)?.iter().enumerate() {
                sums[chunk.first + w].iter_mut().zip(v).for_each(|(s, v)| {
                    s.push(*v);
                });
            }
        }
    }
    for (which, name) in ["ln det J", "pairs", "slope of ln Phi", "wave"].iter().enumerate() {
        // chains are independent of each other
        let mut b = Running::default();
        sums.iter().for_each(|s| {
            b.push(s[which].mean);
        });
        let error = a[which].error().hypot(b.error());
        let sigma = (a[which].mean - b.mean) / error;
        let spread = a[which].variance().sqrt();
        if !(sigma.abs() < 4.0 && error < 0.1 * spread) {
            return Err(format!("{name}: exact {} ± {}, chains {} ± {}: {sigma:.1} σ", a[which].mean, a[which].error(), b.mean, b.error()));
        }
    }
    Ok(())
}

/// Chunks and successive rounds: bits do not depend on the former, numbers do on the latter.
fn split(gpu: &Gpu) -> Check {
    let model = Backflow { dim: 2, depth: 2, one: 8, pair: 8, feature: backflow::Feature::Half, unlike: false };
    let draws = |chunk: usize, rounds: usize| -> Result<(Vec<f32>, Vec<f32>), String> {
        let s = system(gpu, 5, model, &parameters(&model, 0.2, 1), 9, chunk)?;
        let mut sampler = Exact::new(&s.gas, exact::Settings::new(9, chunk, 3)).map_err(text)?;
        for _ in 0..rounds {
            let mut rec = Recording::new();
            sampler.record(&mut rec, &s.wave, &s.states).map_err(text)?;
            gpu.run(&rec).map_err(text)?;
        }
        let (mut x, mut l) = (Vec::new(), Vec::new());
        for chunk in sampler.chunks() {
            x.extend(gpu.read_words::<f32>(&chunk.x, chunk.walkers * 10).map_err(text)?);
            l.extend(gpu.read_words::<f32>(&chunk.log_psi, chunk.walkers).map_err(text)?);
        }
        Ok((x, l))
    };
    let (whole, parts, later) = (draws(9, 1)?, draws(4, 1)?, draws(9, 2)?);
    if whole != parts || whole.0 == later.0 || whole.1.iter().any(|l| !l.is_finite() || *l < -1e29) {
        return Err("draws depend on chunks, or not on the round".into());
    }
    Ok(())
}

/// Published flows (n = 29): every walker converges in few steps, with det J > 0. States near the ground state, as the
/// temperature of the publication has them: one electron of each walker is lifted.
fn inverted(gpu: &Gpu) -> Check {
    let data: serde_json::Value = published::data("n57_d2_local_energy.json")?;
    let values: Vec<f32> = data["parameters"].as_array().into_iter().flatten().filter_map(|v| v.as_f64()).map(|v| v as f32).collect();
    let model = Backflow { dim: 2, depth: 2, one: 16, pair: 16, feature: backflow::Feature::Half, unlike: false };
    let gas = ElectronGas::with(29, 2, 10.0, 0.15, Some(25), None).map_err(text)?;
    let ground: Vec<u32> = gas.ground_state().map(|s| s as u32).collect();
    let walkers = 128;
    // orbitals are sorted by falling energy: the ground state is the end of the table
    let lifted = |w: usize| {
        let mut row = ground.clone();
        row[w % 5] = ground[0] - 1 - (w % 7) as u32;
        row.sort_unstable();
        row
    };
    let states: Vec<u32> = (0..walkers).flat_map(lifted).collect();
    let wave = WaveFunction::new(gpu, &gas, model, walkers).map_err(text)?;
    let mut rec = Recording::new();
    wave.flow.record_pack(&mut rec, &gpu.upload("parameters", &values));
    gpu.run(&rec).map_err(text)?;
    let mut sampler = Exact::new(&gas, exact::Settings::new(walkers, walkers, 1)).map_err(text)?;
    let round = sampler.draw(gpu, &wave, &[gpu.upload("states", &states)]).map_err(text)?;
    let harmonic: f64 = (1..=gas.n).map(|i| 1.0 / i as f64).sum();
    if round.failed > 0 || round.residual > 1e-4 || round.smallest < 0.3 || round.iterations > 6 {
        return Err(format!("{round:?}"));
    }
    // n H_n candidates with a standard deviation below 2 n a walker
    if !((1.0 / round.acceptance - harmonic).abs() < 8.0 / (walkers as f64).sqrt()) {
        return Err(format!("{round:?}: want acceptance {}", 1.0 / harmonic));
    }
    Ok(())
}

/// A wild flow folds space: its draws are flagged, counted and left out.
fn folded_space(gpu: &Gpu) -> Check {
    let model = Backflow { dim: 2, depth: 2, one: 8, pair: 8, feature: backflow::Feature::Half, unlike: false };
    let walkers = 64;
    let s = system(gpu, 5, model, &parameters(&model, 1.0, 2), walkers, walkers)?;
    let mut sampler = Exact::new(&s.gas, exact::Settings::new(walkers, walkers, 3)).map_err(text)?;
    let round = sampler.draw(gpu, &s.wave, &s.states).map_err(text)?;
    let chunk = &sampler.chunks()[0];
    let out: Vec<f32> = gpu.read_words(&chunk.log_psi, walkers).map_err(text)?;
    let x: Vec<f32> = gpu.read_words(&chunk.x, walkers * 10).map_err(text)?;
    let left = out.iter().filter(|l| **l < -1e29).count();
    if round.usable() || round.failed < 2 || left != round.failed || !x.iter().all(|x| (0.0..s.gas.length() as f32).contains(x)) {
        return Err(format!("{round:?}, {left} left out"));
    }
    Ok(())
}

/// A run whose flow is made singular: the update is taken back and the run goes on.
fn taken_back(gpu: &Gpu) -> Check {
    let settings = Settings::of("n=5 rs=2 theta=0.3 batch=16 chunk=16 spsize=8 tpsize=8").map_err(text)?;
    if settings.sampler != Sampler::Exact || settings.feature != backflow::Feature::Half {
        return Err("exact draws are the default".into());
    }
    let mut trainer = Trainer::new(gpu, &settings, None, None).map_err(text)?;
    let good = trainer.flow.values(gpu).map_err(text)?;
    let usable = |t: &mut Trainer| -> Result<Round, String> { t.sample(gpu).map_err(text) };
    if !usable(&mut trainer)?.usable() {
        return Err("the initial flow is invertible".into());
    }
    let bad = single(&random(3, good.len()).iter().map(|v| 4.0 * v).collect::<Vec<_>>());
    gpu.write(&trainer.flow.parameters, &bad);
    if usable(&mut trainer)?.usable() {
        return Err("a wild flow went unnoticed".into());
    }
    let pace = trainer.take_back(gpu).map_err(text)?;
    if pace != 0.5 || trainer.flow.values(gpu).map_err(text)? != good || !usable(&mut trainer)?.usable() {
        return Err(format!("pace {pace}, or other parameters than before"));
    }
    let energies = trainer.energies(gpu).map_err(text)?;
    let updated = trainer.update(gpu).map_err(text)?;
    let now = trainer.flow.values(gpu).map_err(text)?;
    if energies.failed > 0 || updated.is_some() || now == good || now.iter().any(|v| !v.is_finite()) {
        return Err(format!("after it: {energies:?}, {updated:?}"));
    }
    Ok(())
}

#[test]
fn exact_draws_and_chains_agree() {
    // the longest of the checks; the kernels themselves are checked in both profiles
    if let Err(text) = chains_agree(devices()[0]) {
        panic!("{text}");
    }
}

#[test]
fn exact_draws_and_chains_agree_on_trained_flows() {
    if let Err(text) = trained_chains_agree(devices()[0]) {
        panic!("{text}");
    }
}

#[test]
fn draws_do_not_depend_on_chunks() {
    verify(split);
}

#[test]
fn published_flows_are_inverted() {
    verify(inverted);
}

#[test]
fn flows_that_fold_space_are_noticed() {
    verify(folded_space);
}

#[test]
fn updates_that_fold_space_are_taken_back() {
    verify(taken_back);
}
