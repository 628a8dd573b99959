//! The quasi-particle prior of p(K): exact conditionals of the canonical gas of c k², and the c that energies ask for.

use helmholtz::estimate::Estimate;
use helmholtz::problem::Named;
use helmholtz::problem::electron_gas::{Landau, Settings};
use helmholtz::{IdealGas, Trainer};

use crate::harness::{EPS, device, settings};

const TEXT: &str = "n=5 dim=2 rs=0 theta=0.4 prior=quasiparticle laplacian=exact spsize=8 tpsize=8";

/// A gas without interaction in plane waves, p(K) that of quasi-particles with c given.
fn plane_waves(c: f32, more: &str) -> (Settings, Trainer) {
    let s = settings(&format!("{TEXT} {more}"));
    let mut t = Trainer::new(device(), &s, None, Some(vec![0.0; s.backflow().table().len()])).unwrap();
    t.start_quasiparticles(Some(vec![c])).unwrap();
    let refused = t.start_quasiparticles(Some(vec![-0.5])).unwrap_err();
    assert!(refused.exit_code() == 2 && refused.to_string().contains("prior/inverse_mass = -0.5"), "{refused}");
    t.sample(device()).unwrap();
    (s, t)
}

/// All states of n fermions: Σ k² of each.
fn states(levels: &[f64], n: usize) -> Vec<f64> {
    if n == 0 {
        return vec![0.0];
    }
    (0..levels.len()).flat_map(|i| states(&levels[..i], n - 1).into_iter().map(move |e| e + levels[i])).collect()
}

/// S and Var Σ k² of the canonical gas of c k², from the sum over all states.
fn enumerated(s: &Settings, c: f64) -> (f64, f64) {
    let gas = s.gas().unwrap();
    let all = states(&gas.energies(), gas.n);
    let lowest = all.iter().copied().fold(f64::INFINITY, f64::min);
    let weights: Vec<f64> = all.iter().map(|e| (-gas.beta() * c * (e - lowest)).exp()).collect();
    let z: f64 = weights.iter().sum();
    let mean = |f: &dyn Fn(f64) -> f64| all.iter().zip(&weights).map(|(e, w)| w * f(*e)).sum::<f64>() / z;
    let e = mean(&|e| e);
    (z.ln() + gas.beta() * c * (e - lowest), mean(&|v| (v - e).powi(2)))
}

/// ln p of every state drawn is that of the canonical gas of c k², and its slope over Σ k² is c; E and S are those of a sum over
/// all states, within 5 errors (one false alarm in a million). Local energies have slope 1 whatever c is.
#[test]
fn draws_are_those_of_the_canonical_gas() {
    for c in [0.5, 1.0, 2.25] {
        let (s, t) = plane_waves(c, "seed=3 batch=512");
        let e = t.energies(device()).unwrap();
        let gas = IdealGas::new(&t.gas.energies(), t.gas.n, t.gas.beta()).unwrap().scaled(c as f64).unwrap();
        let ln_p: Vec<f32> = device().read_words(&t.log_probability, t.batch).unwrap();
        let states: Vec<u32> = device().read_words(&t.states, t.batch * t.gas.n).unwrap();
        for (l, k) in ln_p.iter().zip(states.chunks(t.gas.n)) {
            let exact = gas.log_probability(&k.iter().map(|&j| j as usize).collect::<Vec<_>>());
            assert!((f64::from(*l) - exact).abs() < EPS * (8.0 * 5.0 + 4.0 * exact.abs() + 50.0), "c = {c}: ln p = {l}, exact {exact}");
        }
        let (entropy, variance) = enumerated(&s, c as f64);
        assert!((gas.entropy - entropy).abs() < 1e-10 * entropy, "S = {}, by enumeration {entropy}", gas.entropy);
        assert!((e.entropy.mean - entropy).abs() < 5.0 * e.entropy.error, "c = {c}: S = {:?}, exact {entropy}", e.entropy);
        assert!((e.ideal.variance / variance - 1.0).abs() < 0.3, "c = {c}: Var = {}, exact {variance}", e.ideal.variance);
        let slope = e.probability_slope.value / t.gas.beta();
        assert!((slope - c as f64).abs() < 1e-4 * c as f64 && (e.energy_slope.value - 1.0).abs() < 1e-3, "{slope}, {:?}", e.energy_slope);
    }
}

