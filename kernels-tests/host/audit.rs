//! Every number that a user reads, from walkers whose energies are known: sums as a device makes them, the records of steps,
//! logs, averages, the table. An independent recount finds each planted error.

use helmholtz::Settings;
use helmholtz::estimate::Estimate;
use helmholtz::problem::Named;
use helmholtz::problem::electron_gas::{Energies, KIND};
use helmholtz::report::{notes, plus_minus, result_table};
use helmholtz::run::{Phase, StepRecord, Summary, record};

use crate::{Noise, settings};

/// A walker: local K, mixed K, V, ln p and Σ k² (energies in total, Ry/rs²); `None` if its draw failed.
type Walker = Option<[f64; 5]>;

/// What walkers give: a mean and its error from all of them.
#[derive(Clone, Copy)]
struct Known {
    value: f64,
    error: f64,
}

struct Run {
    settings: Settings,
    steps: Vec<Vec<Walker>>,
    records: Vec<StepRecord>,
    summary: Summary,
}

/// Number of the frozen steps among them.
const FROZEN: usize = 4;

impl Run {
    fn new(text: &str) -> Run {
        let s = settings(text);
        let mut noise = Noise(9);
        let steps: Vec<Vec<Walker>> = (0..6)
            .map(|step| {
                let walker = |w: usize| {
                    let k = 20.0 + noise.normal();
                    let v = -31.0 - 0.6 * (k - 20.0) + 0.5 * noise.normal();
                    let (mixed, ln_p) = (k + 0.3 * noise.normal(), -4.0 + 0.8 * noise.normal());
                    let ideal = 17.0 + 0.7 * (k - 20.0) - 1.5 * (ln_p + 4.0) + noise.normal();
                    let known = [k, mixed, v, ln_p, ideal];
                    // of the fourth step a half fails
                    (step != 3 || w.is_multiple_of(2)).then_some(known)
                };
                (0..s.training.batch).map(walker).collect()
            })
            .collect();
        let beta = s.gas().unwrap().beta();
        let records: Vec<StepRecord> = steps
            .iter()
            .enumerate()
            .map(|(i, walkers)| {
                let measured = Energies::finish(&[0.0; 25], &sums(walkers, beta)).measured(&s);
                let mut record = StepRecord::new(i, 0.5 * i as f64, &measured);
                let accepted = 0.25 + 0.01 * i as f64;
                let diagnostics = [("acceptance", accepted), ("tau", 1.5), ("width", 0.125), ("inverse_mass", 1.25), ("step_prior", 0.75)];
                for (name, value) in diagnostics.into_iter().chain([("grad_van", 3.5), ("grad_flow", 4.5)]) {
                    record.values[name] = value.into();
                }
                StepRecord { phase: if i < 6 - FROZEN { Phase::Training } else { Phase::Frozen }, ms: 12.0, ..record }
            })
            .collect();
        let mut summary = Summary::of_records(&KIND, &s.values(), "a device", &records).unwrap();
        summary.notes = notes(&summary, &records);
        Run { settings: s, steps, records, summary }
    }

    /// F, E, K, V, S, local K and V and Σ k² per electron, in printed units, over some steps.
    fn known(&self, steps: std::ops::Range<usize>) -> [Known; 8] {
        let s = &self.settings;
        let ry = if s.rs == 0.0 { 1.0 } else { 1.0 / (s.rs * s.rs) } / s.n as f64;
        // Θ = T/T_F, k_F² = 4 in 2D
        let temperature = 4.0 * s.theta;
        let value = |w: &[f64; 5]| {
            let [k, mixed, v, ln_p, ideal] = *w;
            let per = 1.0 / s.n as f64;
            [ry * (k + v + temperature * ln_p), ry * (k + v), ry * mixed, ry * (k + v - mixed), -per * ln_p, ry * k, ry * v, ry * ideal]
        };
        std::array::from_fn(|q| {
            let columns = self.steps[steps.clone()].iter().map(|walkers| walkers.iter().flatten().map(|w| value(w)[q]).collect::<Vec<_>>());
            let columns: Vec<Vec<f64>> = columns.collect();
            let count: f64 = columns.iter().map(|c| c.len() as f64).sum();
            let squares = columns.iter().map(|c| {
                let (n, mean) = (c.len() as f64, c.iter().sum::<f64>() / c.len() as f64);
                n * c.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)
            });
            Known { value: columns.iter().flatten().sum::<f64>() / count, error: squares.sum::<f64>().sqrt() / count }
        })
    }
}

