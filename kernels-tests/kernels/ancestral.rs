//! Cached sampling of masked networks: the twin's draws, the logits of a full pass, frequencies, chunks, and what is not a number.

use helmholtz::gpu::{Buffer, Gpu, Kernel, MAX_TRIPS, Profile, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::ancestral;
use helmholtz::kernels::fields::Known;
use helmholtz::kernels::philox::{Stream, purpose};

use crate::bounds::refuses;
use crate::harness::{Check, close, devices, fragment, mutant_in, verify};
use crate::made::{residual, shape};
use crate::spins::{Model, Setup, evaluate, single, states};

pub fn stream(first_walker: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step: 3, purpose: purpose::SPINS, first_walker }
}

/// Spins, ln q0 and the logits of the cache, drawn in chunks of `batch` (logits: where that is one).
pub fn draw<M: Model>(gpu: &Gpu, s: &Setup<M>, batch: usize, samples: usize, first_walker: u32) -> Result<[Vec<f32>; 3], String> {
    let k = s.network(batch, gpu.profile)?;
    let n = s.model.sites();
    let (params, spins, log_q) = (s.upload(gpu), Buffer::new("spins", samples * n), Buffer::new("ln q", samples));
    let mut rec = Recording::new();
    for first in (0..samples).step_by(batch) {
        let chunk = Chunk { first, count: batch.min(samples - first) };
        k.record_sample(&mut rec, stream(first_walker), chunk, &params, &spins, &log_q);
    }
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
    let (sampler, cache) = k.cache();
    let last = (samples - 1) % batch + 1;
    let all = read(cache, sampler.cache_words(last))?;
    let logits = (0..last * n).map(|at| all[sampler.logit(at / n, at % n)]).collect();
    Ok([read(&spins, samples * n)?, read(&log_q, samples)?, logits])
}

/// Draws, their ln q0 and the cache's logits against the twin, and those of a full pass on the device.
pub fn agrees<M: Model>(gpu: &Gpu, mut s: Setup<M>, samples: usize, batch: usize) -> Check {
    let n = s.model.sites();
    let [spins, log_q, logits] = draw(gpu, &s, batch, samples, 11)?;
    s.spins = spins.iter().map(|&v| v as f64).collect();
    let [full, again, ..] = evaluate(gpu, &s, samples, 1.0)?;
    for (w, drawn) in s.samples().enumerate() {
        let (want, margin) = s.twin().draw(stream(11), w as u32);
        // a random number next to the threshold may fall on either side
        if margin > 1e-5 && want != drawn {
            return Err(format!("{:?} sample {w}: {drawn:?} instead of {want:?}", s.model));
        }
        close(&format!("{:?} ln q {w}", s.model), &log_q[w..], &[s.twin().log_q(drawn)], s.bound())?;
        close("ln q of a full pass", &log_q[w..], &[again[w] as f64], s.bound())?;
    }
    let first = samples - logits.len() / n;
    for (at, w) in (first..samples).enumerate() {
        let [cached, passed] = [&logits[at * n..][..n], &full[w * n..][..n]];
        close("logits of a full pass", cached, &passed.iter().map(|&v| v as f64).collect::<Vec<_>>(), s.bound())?;
        close("logits", cached, &s.twin().logits(&s.spins[w * n..][..n]), s.bound())?;
    }
    Ok(())
}

/// A sample that takes more loop trips than a launch may make: spins, ln q0 and logits of all launches against a full pass on
/// the device, and each draw against its own random number.
pub fn follows<M: Model>(gpu: &Gpu, mut s: Setup<M>, samples: usize) -> Check {
    let n = s.model.sites();
    let [spins, log_q, logits] = draw(gpu, &s, samples, samples, 3)?;
    s.spins = spins.iter().map(|&v| v as f64).collect();
    let [full, again, ..] = evaluate(gpu, &s, samples, 1.0)?;
    close("logits", &logits, &full.iter().map(|&v| v as f64).collect::<Vec<_>>(), s.bound())?;
    close("ln q", &log_q, &again.iter().map(|&v| v as f64).collect::<Vec<_>>(), s.bound())?;
    for (at, (l, spin)) in logits.iter().zip(&spins).enumerate() {
        let u = helmholtz::number::philox::uniform4(stream(3).skip(at / n).bits((at % n / 4) as u32))[at % n % 4];
        let up = 1.0 / (1.0 + (-*l as f64).exp());
        if (u - up).abs() > 1e-5 && (u < up) != (*spin > 0.0) {
            return Err(format!("spin {at} is {spin}, with {u} of {up}"));
        }
    }
    Ok(())
}

