//! special against float64, function by function, with the errors its fragment states.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::special::{self, Function};
use helmholtz::reference::special as twin;

use crate::harness::{Check, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;

fn apply(gpu: &Gpu, f: Function, x: &[f32]) -> Result<Vec<f32>, String> {
    let (xb, y) = (gpu.upload("x", x), Buffer::new("y", x.len() * f.width()));
    let mut rec = Recording::new();
    special::record(&mut rec, "special", f, x.len(), &xb, &y);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    gpu.read_words(&y, x.len() * f.width()).map_err(|e| e.to_string())
}

/// `want` returns each value and the absolute error allowed; below the smallest normal number
/// drivers may flush to 0.
fn judge(gpu: &Gpu, f: Function, x: &[f32], want: impl Fn(f64) -> Vec<(f64, f64)>) -> Check {
    let got = apply(gpu, f, x)?;
    let mut worst = 0.0_f64;
    for (i, &v) in x.iter().enumerate() {
        for (c, (w, allowed)) in want(v as f64).into_iter().enumerate() {
            let g = got[f.width() * i + c];
            let ratio = (g as f64 - w).abs() / (allowed + 1.2e-38);
            if !(ratio <= 1.0) {
                return Err(format!("{f:?}({v:e}) component {c}: got {g:e}, want {w:e}, allowed {allowed:.1e}"));
            }
            worst = worst.max(ratio);
        }
    }
    println!("{f:?}: {worst:.2} of the error allowed");
    Ok(())
}

/// Points over [-range, range], dense at 0, and powers of two down to 1e-30.
fn points(seed: u64, range: f64) -> Vec<f32> {
    let mut x: Vec<f32> = random(seed, 4000).iter().map(|v| (range * v) as f32).collect();
    x.extend(random(seed + 1, 2000).iter().map(|v| *v as f32));
    x.extend((0..100).flat_map(|k| [0.5_f32.powi(k), -(0.5_f32.powi(k))]));
    x.push(0.0);
    x
}

pub(crate) fn functions(gpu: &Gpu) -> Check {
    let one = |w: f64, relative: f64| vec![(w, relative * EPS * w.abs())];
    let mut turns = points(1, 1000.0);
    turns.extend((-16..16).map(|k| 0.125 * k as f32));
    judge(gpu, Function::SinCos2Pi, &turns, |t| {
        let (s, c) = twin::sincos2pi(t);
        let small = if t.abs() < 0.125 { s.abs() } else { 1.0 };
        vec![(s, 2.0 * EPS * small), (c, 2.0 * EPS)]
    })?;
    judge(gpu, Function::Erfc, &points(3, 9.0), |x| one(twin::erfc(x), if x < 0.0 { 4.0 } else { 6.0 + 4.0 * x * x }))?;
    judge(gpu, Function::Tanh, &points(5, 20.0), |x| one(x.tanh(), 4.0))?;
    judge(gpu, Function::Expm1, &points(7, 80.0), |x| one(x.exp_m1(), 8.0 + 2.0 * x.abs()))?;
    let above: Vec<f32> = points(9, 1e4).into_iter().filter(|&x| x > -0.999).collect();
    judge(gpu, Function::Log1p, &above, |x| one(x.ln_1p(), 4.0))?;
    let growth = |x: f64| if x < 0.0 { 6.0 - 2.0 * x } else { 4.0 };
    judge(gpu, Function::Softplus, &points(11, 80.0), |x| one(twin::softplus(x), growth(x)))?;
    // no floor of ln q: ln(sigmoid(-100)) is -100, that of 100 below the least number
    let far: Vec<f32> = points(13, 110.0).into_iter().chain([100.0, -100.0]).collect();
    judge(gpu, Function::LogSigmoid, &far, |x| one(twin::log_sigmoid(x), growth(-x)))?;
    if apply(gpu, Function::LogSigmoid, &[-100.0])? != [-100.0] {
        return Err("log_sigmoid(-100) is not -100".into());
    }
    judge(gpu, Function::SoftplusJet, &points(15, 80.0), |x| {
        let bound = (8.0 + 2.0 * x.abs()) * EPS;
        twin::softplus_jet(x).iter().map(|&w| (w, bound * w.abs())).collect()
    })
}

/// Quarter turns are exact, and so is the test for finite numbers.
pub(crate) fn exact(gpu: &Gpu) -> Check {
    let got = apply(gpu, Function::SinCos2Pi, &[0.0, 0.25, 0.5, 0.75, 1.0, -0.25, -7.5])?;
    let want = [0.0, 1.0, 1.0, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0];
    if got != want {
        return Err(format!("quarter turns: {got:?}"));
    }
    let got = apply(gpu, Function::Tanh, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY])?;
    if got[0].is_finite() || got[1..] != [1.0, -1.0] {
        return Err(format!("tanh of what is not finite: {got:?}"));
    }
    let got = apply(gpu, Function::Finite, &[1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0])?;
    if got != [1.0, 0.0, 0.0, 0.0, 1.0, 1.0] {
        return Err(format!("finite: {got:?}"));
    }
    Ok(())
}

/// More workgroups than one dimension of a grid takes.
pub(crate) fn folded(gpu: &Gpu) -> Check {
    let mut x = vec![1.0f32; 32_768 * 64 + 100];
    for at in [5, 32_767 * 64, 32_768 * 64 + 70] {
        x[at] = f32::NAN;
    }
    let got = apply(gpu, Function::Tanh, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY])?;
    if got[0].is_finite() || got[1..] != [1.0, -1.0] {
        return Err(format!("tanh of what is not finite: {got:?}"));
    }
    let got = apply(gpu, Function::Finite, &x)?;
    match x.iter().zip(&got).position(|(x, y)| x.is_finite() != (*y == 1.0)) {
        None => Ok(()),
        Some(at) => Err(format!("finite[{at}]: {} of {}", got[at], x[at])),
    }
}

#[test]
fn functions_keep_their_stated_errors() {
    verify(functions);
    verify(exact);
    verify(folded);
}

/// Values with 20 digits (mpmath) for the float64 twin itself.
#[test]
fn erfc_twin_is_accurate() {
    for (x, want) in [
        (0.1, 0.887_537_083_981_715),
        (0.999, 0.15771472979350306),
        (1.0, 0.157_299_207_050_285_13),
        (2.5, 4.069_520_174_449_589e-4),
        (5.0, 1.537_459_794_428_035e-12),
        (-1.5, 1.966_105_146_475_310_7),
    ] {
        let error = (twin::erfc(x) / want - 1.0).abs();
        assert!(error < 1e-14, "erfc({x}): relative error {error:.1e}");
    }
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&special::KERNEL, "WIDTH * id + c", "WIDTH * id", functions);
    mutant(&special::KERNEL, "(erfc(v))", "(1.000002 * erfc(v))", functions);
    mutant(&special::KERNEL, "(log_sigmoid(v))", "(max(log_sigmoid(v), -16.1))", functions);
    mutant(&special::KERNEL, "(tanh_(v))", "(tanh(v) * (1.0 + 1e-6))", functions);
}