impl Run {
    /// Slopes of E and of -kT ln p over Σ k²: those of the steps, each by its walkers.
    fn slopes(&self, steps: std::ops::Range<usize>) -> [Known; 2] {
        let temperature = 4.0 * self.settings.theta;
        [false, true].map(|occupations| {
            let of = |w: &[f64; 5]| if occupations { -temperature * w[3] } else { w[0] + w[2] };
            let (mut value, mut error, mut all) = (0.0, 0.0, 0.0);
            for walkers in &self.steps[steps.clone()] {
                let points: Vec<[f64; 2]> = walkers.iter().flatten().map(|w| [w[4], of(w)]).collect();
                let n = points.len() as f64;
                let [t, y] = [0, 1].map(|c| points.iter().map(|p| p[c]).sum::<f64>() / n);
                let spread: f64 = points.iter().map(|p| (p[0] - t).powi(2)).sum();
                let slope = points.iter().map(|p| (p[0] - t) * p[1]).sum::<f64>() / spread;
                let left: f64 = points.iter().map(|p| (p[1] - y - slope * (p[0] - t)).powi(2)).sum();
                value += n * slope;
                error += n * n * left / (n - 2.0) / spread;
                all += n;
            }
            Known { value: value / all, error: error.sqrt() / all }
        })
    }
}

/// The sums of `moments` about 0.
fn sums(walkers: &[Walker], beta: f64) -> Vec<f32> {
    let mut sums = [0.0_f64; 25];
    for walker in walkers {
        let Some([k, mixed, v, ln_p, ideal]) = *walker else {
            sums[19] += 1.0;
            continue;
        };
        let e = k + v;
        sums[0] += 1.0;
        for (c, x) in [k, 0.0, v, ln_p, e, 0.0, e + ln_p / beta, mixed].into_iter().enumerate() {
            sums[1 + c] += x;
            sums[9 + c] += x * x;
        }
        sums[20] += (e - mixed).powi(2);
        for (c, x) in [ideal, ideal * ideal, ideal * e, ideal * ln_p].into_iter().enumerate() {
            sums[21 + c] += x;
        }
    }
    sums.map(|v| v as f32).to_vec()
}

/// Relative precision of values and errors that come through sums in single precision about 0.
const CLOSE: (f64, f64) = (2e-6, 3e-3);

fn check(complaints: &mut Vec<String>, what: &str, got: Estimate, want: Known, precision: (f64, f64)) {
    let scale = want.value.abs().max(want.error);
    let value = !((got.value - want.value).abs() <= precision.0 * scale);
    let error = !((got.error - want.error).abs() <= precision.1 * want.error);
    if value || error || got.at_least {
        complaints.push(format!("{what}: {got:?}, the walkers give {} ± {}", want.value, want.error));
    }
}

const NAMES: [&str; 8] = ["F", "E", "K", "V", "S", "K_local", "V_local", "K_0"];
const SLOPES: [&str; 2] = ["slope_E", "slope_p"];
/// Products of numbers that are 30 times as large as their spread, in single precision.
const SLOPES_CLOSE: (f64, f64) = (2e-3, 5e-3);