fn sizes(gpu: &Gpu) -> Check {
    for (n, depth, width, bias, prelu, samples, batch) in [
        (7, 1, 1, false, true, 70, 70),
        (20, 1, 1, true, true, 9, 9),
        (20, 2, 5, false, true, 9, 9),
        (7, 2, 4, true, false, 9, 9),
        (7, 3, 3, true, true, 1, 1),
    ] {
        agrees(gpu, Setup::random(shape(n, depth, width, bias, prelu), 1), samples, batch)?;
    }
    Ok(())
}

/// One shape with every kind of parameter, rows of weights by four and one by one, in chunks: for the mutants.
fn chunks(gpu: &Gpu) -> Check {
    agrees(gpu, Setup::random(shape(7, 3, 5, true, true), 1), 37, 20)
}

/// The same with residuals, more than one.
fn residuals(gpu: &Gpu) -> Check {
    agrees(gpu, Setup::random(residual(7, 4, 5, true, true), 1), 37, 20)
}

/// A sample that takes more loop trips than a launch of `ancestral` may make.
fn long(gpu: &Gpu) -> Check {
    agrees(gpu, Setup::random(shape(64, 2, 64, true, true), 1), 3, 3)
}

/// The same of `ancestral_group`, with sums of more terms than lanes.
fn long_of_group(gpu: &Gpu) -> Check {
    let mut s = Setup::random(shape(1800, 1, 1, true, true), 1);
    s.parameters.iter_mut().for_each(|v| *v *= 0.1);
    follows(gpu, s, 2)
}

#[test]
fn draws_and_logits_are_those_of_the_twin() {
    verify(sizes);
    verify(chunks);
    verify(residuals);
    verify(long);
    let [_, wide] = devices();
    long_of_group(wide).unwrap();
    for (profile, shape) in [(Profile::Simd, shape(64, 2, 64, true, true)), (Profile::Gpu, shape(2600, 1, 1, true, true))] {
        let (n, s) = (shape.sites, Setup::random(shape, 1));
        let (k, mut rec) = (s.network(3, profile).unwrap(), Recording::new());
        let [parameters, spins, log_q] = [s.parameters.len(), 3 * n, 3].map(|words| Buffer::new("b", words));
        k.record_sample(&mut rec, stream(0), Chunk { first: 0, count: 3 }, &parameters, &spins, &log_q);
        assert!(rec.dispatches().count() > 2 && rec.dispatches().all(|d| d.trips <= MAX_TRIPS), "{profile:?}");
    }
}

/// Bit by bit, whatever the chunks and where the first walker of a buffer stands.
pub fn independent<M: Model>(gpu: &Gpu, s: Setup<M>) -> Check {
    let [spins, log_q, _] = draw(gpu, &s, 70, 70, 5)?;
    for batch in [1, 16, 33] {
        let [again, log_again, _] = draw(gpu, &s, batch, 70, 5)?;
        if again != spins || log_again != log_q {
            return Err(format!("chunks of {batch} give other samples"));
        }
    }
    let [later, log_later, _] = draw(gpu, &s, 8, 60, 15)?;
    if later == spins[10 * s.model.sites()..] && log_later == log_q[10..] { Ok(()) } else { Err("walkers 10 on give other samples".into()) }
}

/// A fixed seed; chi square has variance 2 a degree of freedom: four standard deviations. States that are expected less than
/// 5 times are counted together.
pub fn frequencies<M: Model>(gpu: &Gpu, s: Setup<M>) -> Check {
    let (n, samples) = (s.model.sites(), 4000);
    let [spins, ..] = draw(gpu, &s, 3000, samples, 0)?;
    let mut counts = std::collections::HashMap::new();
    spins.chunks(n).for_each(|d| *counts.entry(d.iter().map(|s| *s > 0.0).collect::<Vec<_>>()).or_insert(0.0) += 1.0);
    let twin = s.twin();
    let mut cells = vec![[0.0, 0.0]; 1];
    for state in states(n).chunks(n) {
        let got = counts.get(&state.iter().map(|s| *s > 0.0).collect::<Vec<_>>()).copied().unwrap_or(0.0);
        let want = samples as f64 * twin.log_q(state).exp();
        if want < 5.0 {
            cells[0] = [cells[0][0] + got, cells[0][1] + want];
        } else {
            cells.push([got, want]);
        }
    }
    cells.retain(|c| c[1] > 0.0);
    let (chi, freedom) = (cells.iter().map(|[g, w]| (g - w).powi(2) / w).sum::<f64>(), cells.len() as f64 - 1.0);
    println!("{:?}: chi square {chi:.1} for {freedom}", s.model);
    if !(chi < freedom + 4.0 * (2.0 * freedom).sqrt() && freedom > 20.0) {
        return Err(format!("{:?}: chi square {chi} for {freedom}", s.model));
    }
    Ok(())
}

