use std::ffi::OsStr;

use super::*;
use crate::report::picture::probe::{lines, overlaps, points, scales, words};
use crate::run::scan::Request;

fn series(target: &str, line: &str, variants: &[&str]) -> Series {
    let settings = line.split_whitespace().map(String::from).collect();
    let request = Request { settings, variants: variants.iter().map(|v| v.to_string()).collect(), ..Request::default() };
    Series::new(OsStr::new(target), &request).unwrap()
}

/// The exact values, each `off` errors too high.
fn results(s: &Series, off: f64) -> Vec<Option<Summary>> {
    let one = |p: &Point| {
        let exact = (s.kind.exact.of)(&p.resolved.values).unwrap();
        let value = |(k, q): (usize, &'static Quantity)| {
            let error = 1e-3 * (k + 1) as f64;
            (q.name, Estimate::new(q.exact(&exact).unwrap_or(0.25) + off * error, error))
        };
        let result = s.kind.results().enumerate().map(value).collect();
        let mut summary = Summary::new(s.kind, &p.resolved.values, "device", 7, 2.5, result, "some steps");
        summary.exact = Some(exact);
        (summary.ess, summary.std_r) = (0.5, 0.125);
        Some(summary)
    };
    s.points.iter().map(one).collect()
}

fn glass() -> (Series, Vec<Option<Summary>>) {
    let s = series("sk", "n=6 beta=0.5,1,1.5 disorder=1,2", &["depth=1", "depth=2 width=3"]);
    let mut all = results(&s, 2.0);
    for (k, summary) in all.iter_mut().enumerate() {
        let f = if k % 3 == 2 { f64::NAN } else { -1.5 };
        let converged = if k % 3 == 2 { 0 } else { 4 };
        let baselines = &mut summary.as_mut().unwrap().baselines;
        baselines.insert("bethe".into(), Baseline { f, bound: false, starts: 5, converged });
        baselines.insert("naive_mean_field".into(), Baseline { f: -0.25, bound: true, starts: 5, converged: 5 });
    }
    (s, all)
}

