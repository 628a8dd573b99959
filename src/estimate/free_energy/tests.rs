use super::*;
use crate::number::statistics::tests::Noise;
use crate::reference::free_energy::{Sample, moments, values, weighted};

const BETA: f64 = 0.75;
const SITES: usize = 10;

/// Sums of the samples about a centre, as a device leaves them, in rows of 100.
fn rows(samples: &[Sample], centre: f64) -> ([f32; COLUMNS], Vec<f32>, Vec<f32>) {
    let mut places = [0.0f32; COLUMNS];
    ALL.iter().for_each(|q| places[q.columns()[0]] = centre as f32);
    let (mut plain, mut with_weights) = (Vec::new(), Vec::new());
    for part in samples.chunks(100) {
        let all: Vec<[f64; 7]> = part.iter().map(|s| values(*s, BETA, SITES)).collect();
        let low = all.iter().fold(f64::MAX, |m, v| m.min(v[0]));
        let mut sums = [[0.0; COLUMNS]; 2];
        for v in &all {
            let d = v.map(|x| x - centre as f32 as f64);
            sums[0].iter_mut().zip(moments(d)).for_each(|(s, x)| *s += x);
            sums[1].iter_mut().zip(weighted(d, (low - v[0]).exp())).for_each(|(s, x)| *s += x);
        }
        sums[1][15] = low;
        plain.extend(sums[0].map(|v| v as f32));
        with_weights.extend(sums[1].map(|v| v as f32));
    }
    (places, plain, with_weights)
}

fn finished(samples: &[Sample], centre: f64) -> (Averages, Weighted) {
    let (centre, plain, weights) = rows(samples, centre);
    (Averages::finish(&centre, &plain), Weighted::finish(&centre, &weights))
}

/// R = 3 + x/2 and E = 1 + 1.5 y normal with covariance 0.6; m normal with variance 0.04.
fn planted(noise: &mut Noise, count: usize) -> Vec<Sample> {
    (0..count)
        .map(|_| {
            let (x, y, z) = (noise.normal(), noise.normal(), noise.normal());
            let (r, e) = (3.0 + 0.5 * x, 1.0 + 1.5 * (0.8 * x + 0.6 * y));
            [r - BETA * e, e, SITES as f64 * 0.2 * z]
        })
        .collect()
}

/// 1000 repetitions: each error bar covers the truth in 0.683 ± 0.015 of them; four deviations are allowed, and 0.03 where
/// the number is a strongly curved function of means of 400 samples.
#[test]
fn error_bars_cover_the_truth() {
    let (mut noise, repetitions) = (Noise(3), 1000);
    let (variance, n) = (0.04, SITES as f64);
    let truth = [
        ("R", 3.0, 0.06),
        ("E", 1.0, 0.06),
        ("ln q", 3.0 - BETA, 0.06),
        ("|m|", (2.0 * variance / std::f64::consts::PI).sqrt(), 0.06),
        ("m2", variance, 0.06),
        ("m4", 3.0 * variance * variance, 0.09),
        ("m", 0.0, 0.06),
        ("C", BETA * BETA * 2.25, 0.06),
        ("chi", BETA * n * variance * (1.0 - 2.0 / std::f64::consts::PI), 0.09),
        ("g", 0.0, 0.09),
        // of normal numbers e^(-R) has the mean e^(-3 + 1/8), and E under it is shifted by its covariance with R
        ("ln Z", -3.0 + 0.125, 0.06),
        ("E of p", 1.0 - 0.6, 0.06),
        ("m2 of p", variance, 0.06),
    ];
    let mut hits = vec![0.0; truth.len()];
    for _ in 0..repetitions {
        let (a, w) = finished(&planted(&mut noise, 400), 1.0);
        assert_eq!((a.counted(), a.failed()), (400, 0));
        let plain = ALL.map(|q| a.mean(q));
        let rest = [a.heat_capacity(BETA), a.susceptibility(BETA, SITES), a.binder(), w.log_z()];
        let reweighted = [Quantity::Energy, Quantity::Square].map(|q| w.mean(q));
        for (k, e) in plain.iter().chain(&rest).chain(&reweighted).enumerate() {
            hits[k] += ((e.value - truth[k].1).abs() <= e.error) as u32 as f64 / repetitions as f64;
        }
    }
    let off: Vec<_> = truth.iter().zip(&hits).filter(|((_, _, margin), hit)| (*hit - 0.683).abs() >= *margin).collect();
    assert!(off.is_empty(), "{off:?}");
}

