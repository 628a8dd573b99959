//! Fields of the spins drawn before in rows of logits, against plain sums.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::bernoulli::{Rows, Spins};
use helmholtz::kernels::fields::{self, Fields};
use helmholtz::kernels::pad4;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, random, verify};

/// Bonds of every third pair, and fields.
fn couplings(n: usize) -> (Vec<(usize, usize, f64)>, Vec<f64>) {
    let j = random(1, n * n);
    // either end first, last pairs first
    let pairs = (0..n).rev().flat_map(|i| (0..i).rev().map(move |k| if k % 2 == 0 { (i, k) } else { (k, i) }));
    let bonds = pairs.filter(|(i, k)| (i + k) % 3 == 0).map(|(i, k)| (i, k, j[i * n + k])).collect();
    (bonds, random(2, n))
}

fn agrees(gpu: &Gpu, n: usize, samples: usize, sign: f32, rows: Rows) -> Check {
    let text = |e: helmholtz::Error| e.to_string();
    let (bonds, h) = couplings(n);
    let spins: Vec<f64> = random(3, samples * n).iter().map(|v| v.signum()).collect();
    let start = random(4, samples * n);
    // two samples before, which are others
    let all: Vec<f32> = random(5, 2 * n).iter().chain(&spins).map(|v| *v as f32).collect();
    let (step, ld) = if rows == Rows::Token { (4, 4 * n) } else { (1, pad4(n)) };
    let mut words = vec![0.0f32; samples * ld];
    start.iter().enumerate().for_each(|(k, v)| words[k / n * ld + k % n * step] = *v as f32);
    let (buffer, logits) = (gpu.upload("spins", &all), gpu.upload("logits", &words));
    let mut rec = Recording::new();
    let these = Spins { buffer: &buffer, sites: n, first: 2, count: samples, sign, rows };
    Fields::new(n, bonds.clone(), &h).record(&mut rec, these, 1.5, &logits);
    gpu.run(&rec).map_err(text)?;
    let words: Vec<f32> = gpu.read_words(&logits, samples * ld).map_err(text)?;
    let got: Vec<f32> = (0..samples * n).map(|k| words[k / n * ld + k % n * step]).collect();
    if words.iter().map(|v| *v as f64).sum::<f64>() != got.iter().map(|v| *v as f64).sum::<f64>() {
        return Err("what lies between is not 0".into());
    }
    let mut want = start;
    for (w, s) in spins.chunks(n).enumerate() {
        (0..n).for_each(|i| want[w * n + i] += 1.5 * h[i]);
        bonds.iter().for_each(|&(i, k, v)| want[w * n + i.max(k)] += 1.5 * sign as f64 * v * s[i.min(k)]);
    }
    // a sum of at most n terms below 1, and two more roundings
    close("logits", &got, &want, ((n as f64).sqrt() + 4.0) * f32::EPSILON as f64)
}

fn sizes(gpu: &Gpu) -> Check {
    for (n, samples, sign) in [(2, 1, 1.0), (7, 9, -1.0), (33, 5, 1.0), (64, 8, -1.0), (65, 3, 1.0)] {
        agrees(gpu, n, samples, sign, Rows::Sample)?;
        agrees(gpu, n, samples, sign, Rows::Token)?;
    }
    Ok(())
}

#[test]
fn fields_are_plain_sums() {
    verify(sizes);
}

#[test]
fn no_fields_are_no_launch() {
    let (gpu, mut rec) = (crate::harness::devices()[0], Recording::new());
    let buffer = &gpu.upload("rows", &[0.0f32; 8]);
    let spins = Spins { buffer, sites: 7, first: 0, count: 1, sign: 1.0, rows: Rows::Sample };
    Fields::none(7).record(&mut rec, spins, 1.0, buffer);
    assert_eq!(rec.dispatches().count(), 0);
    // a field alone is one
    Fields::new(7, [], &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]).record(&mut rec, spins, 1.0, buffer);
    assert_eq!(rec.dispatches().count(), 1);
}

#[test]
fn short_buffers_are_refused() {
    let (bonds, h) = couplings(9);
    for (rows, words) in [(Rows::Sample, 6 * 12 + 9), (Rows::Token, 6 * 36 + 8 * 4 + 1)] {
        refuses("fields", &[9 * 9, words], |rec, b| {
            let spins = Spins { buffer: &b[0], sites: 9, first: 2, count: 7, sign: 1.0, rows };
            Fields::new(9, bonds.clone(), &h).record(rec, spins, 1.0, &b[1]);
        });
    }
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("let w = id / p.sites * TILE;", "let w = id / p.sites * (TILE - 1u);"),
        ("let end = table[site + 1u].x;", "let end = table[site].x;"),
        ("min(entry.x, site)", "site"),
        ("p.factor * (p.sign * sum$t + h)", "(p.sign * sum$t + h)"),
        ("(p.sign * sum$t + h)", "p.sign * sum$t"),
        ("p.sign * sum$t", "sum$t"),
        ("(w + $tu) * p.ld", "(w + $tu) * p.sites"),
        ("site * p.step", "site"),
        ("(p.first + min(", "(min("),
    ] {
        mutant(&fields::KERNEL, from, to, |gpu| agrees(gpu, 33, 5, -1.0, Rows::Token));
    }
}