#[test]
fn tables_tell_how_far_results_are_off() {
    let (s, all) = glass();
    let scan = Scan::new(&s, all).unwrap();
    let text = scan.table();
    assert_eq!(text.matches("+2.0").count(), 12 * s.kind.results().count(), "{text}");
    for part in [
        "sk n=6: values per spin",
        "F, free energy E − TS (J)",
        "-1.500000 (4/5)",
        "– (0/5)",
        "-0.250000",
        "depth=2 width=3",
        "50.0 %",
        "1.2e-1",
        "(k/m)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // nothing was reweighted: there is no such column
    assert!(!text.contains("reweighted"), "{text}");
    let line = Scan::line(&scan.rows[0], "J");
    assert!(line.starts_with("depth=1,disorder=1,beta=0.5: F = ") && line.contains("(+2.0 error bars), 50.0 % effective"), "{line}");
    let json = scan.json().unwrap();
    let point = &json["points"][4];
    let close = |v: &serde_json::Value| (v.as_f64().unwrap() - 2.0).abs() < 1e-9;
    assert!(close(&point["deviation"]["f"]) && close(&point["deviation"]["s"]), "{point}");
    assert_eq!((&point["settings"]["beta"], &point["variant"], &json["axis"]), (&json!(1.0), &json!("depth=1"), &json!("beta")));
    assert_eq!(point["summary"]["baselines"]["bethe"]["converged"], 4);
}

/// Reweighted values of few effective samples are in brackets.
#[test]
fn poor_weights_are_marked() {
    let s = series("sk", "n=6 beta=0.5,1 batch=500 eval_steps=10", &[]);
    let mut all = results(&s, 1.0);
    for (summary, ess) in all.iter_mut().flatten().zip([0.021, 0.019]) {
        summary.reweighted = Some([("F", Estimate::new(-1.25, 0.01))].into());
        summary.ess = ess;
    }
    let text = Scan::new(&s, all).unwrap().table();
    let count = |part: &str| text.matches(part).count();
    assert_eq!((count("-1.250 ± 0.010"), count("(-1.250 ± 0.010)"), count("fewer than 100")), (2, 1, 1), "{text}");
}

/// Each line of the file has the numbers of its point under their names.
#[test]
fn values_are_under_their_names() {
    let (s, mut all) = glass();
    all[1] = None;
    let scan = Scan::new(&s, all).unwrap();
    let text = scan.csv();
    let table: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    assert!(table.len() == 12 && table.iter().all(|row| row.len() == table[0].len()), "{text}");
    let cell = |row: usize, head: &str| table[row][table[0].iter().position(|h| *h == head).unwrap_or_else(|| panic!("{head}: {text}"))];
    let number = |row: usize, head: &str| cell(row, head).parse::<f64>().unwrap();
    for (k, row) in scan.rows.iter().enumerate() {
        let exact = row.exact(&s.kind.quantities[2]);
        assert_eq!((number(k + 1, "S [k_B]"), number(k + 1, "S_err [k_B]")), (exact + 2.0 * 3e-3, 3e-3));
        assert_eq!((number(k + 1, "S_exact [k_B]"), number(k + 1, "beta [1/J]")), (exact, row.point.number(1)));
        assert!((number(k + 1, "F_deviation") - 2.0).abs() < 1e-9 && cell(k + 1, "F_reweighted [J]").is_empty());
    }
    assert_eq!((cell(2, "F_bethe [J]"), cell(2, "bethe_converged"), cell(2, "bethe_starts")), ("", "0", "5"));
    assert_eq!((cell(1, "variant"), cell(1, "steps"), cell(1, "seconds [s]"), cell(1, "ess")), ("depth=1", "7", "2.5", "0.5"));
}

/// The entropy from the F of neighbours is that of the system, up to what a parabola leaves out: spins in β, electrons in T.
#[test]
fn differences_of_f_give_the_entropy() {
    for (target, line) in
        [("ising", "L=4 beta=0.2,0.25..0.6"), ("electron-gas", "n=5 rs=0 theta=0.5,0.55..1.0"), ("sk", "n=6 beta=1,0.9..0.2")]
    {
        let s = series(target, line, &[]);
        let scan = Scan::new(&s, results(&s, 0.0)).unwrap();
        let (last, entropy) = (scan.rows.len() - 1, s.kind.entropy().unwrap());
        assert!(scan.rows[0].entropy.value.is_nan() && scan.rows[last].entropy.value.is_nan());
        for row in &scan.rows[1..last] {
            let (found, exact) = (row.entropy, row.exact(entropy));
            assert!((found.value / exact - 1.0).abs() < 0.03 && found.error > 0.0, "{}: {} {exact}", row.point.name, found.value);
        }
    }
    // the temperature need not be the axis, and systems are not mixed
    let s = series("electron-gas", "n=5 rs=2,1 theta=0.5,0.55,0.6", &[]);
    let scan = Scan::new(&s, results(&s, 0.0)).unwrap();
    let found: Vec<bool> = scan.rows.iter().map(|r| (r.entropy.value / r.exact(s.kind.entropy().unwrap()) - 1.0).abs() < 0.03).collect();
    assert_eq!((s.lists[s.axis].name, found), ("rs", vec![false, false, true, true, false, false]));
    // along another list there is none
    let s = series("sk", "n=6 beta=1 disorder=1,2,3", &[]);
    assert!(Scan::new(&s, results(&s, 0.0)).unwrap().rows.iter().all(|r| r.entropy.value.is_nan()));
}

/// What is compared with is no solution: an ideal gas tells nothing of the error of another.
#[test]
fn only_solutions_tell_errors() {
    let s = series("electron-gas", "n=3 rs=1,2 theta=0.5", &[]);
    let scan = Scan::new(&s, results(&s, 1.0)).unwrap();
    assert!(scan.rows.iter().all(|r| r.off(&s.kind.quantities[0]).is_nan() && r.exact(&s.kind.quantities[0]).is_finite()));
    let text = scan.table();
    assert!(text.contains("ideal gas") && !text.contains("exact") && !text.contains("off by"), "{text}");
    assert!(scan.errors(Against::axis(&s)).is_none());
}

#[test]
fn figures_show_results_and_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (s, all) = glass();
    let scan = Scan::new(&s, all).unwrap();
    let against = [Against::axis(&s), Against::read("1/beta", &s).unwrap(), Against::read("disorder", &s).unwrap()];
    let mut names = Vec::new();
    for a in against {
        for path in scan.draw(folder.path(), "svg", a).unwrap() {
            let svg = std::fs::read_to_string(&path).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf") && overlaps(&svg).is_empty(), "{path:?} {:?}", overlaps(&svg));
            let said = words(&svg);
            for part in ["depth=1", "Bethe", "Naive mean field", "no value"] {
                assert!(said.iter().any(|w| w.contains(part)), "{path:?}: {part}: {said:?}");
            }
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    let wanted = ["scan", "scan-error", "scan-inverse-beta", "scan-error-inverse-beta", "scan-disorder", "scan-error-disorder"];
    assert_eq!(names, wanted.map(|n| format!("{n}.svg")));
    for (text, reason) in [("n", "n has one value; several have disorder, beta"), ("1/x", "x has one value")] {
        assert!(Against::read(text, &s).unwrap_err().to_string().contains(reason));
    }
    let s = series("sk", "n=6 beta=1 symmetry=none,z2", &[]);
    assert!(!Against::axis(&s).numbers(&s) && Against::read("symmetry", &s).is_err());
}

/// Methods are drawn once where all curves are of one system, whatever their random starts, and else in the colours of these.
#[test]
fn methods_belong_to_systems() {
    let drawn = |line: &str, f: &dyn Fn(usize) -> f64| -> Vec<(String, Option<usize>, usize)> {
        let s = series("sk", line, &[]);
        let mut all = results(&s, 1.0);
        for (k, summary) in all.iter_mut().enumerate() {
            let one = Baseline { f: f(k), bound: false, starts: 5, converged: 5 };
            summary.as_mut().unwrap().baselines.insert("bethe".into(), one);
        }
        let scan = Scan::new(&s, all).unwrap();
        let graph = scan.graph(&s.kind.quantities[0], Against::axis(&s));
        let dotted = graph.curves.iter().filter(|c| c.style == crate::estimate::plot::Style::Dotted);
        dotted.map(|c| (c.label.clone(), c.color, c.points.len())).collect()
    };
    let rounded = |k: usize| -1.5 - (k % 2) as f64 + 1e-12 * (k / 2) as f64;
    assert_eq!(drawn("n=6 beta=0.5,1 width=2,3", &rounded), [("Bethe".into(), None, 2)]);
    let unknown = |k: usize| if k % 2 == 1 { f64::NAN } else { -1.5 };
    assert_eq!(drawn("n=6 beta=0.5,1 width=2,3", &unknown), [("Bethe".into(), None, 2)]);
    let apart = |k: usize| -1.0 - k as f64;
    let wanted = [("Bethe".into(), None, 0), (String::new(), Some(0), 2), (String::new(), Some(1), 2)];
    assert_eq!(drawn("n=6 beta=0.5,1 disorder=2,3", &apart), wanted);
}

/// Each has a column and a line of its own.
#[test]
fn methods_are_told_apart() {
    let s = series("sk", "n=6 beta=0.5,1", &[]);
    let mut all = results(&s, 1.0);
    for baselines in all.iter_mut().flatten().map(|s| &mut s.baselines) {
        for (name, f) in [("bethe", -1.25), ("naive_mean_field", -1.125), ("tap", -1.375)] {
            baselines.insert(name.into(), Baseline { f, bound: false, starts: 5, converged: 5 });
        }
    }
    let scan = Scan::new(&s, all).unwrap();
    let text = scan.table();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(at("  bethe") < at("  naive mean field") && at("  naive mean field") < at("  TAP"));
    assert!(at("-1.250000") < at("-1.125000") && at("-1.125000") < at("-1.375000"));
    let graph = scan.graph(&s.kind.quantities[0], Against::axis(&s));
    let style = |label: &str| graph.curves.iter().find(|c| c.label == label).unwrap().style;
    let styles = ["Bethe", "Naive mean field", "TAP"].map(style);
    assert!(styles[0] != styles[1] && styles[1] != styles[2] && styles[2] != styles[0], "{styles:?}");
}

/// Results of several systems are points on their exact lines; of one system they are joined beside one grey line.
#[test]
fn exact_lines_belong_to_systems() {
    let drawn = |line: &str| -> Vec<(crate::estimate::plot::Style, Option<usize>)> {
        let s = series("sk", line, &[]);
        let scan = Scan::new(&s, results(&s, 1.0)).unwrap();
        let graph = scan.graph(s.kind.entropy().unwrap(), Against::axis(&s));
        graph.curves.iter().filter(|c| !c.points.is_empty()).map(|c| (c.style, c.color)).collect()
    };
    use crate::estimate::plot::Style::*;
    assert_eq!(drawn("n=6 beta=0.5,1 width=2,3"), [(Line, None), (Joined, Some(0)), (Joined, Some(1))]);
    let systems = [(Line, Some(0)), (Line, Some(1)), (Open, Some(0)), (Open, Some(1)), (Points, Some(0)), (Points, Some(1))];
    assert_eq!(drawn("n=6 beta=0.5,1,1.5 disorder=1,2"), systems);
}

/// The curve of the picture is |F - exact|/|exact| at its β.
#[test]
fn errors_are_relative_to_the_exact_value() {
    let s = series("ising", "L=4 beta=0.25,0.5,0.75", &[]);
    let scan = Scan::new(&s, results(&s, -3.0)).unwrap();
    let graph = scan.errors(Against::axis(&s)).unwrap();
    let f = &s.kind.quantities[0];
    for (p, row) in graph.curves[0].points.iter().zip(&scan.rows) {
        let size = row.exact(f).abs();
        assert!((p[1] * size / 3e-3 - 1.0).abs() < 1e-9 && (p[2] * size / 1e-3 - 1.0).abs() < 1e-9, "{p:?}");
    }
    assert!(graph.y.log && graph.marks.len() == 1, "the transition is marked");
    let svg = graphs_of(&scan, f);
    let (x, y) = scales(&svg, 110.0, 860.0);
    let course = lines(&svg).iter().map(|l| points(l)).find(|l| l.len() == 3 && (x(l[0].0) - 0.25).abs() < 1e-2).unwrap();
    assert!((y(course[1].1) - scan.rows[1].exact(f)).abs() < 0.02, "{}", y(course[1].1));
}

fn graphs_of(scan: &Scan, q: &'static Quantity) -> String {
    crate::report::plot::graphs("", "", &[("", &scan.graph(q, Against::axis(scan.series)))])
}

#[test]
fn theory_is_marked() {
    let of = |target: &str, line: &str| -> Vec<(&'static str, f64)> {
        let s = series(target, line, &[]);
        let scan = Scan::new(&s, results(&s, 0.0)).unwrap();
        scan.landmarks().iter().map(|m| (m.of, m.value)).collect()
    };
    for (line, beta) in [("L=3,4 beta=0.4", 0.440_686_793_509_771_5), ("L=3 beta=0.4,0.5 lattice=triangular", 0.274_653_072_167_027_4)] {
        let [(of_beta, transition)] = of("ising", line)[..] else { panic!("one mark") };
        assert!(of_beta == "beta" && (transition - beta).abs() < 1e-14, "{line}: {transition}");
    }
    assert_eq!(of("ising", "L=3 beta=0.4,0.5 h=0.1"), []);
    // Wannier's integral by the midpoint rule
    let steps = 20_000;
    let width = std::f64::consts::FRAC_PI_3 / steps as f64;
    let sum: f64 = (0..steps).map(|k| (2.0 * ((k as f64 + 0.5) * width).cos()).ln()).sum();
    let [(of_s, wannier)] = of("ising", "L=3 beta=0.4,0.5 lattice=triangular J=-1")[..] else { panic!("one mark") };
    assert!(of_s == "S" && (wannier - std::f64::consts::FRAC_2_PI * sum * width).abs() < 1e-9, "{wannier}");
}
