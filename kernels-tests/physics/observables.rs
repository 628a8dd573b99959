//! S(k), g(r), n(k) and occupations of a gas without interaction are those of the canonical ideal gas.

use std::f64::consts::TAU;

use helmholtz::estimate::plot::{Content, Curve, Plot};
use helmholtz::model::backflow::{Backflow, Feature};
use helmholtz::problem::{Ending, resolve};
use helmholtz::reference::backflow::Flow;
use helmholtz::reference::complex::Complex;
use helmholtz::{ElectronGas, IdealGas, Settings};

use crate::harness::{Noise, device};

/// All states of n of the levels.
fn states(levels: usize, n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    (0..levels).flat_map(|i| states(i, n - 1).into_iter().map(move |s| [s, vec![i]].concat())).collect()
}

/// Occupations and their products against the sum over all states, with levels that are degenerate and one that is nearly so.
#[test]
fn canonical_occupations_are_those_of_all_states() {
    let levels = [3.0, 2.0, 2.0, 2.0, 1.001, 1.0, 1.0, 0.25];
    for (n, beta) in [(1, 0.7), (3, 0.7), (4, 5.0), (8, 1.0)] {
        let gas = IdealGas::new(&levels, n, beta).unwrap();
        let all = states(levels.len(), n);
        let weights: Vec<f64> = all.iter().map(|s| gas.log_probability(s).exp()).collect();
        let mean = |f: &dyn Fn(&[usize]) -> bool| all.iter().zip(&weights).filter(|(s, _)| f(s)).map(|(_, w)| w).sum::<f64>();
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let (occupations, pairs) = (gas.occupations(), gas.pairs());
        for i in 0..levels.len() {
            let exact = mean(&|s| s.contains(&i));
            assert!((occupations[i] - exact).abs() < 1e-13, "n = {n}: {} of level {i}, exact {exact}", occupations[i]);
            for j in (0..levels.len()).filter(|j| *j != i) {
                let exact = mean(&|s| s.contains(&i) && s.contains(&j));
                // differences of occupations over that of weights: of the near levels 1e-3 β
                assert!((pairs.of(i, j) - exact).abs() < 2e-12, "n = {n}: {} of levels {i}, {j}, exact {exact}", pairs.of(i, j));
            }
        }
    }
}

/// Plots of frozen steps without a network: the ideal gas in plane waves that `flow` deforms, or without one.
fn plots(line: &str, steps: usize, flow: Option<Vec<f32>>) -> Vec<Plot> {
    let words: Vec<String> = line.split_whitespace().map(String::from).collect();
    let resolved = resolve("electron-gas", &words).unwrap();
    let tables = (resolved.kind().tables)(&resolved.values).unwrap();
    let mut parameters: Vec<Vec<f32>> = tables.iter().map(|(table, _)| vec![0.0; table.len()]).collect();
    if let Some(flow) = flow {
        parameters[1] = flow;
    }
    let mut problem = (resolved.kind().open)(device(), &resolved.values, Some(parameters)).unwrap();
    let mut last = None;
    for _ in 0..steps {
        assert!(problem.draw(device()).unwrap().fault.is_none());
        last = Some(problem.measure(device(), false).unwrap());
    }
    let result = last.unwrap().values;
    let end = Ending { result: &result, frozen: steps, stopped: false };
    problem.conclude(device(), &end, &mut |_| {}).unwrap().plots
}

fn curves(plot: &Plot) -> &[Curve] {
    let Content::Graph(graph) = &plot.content else { panic!("{plot:?}") };
    &graph.curves
}

