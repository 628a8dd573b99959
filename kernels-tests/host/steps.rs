//! Steps of a trainer: random numbers that differ, walkers that are left out, steps that shorten, errors that are right.

use helmholtz::Trainer;
use helmholtz::estimate::Estimate;
use helmholtz::problem::electron_gas::KIND;
use helmholtz::run::{Phase, StepRecord, Summary};

use crate::{Noise, TINY, device, settings, trainer};

fn positions(t: &Trainer) -> Vec<f32> {
    t.sampler.chunks().iter().flat_map(|c| device().read_words::<f32>(&c.x, c.walkers * t.gas.n * t.gas.dim).unwrap()).collect()
}

fn records(t: &Trainer) -> Vec<[f64; 8]> {
    let words: Vec<f32> = device().read_words(&t.estimators.records, 8 * t.batch).unwrap();
    words.chunks(8).map(|r| std::array::from_fn(|c| f64::from(r[c]))).collect()
}

/// Far below the Fermi temperature every walker has the same state, so that nothing but the step's number tells two draws,
/// or two sets of probes, apart.
#[test]
fn successive_steps_draw_other_numbers() {
    let gpu = device();
    for sampler in ["exact", "metropolis mc_steps=3"] {
        let mut t = trainer(&format!("{TINY} theta=0.01 rs=2 batch=16 seed=3 probes=1 sampler={sampler}").replace("theta=0.5 ", ""));
        t.sample(gpu).unwrap();
        let (first, states) = (positions(&t), gpu.read_words::<u32>(&t.states, 16 * 3).unwrap());
        t.energies(gpu).unwrap();
        let before = records(&t);
        t.sample(gpu).unwrap();
        let second = positions(&t);
        assert_eq!(gpu.read_words::<u32>(&t.states, 16 * 3).unwrap(), states, "the test needs equal states");
        let same = first.chunks(6).zip(second.chunks(6)).filter(|(a, b)| a == b).count();
        // a chain may refuse three moves
        assert!(same <= if sampler == "exact" { 0 } else { 8 }, "{sampler}: {same} of 16 walkers were drawn twice");
        // the same walkers again: probes alone differ, where a walker's are not the same by chance
        t.load(gpu, &first, &states).unwrap();
        t.energies(gpu).unwrap();
        let after = records(&t);
        let potential = before.iter().zip(&after).all(|(a, b)| a[2] == b[2]);
        let kinetic = before.iter().zip(&after).filter(|(a, b)| a[0] != b[0]).count();
        assert!(potential && kinetic >= 4, "{sampler}: probes of {kinetic} of 16 walkers differ (V alike: {potential})");
    }
}

/// A flow that folds space fails some draws. These are left out of every mean, and what is left is averaged as it stands.
#[test]
fn failed_draws_are_left_out_of_every_mean() {
    let gpu = device();
    let text = format!("{TINY} rs=3 batch=64 seed=5");
    let s = settings(&text);
    let mut found = None;
    for seed in 1..40 {
        let mut noise = Noise(seed);
        let flow = (0..s.backflow().table().len()).map(|_| (0.9 * noise.normal()) as f32).collect();
        let mut t = Trainer::new(gpu, &s, None, Some(flow)).unwrap();
        let round = t.sample(gpu).unwrap();
        if (2..40).contains(&round.failed) {
            found = Some((t, round));
            break;
        }
    }
    let (t, round) = found.expect("a flow with some failed draws");
    let e = t.energies(gpu).unwrap();
    let good: Vec<[f64; 8]> = records(&t).into_iter().filter(|r| r.iter().all(|v| v.is_finite())).collect();
    assert!(e.failed >= round.failed && e.counted + e.failed == 64 && e.counted == good.len(), "{round:?} {e:?}");
    let r = StepRecord::new(4, 2.5, &e.measured(&s));
    let n = good.len() as f64;
    // Ry/rs² in total to Ry per electron, written out
    let (ry, beta) = (1.0 / (3.0 * 9.0), t.gas.beta());
    for (name, of) in [
        ("F", &(|r: &[f64; 8]| ry * (r[0] + r[2] + r[3] / beta)) as &dyn Fn(&[f64; 8]) -> f64),
        ("E", &|r| ry * (r[0] + r[2])),
        ("K", &|r| ry * r[7]),
        ("V", &|r| ry * (r[0] + r[2] - r[7])),
        ("S", &|r| -r[3] / 3.0),
        ("K_local", &|r| ry * r[0]),
        ("V_local", &|r| ry * r[2]),
    ] {
        let Estimate { value, error, .. } = r.values[name];
        let values: Vec<f64> = good.iter().map(of).collect();
        let mean = values.iter().sum::<f64>() / n;
        let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt();
        let scale = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        assert!((value - mean).abs() < 1e-5 * scale, "{name}: {value}, the records give {mean}");
        assert!((error - spread).abs() < 1e-3 * spread + 1e-6 * scale, "{name}: error {error}, the records give {spread}");
    }
    assert_eq!((r.step, r.seconds, r.nonfinite), (4, 2.5, e.failed));
}

