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
use crate::spins::Setup;

fn stream(first_walker: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step: 3, purpose: purpose::SPINS, first_walker }
}

/// Spins, ln q0(s), ln q0(-s), E, M in chunks of `batch`, then spins and ln q0 of `ancestral`.
fn draw(gpu: &Gpu, s: &Setup<Made>, table: &[f32], samples: usize, batch: usize) -> Result<[Vec<f32>; 7], String> {
    let n = s.model.sites;
    let layer = OneLayer::new(&s.model, gpu.profile).map_err(|e| e.to_string())?;
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
    if spins != other || plus != other_plus {
        return Err(format!("{n} spins: not those of the cached sampler"));
    }
    for w in 0..samples {
        let drawn: Vec<f64> = spins[w * n..][..n].iter().map(|&v| v as f64).collect();
        let mirror: Vec<f64> = drawn.iter().map(|v| -v).collect();
        let (want, margin) = s.twin().draw(stream(11), w as u32);
        // a random number next to the threshold may fall on either side
        if margin > 1e-5 && want != drawn {
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
fn other_networks_are_refused() {
    for model in [shape(33, 1, 1, true, true), shape(9, 2, 1, true, true), shape(1, 1, 1, true, true)] {
        assert!(OneLayer::new(&model, Profile::Gpu).is_err(), "{model:?}");
    }
}

#[test]
fn short_buffers_are_refused() {
    let (n, count) = (9, 7);
    for (bias, words) in [(true, 36 + 9), (false, 36)] {
        let layer = OneLayer::new(&shape(n, 1, 1, bias, true), Profile::Simd).unwrap();
        refuses("bits", &[words, pad4(n) * pad4(n) + n, 9 * n, 9, 9, 9, 9], |rec, b| {
            let out = Outputs { spins: &b[2], plus: &b[3], minus: &b[4], energy: &b[5], magnetisation: &b[6] };
            layer.record(rec, stream(0), Chunk { first: 2, count }, &b[0], &b[1], 1.0, out);
        });
    }
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("b + p.factor * (field$t + h)", "b + p.factor * field$t"),
        ("p.factor * (field$t - h)", "p.factor * (field$t + h)"),
        ("p.first_walker + w, p.step", "w, p.step"),
        ("((state$t >> j) & 1u) == 1u", "((state$t >> j) & 1u) == 0u"),
        ("row += i;", "row += i + 1u;"),
        ("(sum$t - b +", "(sum$t + b +"),
        ("field$t += s$t * c;", "field$t += c;"),
        ("let h = table[ld * ld + i];", "let h = table[ld * ld];"),
        ("spins[(p.first + w + $tu) * p.sites + i]", "spins[(w + $tu) * p.sites + i]"),
        ("energy[p.first + w + $tu]", "energy[w + $tu]"),
    ] {
        mutant(&made_bits::KERNEL, from, to, chunks);
    }
    mutant(&made_bits::KERNEL, "select(log_sigmoid(a), a, !finite(a))", "log_sigmoid(select(a, 0.0, !finite(a)))", not_a_number);
}
