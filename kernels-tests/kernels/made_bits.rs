//! Spins as bits: the draws of `ancestral` to the bit, ln q0 of both signs, E and M against the twins.

use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::made_bits::{self, OneLayer, Outputs};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::kernels::{Chunk, couplings, pad4};
use helmholtz::model::made::Made;
use helmholtz::reference::couplings as energies;
use helmholtz::reference::made::Known;

use crate::bounds::refuses;
use crate::couplings::matrix;
use crate::harness::{Check, close, mutant, random, verify};
use crate::made::shape;
use crate::spins::{Setup, single};

fn stream(first_walker: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step: 3, purpose: purpose::SPINS, first_walker }
}

/// Spins, ln q0(s), ln q0(-s), E, M in chunks of `batch`, then spins and ln q0 of `ancestral`.
fn draw(gpu: &Gpu, s: &Setup<Made>, table: &[f32], samples: usize, batch: usize) -> Result<[Vec<f32>; 7], String> {
    let n = s.model.sites;
    let layer = OneLayer::new(&s.model, batch, gpu.profile).map_err(|e| e.to_string())?;
    let cached = s.network(samples, gpu.profile)?;
    let (params, table) = (s.upload(gpu), gpu.upload("couplings", table));
    let [spins, other] = &std::array::from_fn(|_| Buffer::new("spins", samples * n));
    let [plus, minus, energy, magnetisation, other_plus] = &std::array::from_fn(|_| Buffer::new("of samples", samples));
    let mut rec = Recording::new();
    for first in (0..samples).step_by(batch) {
        let chunk = Chunk { first, count: batch.min(samples - first) };
        layer.record(&mut rec, stream(11), chunk, &params, &table, s.known.factor, Outputs { spins, plus, minus, energy, magnetisation });
    }
    cached.record_sample(&mut rec, stream(11), Chunk { first: 0, count: samples }, &params, other, other_plus);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
    let [plus, minus, energy, magnetisation, other_plus] = [plus, minus, energy, magnetisation, other_plus].map(|b| read(b, samples));
    Ok([read(spins, samples * n)?, plus?, minus?, energy?, magnetisation?, read(other, samples * n)?, other_plus?])
}

fn agrees(gpu: &Gpu, n: usize, bias: bool, samples: usize, batch: usize) -> Check {
    let mut s = Setup::random(shape(n, 1, 1, bias, true), 1);
    let (j, h) = (matrix(n, 1), random(2, n));
    s.known = Known { factor: 0.75, couplings: j.clone(), fields: h.clone() };
    let table = couplings::table(n, &j, &h).map_err(|e| e.to_string())?;
    let [spins, plus, minus, energy, magnetisation, other, other_plus] = draw(gpu, &s, &table, samples, batch)?;
    if gpu.profile == Profile::Simd && (spins != other || plus != other_plus) {
        return Err(format!("{n} spins: not those of the cached sampler"));
    }
    for w in 0..samples {
        let drawn: Vec<f64> = spins[w * n..][..n].iter().map(|&v| v as f64).collect();
        let mirror: Vec<f64> = drawn.iter().map(|v| -v).collect();
        let (want, margin) = s.twin().draw(stream(11), w as u32);
        // on GPUs the cached sampler adds up in another order: a random number next to the threshold may fall on either side
        let cached: Vec<f64> = other[w * n..][..n].iter().map(|&v| v as f64).collect();
        close("ln q of the cached sampler", &other_plus[w..], &[s.twin().log_q(&cached)], s.bound())?;
        if margin > 1e-5 && (want != drawn || want != cached) {
            return Err(format!("{n} spins, sample {w}: {drawn:?} instead of {want:?}"));
        }
        close("ln q", &plus[w..], &[s.twin().log_q(&drawn)], s.bound())?;
        close("ln q of the mirror image", &minus[w..], &[s.twin().log_q(&mirror)], s.bound())?;
        close("M", &magnetisation[w..], &[drawn.iter().sum()], 0.0)?;
        // relative to what E reaches: sums of n terms of sums of n
        let size: f64 = j.iter().map(|v| v.abs()).sum::<f64>() + h.iter().map(|v| v.abs()).sum::<f64>();
        let got = [energy[w], size as f32];
        close("E", &got, &[energies::energy(&drawn, &j, &h), size], (n as f64).sqrt() * f32::EPSILON as f64)?;
    }
    Ok(())
}

