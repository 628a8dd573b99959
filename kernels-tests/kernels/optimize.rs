//! Adam and stochastic reconfiguration against float64 twins and the published updates.

use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::scores::Shape;
use helmholtz::kernels::{adam, cholesky, krylov, score_projection};
use helmholtz::optimize::{Adam, Gauge, Inputs, Options, Report, StochasticReconfiguration};
use helmholtz::reference::optimize as twin;

use crate::harness::{Check, close, devices, mutant, padded, random, verify};
use crate::reference_data::present;

fn single(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&v| v as f32).collect()
}

/// Seven steps along gradients that grow by 10 a step and of which some are cut.
fn adam_steps(gpu: &Gpu) -> Check {
    let text = |e: helmholtz::Error| e.to_string();
    // the last one has several workgroups, of which one is not full
    for words in [1, 63, 300, 9001] {
        let clip = (words as f64).sqrt();
        let optimiser = Adam { clip, ..Adam::new(words) };
        let start = random(1, words);
        let parameters = gpu.upload("parameters", &single(&start));
        let (mut want, mut state) = (start, twin::Adam::default());
        let mut rec = Recording::new();
        optimiser.reset(&mut rec);
        let mut norm = 0.0;
        for step in 0..7 {
            let mut g: Vec<f64> = random(10 + step, words).iter().map(|x| x * 10f64.powi(step as i32 - 3)).collect();
            if step == 3 {
                g[words / 2] = f64::NAN;
            }
            let g: Vec<f64> = g.iter().map(|&x| x as f32 as f64).collect();
            norm = g.iter().map(|x| x * x).sum::<f64>().sqrt();
            let gradient = gpu.upload("gradient", &single(&g));
            optimiser.record(&mut rec, gpu.profile, &gradient, &parameters);
            state.step(&mut want, &g, [1e-3, 0.9, 0.999, 1e-8], clip);
        }
        gpu.run(&rec).map_err(text)?;
        let got: Vec<f32> = gpu.read(&parameters).map_err(text)?;
        // seven steps of size 1e-3 to a few ε each, on parameters of size 1 rounded seven times
        close("Adam", &got, &want, 7.0 * f32::EPSILON as f64)?;
        if optimiser.steps(gpu).map_err(text)? != (6, 1) {
            return Err("steps taken or refused".into());
        }
        // a sum of positive numbers: 9001 / (3 x 64) of a lane, then trees
        close("norm", &[optimiser.norm(gpu).map_err(text)? as f32], &[norm], 60.0 * f32::EPSILON as f64)?;
    }
    Ok(())
}

struct Problem {
    shape: Shape,
    /// `[rows][parameters]`, exact in f32.
    rows: Vec<f64>,
    gradient: Vec<f64>,
    momenta: Vec<f64>,
}

/// Runs one update from parameters 0; the update is the new parameters.
fn solve(gpu: &Gpu, p: &Problem, options: Options) -> Result<(Vec<f32>, Report), String> {
    let text = |e: helmholtz::Error| e.to_string();
    let optimiser = StochasticReconfiguration::new("test", p.shape, options).map_err(text)?;
    let scores = gpu.upload("scores", &padded(&p.rows, p.shape.parameters));
    let gradient = gpu.upload("gradient", &single(&p.gradient));
    let parameters = gpu.upload("parameters", &vec![0.0f32; p.shape.parameters.max(4)]);
    let momenta = gpu.upload("momenta", &single(if p.momenta.is_empty() { &[0.0; 4] } else { &p.momenta }));
    let inputs = Inputs { scores: &scores, gradient: &gradient, parameters: &parameters, momenta: Some(&momenta) };
    let report = optimiser.solve(gpu, inputs).map_err(text)?;
    let update: Vec<f32> = gpu.read_words(&parameters, p.shape.parameters).map_err(text)?;
    // one recording with all iterations makes the same update
    gpu.write(&parameters, &vec![0.0f32; p.shape.parameters]);
    let mut rec = Recording::new();
    optimiser.record(&mut rec, gpu.profile, inputs).map_err(text)?;
    gpu.run(&rec).map_err(text)?;
    let whole: Vec<f32> = gpu.read_words(&parameters, p.shape.parameters).map_err(text)?;
    let same = update.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits());
    if !same && report.status == 0 {
        return Err("a solve in parts differs from one recording".into());
    }
    Ok((update, report))
}

