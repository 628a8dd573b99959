//! What is known without a network: tempering against sums over all states and against Kaufman's torus, and the bounds of ln Z that
//! a network gives from both sides.

use std::path::Path;

use helmholtz::problem::spins::oracle::{Method, Oracle, Sandwich, Settings};
use helmholtz::problem::spins::{Options, of_couplings};
use helmholtz::system::Couplings;
use helmholtz::system::spins::{Boundary, Enumeration, Lattice, torus};
use helmholtz::{Made, Spins, train};

use crate::harness::device;

fn glass() -> Couplings {
    Couplings::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/data/sk_n10_seed4.json")).unwrap()
}

fn settings(sweeps: usize, keep: usize) -> Settings {
    Settings { sweeps, ladders: 32, seed: 3, keep }
}

fn tempered(model: &Couplings, beta: f64, lattice: Option<(usize, Boundary)>, s: &Settings) -> Oracle {
    Oracle::new(device(), model, beta, lattice, true, s, &mut |_| {}).unwrap()
}

/// Five errors, of which one in 10^6 is more by chance; and errors that tell something.
fn within(name: &str, got: helmholtz::estimate::Estimate, want: f64, most: f64) {
    println!("{name}: {:.6} ± {:.6}, exact {want:.6}", got.value, got.error);
    assert!((got.value - want).abs() <= 5.0 * got.error && got.error <= most, "{name}: {got:?}, exact {want}");
}

/// A glass, and one with fields and a constant: every value, and all correlations.
#[test]
fn tempering_agrees_with_all_states() {
    let fields: Vec<f64> = (0..10).map(|i| 0.1 * i as f64 - 0.3).collect();
    for (model, beta) in [(glass(), 1.5), (glass().with_fields(&fields).unwrap(), 1.0)] {
        let all = Enumeration::new(&model).unwrap();
        let exact = all.at(beta).unwrap();
        let found = tempered(&model, beta, None, &settings(3000, 0));
        let (c, singles) = all.correlations(beta);
        assert!(singles.iter().any(|m| m.abs() > 1e-3) != model.is_even());
        for (name, want, most) in [
            ("ln_z", exact.ln_z, 0.02),
            ("F", exact.free_energy_per_site(), 2e-3),
            ("E", exact.energy_per_site().unwrap(), 3e-3),
            ("S", exact.entropy_per_site().unwrap(), 4e-3),
            ("C", exact.heat_capacity_per_site().unwrap(), 6e-3),
            ("m2", all.magnetisation_squared(beta) / 100.0, 0.01),
        ] {
            within(name, found.value(name), want, most);
        }
        // 10^5 states whose products have a variance of 1 and a memory of some sweeps
        let worst = found.correlations.iter().zip(&c).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(worst < 0.03 && (0..10).all(|i| found.correlations[11 * i] == 1.0), "correlations are off by {worst}");
        let Method::Tempering(run) = found.method else { panic!("all states were summed") };
        assert!(run.doubts().is_empty() && run.betas[0] == 0.0, "{:?}", run.doubts());
        // the sum over all states on the device gives the same
        let sum = Oracle::new(device(), &model, beta, None, false, &settings(0, 0), &mut |_| {}).unwrap();
        assert!((sum.value("ln_z").value - exact.ln_z).abs() < 1e-5 && sum.correlations == c);
        assert!((sum.value("C").value - exact.heat_capacity_per_site().unwrap()).abs() < 1e-5);
    }
}

/// 64 sites near the transition: Kaufman's sum, and ⟨M²⟩ of transfer matrices, 0.6469116 at β = 0.4406868.
#[test]
fn tempering_agrees_with_kaufman() {
    let (side, beta) = (8, 0.4406868);
    let model = Couplings::lattice(Lattice::Square, side, Boundary::Periodic, 1.0).unwrap();
    let exact = torus::exact(Lattice::Square, side, 1.0, beta).unwrap();
    let found = tempered(&model, beta, Some((side, Boundary::Periodic)), &settings(600, 0));
    for (name, want, most) in [
        ("ln_z", exact.ln_z, 0.15),
        ("F", exact.free_energy_per_site(), 5e-3),
        ("E", exact.energy_per_site().unwrap(), 0.03),
        ("C", exact.heat_capacity_per_site().unwrap(), 0.08),
        ("m2", 0.6469116, 0.03),
    ] {
        within(name, found.value(name), want, most);
    }
    // neighbours are the energy, two bonds a site; and correlations fall with the distance
    let c: Vec<f64> = found.distances.iter().map(|e| e.value).collect();
    assert!(c.len() == 5 && c[0] == 1.0 && c.windows(2).all(|w| w[1] < w[0]), "{c:?}");
    assert!((2.0 * c[1] + found.value("E").value).abs() < 1e-5, "{} and {:?}", c[1], found.value("E"));
}

