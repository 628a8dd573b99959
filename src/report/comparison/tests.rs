use super::*;
use crate::report::picture::probe::{boxes, lines, overlaps, points, scales, words};
use crate::run::Phase;

/// A run in `path` with settings of its own; F falls from `end` + `fall` to `end`.
fn run(path: &str, settings: &str, end: f64, fall: f64) -> RunDir {
    let resolved = crate::problem::given(settings);
    let f = |step: usize| end + fall / (1.0 + step as f64 / 3.0).powi(2);
    let records: Vec<StepRecord> = (0..210)
        .map(|step| StepRecord {
            step,
            phase: if step < 200 { Phase::Training } else { Phase::Frozen },
            seconds: 2.0 + 0.5 * step as f64,
            values: [("F", Estimate::new(f(step.min(199)), 2e-4))].into(),
            ..Default::default()
        })
        .collect();
    let result = [("F", Estimate::new(end, 0.000_034))].into();
    let mut summary = Summary::new(resolved.kind(), &resolved.values, "device", 200, 107.0, result, "10 steps with frozen parameters");
    summary.exact = Some([("F", 0.02), ("E", 0.03), ("S", 0.3)].into());
    RunDir { path: path.into(), resolved, records, torn: 0, summary }
}

const GAS: &str = "n=13 rs=10 theta=0.15 batch=256";

/// Each run has a colour, a name, what sets it apart, and its final F with error.
#[test]
fn runs_are_told_apart() {
    let runs = [
        run("runs/a", &format!("{GAS} seed=1"), -0.170_023, 0.015),
        run("runs/b", &format!("{GAS} seed=2 max_norm=0.01"), -0.1695, 0.015),
        run("runs/c", &format!("{GAS} seed=3 sampler=metropolis"), -0.1698, 0.015),
        run("old/c", GAS, -0.1690, 0.015),
    ];
    let picture = svg(&runs).unwrap();
    let text = words(&picture);
    for part in [
        "Electron gas, n = 13, 2D, rs = 10, T/TF = 0.15",
        "runs/a",
        "old/c",
        "seed=2, max_norm=0.01",
        "sampler=metropolis, seed=3",
        "default",
        "200, 1 min 47 s",
        "−0.170023 ± 0.000034",
        "−0.169000 ± 0.000034",
        "time of training (s)",
        "step",
    ] {
        assert!(text.iter().any(|t| t == part), "{part}: {text:?}");
    }
    for color in &COLORS[..4] {
        // two courses and a row of the legend, and the ends of the error bar
        assert!(lines(&picture).iter().filter(|l| l.contains(color)).count() >= 4, "{color}");
    }
    let axis = format!("Free energy per {} F/n (Ry)", runs[0].summary.kind.per);
    assert!(text.contains(&axis), "{axis} is missing in {text:?}");
    assert!(overlaps(&picture).is_empty(), "{:?}", overlaps(&picture));
}

/// The start is far above the scale: the line comes in through the frame, and is not held at it.
#[test]
fn courses_enter_through_the_frame() {
    let picture = svg(&[run("a", GAS, -0.17, 0.005)]).unwrap();
    let course = points(&lines(&picture)[0]);
    let above: Vec<_> = course.iter().filter(|p| p.1 < BODY.start).collect();
    assert!(above.len() >= 2 && above.windows(2).all(|w| w[0].1 < w[1].1), "{above:?}");
    assert!(course.iter().all(|p| (p.1 - BODY.start).abs() > 1e-9));
    let (x, y) = scales(&picture, 110.0, 450.0);
    let last = course.last().unwrap();
    assert!((y(last.1) + 0.17).abs() < 2e-5 && (x(last.0) - 100.0).abs() < 3.0, "{last:?}: {} {}", x(last.0), y(last.1));
}