/// Relative errors of an update in the largest element and in the norm of F + damping.
fn errors(s: &[f64], width: usize, damping: f64, got: &[f32], want: &[f64]) -> (f64, f64) {
    let norm = |e: &[f64]| {
        let rows: f64 = s.chunks(width).map(|row| row.iter().zip(e).map(|(a, b)| a * b).sum::<f64>().powi(2)).sum();
        (rows + damping * e.iter().map(|x| x * x).sum::<f64>()).sqrt()
    };
    let e: Vec<f64> = got.iter().zip(want).map(|(g, w)| *g as f64 - w).collect();
    let largest = |x: &[f64]| x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    (largest(&e) / largest(want), norm(&e) / norm(want))
}

/// Projected rows over sqrt(B), and the capped update of the twin.
fn twin_update(p: &Problem, options: &Options) -> (Vec<f64>, Vec<f64>) {
    let (s, width) = (p.shape, p.shape.parameters);
    let mut rows = p.rows.clone();
    twin::project_rows(&mut rows, s.batch, s.parts, width, if options.gauge == Gauge::Fixed { &p.momenta } else { &[] });
    rows.iter_mut().for_each(|x| *x /= (s.batch as f64).sqrt());
    let d = twin::natural_gradient(&rows, s.rows(), width, &p.gradient, options.damping).expect("positive");
    let energy: f64 = d.iter().zip(&p.gradient).map(|(a, b)| a * b).sum();
    let scale = (options.max_norm / energy).sqrt().min(1.0);
    (rows, d.iter().map(|x| -scale * x).collect())
}

/// The solver stops at a Fisher-norm error of 1e-5; parameters are rounded once. In the largest element
/// the error may grow by the square root of the condition number; 1e-3 is the aim.
fn compare(gpu: &Gpu, what: &str, p: &Problem, options: Options) -> Check {
    let (rows, want) = twin_update(p, &options);
    let (got, report) = solve(gpu, p, options)?;
    report.check().map_err(|e| format!("{what}: {e}"))?;
    let (largest, fisher) = errors(&rows, p.shape.parameters, options.damping, &got, &want);
    if std::env::var("HELMHOLTZ_TEST_PRINT").is_ok() {
        println!("{what}: {} max-norm error {largest:.1e}, Fisher norm {fisher:.1e}, {report:?}", gpu.profile.name());
    }
    if !(largest <= 1e-3 && fisher <= 3e-5) {
        return Err(format!("{what}: error {largest:.2e} in the largest element, {fisher:.2e} in the Fisher norm; {report:?}"));
    }
    Ok(())
}

/// Random rows of low rank, column scales over 1e-3 .. 30 and a common mean of size 10: eigenvalues from
/// 0 to 1e5 beside a damping of 1e-3. Imaginary rows hold a large multiple of the momenta.
fn hard(batch: usize, parts: usize, parameters: usize, seed: u64) -> Problem {
    let shape = Shape { batch, parts, parameters };
    let rank = (batch * parts).min(parameters).div_ceil(2);
    let (left, right) = (random(seed, shape.rows() * rank), random(seed + 1, rank * parameters));
    let (scale, mean) = (random(seed + 2, parameters), random(seed + 3, parameters));
    let momenta: Vec<f64> = random(seed + 4, batch * 2).iter().map(|x| (8.0 * x).round()).collect();
    let drift = random(seed + 5, 2 * parameters);
    let mut rows = Vec::new();
    for r in 0..shape.rows() {
        for c in 0..parameters {
            let x: f64 = (0..rank).map(|k| left[r * rank + k] * right[k * parameters + c]).sum();
            let mut v = 10f64.powf(2.2 * scale[c] - 0.8) * x + 10.0 * mean[c];
            if r % parts == 1 {
                v += momenta[r / 2 * 2] * drift[c] + momenta[r / 2 * 2 + 1] * drift[parameters + c];
            }
            rows.push(v as f32 as f64);
        }
    }
    let weights: Vec<f64> = random(seed + 6, shape.rows());
    let sum = helmholtz::reference::scores::weighted_sum(&rows, &weights, parameters);
    let gradient = sum.iter().map(|x| (x / batch as f64) as f32 as f64).collect();
    Problem { shape, rows, gradient, momenta }
}

fn fixed() -> Options {
    Options { gauge: Gauge::Fixed, dim: 2, ..Options::default() }
}

fn hard_problems(gpu: &Gpu) -> Check {
    for (case, &(batch, parts, parameters)) in
        [(1, 1, 1), (3, 1, 65), (40, 1, 7), (33, 2, 130), (64, 1, 64), (100, 2, 129), (65, 1, 200)].iter().enumerate()
    {
        let p = hard(batch, parts, parameters, 100 * case as u64);
        compare(gpu, &format!("batch {batch} x {parts}, {parameters} parameters"), &p, Options::default())?;
        if parts == 2 {
            compare(gpu, &format!("fixed gauge, batch {batch}, {parameters} parameters"), &p, fixed())?;
        }
    }
    Ok(())
}

