//! Training: F falls, frozen parameters confirm it; chunks and probes change nothing but rounding and noise.

use helmholtz::Trainer;

use crate::harness::{EPS, device, mean, settings, trainer};

/// F of one step and its error, with the kinetic energy in the form of the smaller spread (the same mean).
fn step(t: &mut Trainer, update: bool) -> (f64, f64) {
    let gpu = device();
    // as a run does: updates that the draws cannot follow are taken back
    let mut taken_back = 0;
    loop {
        let round = t.sample(gpu).unwrap();
        if round.usable() {
            break;
        }
        taken_back += 1;
        let values = t.flow.values(gpu).unwrap();
        let (shift, largest) = (&values[..t.gas.dim], values.iter().fold(0.0_f32, |m, v| m.max(v.abs())));
        eprintln!("an update is taken back: shift {shift:?}, largest parameter {largest}, {round:?}");
        assert!(update && taken_back <= 3, "{round:?}");
        t.take_back(gpu).unwrap();
    }
    let e = if update { t.energies_and_scores(gpu).unwrap() } else { t.energies(gpu).unwrap() };
    assert!(e.failed <= 1);
    if update {
        let updated = t.update(gpu).unwrap();
        assert!(updated.is_none(), "{updated:?}");
    }
    let records: Vec<f32> = gpu.read_words(&t.estimators.records, 8 * t.batch).unwrap();
    mean(
        &records
            .chunks(8)
            .filter(|r| r.iter().all(|v| v.is_finite()))
            .map(|r| r[7] as f64 + r[2] as f64 + r[3] as f64 / t.gas.beta())
            .collect::<Vec<_>>(),
    )
}

/// Mean and error of an evaluation with frozen parameters; the draws are independent.
fn frozen(t: &mut Trainer, steps: usize) -> (f64, f64) {
    let all: Vec<(f64, f64)> = (0..steps).map(|_| step(t, false)).collect();
    let error = all.iter().map(|s| s.1.powi(2)).sum::<f64>().sqrt() / steps as f64;
    (all.iter().map(|s| s.0).sum::<f64>() / steps as f64, error)
}

/// Training must lower F by many errors, and frozen parameters on more walkers must confirm it: the last training
/// steps agree with the evaluation within 4 errors (one false alarm in 16 000 a run), and both lie below the start.
fn lowers(text: &str, steps: usize) {
    let mut t = trainer(text);
    let (start, start_error) = frozen(&mut t, 8);
    for _ in 0..steps {
        step(&mut t, true);
    }
    let last: Vec<(f64, f64)> = (0..4).map(|_| step(&mut t, true)).collect();
    let (end, end_error) =
        (mean(&last.iter().map(|s| s.0).collect::<Vec<_>>()).0, last.iter().map(|s| s.1.powi(2)).sum::<f64>().sqrt() / 4.0);
    // the last update is judged by its draws
    if !t.sample(device()).unwrap().usable() {
        t.take_back(device()).unwrap();
    }
    let (after, error) = frozen(&mut t, 8);
    let fall = (start - after) / start_error.hypot(error);
    eprintln!(
        "{text}: F {start:.3} ± {start_error:.3} -> {end:.3} ± {end_error:.3}, frozen {after:.3} ± {error:.3}: {fall:.1} errors lower"
    );
    assert!(fall > 5.0, "{text}: F from {start} ± {start_error} to {after} ± {error}");
    assert!(after - end < 4.0 * end_error.hypot(error) && after < start, "{text}: F = {end} ± {end_error}, frozen {after} ± {error}");
}

const PLANE: &str = "n=13 dim=2 rs=10 theta=0.15 batch=128";
const SPACE: &str = "n=7 dim=3 rs=10 theta=0.15 batch=128 spsize=8 tpsize=8";

#[test]
fn stochastic_reconfiguration_lowers_the_free_energy() {
    lowers(&format!("{PLANE} seed=1 max_norm=0.01"), 8);
    lowers(&format!("{SPACE} seed=2 max_norm=0.01"), 8);
}

#[test]
fn adam_lowers_the_free_energy() {
    lowers("n=5 dim=2 rs=10 theta=0.15 batch=128 spsize=8 tpsize=8 seed=2 optimizer=adam learning_rate=0.01", 15);
    lowers(&format!("{SPACE} seed=1 optimizer=adam learning_rate=0.01"), 15);
}

