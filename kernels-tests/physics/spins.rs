//! Spins: what a trained network says of F, E, S and ⟨m²⟩ against sums over all states, and what must not depend on how it is
//! computed.

use std::path::Path;

use helmholtz::kernels::Chunk;
use helmholtz::kernels::couplings::Observables;
use helmholtz::kernels::stencil::Stencil;
use helmholtz::optimize::Optimizer;
use helmholtz::problem::spins::{Options, Subject, of_couplings};
use helmholtz::problem::{Conclusion, Ending, Measured, Named, Problem};
use helmholtz::system::Couplings;
use helmholtz::system::spins::{Boundary, Enumeration, Lattice};
use helmholtz::{Buffer, Energy, Made, PixelCnn, Recording, Spins, Transformer, train};

use crate::harness::device;

/// 10 spins, all coupled.
fn glass() -> Couplings {
    Couplings::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/data/sk_n10_seed4.json")).unwrap()
}

fn made(sites: usize, depth: usize) -> Made {
    Made { sites, depth, width: 4, bias: true, prelu: true, residual: false }
}

/// Trains, then measures `steps` batches with frozen parameters: their averages, and the reweighted ones.
fn trained(mut spins: Spins, training: usize, steps: usize) -> (Vec<Measured>, Conclusion) {
    let gpu = device();
    train(gpu, &mut spins, training, |_, _| {}).unwrap();
    let measured: Vec<Measured> = (0..steps)
        .map(|_| {
            spins.draw(gpu).unwrap();
            spins.measure(gpu, false).unwrap()
        })
        .collect();
    let end = Ending { result: &Named::default(), frozen: steps, stopped: false };
    (measured, spins.conclude(gpu, &end, &mut |_| {}).unwrap())
}

/// Mean over batches of equal size, and its error.
fn mean(measured: &[Measured], name: &str) -> (f64, f64) {
    let count = measured.len() as f64;
    let sum = |f: &dyn Fn(&Measured) -> f64| measured.iter().map(f).sum::<f64>();
    (sum(&|m| m.values[name].value) / count, sum(&|m| m.values[name].error.powi(2)).sqrt() / count)
}

