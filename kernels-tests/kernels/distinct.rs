//! distinct_* against their twin, and merged rows of scores against one row a walker.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::distinct::{self, DistinctStates};
use helmholtz::kernels::pad4;
use helmholtz::kernels::scores::Shape;
use helmholtz::optimize::{Inputs, Options, StochasticReconfiguration};
use helmholtz::problem::electron_gas::{Settings, Trainer};
use helmholtz::reference::distinct as twin;
use helmholtz::reference::scores::{apply, weighted_sum};

use crate::harness::{Check, close, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;

fn text(e: helmholtz::Error) -> String {
    e.to_string()
}

/// States of n orbitals, ascending, of which `kinds` differ; some only in their last orbital.
fn states(seed: u64, walkers: usize, n: usize, kinds: usize) -> Vec<u32> {
    let kind = |k: usize| (0..n).map(move |i| if i + 1 == n { (3 * i + k % 7) as u32 } else { (3 * i + k / 7 % 3) as u32 });
    random(seed, walkers).iter().flat_map(|r| kind(((r + 1.0) * 0.499 * kinds as f64) as usize)).collect()
}

fn words(gpu: &Gpu, buffer: &Buffer, count: usize) -> Result<Vec<u32>, String> {
    gpu.read_words(buffer, count).map_err(text)
}

/// One walker, all equal, all different, edges of workgroups; integers agree to the last bit.
fn grouped(gpu: &Gpu) -> Check {
    for (case, &(walkers, n, kinds)) in
        [(1, 3, 1), (5, 1, 7), (64, 4, 1), (65, 4, 21), (300, 29, 9), (700, 5, 21), (1030, 2, 18)].iter().enumerate()
    {
        let s = states(case as u64, walkers, n, kinds);
        let want = twin::distinct(&s, n);
        let d = DistinctStates::new(walkers, n);
        let buffer = gpu.upload("states", &s);
        let mut rec = Recording::new();
        d.record(&mut rec, &buffer);
        gpu.run(&rec).map_err(text)?;
        let hashes: Vec<u32> = s.chunks(n).flat_map(twin::hash).collect();
        let rows = d.count(gpu).map_err(text)?;
        if rows != want.states.len() || words(gpu, &d.hash, 2 * walkers)? != hashes {
            return Err(format!("{walkers} walkers: {rows} rows, want {}; or hashes differ", want.states.len()));
        }
        if words(gpu, &d.first, walkers)? != want.first || words(gpu, &d.place, walkers)? != want.place {
            return Err(format!("{walkers} walkers, {kinds} kinds: grouped otherwise"));
        }
        let mut list = want.states.concat();
        (rows..walkers).for_each(|_| list.extend_from_slice(&want.states[0]));
        if words(gpu, &d.states, walkers * n)? != list {
            return Err(format!("{walkers} walkers: the list of states differs"));
        }
        let mut factors: Vec<f64> = want.counts.iter().map(|c| (*c as f64).sqrt()).collect();
        factors.resize(walkers, 0.0);
        close("factors", &gpu.read(&d.factors).map_err(text)?, &factors, 2.0 * EPS)?;
        // sums of `walkers` numbers below 1, in trees after strides of 64
        let w = random(50 + case as u64, 3 * walkers);
        let weights = gpu.upload("weights", &w.iter().map(|v| *v as f32).collect::<Vec<_>>());
        let mut rec = Recording::new();
        d.record_weights(&mut rec, walkers, &weights, 3);
        gpu.run(&rec).map_err(text)?;
        let mut sums = twin::weights(&want, &w.iter().step_by(3).copied().collect::<Vec<_>>());
        let largest = sums.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
        sums.resize(walkers, 0.0);
        let terms = (walkers as f64).sqrt() + 8.0;
        close("weights", &gpu.read(&d.weights).map_err(text)?, &sums, EPS * (4.0 + terms / largest))?;
    }
    Ok(())
}

/// Equal hashes of different states do not merge them, and passes over spans find what one pass finds.
fn hinted(gpu: &Gpu) -> Check {
    for (walkers, n, kinds) in [(70, 4, 21), (300, 3, 12)] {
        let s = states(9, walkers, n, kinds);
        let want = twin::distinct(&s, n);
        let d = DistinctStates::new(walkers, n);
        let buffer = gpu.upload("states", &s);
        let hash = gpu.upload("hashes", &vec![7u32; 2 * walkers]);
        for span in [64, 100, 1000] {
            let mut rec = Recording::new();
            d.record_matches(&mut rec, &buffer, &hash, span);
            gpu.run(&rec).map_err(text)?;
            if words(gpu, &d.first, walkers)? != want.first {
                return Err(format!("{walkers} walkers, passes of {span}: grouped otherwise"));
            }
        }
    }
    Ok(())
}

#[test]
fn states_are_grouped_as_by_the_twin() {
    verify(grouped);
    verify(hinted);
}

/// Gradient and natural gradient from merged rows are those from one row a walker.
///
/// Gradient: both sum in double-single; the weights were added in f32 (ε √c of them), factors and rows rounded thrice.
/// Steps agree in the Fisher norm as two solves to 1e-5 do, the gradient being the same.
fn merged(gpu: &Gpu) -> Check {
    let small = "spsize=8 tpsize=8 modelsize=8 nheads=2 nhidden=8 nlayers=1 max_norm=1000";
    // fewer walkers than parameters; more, but fewer rows; more rows
    for line in [
        format!("n=5 rs=2 theta=0.1 batch=300 chunk=128 {small}"),
        format!("n=2 rs=2 theta=2 emax=4 batch=900 chunk=900 {small} modelsize=4"),
        format!("n=3 rs=2 theta=2 emax=9 batch=1200 chunk=1200 {small} modelsize=4 nhidden=4"),
    ] {
        let mut last: Vec<(&str, &str)> = Vec::new();
        for word in line.split_whitespace().filter_map(|w| w.split_once('=')) {
            last.retain(|(name, _)| *name != word.0);
            last.push(word);
        }
        let arguments: Vec<String> = last.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let settings = Settings::of(&arguments.join(" ")).map_err(text)?;
        let mut t = Trainer::new(gpu, &settings, None, None).map_err(text)?;
        t.sample(gpu).map_err(text)?;
        t.energies(gpu).map_err(text)?;
        let mut rec = Recording::new();
        // what lies beyond the merged rows is not looked at
        t.record_walker_scores(&mut rec);
        t.record_scores(&mut rec);
        t.record_gradients(&mut rec);
        gpu.run(&rec).map_err(text)?;
        let (rows, parameters) = (t.occupation.rows(), t.occupation.len());
        let shape = Shape { batch: t.batch, parts: 1, parameters };
        let step = |sr: StochasticReconfiguration| -> Result<Vec<f64>, String> {
            let zeros = gpu.upload("step", &vec![0.0f32; parameters]);
            let inputs = Inputs { scores: &t.occupation.scores, gradient: &t.occupation.gradient, parameters: &zeros, momenta: None };
            sr.solve(gpu, inputs).map_err(text)?.check().map_err(text)?;
            Ok(gpu.read_words::<f32>(&zeros, parameters).map_err(text)?.iter().map(|v| *v as f64).collect())
        };
        let sr = || StochasticReconfiguration::new("test", shape, Options { max_norm: 1e6, ..Options::default() }).map_err(text);
        let shared = step(sr()?.merged(rows))?;
        let gradient: Vec<f32> = gpu.read_words(&t.occupation.gradient, parameters).map_err(text)?;
        let mut rec = Recording::new();
        t.record_walker_scores(&mut rec);
        gpu.run(&rec).map_err(text)?;
        let plain = step(sr()?)?;
        let all: Vec<f32> = gpu.read(&t.occupation.scores).map_err(text)?;
        let scores: Vec<f64> = all.chunks(pad4(parameters)).take(t.batch).flat_map(|r| r[..parameters].iter().map(|v| *v as f64)).collect();
        let weights: Vec<f32> = gpu.read(&t.estimators.weights).map_err(text)?;
        let weights: Vec<f64> = weights.iter().step_by(4).take(t.batch).map(|v| *v as f64).collect();
        let want = weighted_sum(&scores, &weights, parameters);
        // sizes of the terms, which cancel
        let terms = weighted_sum(
            &scores.iter().map(|s| s.abs()).collect::<Vec<_>>(),
            &weights.iter().map(|w| w.abs()).collect::<Vec<_>>(),
            parameters,
        );
        let grown = terms.iter().fold(0.0, |m: f64, v| m.max(*v)) / want.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
        close("merged gradient", &gradient, &want, EPS * 16.0 * grown)?;
        let norm = |d: &[f64]| {
            let squares = apply(&scores, d).iter().map(|x| x * x).sum::<f64>() / t.batch as f64;
            (squares + 1e-3 * d.iter().map(|x| x * x).sum::<f64>()).sqrt()
        };
        let off = norm(&shared.iter().zip(&plain).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(&plain);
        if std::env::var("HELMHOLTZ_TEST_PRINT").is_ok() {
            println!("{rows} of {} states distinct, {parameters} parameters: steps differ by {off:.1e}", t.batch);
        }
        if !(rows < t.batch && off <= 6e-5) {
            return Err(format!("{rows} of {} rows, {parameters} parameters: steps differ by {off:.1e}", t.batch));
        }
    }
    Ok(())
}

#[test]
fn merged_rows_change_neither_gradient_nor_step() {
    verify(merged);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&distinct::HASH, "b ^= b >> 13u;", "", grouped);
    mutant(&distinct::MATCH, "found == w && ", "", grouped);
    mutant(&distinct::MATCH, "return false;", "", hinted);
    mutant(&distinct::ROWS, "upto[lane] - own", "upto[lane]", grouped);
    mutant(&distinct::GATHER, "list[id / p.n]", "list[id % p.n]", grouped);
    mutant(&distinct::SUM, "place[w] == row", "place[w] <= row", grouped);
}