/// 24 seeds of a small run: the results scatter about their mean as their error bars say, by F, E, K, V and S, over 8 and over
/// 24 steps. χ² per degree of freedom is 1 ± 0.3. E = K + V and F = E - S/β hold in printed units.
#[test]
fn results_scatter_as_their_error_bars_say() {
    let gpu = device();
    let mut results: [Vec<Summary>; 2] = [Vec::new(), Vec::new()];
    for seed in 1..=24 {
        let s = settings(&format!("{TINY} rs=2 batch=32 steps=0 eval_steps=24 seed={seed}"));
        // one wave function for all: parameters come from the seed otherwise
        let mut noise = Noise(5);
        let flow = (0..s.backflow().table().len()).map(|_| (0.05 * noise.normal()) as f32).collect();
        let model = s.occupation(&s.gas().unwrap());
        let mut t = Trainer::new(gpu, &s, Some(model.initial(1, s.prior)), Some(flow)).unwrap();
        let steps: Vec<StepRecord> = (0..24)
            .map(|step| {
                assert!(t.sample(gpu).unwrap().usable());
                let record = StepRecord::new(step, 0.0, &t.energies(gpu).unwrap().measured(&s));
                StepRecord { phase: Phase::Frozen, ..record }
            })
            .collect();
        for (results, count) in results.iter_mut().zip([8, 24]) {
            let summary = Summary::of_records(&KIND, &s.values(), "device", &steps[..count]).unwrap();
            let [f, e, k, v, s] = ["F", "E", "K", "V", "S"].map(|name| summary.result[name]);
            // β in Ry⁻¹ at rs = 2, two dimensions: 4/(4 Θ)
            let beta = 4.0 / (4.0 * 0.5);
            assert!((e.value - k.value - v.value).abs() < 1e-5 * k.value, "{summary:?}");
            assert!((f.value - (e.value - s.value / beta)).abs() < 1e-5 * k.value, "{summary:?}");
            assert!(summary.tau == 1.0 && !f.at_least && summary.scatter.abs() < 4.5, "{summary:?}");
            results.push(summary);
        }
    }
    for (results, count) in results.iter().zip([8, 24]) {
        for name in ["F", "E", "K", "V", "S", "K_local", "V_local", "K_0", "slope_E"] {
            let all: Vec<_> = results.iter().map(|s| s.result[name]).collect();
            let weight: f64 = all.iter().map(|e| e.error.powi(-2)).sum();
            let mean = all.iter().map(|e| e.value * e.error.powi(-2)).sum::<f64>() / weight;
            let chi2 = all.iter().map(|e| ((e.value - mean) / e.error).powi(2)).sum::<f64>() / 23.0;
            eprintln!("{count} steps: {name} = {mean:.5}, χ² {chi2:.2}");
            assert!((0.5..1.8).contains(&chi2), "{count} steps: χ² of {name} is {chi2}");
        }
    }
}

/// The step of update t is as long as the settings say in the norm of Fisher matrix + damping: √max_norm/(1 + t/decay),
/// the last half of four times 2/3 and 1/3 of it.
#[test]
fn steps_shorten_as_the_schedule_says() {
    let gpu = device();
    let (max_norm, damping, decay) = (1e-6_f64, 1e-3, 2.0);
    let mut t = trainer(&format!("{TINY} rs=2 batch=64 seed=2 max_norm={max_norm} damping={damping} decay={decay} steps=4 cooling=0.5"));
    for update in 0..4 {
        assert!(t.sample(gpu).unwrap().usable());
        t.energies_and_scores(gpu).unwrap();
        let before = t.occupation.values(gpu).unwrap();
        assert!(t.update(gpu).unwrap().is_none());
        let p = before.len();
        let step: Vec<f64> = t.occupation.values(gpu).unwrap().iter().zip(&before).map(|(a, b)| f64::from(a - b)).collect();
        let ld = helmholtz::kernels::pad4(p);
        let rows: Vec<f32> = gpu.read_words(&t.occupation.scores, t.occupation.rows() * ld).unwrap();
        let product = |row: &[f32]| row.iter().zip(&step).map(|(a, b)| f64::from(*a) * b).sum::<f64>();
        let fisher = rows.chunks(ld).map(|row| product(&row[..p]).powi(2)).sum::<f64>() / 64.0;
        let length = (fisher + damping * step.iter().map(|x| x * x).sum::<f64>()).sqrt();
        let cooled = (f64::from(4 - update) / 3.0).min(1.0);
        let want = max_norm.sqrt() / (1.0 + f64::from(update) / decay) * cooled;
        // parameters of order 1 in single precision keep three digits of steps of 1e-3/√P
        eprintln!("update {update}: length {length:.3e}, want {want:.3e}");
        assert!((length / want - 1.0).abs() < 0.02, "update {update}: length {length}, want {want}");
    }
}

/// Gradient norms in the logs are those of the gradients on the device.
#[test]
fn gradient_norms_are_those_of_the_gradients() {
    let gpu = device();
    let mut t = trainer(&format!("{TINY} rs=2 batch=32 seed=2"));
    t.sample(gpu).unwrap();
    t.energies_and_scores(gpu).unwrap();
    t.gradients(gpu).unwrap();
    for network in [&t.occupation, &t.flow] {
        let norm = network.gradient_norm(gpu).unwrap();
        let g: Vec<f32> = gpu.read_words(&network.gradient, network.len()).unwrap();
        let want = g.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!(want > 0.0 && (norm / want - 1.0).abs() < 1e-12, "{norm} {want}");
    }
}