/// Everything two steps leave behind: positions, states, records, gradients, parameters, as words.
fn after_two_steps(sampler: &str, chunk: usize) -> Vec<(&'static str, Vec<u32>)> {
    let gpu = device();
    let mut s = settings(&format!("n=5 dim=2 rs=5 theta=0.3 batch=50 probes=2 spsize=8 tpsize=8 seed=3 {sampler}"));
    s.training.chunk = chunk;
    let mut t = Trainer::new(gpu, &s, None, None).unwrap();
    for _ in 0..2 {
        t.sample(gpu).unwrap();
        t.energies(gpu).unwrap();
        assert!(t.update(gpu).unwrap().is_none());
    }
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
    let x = t.sampler.chunks().iter().flat_map(|c| gpu.read_words(&c.x, c.walkers * t.gas.n * t.gas.dim).unwrap()).collect();
    vec![
        ("states", gpu.read_words(&t.states, t.batch * t.gas.n).unwrap()),
        ("positions", x),
        ("ln p", gpu.read_words(&t.log_probability, t.batch).unwrap()),
        ("energies", gpu.read_words(&t.estimators.records, 8 * t.batch).unwrap()),
        ("occupation gradient", gpu.read_words(&t.occupation.gradient, t.occupation.len()).unwrap()),
        ("flow gradient", gpu.read_words(&t.flow.gradient, t.flow.len()).unwrap()),
        ("occupation parameters", bits(t.occupation.values(gpu).unwrap())),
        ("flow parameters", bits(t.flow.values(gpu).unwrap())),
    ]
}

/// A chunk is where walkers are computed, not what is computed: every sum over walkers runs over the whole batch in a
/// fixed order, so that two steps agree to the bit whatever the chunk, a divisor of the batch or not.
#[test]
fn chunks_change_no_bit() {
    for sampler in ["sampler=exact", "sampler=metropolis mc_steps=4"] {
        let whole = after_two_steps(sampler, 50);
        for chunk in [25, 17] {
            for ((name, want), (_, got)) in whole.iter().zip(after_two_steps(sampler, chunk)) {
                let differ = want.iter().zip(&got).filter(|(a, b)| a != b).count();
                assert_eq!(differ, 0, "{sampler}, chunks of {chunk}: {differ} of {} {name} differ", want.len());
            }
        }
    }
}

/// Laplacians by random probes on the same walkers average to the exact ones: the differences of 512 walkers are
/// independent, their mean within 5 errors of 0 (4 numbers: one false alarm in 400 000).
#[test]
fn probed_laplacians_agree_with_the_exact_one() {
    let gpu = device();
    let energies = |how: &str| -> Vec<[f64; 2]> {
        let s = settings(&format!("n=5 dim=2 rs=5 theta=0.3 batch=512 spsize=8 tpsize=8 seed=4 laplacian={how}"));
        let size = s.backflow().table().len();
        let flow = crate::harness::Noise(8).normals(size, 0.2);
        let mut t = Trainer::new(gpu, &s, None, Some(flow)).unwrap();
        t.sample(gpu).unwrap();
        t.energies(gpu).unwrap();
        let records: Vec<f32> = gpu.read_words(&t.estimators.records, 8 * t.batch).unwrap();
        records.chunks(8).map(|r| [r[0] as f64, r[1] as f64]).collect()
    };
    let exact = energies("exact");
    let scale = mean(&exact.iter().map(|e| e[0]).collect::<Vec<_>>()).0;
    for how in ["probes probes=2", "hutchinson probes=2"] {
        let probed = energies(how);
        let differences: Vec<f64> = probed.iter().zip(&exact).map(|(a, b)| a[0] - b[0]).collect();
        let (got, error) = mean(&differences);
        eprintln!("{how}: K off by {got:.4} ± {error:.4} of {scale:.3}");
        assert!(got.abs() <= 5.0 * error + 64.0 * EPS * scale, "{how}: off by {got} ± {error}");
        assert!(error > 1e-4 * scale / (exact.len() as f64).sqrt(), "{how}: no noise at all");
        // the imaginary part has no probes in it; hutchinson takes the dense passes, whose z and J round differently: 300 ε, as in
        // the tests of first derivatives
        let imaginary = probed.iter().zip(&exact).fold(0.0_f64, |m, (a, b)| m.max((a[1] - b[1]).abs() / (1.0 + b[1].abs())));
        assert!(imaginary < 300.0 * EPS, "{how}: Im K changes by {imaginary:.1e}");
    }
}