#[test]
fn draws_do_not_depend_on_chunks() {
    verify(|gpu| independent(gpu, Setup::random(shape(9, 2, 3, true, true), 1)));
    verify(|gpu| independent(gpu, Setup::random(residual(9, 4, 3, true, true), 1)));
}

#[test]
fn frequencies_are_the_probabilities() {
    verify(|gpu| {
        for depth in [1, 2] {
            let mut s = Setup::random(shape(6, depth, 3, true, true), 1);
            s.parameters.iter_mut().for_each(|v| *v *= 0.5);
            frequencies(gpu, s)?;
        }
        Ok(())
    });
}

#[test]
fn short_buffers_are_refused() {
    // 7 samples behind 2 others, 9 sites of 3 channels: 9 spins, 27 units, 9 logits; the last word of a workgroup's 64, or of a
    // sample
    let s = Setup::random(shape(9, 2, 3, true, true), 1);
    for profile in [Profile::Simd, Profile::Gpu] {
        let k = s.network(7, profile).unwrap();
        let (sampler, _) = k.cache();
        assert_eq!(sampler.cache_words(7), if profile == Profile::Simd { 44 * 64 + 7 } else { 45 * 7 });
        refuses("ancestral", &[s.parameters.len(), sampler.cache_words(7), 9 * 9, 9], |rec, b| {
            let out = ancestral::Outputs { cache: &b[1], spins: &b[2], log_q: &b[3] };
            sampler.record(rec, profile, stream(0), 2, 7, &b[0], Known { fields: &s.fields(), factor: 1.0 }, out);
        });
    }
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("p.factor * field(w, site, p.sites)", "field(w, site, p.sites)"),
        ("(site + inclusive) * head.z", "site * head.z"),
        ("select(site, 0u, inclusive == 1u)", "0u"),
        ("parameters[m + 2u * sees]", "parameters[m + sees]"),
        ("at += 4u * sees;", "at += 3u * sees;"),
        ("let m = parameters[at + k];", "let m = parameters[at];"),
        ("select(parameters[about.z + unit], 1.0, v > 0.0)", "parameters[about.z + unit]"),
        ("parameters[about.y + unit]", "parameters[about.y]"),
        ("min(w + $tu, p.count - 1u)", "w"),
        ("* SPAN + w % SPAN;", "* SPAN;"),
        ("min(w + TILE, p.count)", "w + 1u"),
    ] {
        mutant_in(Profile::Simd, &ancestral::KERNEL, from, to, chunks);
    }
    for (from, to) in [
        ("select(0u, site * head.z, diagonal)", "0u"),
        ("select(triangle, site, diagonal)", "triangle"),
        ("(head.x + begin) * SPAN", "head.x * SPAN"),
        ("v += cache[at];", ""),
    ] {
        mutant_in(Profile::Simd, &ancestral::KERNEL, from, to, residuals);
    }
    mutant_in(Profile::Simd, &ancestral::KERNEL, "v = tanh_(v);", "", sizes);
    broken_draws(&ancestral::KERNEL, &[Profile::Simd], chunks, long);
    fragment("ancestral", Profile::Simd, &ancestral::KERNEL, "sites) + bitcast<f32>(fields[site].y)", "sites)", chunks);
}