/// Runs at several rs: F - F of the ideal gas where the axes say, and how each approached its end.
#[test]
fn a_scan_shows_the_difference_to_the_ideal_gas() {
    let at = |rs: &str, f| run(&format!("rs{rs}"), &format!("n=13 theta=0.15 batch=256 rs={rs}"), f, 0.02);
    let runs = [at("10", -0.17), at("5", -0.25), at("2", -0.4)];
    let picture = svg(&runs).unwrap();
    let text = words(&picture);
    for part in
        ["Electron gas, n = 13, 2D, rs = 2 to 10, T/TF = 0.15", "(F − Fideal)/n (Ry)", "β(F − Ffinal)/n, until within two errors", "rs=5"]
    {
        assert!(text.iter().any(|t| t == part), "{part}: {text:?}");
    }
    let curve = points(&lines(&picture)[0]);
    let (x, y) = scales(&picture, 110.0, 480.0);
    for (point, (rs, f)) in curve.iter().zip([(2.0, -0.42), (5.0, -0.27), (10.0, -0.19)]) {
        assert!((x(point.0) - rs).abs() < 0.02 && (y(point.1) - f).abs() < 1e-3, "{point:?}: {rs} {f}");
    }
    // θ and n are scanned too; a missing ideal gas is computed
    let mut hot = run("hot", "n=13 rs=10 theta=0.3 batch=256", -0.2, 0.02);
    hot.summary.exact = None;
    assert!(exact(&hot).is_some());
    assert!(words(&svg(&[at("10", -0.17), hot]).unwrap()).iter().any(|t| t == "T/TF"));
    assert!(words(&svg(&[at("10", -0.17), run("n", "n=5 rs=10 theta=0.15 batch=9", -0.2, 0.02)]).unwrap()).iter().any(|t| t == "n"));
}

/// βF is the relative entropy: at rs = 10 in Ry, β rs² (F - F_end)/n.
#[test]
fn the_approach_is_in_nats() {
    let runs = [run("a", GAS, -0.17, 0.02)];
    let points = approach(&curves(&runs)[0]);
    // in two dimensions β = 1/(4 Θ) in (Ry/rs²)⁻¹
    assert!((points[0].y - 100.0 / (4.0 * 0.15) * 0.02).abs() < 1e-9, "{}", points[0].y);
    assert!(points.len() < 100 && points.windows(2).all(|w| w[0].y > w[1].y));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let a = run("a", GAS, -0.17, 0.02);
    let e = svg(&[run("b", "n=7 dim=3 rs=10 theta=0.15 batch=9", -0.1, 0.0), run("a", GAS, -0.17, 0.02)]).unwrap_err().to_string();
    assert!(e.contains("a: dimension 2, but b has 3"), "{e}");
    let e = svg(&[a, run("free", "n=13 rs=0 theta=0.15 batch=9", 1.9, 0.1)]).unwrap_err().to_string();
    assert!(e.contains("unit of energy Ry/rs², but a has Ry"), "{e}");
    let mut none = run("none", GAS, f64::NAN, 0.0);
    none.records.clear();
    assert!(svg(&[none]).is_err());
}

/// Many runs, long names, broken numbers: texts stay apart and inside.
#[test]
fn any_runs_have_a_figure() {
    let mut runs: Vec<RunDir> = (0..30)
        .map(|i| run(&format!("{}{i}", "long name ".repeat(30)), &format!("{GAS} seed={i}"), -0.17 + 1e-4 * i as f64, 0.02))
        .collect();
    for (r, f) in runs.iter_mut().zip([f64::NAN, 1e300, f64::INFINITY, -1e30, 0.0]) {
        r.summary.result["F"].value = f;
        r.records.iter_mut().step_by(3).for_each(|s| s.values["F"].value = f);
        r.summary.seconds = 1e7;
    }
    runs[7].records.truncate(1);
    runs[8].records.clear();
    for some in [&runs[..], &runs[..1], &runs[..2], &runs[7..8], &runs[8..9]] {
        let picture = svg(some).unwrap();
        assert!(!lines(&picture).iter().any(|l| l.contains("NaN") || l.contains("inf")));
        assert!(overlaps(&picture).is_empty(), "{:?}", overlaps(&picture));
        assert!(boxes(&picture).iter().all(|b| b.left >= 0.0 && b.right <= 1200.0), "{:?}", words(&picture));
    }
}
