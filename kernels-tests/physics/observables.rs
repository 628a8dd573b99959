//! S(k), g(r) and occupations of a gas without interaction are those of the canonical ideal gas.

use helmholtz::IdealGas;
use helmholtz::estimate::plot::{Content, Curve, Plot};
use helmholtz::problem::{Ending, resolve};

use crate::harness::device;

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

/// Plots of frozen steps of plane waves without interaction.
fn plots(line: &str, steps: usize) -> Vec<Plot> {
    let words: Vec<String> = line.split_whitespace().map(String::from).collect();
    let resolved = resolve("electron-gas", &words).unwrap();
    let tables = (resolved.kind().tables)(&resolved.values).unwrap();
    // no network, no flow: the ideal gas in plane waves
    let parameters = tables.iter().map(|(table, _)| vec![0.0; table.len()]).collect();
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

/// Every point lies within 5.5 errors of the exact curve (200 points: one false alarm in 100,000), and χ² per point is 1, but for
/// 5 √(2/points) and for what neighbouring points have to do with each other. Events of which there were fewer than ten tell no error
/// that χ² could take; where none was seen the error is that of one.
#[test]
fn plane_waves_have_the_observables_of_the_ideal_gas() {
    for line in ["n=5 dim=2 theta=0.4", "n=4 dim=3 theta=0.3"] {
        let plots = plots(&format!("{line} rs=0 prior=ideal batch=512 chunk=200 spsize=8 tpsize=8 seed=3"), 4);
        assert_eq!(plots.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["structure_factor", "pair_distribution", "occupations"]);
        for plot in &plots {
            let [exact, run] = curves(plot) else { panic!("{plot:?}") };
            assert!(run.points.len() > 4 && run.points.len() == exact.points.len(), "{plot:?}");
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
            assert!(count > 2.0 && (chi2 / count - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{line}, {}: χ² {}", plot.name, chi2 / count);
        }
    }
}
