//! The ideal gas: untrained networks are exact, trained ones approach it from above.

use helmholtz::problem::electron_gas::pretraining::{Progress, WANTED};
use helmholtz::{IdealGas, Trainer};

use crate::harness::{EPS, device, mean, settings, trainer};
use crate::reference_data;

/// ln p of the present states, and the states.
fn drawn(t: &Trainer) -> (Vec<f64>, Vec<Vec<usize>>) {
    let ln_p: Vec<f32> = device().read_words(&t.log_probability, t.batch).unwrap();
    let states: Vec<u32> = device().read_words(&t.states, t.batch * t.gas.n).unwrap();
    (ln_p.iter().map(|v| *v as f64).collect(), states.chunks(t.gas.n).map(|s| s.iter().map(|&j| j as usize).collect()).collect())
}

/// (n, dim, theta, emax) and the exact (F, E, S) of the rows with a cut-off.
fn rows() -> Vec<(usize, usize, f64, usize, [f64; 3])> {
    let mut rows = Vec::new();
    for dim in [2, 3] {
        let path = reference_data::find(&format!("freefermion_{dim}d.json")).expect("it comes with the repository");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        for row in file["rows"].as_array().unwrap() {
            let Some(emax) = row["Emax"].as_u64() else { continue };
            let theta: f64 = row["Theta"].as_str().unwrap().parse().unwrap();
            let exact = ["F_f64", "E_f64", "S_f64"].map(|k| row[k].as_f64().unwrap());
            rows.push((row["n"].as_u64().unwrap() as usize, dim, theta, emax as usize, exact));
        }
    }
    rows
}

/// Untrained, with prior=ideal: ln p of every state is the exact one, so ln p/β + Σ k² = F without variance (here to
/// the rounding of n logarithms: 2 ε of the largest, plus those of the sums over the orbitals), and E and S are
/// within 5 errors of the exact averages (8 rows, 2 numbers: one false alarm in 100 000).
#[test]
fn an_untrained_network_is_the_ideal_gas() {
    let cases = [(13, 2, 25, 0.15), (29, 2, 25, 0.15), (7, 3, 4, 0.125), (7, 3, 4, 0.25), (7, 3, 4, 0.5), (7, 3, 4, 1.0), (7, 3, 10, 0.25)];
    let mut seen = 0;
    for (n, dim, theta, emax, [f, e, s]) in rows() {
        if !cases.contains(&(n, dim, emax, theta)) {
            continue;
        }
        seen += 1;
        let mut t = trainer(&format!("n={n} dim={dim} rs=0 theta={theta} emax={emax} batch=512 seed=5"));
        assert!((t.ideal.free_energy - f).abs() < 1e-11 * f.abs() && (t.ideal.entropy - s).abs() < 1e-11 * s);
        t.sample(device()).unwrap();
        let (ln_p, states) = drawn(&t);
        let levels = t.gas.energies();
        let energies: Vec<f64> = states.iter().map(|k| k.iter().map(|&j| levels[j]).sum()).collect();
        for ((l, k), e) in ln_p.iter().zip(&states).zip(&energies) {
            let exact = t.ideal.log_probability(k);
            // logits of up to -50 rounded, n of them, and sums over up to 300 orbitals
            let tolerance = EPS * (n as f64 * 8.0 + 4.0 * exact.abs() + 50.0);
            assert!((l - exact).abs() <= tolerance, "n = {n}, Θ = {theta}: ln p = {l}, exact {exact}, tolerance {tolerance:.1e}");
            let free = l / t.gas.beta() + e;
            assert!((free - f).abs() <= tolerance / t.gas.beta(), "n = {n}, Θ = {theta}: F of {k:?} is {free}, exact {f}");
        }
        for (what, values, exact) in [("E", energies, e), ("S", ln_p.iter().map(|l| -l).collect(), s)] {
            let (got, error) = mean(&values);
            assert!((got - exact).abs() <= 5.0 * error, "n = {n}, Θ = {theta}: {what} = {got} ± {error}, exact {exact}");
        }
    }
    assert_eq!(seen, cases.len());
}