/// No gradient is no error; a not-finite score or gradient leaves the parameters alone and says so.
fn refused(gpu: &Gpu) -> Check {
    let mut p = hard(20, 1, 70, 5);
    p.gradient.fill(0.0);
    let (update, report) = solve(gpu, &p, Options::default())?;
    if report.status != 0 || report.iterations != 0 || update.iter().any(|&x| x != 0.0) {
        return Err(format!("no gradient: {report:?}"));
    }
    for what in ["score", "gradient", "iterations"] {
        let mut p = hard(20, 1, 70, 5);
        let mut options = Options::default();
        match what {
            "score" => p.rows[7 * 70 + 3] = f64::NAN,
            "gradient" => p.gradient[69] = f64::INFINITY,
            _ => options.iterations = 1,
        }
        let (update, report) = solve(gpu, &p, options)?;
        let want = if what == "iterations" { 4 } else { 1 };
        if report.status != want || report.check().is_ok() || update.iter().any(|&x| x != 0.0) {
            return Err(format!("{what}: {report:?}, update {:?}", &update[..3]));
        }
    }
    Ok(())
}

/// Without a shift the first factorisation breaks down; a later one with a larger shift carries on.
fn repaired(gpu: &Gpu) -> Check {
    let mut p = hard(200, 1, 130, 9);
    p.rows.iter_mut().for_each(|x| *x = (16.0 * *x) as f32 as f64);
    let options = Options { shift: 1e-10, attempts: 5, iterations: 300, ..Options::default() };
    compare(gpu, "small shift", &p, options)?;
    let (_, report) = solve(gpu, &p, options)?;
    if report.attempts < 2 {
        return Err(format!("expected a breakdown: {report:?}"));
    }
    // a persistent failure leaves the parameters alone; the state raises the shift until it works
    let text = |e: helmholtz::Error| e.to_string();
    let options = Options { shift: 1e-10, attempts: 1, ..options };
    let optimiser = StochasticReconfiguration::new("repair", p.shape, options).map_err(text)?;
    let scores = gpu.upload("scores", &padded(&p.rows, p.shape.parameters));
    let gradient = gpu.upload("gradient", &single(&p.gradient));
    let parameters = gpu.upload("parameters", &vec![0.0f32; p.shape.parameters]);
    let mut rec = Recording::new();
    let inputs = Inputs { scores: &scores, gradient: &gradient, parameters: &parameters, momenta: None };
    optimiser.record(&mut rec, gpu.profile, inputs).map_err(text)?;
    for step in 0..9 {
        gpu.run(&rec).map_err(text)?;
        let report = optimiser.report(gpu).map_err(text)?;
        let update: Vec<f32> = gpu.read(&parameters).map_err(text)?;
        let moved = update.iter().any(|&x| x != 0.0);
        if moved != (report.status == 0) || (step == 0 && moved) {
            return Err(format!("step {step}: {report:?}, moved {moved}"));
        }
        if moved {
            return Ok(());
        }
    }
    Err("the shift was never raised enough".into())
}

fn tensor(case: &str, names: &[&str]) -> Vec<Vec<f64>> {
    let path = crate::reference_data::find(&format!("{case}.samples.safetensors")).expect("reference data");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let read = |name: &&str| -> Vec<f64> {
        let view = file.tensor(name).expect("tensor");
        view.data().chunks(8).map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()
    };
    names.iter().map(read).collect()
}

/// The published updates, from scores and gradients rounded to f32. The twin sees the rounded input. The
/// Fisher matrix of few walkers is singular but for the damping: the part of the gradient's rounding in
/// its null space, ε |g|, comes out as ε |g| / damping, up to 2e-2 of the largest element and nothing in
/// the Fisher norm.
fn published(gpu: &Gpu, case: &str) -> Check {
    let names = ["classical_score", "quantum_score.re", "quantum_score.im", "grad_van", "grad_flow", "update_van", "update_flow"];
    let t = tensor(case, &names);
    let round = |x: &[f64]| -> Vec<f64> { x.iter().map(|&v| v as f32 as f64).collect() };
    let (van, flow) = (t[3].len(), t[4].len());
    let batch = t[0].len() / van;
    let classical =
        Problem { shape: Shape { batch, parts: 1, parameters: van }, rows: round(&t[0]), gradient: round(&t[3]), momenta: vec![] };
    let mut rows = Vec::new();
    for w in 0..batch {
        rows.extend(round(&t[1][w * flow..][..flow]));
        rows.extend(round(&t[2][w * flow..][..flow]));
    }
    let quantum = Problem { shape: Shape { batch, parts: 2, parameters: flow }, rows, gradient: round(&t[4]), momenta: vec![] };
    for (what, p, update) in [("van", classical, &t[5]), ("flow", quantum, &t[6])] {
        compare(gpu, &format!("{case} {what}"), &p, Options::default())?;
        let (rows, _) = twin_update(&p, &Options::default());
        let (got, _) = solve(gpu, &p, Options::default())?;
        let (largest, fisher) = errors(&rows, p.shape.parameters, 1e-3, &got, update);
        if std::env::var("HELMHOLTZ_TEST_PRINT").is_ok() {
            println!("{case} {what} against the published update: max norm {largest:.1e}, Fisher norm {fisher:.1e}");
        }
        if !(fisher <= 1e-4 && largest <= 3e-2) {
            return Err(format!("{case} {what}: published update missed by {largest:.2e}, Fisher norm {fisher:.2e}"));
        }
    }
    Ok(())
}

