//! Estimators with less noise keep their means: K after a partial integration, gradients with a baseline.

use helmholtz::Trainer;
use helmholtz::gpu::Recording;
use helmholtz::kernels::pad4;

use crate::harness::{EPS, Noise, device, mean, settings};

/// A trainer with a random flow, its walkers drawn and their energies known.
fn measured(text: &str, deviation: f64) -> Trainer {
    let s = settings(text);
    let flow = Noise(8).normals(s.backflow().table().len(), deviation);
    let mut t = Trainer::new(device(), &s, None, Some(flow)).unwrap();
    assert!(t.sample(device()).unwrap().usable());
    t.energies(device()).unwrap();
    t
}

/// Re K, V, Re E and mixed K of the walkers that count, Ry/rs².
fn energies(t: &Trainer) -> Vec<[f64; 4]> {
    let records: Vec<f32> = device().read_words(&t.estimators.records, 8 * t.batch).unwrap();
    let good = records.chunks(8).filter(|r| r.iter().all(|v| v.is_finite()));
    good.map(|r| [r[0], r[2], r[4], r[7]].map(f64::from)).collect()
}

/// The mixed kinetic energy and the local one of the same walkers: their differences are independent, so that their
/// mean lies within 5 errors of 0 (4 numbers: one false alarm in 400 000). What is reported are the mixed ones.
#[test]
fn mixed_and_local_kinetic_energies_agree() {
    for (text, deviation) in [("n=5 dim=2 rs=5 spsize=8 tpsize=8", 0.2), ("n=4 dim=3 rs=5 spsize=8 tpsize=8", 0.2)] {
        for how in ["exact", "probes"] {
            let t = measured(&format!("{text} theta=0.3 batch=1024 seed=4 laplacian={how}"), deviation);
            let walkers = energies(&t);
            let column = |value: &dyn Fn(&[f64; 4]) -> f64| mean(&walkers.iter().map(value).collect::<Vec<_>>());
            let (got, error) = column(&|w| w[3] - w[0]);
            let [local, mixed] = [column(&|w| w[0]), column(&|w| w[3])];
            let [coulomb, rest] = [column(&|w| w[1]), column(&|w| w[2] - w[3])];
            eprintln!("{text} {how}: K {local:?} local, {mixed:?} mixed: off by {got:.4} ± {error:.4}; V {coulomb:?}, E - K {rest:?}");
            assert!(got.abs() <= 5.0 * error + 64.0 * EPS * local.0, "{text} {how}: off by {got} ± {error}");
            assert!(error > 1e-4 * local.1, "{text}: no noise at all");
            let e = t.energies(device()).unwrap();
            let s = settings(&format!("{text} theta=0.3 batch=1024"));
            let reported = e.measured(&s).values;
            let unit = s.units().energy;
            let near = |a: f64, b: f64| (a - b * unit).abs() <= 1e-5 * (b * unit).abs();
            assert!(
                near(reported["K"].value, mixed.0) && near(reported["K"].error, mixed.1) && near(reported["V"].value, rest.0),
                "{reported:?}"
            );
            let (k, v) = (reported["K_local"], reported["V_local"]);
            assert!(near(k.value, local.0) && near(v.value, coulomb.0) && near(k.error, local.1));
        }
    }
}

/// The line that the energies lose leaves the gradient's mean alone, because the mean of Re d ln Ψ vanishes for each
/// state: the difference of the gradients of the same walkers is 0 in every parameter within 5.5 errors (200 parameters:
/// one false alarm in 100 000), and its noise falls where the ideal gas makes most of the energy's spread.
#[test]
fn the_baseline_leaves_the_gradient_and_takes_noise_away() {
    let gpu = device();
    let weighted = |baseline: &str| -> Vec<Vec<f64>> {
        let sizes = "spsize=8 tpsize=8";
        let t = measured(&format!("n=5 dim=2 rs=1 theta=0.5 batch=2048 chunk=512 seed=5 clip=1e6 {sizes} baseline={baseline}"), 0.1);
        let weights: Vec<f32> = gpu.read_words(&t.estimators.weights, 4 * t.batch).unwrap();
        let mut rec = Recording::new();
        t.record_scores(&mut rec);
        gpu.run(&rec).unwrap();
        let ld = pad4(t.flow.len());
        let scores: Vec<f32> = gpu.read_words(&t.flow.scores, 2 * t.batch * ld).unwrap();
        let walker = |w: usize| scores[2 * w * ld..][..t.flow.len()].iter().map(move |o| t.batch as f64 * f64::from(*o));
        (0..t.batch).map(|w| walker(w).map(|o| o * f64::from(weights[4 * w + 1])).collect()).collect()
    };
    let (plain, line) = (weighted("mean"), weighted("energy"));
    let (mut worst, mut noise) = (0.0_f64, [0.0_f64; 2]);
    for p in 0..plain[0].len() {
        let column = |value: &dyn Fn(usize) -> f64| mean(&(0..plain.len()).map(value).collect::<Vec<_>>());
        let (difference, error) = column(&|w| line[w][p] - plain[w][p]);
        if error > 0.0 {
            worst = worst.max(difference.abs() / error);
        }
        noise[0] += column(&|w| plain[w][p]).1.powi(2);
        noise[1] += column(&|w| line[w][p]).1.powi(2);
    }
    let ratio = (noise[1] / noise[0]).sqrt();
    eprintln!("gradients differ by at most {worst:.2} errors of {} parameters; noise {ratio:.3} of that about the mean", plain[0].len());
    assert!(worst > 0.0 && worst < 5.5, "{worst} errors");
    assert!(ratio < 0.9, "{ratio}");
}