/// Too cold and too short a run says so; what cannot be run is refused.
#[test]
fn a_run_without_equilibrium_says_so() {
    let model = Couplings::sherrington_kirkpatrick(64, 1).unwrap();
    let found = tempered(&model, 5.0, None, &Settings { sweeps: 100, ladders: 4, seed: 1, keep: 0 });
    let Method::Tempering(run) = found.method else { panic!("all states were summed") };
    assert!(run.doubts().iter().any(|d| d.contains("times a ladder")), "{:?}", run.doubts());
    for s in [Settings { sweeps: 99, ..settings(0, 0) }, Settings { ladders: 3, ..settings(100, 0) }] {
        assert!(Oracle::new(device(), &model, 1.0, None, true, &s, &mut |_| {}).is_err());
    }
}

/// E_p[R] ≤ -ln Z ≤ E_q[R] of a network that is trained a little, states of p drawn from all of them and by tempering; both
/// sides and the divergences are those of sums over all states.
#[test]
fn both_sides_bound_ln_z() {
    let (gpu, model, beta, n) = (device(), glass(), 1.0, 10);
    let options = Options { beta, anneal: 0.0, z2: true, ..Options::adam(500, 40, 0.02) };
    let made = Made { sites: n, depth: 2, width: 4, bias: true, prelu: true, residual: false };
    let mut spins = Spins::new(gpu, of_couplings(&model, 500).unwrap(), made, options, None).unwrap();
    train(gpu, &mut spins, 40, |_, _| {}).unwrap();
    // every state: R, and what p and q give them
    let states: Vec<Vec<i8>> = (0..1usize << n).map(|s| (0..n).map(|i| 1 - 2 * (s >> i & 1) as i8).collect()).collect();
    let flat: Vec<f32> = states.iter().flatten().map(|s| *s as f32).collect();
    let reduced = spins.reduced(gpu, &flat).unwrap();
    let log_z = Enumeration::new(&model).unwrap().at(beta).unwrap().ln_z;
    let (mut total, mut lower, mut upper) = (0.0, 0.0, 0.0);
    for (state, r) in states.iter().zip(&reduced) {
        let (q, p) = ((r - beta * model.energy(state)).exp(), (-beta * model.energy(state) - log_z).exp());
        (total, lower, upper) = (total + q, lower + p * r, upper + q * r);
    }
    assert!((total - 1.0).abs() < 1e-4, "q adds up to {total}");
    assert!(lower < -log_z - 1e-3 && upper > -log_z + 1e-3, "{lower} {} {upper}", -log_z);
    let sum = Oracle::new(gpu, &model, beta, None, false, &settings(0, 4000), &mut |_| {}).unwrap();
    for oracle in [sum, tempered(&model, beta, None, &settings(2000, 4000))] {
        let s = Sandwich::new(gpu, &mut spins, beta, &oracle, 10).unwrap();
        within("E_p[R]", s.lower, lower, 0.1);
        within("E_q[R]", s.upper, upper, 0.02);
        within("-ln Z", helmholtz::estimate::Estimate { error: s.minus_ln_z.error.max(1e-5), ..s.minus_ln_z }, -log_z, 0.02);
        within("KL(p‖q)", s.kl_p_q, -log_z - lower, 0.1);
        within("KL(q‖p)", s.kl_q_p, upper + log_z, 0.1);
        assert!((3000..=5000).contains(&s.states), "{}", s.states);
    }
    assert!(spins.reduced(gpu, &flat[..7]).is_err());
    let none = Oracle::new(gpu, &model, beta, None, false, &settings(0, 0), &mut |_| {}).unwrap();
    assert!(Sandwich::new(gpu, &mut spins, beta, &none, 10).is_err());
}