/// ⟨|m|⟩, χ and Binder's g of all states.
fn order(all: &Enumeration, beta: f64) -> [(&'static str, f64); 3] {
    let least = all.energies().iter().fold(f64::INFINITY, |m, e| m.min(*e));
    let n = (all.energies().len() * all.copies_of_each()).ilog2() as f64;
    let sums = all.energies().iter().enumerate().fold([0.0; 4], |s, (state, e)| {
        let (w, m) = ((-beta * (e - least)).exp(), (1.0 - 2.0 * state.count_ones() as f64 / n).abs());
        [s[0] + w, s[1] + w * m, s[2] + w * m * m, s[3] + w * m.powi(4)]
    });
    let [modulus, square, fourth] = [1, 2, 3].map(|k| sums[k] / sums[0]);
    let chi = beta * n * (square - modulus * modulus);
    [("abs_m", modulus), ("chi", chi), ("binder", 0.5 * (3.0 - fourth / (square * square)))]
}

/// F from above and near, reweighted means exact, S = β(E - F).
fn holds(name: &str, spins: Spins, model: &Couplings, beta: f64, training: usize, near: f64) {
    let all = Enumeration::new(model).unwrap();
    let (exact, n) = (all.at(beta).unwrap(), model.n() as f64);
    let (f, e) = (exact.free_energy_per_site(), exact.energy_per_site().unwrap());
    let m2 = all.magnetisation_squared(beta) / (n * n);
    let (measured, conclusion) = trained(spins, training, 20);
    let (weighted, chains) = (conclusion.reweighted.unwrap(), conclusion.metropolis.unwrap());
    let [(got, error), (energy, _), (entropy, _)] = ["F", "E", "S"].map(|q| mean(&measured, q));
    println!("{name}: F {got:.6} ± {error:.6}, exact {f:.6}, {:?}, effective {:.3}", weighted.values["F"], weighted.ess);
    assert!(got > f - 5.0 * error && got - f < near, "{name}: F = {got} ± {error}, exact {f}");
    // R is rounded to single precision, n β |F| of them
    assert!((entropy - beta * (energy - got)).abs() < 1e-5 * beta * got.abs().max(1.0), "{name}: S = {entropy}");
    for (q, want) in [("F", f), ("E", e), ("m2", m2)] {
        let w = weighted.values[q];
        // five errors, which must be small enough to tell it from the network's own value at the start
        assert!((w.value - want).abs() < 5.0 * w.error && w.error < 0.02, "{name}: reweighted {q} {w:?}, exact {want}");
    }
    // what is no mean, within five errors of jackknives that tell something
    for (q, want) in [("C", exact.heat_capacity_per_site().unwrap())].into_iter().chain(order(&all, beta)) {
        let w = weighted.values[q];
        println!("{name}: {q} {w:?}, exact {want:.5}");
        assert!((w.value - want).abs() < 5.0 * w.error && w.error < 0.05 * want.abs() + 0.03, "{name}: reweighted {q} {w:?}, exact {want}");
    }
    // neighbours on the square lattice are the energy, two bonds a site
    assert_eq!(conclusion.two_point.len(), if name == "PixelCNN" { 2 } else { 0 });
    if let [own, next] = conclusion.two_point[..] {
        println!("{name}: C {next:?}, exact {:.5}", -0.5 * e);
        assert!(
            (next.value + 0.5 * e).abs() < 5.0 * next.error && next.error < 0.02 && own.value == 1.0,
            "{name}: {next:?}, exact {}",
            -0.5 * e
        );
    }
    // chains lead to the same distribution, and stay now and then
    for (q, want) in [("E", e), ("m2", m2)] {
        let c = chains.values[q];
        assert!((c.value - want).abs() < 5.0 * c.error && c.error < 0.02, "{name}: chains {q} {c:?}, exact {want}");
    }
    let (a, tau) = (chains.acceptance, chains.tau);
    println!("{name}: {:.3} accepted, τ {:.2}", a, tau);
    assert!((0.5..=1.0).contains(&a) && a > weighted.ess - 0.05 && (0.5..6.0).contains(&tau), "{name}: {a} accepted, τ {tau}");
    // F rises above the exact value by half the variance of R, over β n, where that is small
    let (spread, excess) = (weighted.std_r, got - f);
    let gap = 0.5 * beta * n * spread * spread;
    println!("{name}: std_r {spread:.2e}, gap {gap:.2e}, excess {excess:.2e}");
    assert!((excess - gap).abs() < 0.5 * gap.max(excess) + 5.0 * error, "{name}: {excess}, {gap}");
    assert!((0.5..=1.0).contains(&weighted.ess), "{name}: {}", weighted.ess);
}

fn options(beta: f64, z2: bool, training: usize) -> Options {
    Options { beta, anneal: 0.5, z2, ..Options::adam(500, training, 0.02) }
}

/// Draws of one launch (one layer, dense couplings), draws layer by layer, with and without the symmetry.
#[test]
fn trained_glasses_are_bounds_and_reweight_to_the_exact_values() {
    let model = glass();
    for (depth, z2, near) in [(1, true, 0.02), (2, true, 2e-3), (2, false, 0.02)] {
        let spins = Spins::new(device(), of_couplings(&model, 500).unwrap(), made(10, depth), options(1.0, z2, 200), None).unwrap();
        holds(&format!("depth {depth}, z2 {z2}"), spins, &model, 1.0, 200, near);
    }
}

/// A field, and a lattice's own kernel; costs of a QUBO problem with what is constant in them.
#[test]
fn fields_and_constants_count() {
    let (lattice, beta) = (Stencil { side: 3, triangular: true, periodic: true, coupling: -1.0, field: 0.3 }, 0.4);
    let model = Couplings::lattice(Lattice::Triangular, 3, Boundary::Periodic, -1.0).unwrap().with_field(0.3).unwrap();
    let spins = Spins::new(device(), Box::new(lattice), made(9, 2), options(beta, false, 200), None).unwrap();
    holds("triangle with a field", spins, &model, beta, 200, 0.01);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cost.qubo");
    let lines: Vec<String> =
        (0..10).flat_map(|i| (i..10).map(move |j| format!("{i} {j} {}", ((7 * i + 3 * j) % 5) as f64 - 1.0))).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let model = Couplings::read(&path).unwrap();
    assert!(model.offset().abs() > 1.0);
    let spins = Spins::new(device(), of_couplings(&model, 500).unwrap(), made(10, 2), options(0.5, false, 200), None).unwrap();
    holds("QUBO", spins, &model, 0.5, 200, 0.02);
}

/// Masked convolutions of a lattice in place of masked matrices, mirror images included.
#[test]
fn convolutions_are_bounds_and_reweight_to_the_exact_values() {
    let (lattice, beta) = (Stencil { side: 3, triangular: false, periodic: true, coupling: 1.0, field: 0.0 }, 0.3);
    let model = Couplings::lattice(Lattice::Square, 3, Boundary::Periodic, 1.0).unwrap();
    let network = PixelCnn { side: 3, depth: 2, width: 4, half: 1, bias: true, last: false, residual: false };
    let spins = Spins::new(device(), Box::new(lattice), network, options(beta, true, 200), None).unwrap();
    let subject = Subject { lattice: Some((3, Boundary::Periodic)), patterns: None };
    holds("PixelCNN", spins.pictured(subject), &model, beta, 200, 0.02);
}

/// A q that has only some states of a lattice agrees with itself; that bonds differ tells.
#[test]
fn a_network_that_lacks_states_is_told_by_the_bonds_of_a_lattice() {
    let model = Couplings::lattice(Lattice::Square, 3, Boundary::Periodic, 1.0).unwrap();
    let network = made(9, 1);
    let (table, gpu) = (network.parameters(), device());
    let subject = Subject { lattice: Some((3, Boundary::Periodic)), patterns: None };
    for (held, lacks) in [(0.0, false), (40.0, true)] {
        let mut values = vec![0.0; table.len()];
        // of two neighbours both up
        let bias = table.get("made/layer00/b").unwrap().offset;
        values[bias..bias + 2].fill(held);
        let energy = of_couplings(&model, 500).unwrap();
        let spins = Spins::new(gpu, energy, network.clone(), options(0.1, false, 0), Some(values)).unwrap();
        let (_, end) = trained(spins.beside(model.clone()).pictured(subject.clone()), 0, 10);
        assert_eq!(end.notes.iter().any(|note| note.contains("q lacks states")), lacks, "{:?}", end.notes);
    }
}

/// Residuals, causal attention, and all images of a lattice.
#[test]
fn other_networks_and_images_are_bounds_and_reweight_to_the_exact_values() {
    let (model, gpu) = (glass(), device());
    let residual = Made { residual: true, ..made(10, 3) };
    let spins = Spins::new(gpu, of_couplings(&model, 500).unwrap(), residual, options(1.0, true, 80), None).unwrap();
    holds("residual MADE", spins, &model, 1.0, 80, 8e-3);

    let (lattice, beta) = (Stencil { side: 3, triangular: false, periodic: true, coupling: 1.0, field: 0.0 }, 0.3);
    let model = Couplings::lattice(Lattice::Square, 3, Boundary::Periodic, 1.0).unwrap();
    let attention = Transformer { sites: 9, depth: 1, width: 8, heads: 2, bias: true };
    let spins = Spins::new(gpu, Box::new(lattice), attention, options(beta, true, 70), None).unwrap();
    holds("transformer", spins, &model, beta, 70, 0.02);

    let (lattice, beta) = (Stencil { side: 3, triangular: true, periodic: false, coupling: 1.0, field: 0.2 }, 0.3);
    let model = Couplings::lattice(Lattice::Triangular, 3, Boundary::Open, 1.0).unwrap().with_field(0.2).unwrap();
    let network = PixelCnn { side: 3, depth: 3, width: 4, half: 1, bias: true, last: true, residual: true };
    let images = Options { images: Lattice::Triangular.images(3), ..options(beta, false, 40) };
    let spins = Spins::new(gpu, Box::new(lattice), network, images, None).unwrap();
    holds("residual PixelCNN, images of the triangle", spins, &model, beta, 40, 0.02);
}

/// States that a network with all images did not draw, and products of spins that it drew: Σ q = 1, and exact correlations.
#[test]
fn images_count_in_given_states_and_in_correlations() {
    let (gpu, beta) = (device(), 0.3);
    let model = Couplings::lattice(Lattice::Square, 3, Boundary::Periodic, 1.0).unwrap();
    let exact = Enumeration::new(&model).unwrap().correlations(beta).0;
    let states: Vec<f32> = (0..512usize * 9).map(|k| if ((k / 9) >> (k % 9)) & 1 == 1 { 1.0 } else { -1.0 }).collect();
    for z2 in [false, true] {
        let lattice = Stencil { side: 3, triangular: false, periodic: true, coupling: 1.0, field: 0.0 };
        let mut options = Options { images: Lattice::Square.images(3), ..options(beta, z2, 1) };
        (options.training.batch, options.training.chunk) = (8000, 3000);
        let parameters = made(9, 2).initial(3);
        let mut spins = Spins::new(gpu, Box::new(lattice), made(9, 2), options, Some(parameters)).unwrap();
        let reduced = spins.reduced(gpu, &states).unwrap();
        let energy = |s: &[f32]| -model.bonds().iter().map(|b| b.coupling * f64::from(s[b.i] * s[b.j])).sum::<f64>();
        let sum: f64 = reduced.iter().zip(states.chunks(9)).map(|(r, s)| (r - beta * energy(s)).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "z2 {z2}: probabilities add up to {sum}");
        let batches: Vec<Vec<f64>> = (0..10)
            .map(|_| {
                spins.draw(gpu).unwrap();
                spins.measure(gpu, false).unwrap();
                spins.two_point(gpu).unwrap().0
            })
            .collect();
        for (at, want) in exact.iter().enumerate().filter(|(at, _)| at / 9 < at % 9) {
            let mean = batches.iter().map(|c| c[at]).sum::<f64>() / 10.0;
            let error = (batches.iter().map(|c| (c[at] - mean).powi(2)).sum::<f64>() / 90.0).sqrt();
            assert!((mean - want).abs() < 5.0 * error && error < 0.02, "z2 {z2}, {at}: {mean} ± {error}, exact {want}");
        }
    }
}

/// Couplings whose table is not shown: draws and energies are then several launches.
struct Plain(Box<dyn Energy>);

impl Energy for Plain {
    fn sites(&self) -> usize {
        self.0.sites()
    }

    fn even(&self) -> bool {
        self.0.even()
    }

    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        self.0.record(rec, chunk, spins, out);
    }
}