/// The gradient of Σ f ln q0(s) + g ln q0(-s), by the samples of a draw, against the twin's scores of the same samples; ln q0 of
/// both signs, too, where they are told to be one number.
fn gradient(gpu: &Gpu, n: usize, fields: bool, bias: bool, samples: usize, both: bool) -> Check {
    let failed = |e: helmholtz::Error| e.to_string();
    let mut s = Setup::random(shape(n, 1, 1, bias, true), 1);
    let (j, h) = (matrix(n, 1), if fields { random(2, n) } else { vec![0.0; n] });
    s.known = Known { factor: 0.75, couplings: j.clone(), fields: h.clone() };
    let layer = OneLayer::new(&s.model, samples, gpu.profile).map_err(failed)?;
    let layer = if fields { layer } else { layer.without_fields() };
    let (params, table) = (s.upload(gpu), gpu.upload("couplings", &couplings::table(n, &j, &h).map_err(failed)?));
    let [f, g] = [5, 6].map(|seed| random(seed, samples));
    let [forward, backward] = [&f, &g].map(|v| gpu.upload("factors", &single(v)));
    let [spins, plus, minus, energy, magnetisation] = &std::array::from_fn(|_| Buffer::new("of samples", samples * n));
    let gradient = Buffer::new("gradient", pad4(s.parameters.len()));
    let mut rec = Recording::new();
    let all = Chunk { first: 0, count: samples };
    layer.record(&mut rec, stream(11), all, &params, &table, s.known.factor, Outputs { spins, plus, minus, energy, magnetisation });
    layer.record_gradient(&mut rec, samples, &forward, both.then_some(&backward), &gradient);
    gpu.run(&rec).map_err(failed)?;
    let spins: Vec<f32> = gpu.read_words(spins, samples * n).map_err(failed)?;
    let minus: Vec<f32> = gpu.read_words(minus, samples).map_err(failed)?;
    let mut want = vec![0.0; s.parameters.len()];
    for w in 0..samples {
        let drawn: Vec<f64> = spins[w * n..][..n].iter().map(|&v| v as f64).collect();
        let mirror: Vec<f64> = drawn.iter().map(|v| -v).collect();
        close("ln q of the mirror image", &minus[w..], &[s.twin().log_q(&mirror)], s.bound())?;
        let scores = s.twin().score(&drawn).into_iter().zip(s.twin().score(&mirror));
        let factor = if both { g[w] } else { 0.0 };
        want.iter_mut().zip(scores).for_each(|(sum, (up, down))| *sum += f[w] * up + factor * down);
    }
    // a sum of terms of order 1, of any sign: its rounding is within √samples of that of a term, and so is its size
    close("gradient", &gpu.read::<f32>(&gradient).map_err(failed)?, &want, 4.0 * s.bound())
}

fn gradients(gpu: &Gpu) -> Check {
    for (n, fields, bias, samples, both) in [
        (2, true, true, 3, true),
        (20, true, true, 131, true),
        (20, false, false, 70, true),
        (32, true, false, 700, false),
        (17, false, true, 9, true),
    ] {
        gradient(gpu, n, fields, bias, samples, both)?;
    }
    Ok(())
}

fn sizes(gpu: &Gpu) -> Check {
    for (n, bias, samples, batch) in [(2, true, 3, 3), (7, false, 70, 70), (20, true, 131, 131), (32, true, 140, 33)] {
        agrees(gpu, n, bias, samples, batch)?;
    }
    Ok(())
}

fn chunks(gpu: &Gpu) -> Check {
    agrees(gpu, 20, true, 70, 33)
}

/// A parameter that is not a number leaves no finite ln q0, of either sign.
fn not_a_number(gpu: &Gpu) -> Check {
    for at in [0, 10] {
        let mut s = Setup::random(shape(5, 1, 1, true, true), 1);
        s.parameters[at] = f64::NAN;
        let [_, plus, minus, ..] = draw(gpu, &s, &couplings::table(5, &[0.0; 25], &[]).unwrap(), 9, 9)?;
        if plus.iter().chain(&minus).any(|v| v.is_finite()) {
            return Err(format!("parameter {at} is not a number, ln q {plus:?} {minus:?}"));
        }
    }
    Ok(())
}