/// Effective samples of e^(-R) with R of variance σ² are B e^(-σ²); the heat capacity is that of E alone.
#[test]
fn weights_of_many_samples() {
    let (_, w) = finished(&planted(&mut Noise(5), 200_000), 1.0);
    assert!((w.effective() / (200_000.0 * (-0.25_f64).exp()) - 1.0).abs() < 0.02, "{}", w.effective());
    assert!((w.heat_capacity(BETA) / (BETA * BETA * 2.25) - 1.0).abs() < 0.02);
}

/// Where q is the Boltzmann distribution every weight is the same.
#[test]
fn constant_weights_have_no_error() {
    let samples: Vec<Sample> = (0..50).map(|k| [-700.0 - BETA * k as f64, k as f64, 2.0]).collect();
    let (a, w) = finished(&samples, 0.0);
    assert_eq!((w.log_z().value, w.effective()), (700.0, 50.0));
    assert!(w.log_z().error < 1e-9 && a.mean(Quantity::Reduced).value == -700.0);
    assert!((w.mean(Quantity::Energy).value - 24.5).abs() < 1e-6);
}

/// Batches with other centres and other least R, one of them of failed samples alone, make the whole.
#[test]
fn batches_merge_to_the_whole() {
    let samples = planted(&mut Noise(9), 900);
    let (all, all_weights) = finished(&samples, 0.3);
    let (mut sum, mut weights) = finished(&[], 7.0);
    for (k, part) in samples.chunks(300).enumerate() {
        let (a, w) = finished(part, [0.2, 0.3, 0.5][k]);
        sum.merge(&a);
        weights.merge(&w);
        let (mut lost, mut no_weights) = ([0.0f32; COLUMNS], [0.0f32; COLUMNS]);
        (lost[19], no_weights[15], no_weights[17]) = (2.0, 3e38, 2.0);
        let centre = [4.0f32; COLUMNS];
        sum.merge(&Averages::finish(&centre, &lost));
        weights.merge(&Weighted::finish(&centre, &no_weights));
    }
    assert_eq!((sum.counted(), sum.failed()), (900, 6));
    let close = |a: Estimate, b: Estimate| {
        // m^4, 0.005 ± 0.008, about centres of 0.2 to 0.5 in single precision: ε (0.5/0.008)²
        assert!((a.value - b.value).abs().max((a.error - b.error).abs()) < 1e-3 * b.error, "{a:?} {b:?}");
    };
    ALL.iter().for_each(|q| close(sum.mean(*q), all.mean(*q)));
    close(sum.binder(), all.binder());
    close(sum.susceptibility(BETA, SITES), all.susceptibility(BETA, SITES));
    close(sum.heat_capacity(BETA), all.heat_capacity(BETA));
    close(weights.log_z(), all_weights.log_z());
    for q in [Quantity::Energy, Quantity::Modulus, Quantity::Square, Quantity::Fourth] {
        close(weights.mean(q), all_weights.mean(q));
    }
    assert!((weights.heat_capacity(BETA) / all_weights.heat_capacity(BETA) - 1.0).abs() < 1e-5);
    // rows of 100 about their own means, against all weights at once
    let w: Vec<f64> = samples.iter().map(|s| (-values(*s, BETA, SITES)[0]).exp()).collect();
    let (sum, squares) = (w.iter().sum::<f64>(), w.iter().map(|w| w * w).sum::<f64>());
    let error = ((900.0 * squares / (sum * sum) - 1.0) / 899.0).sqrt();
    assert!((weights.effective() * squares / (sum * sum) - 1.0).abs() < 1e-5 && (weights.log_z().error / error - 1.0).abs() < 1e-5);
}