/// What three steps measure, whatever the chunk and the launches: samples are the same, sums differ by rounding.
#[test]
fn chunks_and_launches_change_nothing() {
    let gpu = device();
    let model = glass();
    for depth in [1, 2] {
        let steps = |plain: bool, chunk: usize| {
            let energy = of_couplings(&model, chunk).unwrap();
            let energy = if plain { Box::new(Plain(energy)) } else { energy };
            let mut options = options(1.0, true, 3);
            (options.training.batch, options.training.chunk, options.anneal) = (100, chunk, 0.0);
            let mut spins = Spins::new(gpu, energy, made(10, depth), options, None).unwrap();
            let mut found = Vec::new();
            train(gpu, &mut spins, 3, |_, m| found.extend(["F", "E", "S", "m2", "ess"].map(|q| m.values[q].value))).unwrap();
            found
        };
        let want = steps(false, 100);
        for (plain, chunk) in [(true, 100), (false, 37), (true, 1)] {
            let got = steps(plain, chunk);
            // Adam turns rounding of a gradient near 0 into a whole step of 0.02; three of them move F by less than 1e-3
            let off = got.iter().zip(&want).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
            assert!(off < 1e-3, "depth {depth}, chunk {chunk}: {off}\n{got:?}\n{want:?}");
            assert!(got[..4].iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5), "the first step: {got:?}, {want:?}");
        }
    }
}

/// What cannot be is refused.
#[test]
fn spins_that_do_not_fit_are_refused() {
    let gpu = device();
    let energy = || of_couplings(&glass(), 500).unwrap();
    let field = Box::new(Stencil { side: 3, triangular: false, periodic: true, coupling: 1.0, field: 0.1 });
    for (what, made) in [
        ("a network of 9", Spins::new(gpu, energy(), made(9, 2), options(1.0, true, 1), None)),
        ("not even", Spins::new(gpu, field, made(9, 2), options(1.0, true, 1), None)),
        ("at least 2", Spins::new(gpu, energy(), made(10, 2), Options::adam(1, 1, 0.1), None)),
    ] {
        let text = made.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(what), "{what}: {text:?}");
    }
    assert_eq!(options(1.0, true, 1).optimisation.optimizer, Optimizer::Adam);
}
