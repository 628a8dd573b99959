//! Symmetric mixtures of spins: flips, ln q and its gradient, alone and through a masked network.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::bernoulli::Factors;
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::kernels::z2::{self, Logarithms};
use helmholtz::kernels::{Chunk, pad4};
use helmholtz::reference::z2 as twin;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, random, verify};
use crate::made::shape;
use crate::spins::{Setup, single, states};

const EPS: f64 = f32::EPSILON as f64;

fn stream(first_walker: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step: 3, purpose: purpose::FLIP, first_walker }
}

fn run(gpu: &Gpu, rec: &Recording) -> Check {
    gpu.run(rec).map_err(|e| e.to_string())
}

fn read(gpu: &Gpu, buffer: &Buffer, words: usize) -> Result<Vec<f32>, String> {
    gpu.read_words(buffer, words).map_err(|e| e.to_string())
}

/// In one piece, and in chunks: the twin's flips, of half of the samples within four standard deviations.
fn flips(gpu: &Gpu) -> Check {
    let (n, samples) = (3, 1000);
    let spins: Vec<f64> = random(1, n * samples).iter().map(|v| v.signum()).collect();
    let want: Vec<f32> =
        (0..n * samples).map(|k| spins[k] as f32 * if twin::flip(stream(5), (k / n) as u32) { -1.0 } else { 1.0 }).collect();
    for batch in [samples, 70] {
        let (buffer, mut rec) = (gpu.upload("spins", &single(&spins)), Recording::new());
        for first in (0..samples).step_by(batch) {
            z2::record_flip(&mut rec, stream(5), Chunk { first, count: batch.min(samples - first) }, n, &buffer);
        }
        run(gpu, &rec)?;
        if read(gpu, &buffer, n * samples)? != want {
            return Err(format!("flips in chunks of {batch} are others"));
        }
    }
    let flipped = (0..samples as u32).filter(|w| twin::flip(stream(5), *w)).count() as f64;
    if (flipped - 500.0).abs() < 4.0 * 250.0_f64.sqrt() { Ok(()) } else { Err(format!("{flipped} of {samples}")) }
}

/// Logarithms about -80 that differ by up to 200: ln q rounds by ε of the larger one and of their difference in the
/// logarithm, weights by ε |difference| of themselves and the error of exp.
fn values(gpu: &Gpu) -> Check {
    let count = 133;
    let r = random(2, 3 * count);
    let column = |k: usize, f: &dyn Fn(f64) -> f64| r[k * count..][..count].iter().map(|v| f(*v) as f32 as f64).collect::<Vec<f64>>();
    let (a, b, f) = (column(0, &|v| -80.0 + 8.0 * v), column(1, &|v| -80.0 - 100.0 * v.powi(5)), column(2, &|v| v));
    let (plus, minus) = (gpu.upload("plus", &single(&a)), gpu.upload("minus", &single(&b)));
    let factors =
        gpu.upload("factors", &[&[7.0f32, 7.0, 7.0][..], &single(&f).iter().flat_map(|v| [*v, 7.0]).collect::<Vec<_>>()].concat());
    let [log_q, forward, backward] = std::array::from_fn(|_| Buffer::new("out", count));
    let (logs, mut rec) = (Logarithms { plus: &plus, minus: &minus }, Recording::new());
    z2::record_join(&mut rec, count, logs, &log_q);
    z2::record_split(&mut rec, count, logs, Factors { buffer: &factors, first: 3, step: 2 }, &forward, &backward);
    run(gpu, &rec)?;
    let (log_q, forward, backward) = (read(gpu, &log_q, count)?, read(gpu, &forward, count)?, read(gpu, &backward, count)?);
    for w in 0..count {
        close("ln q", &log_q[w..], &[twin::join(a[w], b[w])], 3.0 * EPS)?;
        let [up, down] = twin::split(a[w], b[w]).map(|v| v * f[w]);
        // what is below the least normal number may vanish
        let rounding = (8.0 + 4.0 * (a[w] - b[w]).abs()) * EPS;
        for (got, want) in [(forward[w], up), (backward[w], down)] {
            if !((got as f64 - want).abs() <= rounding * want.abs() + 1e-37) {
                return Err(format!("factor {got} instead of {want}"));
            }
        }
    }
    Ok(())
}

/// What is not finite on either side stays so.
fn not_finite(gpu: &Gpu) -> Check {
    let bad = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY, -3.0];
    let pairs: Vec<[f32; 2]> = (0..15).map(|k| [bad[k % 4], bad[k / 4]]).collect();
    let [plus, minus] = [0, 1].map(|side: usize| gpu.upload("side", &pairs.iter().map(|p| p[side]).collect::<Vec<_>>()));
    let (log_q, mut rec) = (Buffer::new("ln q", pairs.len()), Recording::new());
    z2::record_join(&mut rec, pairs.len(), Logarithms { plus: &plus, minus: &minus }, &log_q);
    run(gpu, &rec)?;
    let got = read(gpu, &log_q, pairs.len())?;
    if got.iter().any(|v| v.is_finite()) { Err(format!("{got:?} of {pairs:?}")) } else { Ok(()) }
}