#[test]
fn adam_follows_its_twin() {
    verify(adam_steps);
}

#[test]
fn natural_gradient_of_hard_problems() {
    verify(hard_problems);
    assert!(StochasticReconfiguration::new("none", Shape { batch: 0, parts: 1, parameters: 3 }, Options::default()).is_err());
}

#[test]
fn natural_gradient_refuses_and_repairs() {
    verify(refused);
    verify(repaired);
}

#[test]
fn natural_gradient_of_the_published_cases() {
    for case in present(&["n29_d2_rs1", "n29_d2_rs10", "n29_d2_rs1_legacy", "n29_d2_rs10_legacy", "n7_d3_random"]) {
        if let Err(text) = published(devices()[0], case) {
            panic!("{text}");
        }
    }
    if let Err(text) = published(devices()[1], "n7_d3_random") {
        panic!("{text}");
    }
}

#[test]
fn broken_optimisers_are_noticed() {
    mutant(&adam::KERNEL, "(mean / c1)", "mean", adam_steps);
    mutant(&adam::KERNEL, "state[6] != 0u", "false", adam_steps);
    mutant(&adam::KERNEL, "p.clip / length", "p.clip / square", adam_steps);
    mutant(&adam::KERNEL, "let g = factor * gradient[i];", "let g = gradient[i];", adam_steps);
    mutant(&adam::KERNEL, "i += p.groups * WG) { sum", "i += 2u * p.groups * WG) { sum", adam_steps);
    mutant(&score_projection::BASIS, "1.0 / sqrt(norm)", "1.0", |gpu| compare(gpu, "mutant", &hard(33, 2, 130, 300), fixed()));
    mutant(&score_projection::PROJECT, "-multiply(t,", "multiply(t,", hard_problems);
    mutant(&krylov::KERNEL, "r[i] = add(r[i], -multiply(alpha, q[i]));", "r[i] = add(r[i], multiply(alpha, q[i]));", hard_problems);
    mutant(&krylov::KERNEL, "scale = sqrt(p.max_norm / energy)", "scale = p.max_norm / energy", hard_problems);
    mutant(&cholesky::CHOLESKY, "state[SKIP_FACTOR] = 1u;\n      state[BREAKDOWN] = 0u;", "", refused);
}

/// Weights of a gradient in the fixed gauge: what the Fisher matrix has lost is projected out of them too.
fn projected_weights(gpu: &Gpu) -> Check {
    for (batch, dim) in [(5, 2), (67, 3)] {
        let (weights, momenta) = (random(31, 2 * batch), random(32, batch * dim));
        let options = Options { gauge: Gauge::Fixed, dim, ..Options::default() };
        let shape = Shape { batch, parts: 2, parameters: 3 };
        let optimiser = StochasticReconfiguration::new("weights", shape, options).map_err(|e| e.to_string())?;
        let (w, p) = (gpu.upload("weights", &single(&weights)), gpu.upload("momenta", &single(&momenta)));
        let mut rec = Recording::new();
        optimiser.record_weights(&mut rec, gpu.profile, &p, &w);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let mut want = weights.clone();
        twin::project_rows(&mut want, batch, 2, 1, &momenta);
        // rounded once to f32 after products in double-single
        close("projected weights", &gpu.read(&w).map_err(|e| e.to_string())?, &want, 4.0 * f32::EPSILON as f64)?;
    }
    Ok(())
}

#[test]
fn weights_lose_what_the_fisher_matrix_has_lost() {
    verify(projected_weights);
    mutant(&score_projection::PROJECT, "-multiply(t,", "multiply(t,", projected_weights);
}