/// What a recount of the walkers finds wrong with records, summary, logs and table of a run of exact draws.
fn audit(run: &Run, records: &[StepRecord], csv: &str, s: &Summary, table: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let set = &run.settings;
    // step by step
    for (i, r) in records.iter().enumerate() {
        for (name, want) in NAMES.iter().zip(run.known(i..i + 1)) {
            check(&mut wrong, &format!("{name} of step {i}"), r.values[name], want, CLOSE);
        }
        for (name, want) in SLOPES.iter().zip(run.slopes(i..i + 1)) {
            check(&mut wrong, &format!("{name} of step {i}"), r.values[name], want, SLOPES_CLOSE);
        }
        if r.nonfinite != run.steps[i].iter().filter(|w| w.is_none()).count() {
            wrong.push(format!("step {i}: {} left out", r.nonfinite));
        }
    }
    // the log holds the same, each number in its own column with its unit
    let lines: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    let unit = if set.rs == 0.0 { "Ry/rs²" } else { "Ry" };
    let mut columns = vec![("step".to_string(), records.iter().map(|r| r.step as f64).collect::<Vec<_>>())];
    for name in NAMES {
        let unit = if name == "S" { "k_B" } else { unit };
        columns.push((format!("{name} [{unit}]"), records.iter().map(|r| r.values[name].value).collect()));
        columns.push((format!("{name}_err [{unit}]"), records.iter().map(|r| r.values[name].error).collect()));
    }
    for name in SLOPES {
        columns.push((name.to_string(), records.iter().map(|r| r.values[name].value).collect()));
        columns.push((format!("{name}_err"), records.iter().map(|r| r.values[name].error).collect()));
    }
    for (name, get) in [
        ("seconds [s]", (|r| r.seconds) as fn(&StepRecord) -> f64),
        ("acceptance", |r| r.values["acceptance"].value),
        ("tau [sweeps]", |r| r.values["tau"].value),
        ("width [rs a0]", |r| r.values["width"].value),
        ("inverse_mass", |r| r.values["inverse_mass"].value),
        ("step_prior", |r| r.values["step_prior"].value),
        ("grad_van [Ry/rs²]", |r| r.values["grad_van"].value),
        ("grad_flow [Ry/rs²]", |r| r.values["grad_flow"].value),
        ("nonfinite [walkers]", |r| r.nonfinite as f64),
        ("ms [ms]", |r| r.ms),
    ] {
        columns.push((name.into(), records.iter().map(get).collect()));
    }
    for (name, want) in columns {
        let Some(at) = lines[0].iter().position(|h| *h == name) else {
            wrong.push(format!("metrics.csv has no column {name}"));
            continue;
        };
        let got: Vec<Option<f64>> = lines[1..].iter().map(|l| l.get(at).and_then(|c| c.parse().ok())).collect();
        if got != want.iter().map(|v| Some(*v)).collect::<Vec<_>>() {
            wrong.push(format!("metrics.csv, {name}: {got:?}, not {want:?}"));
        }
    }
    // the averages of the frozen steps and of the first
    for (name, want) in NAMES.iter().zip(run.known(6 - FROZEN..6)) {
        check(&mut wrong, name, s.result[name], want, CLOSE);
    }
    for (name, want) in SLOPES.iter().zip(run.slopes(6 - FROZEN..6)) {
        check(&mut wrong, name, s.result[name], want, SLOPES_CLOSE);
    }
    let Some(start) = &s.start else { return vec!["no start".into()] };
    for (name, want) in NAMES.iter().zip(run.known(0..1)) {
        check(&mut wrong, &format!("{name} before training"), start[name], want, CLOSE);
    }
    let Some(i) = &s.exact else { return vec!["no ideal gas".into()] };
    // F = E - TS of the ideal gas in printed units, and its own sums over levels
    let gas = set.gas().unwrap();
    let exact = helmholtz::IdealGas::new(&gas.energies(), gas.n, gas.beta()).unwrap();
    let ry = if set.rs == 0.0 { 1.0 } else { 1.0 / (set.rs * set.rs) } / set.n as f64;
    for (name, want) in [("F", ry * exact.free_energy), ("E", ry * exact.energy), ("S", exact.entropy / set.n as f64)] {
        let got = i.get(name).copied().unwrap_or(f64::NAN);
        if !((got - want).abs() <= 1e-12 * want.abs()) {
            wrong.push(format!("{name} of the ideal gas: {got}, not {want}"));
        }
    }
    let failed: usize = run.steps.iter().flatten().filter(|w| w.is_none()).count();
    let parameter = |name: &str| s.parameters.number(name);
    let facts = [
        (s.tau == 1.0, "tau of exact draws is not 1"),
        (s.acceptance.is_nan(), "an acceptance of exact draws"),
        (s.nonfinite == failed as u64, "walkers left out are miscounted"),
        (
            parameter("n") == set.n as f64 && parameter("dim") == set.dim as f64 && (s.steps, s.batch) == (6 - FROZEN, set.training.batch),
            "n, dim, steps or batch",
        ),
        (parameter("rs") == set.rs && parameter("theta") == set.theta && s.energy_unit == unit, "rs, theta or unit"),
        (s.seconds == 2.5, "seconds"),
        (s.scatter.abs() < 4.0, "the scatter of the steps"),
    ];
    wrong.extend(facts.iter().filter(|f| !f.0).map(|f| f.1.to_string()));
    wrong.extend(read_table(run, s, table));
    wrong
}

