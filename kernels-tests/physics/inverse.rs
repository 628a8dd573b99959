//! Couplings from correlations: those of a glass are found again.

use std::path::Path;

use helmholtz::Made;
use helmholtz::problem::Training;
use helmholtz::problem::spins::Options;
use helmholtz::problem::spins::inverse::{Inverse, residual};
use helmholtz::system::Couplings;
use helmholtz::system::spins::{Correlations, Enumeration, inverse_ising};

use crate::harness::device;

/// Ten spins, all coupled: closer than every formula, and C_model is that of all states.
#[test]
fn couplings_of_a_glass_are_found_again() {
    let (n, beta) = (10, 1.2);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/data/sk_n10_seed4.json");
    let model = Couplings::read(&path).unwrap();
    let c = Enumeration::new(&model).unwrap().correlations(beta).0;
    let data = Correlations::new(n, c.clone()).unwrap();
    let made = Made { sites: n, depth: 2, width: 4, bias: true, prelu: true, residual: false };
    let adam = Options::adam(1000, 350, 0.01);
    let training = Training { eval_steps: 20, ..adam.training };
    let options = Options { beta, training, ..adam };
    let (mut first, mut last) = (f64::NAN, f64::NAN);
    let found = Inverse::learn(device(), &data, made.into(), options, &mut |p| {
        first = if p.step == 1 { p.residual } else { first };
        last = p.residual;
    })
    .unwrap();
    let truth = model.dense();
    let error = inverse_ising::error(&found.couplings, &truth);
    let all = Enumeration::new(&Couplings::from_dense(n, &found.couplings).unwrap()).unwrap().correlations(beta).0;
    let [off, own] = [residual(&data, &all), residual(&data, &found.correlations)];
    println!(
        "J off by {error:.2e}, C by {off:.2e}, {own:.2e} by samples; {first:.2e} at first, {last:.2e} at last; {:.2} effective",
        found.ess
    );
    for formula in [inverse_ising::mean_field, inverse_ising::independent_pairs, inverse_ising::sessak_monasson] {
        let other = inverse_ising::error(&formula(&c, n, beta).unwrap(), &truth);
        assert!(error < 0.3 * other, "{error} beside {other}");
    }
    // noise of a step of 1000 samples is 0.03, averaged over the last hundred and some; of 20,000 at the end 0.007. Pairs that are nearly frozen,
    // 1 - C² of some percent, have ten times the error in J that they have in C
    assert!(error < 0.1 && off < 0.02 && own < 0.03 && first > 0.1 && last < 0.06, "{error} {off} {own} {first} {last}");
    // C of the network's weighted samples is that of its couplings
    let apart = all.iter().zip(&found.correlations).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(apart < 0.05 && found.ess > 0.7 && found.waited == 0, "{apart} {}", found.ess);
}
