use super::*;
use crate::problem::Named;
use crate::report::picture::probe::{self, boxes, lines, overlaps, words};

fn resolved() -> crate::config::Resolved {
    crate::problem::given("n=13 rs=10 theta=0.15 batch=256")
}

/// A summary whose every number is another one.
fn summary(training: usize) -> Summary {
    let e = Estimate::new;
    let result = [
        ("F", e(-0.170_023, 0.000_034)),
        ("E", e(-0.150_46, 0.000_21)),
        ("K", e(0.031_25, 0.000_16)),
        ("V", e(-0.181_71, 0.000_27)),
        ("S", e(0.271_8, 0.003_1)),
    ];
    let mut s = Summary::new(
        resolved().kind(),
        &resolved().values,
        "device",
        training,
        75.0,
        result.into(),
        "40 steps of 256 walkers with frozen parameters",
    );
    s.start = Some([("F", e(-0.1551, 0.0012))].into());
    s.exact = Some([("F", 0.019_31), ("E", 0.029), ("S", 0.302)].into());
    s
}

/// F falls by `fall` from the final value of [`summary`] as 1/(1 + t/τ), with noise of a step's error.
fn records(training: usize, frozen: usize, fall: f64) -> Vec<StepRecord> {
    let mut noise = 1_u64;
    let mut random = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((noise >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 3.46
    };
    let tau = 0.01 * training as f64 + 1.0;
    (0..training + frozen)
        .map(|step| {
            let ahead = if step < training { (1.0 + step as f64 / tau).recip().powi(2) } else { 0.0 };
            let err = 2e-4 + 0.1 * fall * ahead;
            StepRecord {
                step,
                phase: if step < training { Phase::Training } else { Phase::Frozen },
                seconds: 0.5 * step as f64,
                values: [
                    ("F", Estimate::new(-0.170_023 + fall * ahead + err * random(), err)),
                    ("E", Estimate::new(-0.150_46 + fall * ahead + err * random(), err)),
                    ("K", Estimate::new(0.031_25 - 0.01 * ahead + 3e-4 * random(), 3e-4)),
                    ("V", Estimate::new(-0.181_71 + fall * ahead + 3e-4 * random(), 3e-4)),
                    ("S", Estimate::new(0.271_8 + 0.03 * ahead + 0.01 * random(), 0.01)),
                    ("acceptance", (0.5 + 0.02 * random()).into()),
                ]
                .into(),
                ..Default::default()
            }
        })
        .collect()
}

/// Every number of the summary stands in the figure, with its error and unit.
#[test]
fn numbers_are_those_of_the_summary() {
    let text = words(&svg(&summary(150), &records(150, 40, 0.015)));
    for part in [
        "Electron gas, n = 13, 2D, rs = 10, T/TF = 0.15",
        "averages over 40 steps of 256 walkers with frozen parameters.",
        "F/n = −0.170023 ± 0.000034 Ry",
        "E/n = −0.15046 ± 0.00021 Ry",
        "K/n = 0.03125 ± 0.00016 Ry",
        "V/n = −0.18171 ± 0.00027 Ry",
        "S/n = 0.2718 ± 0.0031 kB",
        "S/Sideal = 0.900 ± 0.010",
        "before training −0.1551 ± 0.0012",
        "ideal gas 0.3020",
        "parameters frozen",
        "step",
    ] {
        assert!(text.iter().any(|t| t.contains(part)), "{part}: {text:?}");
    }
    // the ideal gas of F is far off: no line and no name of it
    assert!(!text.iter().any(|t| t.contains("0.0193")), "{text:?}");
    assert!(!text.iter().any(|t| t.contains("accepted") || t.contains('-')), "{text:?}");
}

/// Lines are where the ticks say: the final F, the freezing and the first step.
#[test]
fn lines_lie_where_the_axes_say() {
    let records = records(150, 40, 0.0006);
    let picture = svg(&summary(150), &records);
    let (x, y) = probe::scales(&picture, MAIN.0, MAIN.1);
    let dark: Vec<_> = lines(&picture).into_iter().filter(|l| l.contains(INK)).collect();
    let last = probe::points(&dark[1]);
    assert!((y(last[0].1) + 0.170_023).abs() < 2e-5 && last[0].1 == last[1].1, "{last:?}: {}", y(last[0].1));
    assert!((x(last[0].0) - 149.5).abs() < 0.3 && (x(last[1].0) - 189.5).abs() < 0.3, "{last:?}");
    let frozen = probe::points(&dark[2]);
    assert!((x(frozen[0].0) - 149.5).abs() < 0.3 && frozen[0].0 == frozen[1].0 && dark[2].contains("dasharray"));
    let blue: Vec<_> = lines(&picture).into_iter().filter(|l| l.contains(COLORS[0])).collect();
    let (first, end) = (probe::points(&blue[0])[0], *probe::points(&blue[0]).last().unwrap());
    assert!((y(first.1) - records[0].values["F"].value).abs() < 2e-5 && x(first.0).abs() < 0.3, "{first:?}");
    assert!((146.5..149.4).contains(&x(end.0)), "the curve ends before parameters freeze: {end:?}");
}

#[test]
fn a_long_fall_is_magnified_and_a_short_one_is_not() {
    let magnified = |fall| words(&svg(&summary(3000), &records(3000, 50, fall))).iter().any(|t| t.contains("magnified"));
    assert!(magnified(1000.0 * 0.000_034) && !magnified(0.0));
}

#[test]
fn acceptance_is_shown_of_chains_alone() {
    let mut s = summary(150);
    s.acceptance = 0.51;
    let text = words(&svg(&s, &records(150, 40, 0.015)));
    assert!(text.iter().any(|t| t == "accepted share of moves 0.51"), "{text:?}");
}

/// Logs of earlier builds have no phases.
#[test]
fn the_summary_tells_where_parameters_froze_if_the_log_does_not() {
    let (s, marked) = (summary(150), records(150, 40, 0.015));
    let bare: Vec<_> = marked.iter().map(|r| StepRecord { phase: Phase::Training, ..r.clone() }).collect();
    assert_eq!(svg(&s, &marked), svg(&s, &bare));
}

/// Whatever the records hold there is a figure: no panic, no NaN in it, not too large, texts apart and inside.
#[test]
fn every_run_has_a_figure() {
    let whole = records(150, 40, 0.015);
    let mut hostile = whole.clone();
    for (r, f) in hostile.iter_mut().step_by(7).zip([f64::NAN, 1e30, -1e300, f64::INFINITY, f64::NEG_INFINITY, 0.0, f64::MAX]) {
        r.values["F"] = Estimate::new(f, f);
        (r.values["K"].value, r.values["S"].error) = (f, f);
    }
    let still = [("F", Estimate::new(2.0, 0.0)), ("E", Estimate::new(2.0, f64::NAN))];
    let constant: Vec<_> = (0..30).map(|step| StepRecord { step, values: still.into(), ..Default::default() }).collect();
    let unknown: Vec<_> = (0..30).map(|step| StepRecord { step, ..Default::default() }).collect();
    let mut huge = whole.clone();
    for r in &mut huge {
        r.values["F"].value *= 1e300;
        r.values["K"].value = 1e250;
        r.values["V"].value *= 1e-300;
    }
    let mut chains = summary(150);
    chains.acceptance = 0.5;
    chains.averaged_over = "steps ".repeat(100);
    let mut bare = summary(0);
    (bare.result, bare.start, bare.exact, bare.acceptance) = (Named::default(), None, None, f64::INFINITY);
    let mut odd = summary(150);
    odd.parameters = [("rs", 1e-9.into()), ("theta", serde_json::Value::Null)].into();
    (odd.result["F"].error, odd.result["E"].value) = (1e40, 1e200);
    let long = records(100_000, 100, 0.034);
    for s in [&summary(150), &chains, &bare, &odd] {
        for records in [
            &whole,
            &hostile,
            &constant,
            &unknown,
            &huge,
            &long,
            &whole[..1].to_vec(),
            &whole[..2].to_vec(),
            &whole[150..].to_vec(),
            &vec![],
        ] {
            let picture = svg(s, records);
            assert!(!picture.contains("inf") && !lines(&picture).iter().any(|l| l.contains("NaN")), "{picture}");
            assert!(picture.len() < 300_000, "{} bytes", picture.len());
            for b in boxes(&picture) {
                assert!(b.left >= 0.0 && b.right <= 1200.0 && b.top >= 0.0 && b.bottom <= 790.0, "{b:?}");
            }
            let covered = overlaps(&picture);
            assert!(covered.is_empty(), "{covered:?}");
        }
    }
}
