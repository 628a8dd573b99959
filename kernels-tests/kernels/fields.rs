//! Fields of the spins drawn before in rows of logits, against plain sums.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::fields::{self, Fields};
use helmholtz::kernels::pad4;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, padded, random, unpadded, verify};

/// Bonds of every third pair, and fields.
fn couplings(n: usize) -> (Vec<(usize, usize, f64)>, Vec<f64>) {
    let j = random(1, n * n);
    // either end first, last pairs first
    let pairs = (0..n).rev().flat_map(|i| (0..i).rev().map(move |k| if k % 2 == 0 { (i, k) } else { (k, i) }));
    let bonds = pairs.filter(|(i, k)| (i + k) % 3 == 0).map(|(i, k)| (i, k, j[i * n + k])).collect();
    (bonds, random(2, n))
}

fn agrees(gpu: &Gpu, n: usize, samples: usize) -> Check {
    let text = |e: helmholtz::Error| e.to_string();
    let (bonds, h) = couplings(n);
    let spins: Vec<f64> = random(3, samples * n).iter().map(|v| v.signum()).collect();
    let start = random(4, samples * n);
    let (rows, logits) = (gpu.upload("rows", &padded(&spins, n)), gpu.upload("logits", &padded(&start, n)));
    let mut rec = Recording::new();
    Fields::new(n, bonds.clone(), &h).record(&mut rec, samples, 1.5, &rows, &logits);
    gpu.run(&rec).map_err(text)?;
    let got: Vec<f32> = gpu.read_words(&logits, samples * pad4(n)).map_err(text)?;
    if got.chunks(pad4(n)).any(|row| row[n..].iter().any(|v| *v != 0.0)) {
        return Err("the padding is not 0".into());
    }
    let mut want = start;
    for (w, s) in spins.chunks(n).enumerate() {
        (0..n).for_each(|i| want[w * n + i] += 1.5 * h[i]);
        bonds.iter().for_each(|&(i, k, v)| want[w * n + i.max(k)] += 1.5 * v * s[i.min(k)]);
    }
    // a sum of at most n terms below 1, and two more roundings
    close("logits", &unpadded(&got, n), &want, ((n as f64).sqrt() + 4.0) * f32::EPSILON as f64)
}

fn sizes(gpu: &Gpu) -> Check {
    for (n, samples) in [(2, 1), (7, 9), (33, 5), (64, 8), (65, 3)] {
        agrees(gpu, n, samples)?;
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
    let rows = gpu.upload("rows", &[0.0f32; 8]);
    Fields::none(7).record(&mut rec, 1, 1.0, &rows, &rows);
    assert_eq!(rec.dispatches().count(), 0);
    // a field alone is one
    Fields::new(7, [], &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]).record(&mut rec, 1, 1.0, &rows, &rows);
    assert_eq!(rec.dispatches().count(), 1);
}

#[test]
fn short_buffers_are_refused() {
    let (bonds, h) = couplings(9);
    refuses("fields", &[6 * 12 + 9, 6 * 12 + 9], |rec, b| Fields::new(9, bonds.clone(), &h).record(rec, 7, 1.0, &b[0], &b[1]));
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("let w = id / p.sites * TILE;", "let w = id / p.sites * (TILE - 1u);"),
        ("let end = table[site + 1u].x;", "let end = table[site].x;"),
        ("min(entry.x, site)", "site"),
        ("p.factor * (sum$t + h)", "sum$t + h"),
        ("(sum$t + h)", "sum$t"),
        ("min(w + $tu, p.count - 1u) * p.ld", "min(w + $tu, p.count - 1u) * p.sites"),
    ] {
        mutant(&fields::KERNEL, from, to, |gpu| agrees(gpu, 33, 5));
    }
}