/// Every state of 6 spins through a masked network: probabilities add up to 1, are those of the mirror image, and the sum of
/// factors times gradients is the twin's.
fn network(gpu: &Gpu) -> Check {
    let (n, samples) = (6, 64);
    let mut s = Setup::random(shape(n, 2, 3, true, true), samples);
    s.spins = states(n);
    let (k, count) = (s.network(40, gpu.profile)?, s.parameters.len());
    let f = random(4, samples);
    let (params, spins, factors) = (s.upload(gpu), gpu.upload("spins", &single(&s.spins)), gpu.upload("factors", &single(&f)));
    let [plus, minus, log_q, forward, backward] = &std::array::from_fn(|_| Buffer::new("z2", samples));
    let (gradient, logs, mut rec) = (Buffer::new("gradient", pad4(count)), Logarithms { plus, minus }, Recording::new());
    k.record_pack(&mut rec, &params);
    let chunks = [0, 40].map(|first| Chunk { first, count: 40.min(samples - first) });
    for chunk in chunks {
        k.record_log_q(&mut rec, chunk, 1.0, &spins, plus);
        k.record_log_q(&mut rec, chunk, -1.0, &spins, minus);
    }
    z2::record_join(&mut rec, samples, logs, log_q);
    z2::record_split(&mut rec, samples, logs, Factors { buffer: &factors, first: 0, step: 1 }, forward, backward);
    for (sign, factors) in [(1.0, forward), (-1.0, backward)] {
        for chunk in chunks {
            k.record_gradient(&mut rec, chunk, sign, &spins, factors, &gradient, sign < 0.0 || chunk.first > 0);
        }
    }
    run(gpu, &rec)?;
    let (log_q, gradient) = (read(gpu, log_q, samples)?, read(gpu, &gradient, count)?);
    let total: f64 = log_q.iter().map(|l| (*l as f64).exp()).sum();
    if !((total - 1.0).abs() <= 10.0 * s.bound()) {
        return Err(format!("probabilities add up to {total}"));
    }
    let (mut want, mut size) = (vec![0.0; count], 1e-30);
    for (w, spins) in s.samples().enumerate() {
        let mirror: Vec<f64> = spins.iter().map(|v| -v).collect();
        let [up, down] = [spins, &mirror].map(|s_| s.twin().log_q(s_));
        close("ln q", &log_q[w..], &[twin::join(up, down)], 2.0 * s.bound())?;
        for (share, state) in twin::split(up, down).into_iter().zip([spins, &mirror]) {
            let score = s.twin().score(state);
            want.iter_mut().zip(&score).for_each(|(g, v)| *g += f[w] * share * v);
            size += (f[w] * share).abs() * score.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        }
    }
    want.push(size);
    let got: Vec<f32> = gradient.into_iter().chain([size as f32]).collect();
    // the weights' error is that of ln q, of about 4
    close("gradient", &got, &want, 8.0 * s.bound())
}

#[test]
fn flips_logarithms_and_factors_are_those_of_the_twin() {
    verify(flips);
    verify(values);
    verify(not_finite);
    verify(network);
}

#[test]
fn short_buffers_are_refused() {
    let (n, count) = (5, 9);
    refuses("flip", &[n * 11], |rec, b| z2::record_flip(rec, stream(0), Chunk { first: 2, count }, n, &b[0]));
    refuses("join", &[count, count, count], |rec, b| z2::record_join(rec, count, Logarithms { plus: &b[0], minus: &b[1] }, &b[2]));
    refuses("split", &[count, count, 3 + 2 * 8 + 1, count, count], |rec, b| {
        let factors = Factors { buffer: &b[2], first: 3, step: 2 };
        z2::record_split(rec, count, Logarithms { plus: &b[0], minus: &b[1] }, factors, &b[3], &b[4]);
    });
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&z2::FLIP, "p.first_walker + w, p.step", "w, p.step", flips);
    mutant(&z2::FLIP, "bits.x >> 31u", "bits.x & 1u", flips);
    mutant(&z2::FLIP, "(p.first + w) * p.sites", "w * p.sites", flips);
    mutant(&z2::JOIN, "- 0.6931471806", "- 0.6931", values);
    mutant(&z2::JOIN, "select(joined, b, !finite(b))", "joined + b - b", not_finite);
    mutant(&z2::SPLIT, "f * select(larger, e * larger, d > 0.0)", "f * select(e * larger, larger, d > 0.0)", values);
    mutant(&z2::SPLIT, "p.first + p.step * w", "p.first + w", values);
}