#[test]
fn broken_groups_are_noticed() {
    for (from, to) in [
        ("p.factor * (known + bitcast<f32>(fields[site].y))", "known + bitcast<f32>(fields[site].y)"),
        ("(known + bitcast<f32>(fields[site].y))", "known"),
        ("(site + inclusive) * head.z", "site * head.z"),
        ("select(site, 0u, inclusive == 1u)", "0u"),
        ("vec4<u32>(0u, 1u, 2u, 3u)", "vec4<u32>(0u, 1u, 1u, 3u)"),
        ("at += (most + 1u) * sees;", "at += most * sees;"),
        ("let m = places + k;", "let m = places;"),
        ("select(parameters[about.z + unit], 1.0, v > 0.0)", "parameters[about.z + unit]"),
        ("parameters[about.y + unit]", "parameters[about.y]"),
        ("half = WG / 2u", "half = WG / 4u"),
        ("lane <= most", "lane < most"),
        ("w * (p.logits + p.sites)", "w * p.logits"),
        ("cache[own + site] = draw_spin", "cache[own] = draw_spin"),
    ] {
        mutant_in(Profile::Gpu, &ancestral::GROUP, from, to, chunks);
    }
    for (from, to) in [
        ("select(0u, site * head.z, diagonal)", "0u"),
        ("select(triangle, site, diagonal)", "triangle"),
        ("own + head.x + begin", "own + head.x"),
        ("v += cache[at];", ""),
    ] {
        mutant_in(Profile::Gpu, &ancestral::GROUP, from, to, residuals);
    }
    mutant_in(Profile::Gpu, &ancestral::GROUP, "v = tanh_(v);", "", sizes);
    mutant_in(Profile::Gpu, &ancestral::GROUP, "k += WG", "k += 2u * WG", long_of_group);
    broken_draws(&ancestral::GROUP, &[Profile::Gpu], chunks, long_of_group);
}

/// Errors in the draws that samplers share are noticed in `kernel` too; by `long` that of draws in several launches.
pub fn broken_draws(kernel: &'static Kernel, profiles: &[Profile], check: impl Fn(&Gpu) -> Check, long: impl Fn(&Gpu) -> Check) {
    for &profile in profiles {
        for (from, to) in [
            ("* sites + min(entry.x, site)]", "* sites]"),
            ("let end = fields[site + 1u].x;", "let end = fields[site].x;"),
            ("p.first_walker + w, p.step", "w, p.step"),
            ("site / 4u, p.first_walker + w", "0u, p.first_walker + w"),
            ("u < up", "u > up"),
            ("log_sigmoid(s * logit)", "log_sigmoid(logit)"),
            ("spins[(p.first + w) * sites + site] = s", "spins[w * sites + site] = s"),
            ("log_q[p.first + w] = before", "log_q[w] = before"),
        ] {
            fragment("ancestral", profile, kernel, from, to, &check);
        }
        fragment("ancestral", profile, kernel, "if (site > 0u)", "if (site > p.site)", &long);
    }
}

/// A parameter that is not a number leaves no finite ln q0 behind, of samples drawn with it or of others: the first, one
/// between, the last.
pub fn not_a_number<M: Model>(gpu: &Gpu, mut s: Setup<M>) -> Check {
    let (last, n, samples) = (s.parameters.len() - 1, s.model.sites(), s.samples().len());
    for at in [0, last / 2, last] {
        let kept = std::mem::replace(&mut s.parameters[at], f64::NAN);
        let k = s.network(samples, gpu.profile)?;
        let (params, spins) = (s.upload(gpu), gpu.upload("spins", &single(&s.spins)));
        let [drawn, drawn_q, log_q] = [n * samples, samples, samples].map(|words| Buffer::new("of samples", words));
        let chunk = Chunk { first: 0, count: samples };
        let mut rec = Recording::new();
        k.record_pack(&mut rec, &params);
        k.record_log_q(&mut rec, chunk, 1.0, &spins, &log_q);
        k.record_sample(&mut rec, stream(0), chunk, &params, &drawn, &drawn_q);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        for (what, buffer) in [("of spins", &log_q), ("of draws", &drawn_q)] {
            let values: Vec<f32> = gpu.read_words(buffer, samples).map_err(|e| e.to_string())?;
            if values.iter().any(|v| v.is_finite()) {
                return Err(format!("parameter {at} is not a number, ln q {what}: {values:?}"));
            }
        }
        s.parameters[at] = kept;
    }
    Ok(())
}

#[test]
fn not_a_number_stays_one() {
    verify(|gpu| not_a_number(gpu, Setup::random(shape(5, 2, 3, true, true), 9)));
    verify(|gpu| not_a_number(gpu, Setup::random(shape(5, 3, 3, true, false), 9)));
}