/// Every point lies within 5.5 errors of the exact curve (300 points: one false alarm in 100,000), and χ² per point is 1, but for
/// 5 √(2/points) and for what neighbouring points have to do with each other. Events of which there were fewer than ten tell no error
/// that χ² could take; where none was seen the error is that of one.
#[test]
fn plane_waves_have_the_observables_of_the_ideal_gas() {
    for line in ["n=5 dim=2 theta=0.4", "n=4 dim=3 theta=0.3", "n=5 dim=2 polarisation=0.2 theta=0.4"] {
        let plots = plots(&format!("{line} rs=0 prior=ideal batch=512 chunk=200 spsize=8 tpsize=8 seed=3 displacements=8"), 4, None);
        let names: Vec<&str> = plots.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["structure_factor", "pair_distribution", "occupations", "momentum_distribution"]);
        for plot in &plots {
            let [exact, run] = curves(plot) else { panic!("{plot:?}") };
            assert!(run.points.len() > 3 && run.points.len() == exact.points.len(), "{plot:?}");
            let (mut chi2, mut count) = (0.0, 0.0);
            for ([x, y, error], [at, want, _]) in run.points.iter().zip(&exact.points) {
                let off = (y - want).abs();
                let rare = *error > 0.3 * y || *error == 0.0;
                // 1 to 3 events where 0.1 are expected are no alarm
                let most = if rare { 5.5 * error + 0.02 } else { 5.5 * error };
                assert!(x == at && off <= most && (*error > 0.0 || *y > 0.0), "{line}, {} at {x}: {y} ± {error}, exact {want}", plot.name);
                if !rare {
                    chi2 += (off / error).powi(2);
                    count += 1.0;
                }
            }
            eprintln!("{line}: {}, χ² {:.2} of {count} points", plot.name, chi2 / count);
            assert!(count > 1.0 && (chi2 / count - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{line}, {}: χ² {}", plot.name, chi2 / count);
        }
    }
}

/// Two electrons in state K: Ψ(x₁, x₂) = e^{iP·x₂} f(x₁ - x₂), so that n(k) = 2 |f_k|²/Σ|f|² with f on a grid from the float64 twin;
/// averaged over the states of the canonical ideal gas. The flow takes electrons into plane waves that are no orbitals.
#[test]
fn the_momenta_of_two_electrons_are_those_of_their_wave_function() {
    let line = "n=2 dim=2 theta=0.5 rs=1 emax=1 prior=ideal batch=2048 chunk=500 depth=2 spsize=6 tpsize=6 seed=3 displacements=8";
    let gas = Settings::of(line).unwrap().gas().unwrap();
    let model = Backflow { dim: 2, depth: 2, one: 6, pair: 6, feature: Feature::Half, unlike: false };
    let parameters = Noise(7).normals(model.table().len(), 0.25);
    let twin = Flow { model, n: 2, up: 2, length: gas.length(), parameters: parameters.iter().map(|p| f64::from(*p)).collect() };
    let plots = plots(line, 4, Some(parameters));
    let [_, run] = curves(plots.last().unwrap()) else { panic!("{plots:?}") };
    let (side, unit) = (24, TAU / gas.length());
    let ideal = IdealGas::new(&gas.energies(), 2, gas.beta()).unwrap();
    let orbitals: Vec<Vec<f64>> = gas.momenta().chunks(2).map(|m| m.iter().map(|m| unit * m).collect()).collect();
    let waves = gas.plane_waves(2.0 * ElectronGas::fermi_square(2, 2).sqrt());
    let mut exact = vec![0.0; waves.len()];
    for state in states(orbitals.len(), 2) {
        let k: Vec<f64> = state.iter().flat_map(|j| orbitals[*j].clone()).collect();
        let points: Vec<([f64; 2], Complex)> = (0..side * side)
            .map(|g| {
                let s = [g / side, g % side].map(|c| gas.length() * (c as f64 + 0.5) / side as f64);
                let (slater, phase, jacobian) = twin.log_psi(&[s[0], s[1], 0.0, 0.0], &k);
                (s, Complex::phase(phase).scale((slater + jacobian).exp()))
            })
            .collect();
        let norm: f64 = points.iter().map(|(_, f)| f.norm2()).sum();
        let weight = ideal.log_probability(&state).exp();
        for (m, n) in waves.iter().zip(&mut exact) {
            let k = [0, 1].map(|c| unit * (f64::from(m[c]) + gas.twist[c]));
            let f: Complex = points.iter().map(|(s, f)| *f * Complex::phase(-(k[0] * s[0] + k[1] * s[1]))).sum();
            *n += weight * 2.0 * f.norm2() / norm / points.len() as f64;
        }
    }
    let mut chi2 = 0.0;
    for [k, n, error] in &run.points {
        let of = |m: &&([i32; 3], &f64)| {
            (unit * (0..2).map(|c| (f64::from(m.0[c]) + gas.twist[c]).powi(2)).sum::<f64>().sqrt() - k).abs() < 1e-6
        };
        let shell: Vec<([i32; 3], &f64)> = waves.iter().copied().zip(&exact).filter(|m| of(&m)).collect();
        let want = shell.iter().map(|(_, n)| **n).sum::<f64>() / shell.len() as f64;
        eprintln!("k = {k:.3}: {n:.4} ± {error:.4}, exact {want:.4}");
        assert!((n - want).abs() < 5.0 * error, "k = {k}: {n} ± {error}, exact {want}");
        chi2 += ((n - want) / error).powi(2);
    }
    let count = run.points.len() as f64;
    assert!(chi2 / count < 1.0 + 5.0 * (2.0 / count).sqrt(), "χ² {chi2} of {count} points");
    // the flow takes electrons out of the orbitals
    let inside: f64 = waves.iter().zip(&exact).filter(|(m, _)| gas.orbitals().contains(m)).map(|(_, n)| n).sum();
    assert!(inside < 1.97 && exact.iter().sum::<f64>() < 2.0, "{inside} of {exact:?}");
}