/// Without interaction the energies ask for c = 1: the prior goes there from either side, by at most √max_norm in the Fisher norm
/// a step, and F falls to that of the ideal gas. With frozen parameters it stays.
#[test]
fn the_prior_follows_the_energies() {
    for start in [0.7, 1.6] {
        let (s, mut t) = plane_waves(start, "seed=4 batch=256 max_norm=0.01");
        let prior = |t: &Trainer| f64::from(t.quasiparticles.as_ref().unwrap().learner.values(device()).unwrap()[0]);
        let (mut c, mut steps) = (f64::from(start), 0);
        while (c - 1.0).abs() > 1e-3 && steps < 60 {
            let spread = t.gas.beta() * t.energies_and_scores(device()).unwrap().ideal.variance.sqrt();
            let prior_step = t.gradients(device()).and_then(|()| t.quasiparticles.as_mut().unwrap().learner.update(device()));
            assert!(prior_step.unwrap().is_none());
            let next = prior(&t);
            let longest = s.optimisation.max_norm.sqrt() / spread;
            assert!((next - c).abs() <= 1.0001 * longest, "{c} -> {next}: longest {longest}");
            assert!((next - 1.0).abs() < (c - 1.0).abs(), "{c} -> {next}");
            (c, steps) = (next, steps + 1);
            t.sample(device()).unwrap();
        }
        assert!((4..60).contains(&steps), "{steps} steps to {c}");
        let e = t.energies(device()).unwrap();
        assert!((e.free_energy.mean - t.ideal.free_energy).abs() < 3e-4 * t.ideal.free_energy, "{:?}", e.free_energy);
        t.sample(device()).unwrap();
        assert_eq!(prior(&t), c);
    }
}

/// The second road to S, against sums over all states: S of c k², its error by differences, and what a p(K) of another slope costs.
#[test]
fn the_landau_fit_is_that_of_a_sum_over_states() {
    let s = settings("n=4 dim=2 rs=3 theta=0.4");
    let of = |c: f64, p: f64| -> Named<Estimate> {
        [("slope_E", Estimate::new(c, 0.05)), ("slope_p", Estimate::new(p, 0.02)), ("S", Estimate::new(0.01, 0.001))].into()
    };
    let landau = Landau::new(&s, &of(1.8, 1.4)).unwrap().unwrap();
    let ((entropy, _), n) = (enumerated(&s, 1.8), 4.0);
    let rise = (enumerated(&s, 1.81).0 - enumerated(&s, 1.79).0) / 0.02;
    let near = |a: f64, b: f64| (a - b).abs() < 1e-3 * b.abs();
    assert!(near(landau.entropy.value, entropy / n) && near(landau.entropy.error, 0.05 * rise.abs() / n), "{landau:?}");
    // β = 1/(4 Θ) in (Ry/rs²)⁻¹, printed in Ry per electron: relative entropy of the two distributions over states
    let relative = |c: f64, p: f64| {
        let gas = s.gas().unwrap();
        let all = states(&gas.energies(), gas.n);
        let of = |c: f64| -> Vec<f64> {
            let weights: Vec<f64> = all.iter().map(|e| (-0.625 * c * e).exp()).collect();
            let z: f64 = weights.iter().sum();
            weights.iter().map(|w| w / z).collect()
        };
        of(p).iter().zip(of(c)).map(|(p, q)| p * (p / q).ln()).sum::<f64>() / 0.625 / (n * 9.0)
    };
    let excess = relative(1.8, 1.4);
    let by = |dc: f64, dp: f64| (relative(1.8 + dc, 1.4 + dp) - relative(1.8 - dc, 1.4 - dp)) / 2e-3;
    let error = (0.05 * by(1e-3, 0.0)).hypot(0.02 * by(0.0, 1e-3));
    assert!(near(landau.excess.value, excess) && near(landau.excess.error, error), "{landau:?}, {excess} ± {error}");
    let text = landau.words(&s).unwrap();
    assert!(text.contains("rise by 1.800 ± 0.050 (m*/m = 0.556 ± 0.015)") && text.contains("p(K) by 1.400 ± 0.020"), "{text}");
    assert!(text.contains("F could be lower by about") && text.contains("± 0.0"), "{text}");
    let same = Landau::new(&s, &of(1.5, 1.4)).unwrap().unwrap().words(&s).unwrap();
    assert!(same.contains("no difference is seen") && same.contains("E_K is no line in Σ k²") && !text.contains("no line"), "{same}");
    let mut agrees = of(1.5, 1.4);
    agrees["S"] = Landau::new(&s, &agrees).unwrap().unwrap().entropy;
    assert!(!Landau::new(&s, &agrees).unwrap().unwrap().words(&s).unwrap().contains("no line"));
    assert_eq!(Landau::new(&s, &of(f64::NAN, 1.0)).unwrap(), None);
}