/// What a reader of the table alone finds wrong.
fn read_table(run: &Run, s: &Summary, table: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (unit, known, first) = (&s.energy_unit, run.known(6 - FROZEN..6), run.known(0..1));
    let exact = |name: &str| s.exact.as_ref().and_then(|e| e.get(name)).copied().unwrap_or(f64::NAN);
    let ideal = [exact("F"), exact("E"), exact("E"), 0.0, exact("S")];
    for (q, name) in NAMES[..5].iter().enumerate() {
        let unit = if *name == "S" { "k_B" } else { unit };
        let Some(line) = table.lines().find(|l| l.trim_start().starts_with(&format!("{name}  "))) else {
            wrong.push(format!("table: no row {name}"));
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers: Vec<f64> = words.iter().filter_map(|w| w.parse().ok()).collect();
        if !words.contains(&unit) || numbers.len() != 5 {
            wrong.push(format!("table, {name}: {line}"));
            continue;
        }
        for (what, at, want) in [("this run", 0, known[q]), ("before training", 2, first[q])] {
            // two digits of error, the value to the same place
            if !((numbers[at + 1] / want.error - 1.0).abs() < 0.06 && (numbers[at] - want.value).abs() < 0.06 * want.error) {
                wrong.push(format!("table, {name}, {what}: {line}, the walkers give {} ± {}", want.value, want.error));
            }
        }
        if !((numbers[4] - ideal[q]).abs() <= 1e-6) {
            wrong.push(format!("table, {name} of the ideal gas: {line}, not {}", ideal[q]));
        }
    }
    let ratio = Estimate::new(known[4].value / ideal[4], known[4].error / ideal[4]);
    let set = &run.settings;
    let texts = [
        format!("S / S of ideal gas           {}", plus_minus(ratio)),
        format!("electron gas, n={} dim={} rs={} theta={}: values per electron", set.n, set.dim, set.rs, set.theta),
        format!("2 training steps in 2 s; averages over 4 steps of {} walkers with frozen parameters", s.batch),
        "errors: one standard deviation, from the spread of all walkers, which are independent".into(),
    ];
    wrong.extend(texts.iter().filter(|t| !table.contains(*t)).map(|t| format!("table lacks: {t}")));
    wrong
}

fn csv(run: &Run, records: &[StepRecord]) -> String {
    let lines: Vec<String> = records.iter().map(|r| record::csv_line(&KIND, r)).collect();
    format!("{}\n{}\n", record::csv_header(&KIND, run.settings.units().energy_name), lines.join("\n"))
}

/// rs that is not 1, so that a unit forgotten is a number that is wrong; and rs = 0 with its own unit.
#[test]
fn what_users_read_is_what_the_walkers_say() {
    for text in ["n=5 dim=2 rs=3 theta=0.3 batch=200", "n=4 dim=2 rs=0 theta=0.5 batch=200"] {
        let run = Run::new(text);
        let wrong = audit(&run, &run.records, &csv(&run, &run.records), &run.summary, &result_table(&run.summary));
        assert!(wrong.is_empty(), "{text}:\n{}", wrong.join("\n"));
        // the files say the same: a summary reads back (its numbers to the last digit but one), a log exactly
        let back: Summary = serde_json::from_str(&serde_json::to_string(&run.summary).unwrap()).unwrap();
        let wrong = audit(&run, &run.records, &csv(&run, &run.records), &back, &result_table(&back));
        assert!(wrong.is_empty() && back.notes == run.summary.notes, "{text}, read back:\n{}", wrong.join("\n"));
        assert_eq!(record::read_csv(&KIND, &csv(&run, &run.records)).unwrap().records, run.records);
        for (r, line) in run.records.iter().zip(run.records.iter().map(|r| record::json(&KIND, r))) {
            for name in NAMES {
                assert_eq!(line[name].as_f64(), Some(r.values[name].value), "{name}: {line}");
                assert_eq!(line[format!("{name}_err")].as_f64(), Some(r.values[name].error), "{name}: {line}");
            }
            assert_eq!((line["tau"].as_f64(), line["ms"].as_f64()), (Some(1.5), Some(12.0)), "{line}");
        }
    }
}

/// Each planted error is found.
#[test]
fn planted_errors_are_found() {
    let run = Run::new("n=5 dim=2 rs=3 theta=0.3 batch=200");
    let (n, rs2) = (5.0, 9.0);
    let times = |e: &mut Estimate, value: f64, error: f64| *e = Estimate::new(value * e.value, error * e.error);
    let energies = |s: &mut Summary, f: f64| {
        ["F", "E", "K", "V"].into_iter().for_each(|name| times(&mut s.result[name], f, f));
    };
    let ideal = |s: &mut Summary, name: &'static str, factor: f64| {
        let exact = s.exact.as_mut().unwrap();
        exact.set(name, factor * exact.get(name).unwrap());
    };
    let swap = |values: &mut Named<Estimate>, a: &'static str, b: &'static str| {
        (values[a], values[b]) = (values[b], values[a]);
    };
    type Plant<'a> = (&'a str, Box<dyn Fn(&mut Summary) + 'a>);
    let plants: Vec<Plant> = vec![
        ("the error of V is that of K", Box::new(|s| s.result["V"].error = s.result["K"].error)),
        ("the error of E is that of F", Box::new(|s| s.result["E"].error = s.result["F"].error)),
        ("S in bits", Box::new(|s| times(&mut s.result["S"], 1.0 / std::f64::consts::LN_2, 1.0 / std::f64::consts::LN_2))),
        ("S off by 1e-4", Box::new(|s| s.result["S"].value *= 1.0001)),
        ("S in total", Box::new(|s| times(&mut s.result["S"], n, n))),
        ("errors a thousand times too small", Box::new(|s| s.result["F"].error *= 1e-3)),
        ("errors 2 % too small", Box::new(|s| s.result["K"].error *= 0.98)),
        ("errors of one step", Box::new(|s| s.result["F"].error *= (FROZEN as f64).sqrt())),
        ("energies not divided by n", Box::new(|s| energies(s, n))),
        ("energies in Ry/rs²", Box::new(|s| energies(s, rs2))),
        ("energies in Hartree", Box::new(|s| energies(s, 0.5))),
        ("F = E + TS", Box::new(|s| s.result["F"].value = 2.0 * s.result["E"].value - s.result["F"].value)),
        ("K and V exchanged", Box::new(|s| swap(&mut s.result, "K", "V"))),
        ("the local V for V", Box::new(|s| s.result["V"] = s.result["V_local"])),
        ("a slope per electron", Box::new(|s| times(&mut s.result["slope_E"], 1.0 / n, 1.0 / n))),
        ("slopes exchanged", Box::new(|s| swap(&mut s.result, "slope_E", "slope_p"))),
        ("the error of a slope, one of its degrees of freedom forgotten", Box::new(|s| s.result["slope_p"].error *= 1.01)),
        ("Σ k² in Ry/rs²", Box::new(|s| times(&mut s.result["K_0"], rs2, rs2))),
        ("a lower bound for an error", Box::new(|s| s.result["F"].at_least = true)),
        ("the ideal gas in total", Box::new(|s| ideal(s, "F", n))),
        ("the ideal gas in Ry/rs²", Box::new(|s| ideal(s, "E", rs2))),
        ("the ideal S with another sign", Box::new(|s| ideal(s, "S", -1.0))),
        ("the start is the end", Box::new(|s| s.start = Some(s.result.clone()))),
        ("an autocorrelation time of exact draws", Box::new(|s| s.tau = 1.2)),
        ("walkers left out, not counted", Box::new(|s| s.nonfinite = 0)),
        ("milliseconds for seconds", Box::new(|s| s.seconds *= 1e3)),
        ("frozen steps counted as training", Box::new(|s| s.steps += FROZEN)),
    ];
    for (what, plant) in plants {
        let mut broken = run.summary.clone();
        plant(&mut broken);
        assert!(!audit(&run, &run.records, &csv(&run, &run.records), &broken, &result_table(&broken)).is_empty(), "not found: {what}");
    }
    // in the records of steps, which averages then follow
    type StepPlant = (&'static str, fn(&mut StepRecord));
    let plants: &[StepPlant] = &[
        ("V and its local value exchanged", |r| {
            (r.values["V"].value, r.values["V_local"].value) = (r.values["V_local"].value, r.values["V"].value)
        }),
        ("the error of V is that of K", |r| r.values["V"].error = r.values["K"].error),
        ("√(N - 1) forgotten", |r| r.values["F"].error *= 200_f64.sqrt()),
        ("failed draws not counted", |r| r.nonfinite = 0),
        ("S not per electron", |r| r.values["S"].value *= 5.0),
    ];
    for (what, plant) in plants {
        let mut records = run.records.clone();
        records.iter_mut().for_each(plant);
        let summary = Summary::of_records(&KIND, &run.settings.values(), "a device", &records).unwrap();
        assert!(!audit(&run, &records, &csv(&run, &records), &summary, &result_table(&summary)).is_empty(), "not found: {what}");
    }
    // in texts alone
    let (table, log) = (result_table(&run.summary), csv(&run, &run.records));
    for (what, from, to) in [
        ("another unit", " Ry ", " eV "),
        ("another unit of S", "k_B", "bit"),
        ("rows exchanged", "  E  energy", "  F  energy"),
        ("other steps", "2 training steps", "6 training steps"),
        ("all walkers", "4 steps of 200", "6 steps of 200"),
        ("a ratio of another size", "S / S of ideal gas           ", "S / S of ideal gas           9"),
    ] {
        assert!(table.contains(from), "{from}: {table}");
        assert!(!audit(&run, &run.records, &log, &run.summary, &table.replace(from, to)).is_empty(), "not found: {what}");
    }
    for (what, from, to) in [
        ("columns exchanged", "K [Ry],K_err [Ry],V [Ry],V_err [Ry]", "V [Ry],V_err [Ry],K [Ry],K_err [Ry]"),
        ("a wrong unit", "S [k_B]", "S [Ry]"),
        ("a step lost", "\n1,0.5,", "\n2,0.5,"),
    ] {
        assert!(log.contains(from), "{from}: {log}");
        assert!(!audit(&run, &run.records, &log.replace(from, to), &run.summary, &table).is_empty(), "not found: {what}");
    }
}
