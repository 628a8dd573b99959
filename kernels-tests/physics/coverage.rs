//! Error bars of evaluations at frozen parameters, whose values a sum over all states gives: they cover the truth as often as they
//! say.

use helmholtz::Spins;
use helmholtz::config::Values;
use helmholtz::estimate::Estimate;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::problem::spins::kinds::{self, SK};
use helmholtz::problem::spins::{of_couplings, settings};
use helmholtz::problem::{Ending, Named, Problem, resolve};
use helmholtz::run::{Phase, StepRecord, Summary};

use crate::harness::device;

const BETA: f64 = 0.8;

/// Evaluations of 5 steps of 100 samples each, with a seed of their own: 0.683 and 0.954 of them lie within one and two error bars,
/// 0.024 and 0.0107 by chance; four of each are allowed. So do reweighted values, of which 500 samples leave out rare states that
/// weigh much: 0.05 more are allowed to miss.
#[test]
fn error_bars_cover_the_exact_values_of_a_network() {
    let gpu = device();
    let words: Vec<String> = format!("n=8 disorder=3 beta={BETA} depth=1 batch=100 chunk=100 eval_steps=5 seed=1 steps=0")
        .split_whitespace()
        .map(String::from)
        .collect();
    let run = resolve("sk", &words).unwrap();
    let (table, _) = &(SK.tables)(&run.values).unwrap()[0];
    let at = Stream { seed: 5, step: 0, purpose: purpose::PARAMETERS, first_walker: 0 };
    let parameters: Vec<f32> = at.normals().take(table.len()).map(|v| (0.2 * v) as f32).collect();
    let model = kinds::model(&run.values).unwrap();
    // without what needs no samples: mean fields, pictures
    let open = |values: &Values| {
        let (energy, network) = (of_couplings(&model, 100).unwrap(), settings::network(8, values).unwrap());
        let spins = Spins::new(gpu, energy, network, settings::options(values), Some(parameters.clone())).unwrap();
        spins.with_fields(&model).unwrap()
    };
    // q of all states: e^(R - βE)
    let states: Vec<Vec<f32>> = (0..256).map(|s| (0..8).map(|i| if s >> i & 1 == 1 { 1.0 } else { -1.0 }).collect()).collect();
    let reduced = open(&run.values).reduced(gpu, &states.concat()).unwrap();
    let signs = |s: &Vec<f32>| s.iter().map(|v| *v as i8).collect::<Vec<_>>();
    let energies: Vec<f64> = states.iter().map(|s| model.energy(&signs(s))).collect();
    let q: Vec<f64> = reduced.iter().zip(&energies).map(|(r, e)| (r - BETA * e).exp()).collect();
    let p: Vec<f64> = energies.iter().map(|e| (-BETA * e).exp()).collect();
    let (z, sum) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    let squares: Vec<f64> = states.iter().map(|s| (s.iter().sum::<f32>() as f64 / 8.0).powi(2)).collect();
    let mean = |w: &[f64], f: &[f64]| w.iter().zip(f).map(|(w, f)| w * f).sum::<f64>() / w.iter().sum::<f64>();
    let logs: Vec<f64> = q.iter().map(|q| q.ln()).collect();
    let own = [
        ("F", mean(&q, &reduced) / (8.0 * BETA)),
        ("E", mean(&q, &energies) / 8.0),
        ("S", -mean(&q, &logs) / 8.0),
        ("m2", mean(&q, &squares)),
    ];
    let exact = [("F", -z.ln() / (8.0 * BETA)), ("E", mean(&p, &energies) / 8.0), ("m2", mean(&p, &squares))];
    // a network that is not the exact distribution, nor far from it
    assert!((0.02..0.3).contains(&(own[0].1 - exact[0].1)), "{own:?} {exact:?}");

    let (evaluations, steps) = (380, 5);
    let mut found: Vec<[Named<Estimate>; 2]> = Vec::new();
    for seed in 0..evaluations {
        let mut values = run.values.clone();
        values.set("seed", &((1u64 << 32) + seed).to_string()).unwrap();
        let mut spins = open(&values);
        let mut records = Vec::new();
        for step in 0..steps {
            spins.draw(gpu).unwrap();
            let measured = spins.measure(gpu, false).unwrap();
            records.push(StepRecord { phase: Phase::Frozen, ..StepRecord::new(step, 0.0, &measured) });
        }
        let result = Summary::of_records(&SK, &values, "", &records).unwrap().result;
        let end = Ending { result: &result, frozen: steps, stopped: false };
        let weighted = spins.conclude(gpu, &end, &mut |_| {}).unwrap().reweighted.unwrap().values;
        found.push([result, weighted]);
    }
    let share = |of: usize, name: &str, want: f64, bars: f64, wrong: &dyn Fn(Estimate) -> Estimate| {
        let within = found.iter().map(|f| wrong(f[of][name])).filter(|e| (e.value - want).abs() <= bars * e.error);
        within.count() as f64 / evaluations as f64
    };
    let covers = |of: usize, name: &str, want: f64, wrong: &dyn Fn(Estimate) -> Estimate| {
        let [one, two] = [1.0, 2.0].map(|bars| share(of, name, want, bars, wrong));
        let less = if of == 1 { 0.05 } else { 0.0 };
        println!("{name}: {one:.3} and {two:.3}");
        let near = |got: f64, want: f64, chance: f64| got - want < 4.0 * chance && want - got < 4.0 * chance + less;
        near(one, 0.683, 0.024) && near(two, 0.954, 0.0107)
    };
    for (of, truth) in [&own[..], &exact[..]].iter().enumerate() {
        for (name, want) in *truth {
            assert!(covers(of, name, *want, &|e| e), "{name}");
        }
    }
    for (what, wrong) in [
        ("bars of a standard deviation of a step", (|e| Estimate::new(e.value, 5f64.sqrt() * e.error)) as fn(Estimate) -> Estimate),
        ("bars that are too short", |e| Estimate::new(e.value, 0.8 * e.error)),
        ("values that are off by a bar", |e| Estimate::new(e.value + e.error, e.error)),
    ] {
        assert!(!covers(0, "F", own[0].1, &wrong), "not found: {what}");
    }
}