#[test]
fn draws_are_those_of_the_cached_sampler_and_of_the_twin() {
    verify(sizes);
    verify(chunks);
    verify(not_a_number);
}

#[test]
fn gradients_are_those_of_the_twin() {
    verify(gradients);
}

#[test]
fn other_networks_are_refused() {
    for model in [shape(33, 1, 1, true, true), shape(9, 2, 1, true, true), shape(1, 1, 1, true, true)] {
        assert!(OneLayer::new(&model, 8, Profile::Gpu).is_err(), "{model:?}");
    }
}

#[test]
fn short_buffers_are_refused() {
    let (n, count) = (9, 7);
    for (bias, words) in [(true, 36 + 9), (false, 36)] {
        let layer = |chunk| OneLayer::new(&shape(n, 1, 1, bias, true), chunk, Profile::Simd).unwrap();
        let record = |layer: &OneLayer, rec: &mut Recording, b: &[Buffer]| {
            let out = Outputs { spins: &b[2], plus: &b[3], minus: &b[4], energy: &b[5], magnetisation: &b[6] };
            layer.record(rec, stream(0), Chunk { first: 2, count }, &b[0], &b[1], 1.0, out);
        };
        let sizes = [words, pad4(n) * pad4(n) + n, 9 * n, 9, 9, 9, 9];
        refuses("bits", &sizes, |rec, b| record(&layer(count), rec, b));
        refuses("gradient", &[count, count, pad4(words)], |rec, b| layer(count).record_gradient(rec, count, &b[0], Some(&b[1]), &b[2]));
        // more samples than it is for
        let (mut rec, buffers) = (Recording::new(), sizes.map(|words| Buffer::new("b", words)));
        record(&layer(count - 1), &mut rec, &buffers);
        assert!(rec.check().is_err());
    }
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("b + p.factor * (field$t + h)", "b + p.factor * field$t"),
        ("p.factor * (field$t - h)", "p.factor * (field$t + h)"),
        ("p.first_walker + w, p.step", "w, p.step"),
        ("~state$t << (31u - j)", "state$t << (31u - j)"),
        ("row += i;", "row += i + 1u;"),
        ("sum$t - b + p.factor", "sum$t + b + p.factor"),
        ("bitcast<f32>(c ^ sign$t)", "bitcast<f32>(c)"),
        ("let h = table[ld * ld + i];", "let h = table[ld * ld];"),
        ("spins[(p.first + w + $tu) * p.sites + i]", "spins[(w + $tu) * p.sites + i]"),
        ("energy[p.first + w + $tu]", "energy[w + $tu]"),
    ] {
        mutant(&made_bits::KERNEL, from, to, chunks);
    }
    for (from, to) in [
        ("let behind$t = slope(drawn$t, drawn$t * mirror$t, far$t);", "let behind$t = slope$t;"),
        ("select(s * select(1.0, e, a > 0.0) / (1.0 + e)", "select(s * select(e, 1.0, a > 0.0) / (1.0 + e)"),
        ("slopes[(1u + i) * p.count + w + $tu] = slope$t", "slopes[i * p.count + w + $tu] = slope$t"),
        ("bitcast<f32>(state$t)", "bitcast<f32>(state$t >> 1u)"),
    ] {
        mutant(&made_bits::KERNEL, from, to, gradients);
    }
    for (from, to) in [
        ("bias += u - v;", "bias += u + v;"),
        ("vec4<f32>(u + v)", "vec4<f32>(u)"),
        ("v = g[w]", "v = f[w]"),
        ("<< vec4<u32>(min(first + 4u * $ku, 28u))", "<< vec4<u32>(4u * $ku)"),
        ("w += p.groups", "w += p.groups + 1u"),
        ("(max(row, 1u) - 1u) / 2u", "row / 2u"),
        ("(1u + p.sites + row)", "(1u + row)"),
        ("if (first + 4u * $ku + $eu < row)", "if (true)"),
    ] {
        mutant(&made_bits::GRADIENT, from, to, gradients);
    }
    mutant(&made_bits::KERNEL, "log1p_small(e), a, !finite(a))", "log1p_small(e), 0.0, !finite(a))", not_a_number);
}