/// The whole chain at rs = 0 with the identity flow: F of the batch has no variance and the exact value. What rounding
/// leaves comes from walkers near nodes, through the kinetic energy alone; most have 1e-4 of Σ k² or less.
#[test]
fn the_free_energy_of_plane_waves_has_no_variance() {
    for (text, mixed) in [("n=13 dim=2 theta=0.15", 1.0), ("n=7 dim=3 theta=0.25 spsize=8 tpsize=8", 1.0)] {
        let s = settings(&format!("{text} rs=0 batch=96 laplacian=exact seed=8"));
        let mut t = Trainer::new(device(), &s, None, Some(vec![0.0; s.backflow().table().len()])).unwrap();
        t.sample(device()).unwrap();
        let e = t.energies(device()).unwrap();
        let exact = IdealGas::new(&t.gas.energies(), t.gas.n, t.gas.beta()).unwrap().free_energy;
        let records: Vec<f32> = device().read_words(&t.estimators.records, 8 * t.batch).unwrap();
        let mut off: Vec<f64> = records.chunks(8).map(|r| (r[6] as f64 / exact - 1.0).abs()).collect();
        off.sort_by(f64::total_cmp);
        assert_eq!(e.counted, t.batch);
        assert!(
            off[t.batch / 2] < 1e-5 && off[t.batch - 1] < 1e-2 * mixed,
            "{text}: off by {:?}, median {:.1e}",
            off.last(),
            off[t.batch / 2]
        );
        assert!((e.free_energy.mean - exact).abs() < 3e-4 * exact, "{text}: F = {:?}, exact {exact}", e.free_energy);
        assert!(e.energy.variance.sqrt() > 0.01 * exact, "{text}: E has the thermal spread");
    }
}

/// From nothing (prior=none) pretraining ends when p(K) is within 5e-4 nats per electron of the ideal gas beyond doubt. Measured
/// afterwards with frozen parameters and fresh walkers, ln p - ln p₀ of the exact p₀ has a mean below that, but for 4 errors (one
/// false alarm in 30 000 if p(K) were no better), and above 0, since a relative entropy is positive.
#[test]
fn pretraining_reaches_the_ideal_gas_from_above() {
    // nothing here knows the dimension but through the levels: one system cold, one warm
    for text in ["n=5 dim=2 theta=0.15", "n=3 dim=3 theta=0.25"] {
        let mut t = trainer(&format!("{text} rs=1 prior=none batch=512 nlayers=1 modelsize=8 nhidden=16 seed=2"));
        let sr = t.pretraining().unwrap();
        let scale = t.gas.beta() / t.gas.n as f64;
        let mut progress = Progress::default();
        let mut first = f64::NAN;
        let steps = (1..=600).find(|&step| {
            let (e, refused) = t.pretrain(device(), &sr, step).unwrap();
            assert!(refused.is_none(), "{refused:?}");
            let excess = (e.free_energy.mean - t.ideal.free_energy) * scale;
            first = if step == 1 { excess } else { first };
            progress.push(excess, e.free_energy.error * scale);
            progress.reached()
        });
        let mut excess = Vec::new();
        for _ in 0..12 {
            t.sample(device()).unwrap();
            let (ln_p, states) = drawn(&t);
            excess.extend(ln_p.iter().zip(&states).map(|(l, k)| (l - t.ideal.log_probability(k)) / t.gas.n as f64));
        }
        let (got, error) = mean(&excess);
        eprintln!("{text}: {steps:?} steps, relative entropy {first:.2} -> {got:.1e} ± {error:.1e} nats per electron");
        assert!(first > 0.5 && steps.is_some(), "{text}: starts at {first}, ends after {steps:?}");
        assert!(got < WANTED + 4.0 * error && error < 0.5 * WANTED, "{text}: {got} ± {error}");
        assert!(got > -5.0 * error, "{text}: {got} ± {error} is negative");
    }
}
