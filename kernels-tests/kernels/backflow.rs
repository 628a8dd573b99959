//! The flow: z, J, derivatives of ln|det J| and scores against the twin, at several depths and shapes.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::backflow::{self, BackflowKernels, Directions, Order};
use helmholtz::kernels::pad4;
use helmholtz::model::backflow::{Backflow, Feature};
use helmholtz::reference::backflow as twin;

use crate::backflow_rows::probes;
use crate::harness::{Check, Wanted, close, mutant, random, verify};

/// (n, d, depth, one-particle width, pair width, feature)
pub(crate) const CASES: &[(usize, usize, usize, usize, usize, Feature)] = &[
    (3, 2, 2, 5, 6, Feature::Half),
    (2, 3, 3, 4, 3, Feature::Legacy),
    (4, 2, 1, 3, 1, Feature::Legacy),
    (3, 3, 4, 5, 9, Feature::Half),
    (1, 2, 2, 2, 2, Feature::Half),
    (5, 2, 3, 8, 4, Feature::Half),
    (3, 3, 2, 6, 7, Feature::Half),
    (5, 2, 2, 9, 12, Feature::Legacy),
];

/// The same with the number of particles of spin up, the others down.
pub(crate) const SPINS: &[(usize, usize, usize, usize, usize, Feature, usize)] =
    &[(5, 2, 2, 7, 6, Feature::Half, 3), (4, 3, 2, 5, 9, Feature::Legacy, 2), (2, 2, 2, 4, 3, Feature::Half, 1)];

/// Those of two layers.
pub(crate) const TWO_LAYERS: [usize; 4] = [0, 4, 6, 7];

pub(crate) struct Case {
    index: usize,
    pub twin: twin::Flow,
    pub flow: BackflowKernels,
    pub walkers: usize,
    /// Random positions, wave vectors (the same for all walkers).
    x: Vec<f64>,
    pub params: Buffer,
    pub xb: Buffer,
}

pub(crate) fn case(gpu: &Gpu, index: usize) -> Case {
    // after those of one spin
    let one_spin = |(n, dim, depth, one, pair, feature)| (n, dim, depth, one, pair, feature, n);
    let (n, dim, depth, one, pair, feature, up) = CASES.get(index).map_or_else(|| SPINS[index - CASES.len()], |c| one_spin(*c));
    let model = Backflow { dim, depth, one, pair, feature, unlike: up < n };
    let walkers = 3;
    let length = 2.5;
    let seed = 100 * index as u64;
    let parameters: Vec<f64> = random(seed + 1, model.table().len()).iter().map(|v| (0.8 * v) as f32 as f64).collect();
    let x: Vec<f64> = random(seed + 2, walkers * n * dim).iter().map(|v| (length * 0.5 * (v + 1.0)) as f32 as f64).collect();
    let flow = BackflowKernels::new(gpu, model, [n, up], length, walkers + 1);
    let f32s = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
    let params = gpu.upload("parameters", &f32s(&parameters));
    let xb = gpu.upload("x", &f32s(&x));
    Case { index, twin: twin::Flow { model, n, up, length, parameters }, flow, walkers, x, params, xb }
}

impl Case {
    pub fn position(&self, w: usize) -> &[f64] {
        let d = self.flow.order();
        &self.x[w * d..][..d]
    }

    /// J^-1 in float64, rounded: the kernels under test take it as input.
    pub fn inverse(&self, gpu: &Gpu) -> Buffer {
        let (d, ld) = (self.flow.order(), self.flow.ld());
        let mut out = vec![0.0f32; self.walkers * ld * ld];
        for w in 0..self.walkers {
            let inverse = invert(&self.twin.values(self.position(w)).1, d);
            for (e, v) in inverse.iter().enumerate() {
                out[(w * ld + e / d) * ld + e % d] = *v as f32;
            }
        }
        gpu.upload("inverse", &out)
    }

    /// Δ ln|det J| of walker w by differences of the twin.
    pub fn laplacian(&self, w: usize) -> f64 {
        differences(self, w).2
    }

    pub fn forward(&self, order: Order) -> Recording {
        let mut rec = Recording::new();
        self.flow.record_pack(&mut rec, &self.params);
        self.flow.record_forward(&mut rec, &self.xb, self.walkers, order);
        rec
    }
}

/// Gauss-Jordan without pivoting: J has a positive definite symmetric part near the identity, here it is only a test.
pub(crate) fn invert(a: &[f64], d: usize) -> Vec<f64> {
    let mut m = a.to_vec();
    let mut inv: Vec<f64> = (0..d * d).map(|e| if e / d == e % d { 1.0 } else { 0.0 }).collect();
    for k in 0..d {
        let p = (k..d).max_by(|&r, &s| m[r * d + k].abs().total_cmp(&m[s * d + k].abs())).unwrap_or(k);
        for c in 0..d {
            m.swap(k * d + c, p * d + c);
            inv.swap(k * d + c, p * d + c);
        }
        let pivot = m[k * d + k];
        for c in 0..d {
            m[k * d + c] /= pivot;
            inv[k * d + c] /= pivot;
        }
        for r in (0..d).filter(|&r| r != k) {
            let f = m[r * d + k];
            for c in 0..d {
                m[r * d + c] -= f * m[k * d + c];
                inv[r * d + c] -= f * inv[k * d + c];
            }
        }
    }
    inv
}

pub(crate) fn read(gpu: &Gpu, b: &Buffer) -> Result<Vec<f32>, String> {
    gpu.read(b).map_err(|e| e.to_string())
}

/// Values and first derivatives: sums of some hundred terms of size 1; 300 eps is a safe bound.
pub(crate) const FIRST: f64 = 4e-5;
/// Second and third derivatives of the distance grow like 1/r; random pairs come within r/L = 0.03.
pub(crate) const SECOND: f64 = 3e-4;

pub(crate) fn values(gpu: &Gpu) -> Check {
    for index in 0..CASES.len() {
        for order in [Order::First, Order::Third] {
            let c = case(gpu, index);
            gpu.run(&c.forward(order)).map_err(|e| e.to_string())?;
            let (d, ld) = (c.flow.order(), c.flow.ld());
            let (z, jacobian) = (read(gpu, &c.flow.z)?, read(gpu, &c.flow.jacobian)?);
            for w in 0..c.walkers {
                let (want_z, want_j) = c.twin.values(c.position(w));
                close("z", &z[w * d..], &want_z, FIRST)?;
                let mut wide = vec![0.0; ld * ld];
                want_j.iter().enumerate().for_each(|(e, v)| wide[e / d * ld + e % d] = *v);
                close("J", &jacobian[w * ld * ld..], &wide, FIRST)?;
            }
        }
    }
    Ok(())
}

type Differences = (Vec<f64>, Vec<f64>, f64);

/// Δz, ∇ ln|det J| and Δ ln|det J| of walker w by differences of the twin.
pub(crate) fn differences(c: &Case, w: usize) -> &'static Differences {
    static WANTED: Wanted<(usize, usize), Differences> = Wanted::new();
    WANTED.of((c.index, w), || differentiate(c, w))
}

fn differentiate(c: &Case, w: usize) -> Differences {
    let (x, d) = (c.position(w), c.flow.order());
    let moved = |b: usize, s: f64| {
        let mut y = x.to_vec();
        y[b] += s;
        y
    };
    let (mut lap_z, mut grad, mut lap) = (vec![0.0; d], vec![0.0; d], 0.0);
    for b in 0..d {
        for (r, v) in lap_z.iter_mut().enumerate() {
            *v += twin::derivatives(2e-3, |s| c.twin.values(&moved(b, s)).0[r]).1;
        }
        let ln_det = |s: f64| helmholtz::reference::determinant::real(&c.twin.values(&moved(b, s)).1, d).0;
        let (first, second) = twin::derivatives(2e-3, ln_det);
        grad[b] = first;
        lap += second;
    }
    (lap_z, grad, lap)
}

/// Δz, ∇ ln|det J| (both ways) and Δ ln|det J| against differences of the twin.
pub(crate) fn laplacian(gpu: &Gpu) -> Check {
    for index in 0..CASES.len() {
        let c = case(gpu, index);
        let ld = c.flow.ld();
        let inverse = c.inverse(gpu);
        let mut rec = c.forward(Order::Third);
        c.flow.record_jet_derivatives(&mut rec, &inverse, c.walkers, Directions::Exact);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let (lap_z, grad, lap) = (read(gpu, &c.flow.lap_z)?, read(gpu, &c.flow.grad_logdet)?, read(gpu, &c.flow.lap_logdet)?);
        let mut rec = Recording::new();
        c.flow.record_grad_logdet(&mut rec, &inverse, c.walkers);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let reverse = read(gpu, &c.flow.grad_logdet)?;
        for w in 0..c.walkers {
            let (want_lap_z, want_grad, want_lap) = differences(&c, w);
            if c.flow.n() > 1 {
                close("lap z", &lap_z[w * ld..], want_lap_z, SECOND)?;
                close("grad ln det J", &grad[w * ld..], want_grad, SECOND)?;
                close("grad ln det J (reverse)", &reverse[w * ld..], want_grad, SECOND)?;
                close("lap ln det J", &lap[w..], &[*want_lap], SECOND)?;
            } else if lap[w].abs() > 1e-4 {
                return Err(format!("one particle moves rigidly, yet lap ln det J = {}", lap[w]));
            }
        }
    }
    Ok(())
}

/// Random signs: the mean over many draws is the exact Laplacian.
fn unbiased(gpu: &Gpu) -> Check {
    let c = case(gpu, 0);
    let inverse = c.inverse(gpu);
    let mut rec = c.forward(Order::Third);
    c.flow.record_jet_derivatives(&mut rec, &inverse, c.walkers, Directions::Exact);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let exact = read(gpu, &c.flow.lap_logdet)?;
    let draws = 400;
    let mut sums = vec![(0.0, 0.0); c.walkers];
    for step in 0..draws {
        let mut rec = Recording::new();
        let signs = Directions::Signs(probes(2, 7, step, 0));
        c.flow.record_jet_derivatives(&mut rec, &inverse, c.walkers, signs);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        for (sum, v) in sums.iter_mut().zip(read(gpu, &c.flow.lap_logdet)?) {
            sum.0 += v as f64;
            sum.1 += (v as f64).powi(2);
        }
    }
    for (w, sum) in sums.iter().enumerate() {
        let mean = sum.0 / draws as f64;
        let error = ((sum.1 / draws as f64 - mean * mean).max(1e-12) / draws as f64).sqrt();
        // fixed seed; 4 sigma would fail a right kernel once in 16,000 draws of the seed
        if (mean - exact[w] as f64).abs() > 4.0 * error + 1e-4 {
            return Err(format!("walker {w}: probes give {mean} +- {error}, exact {}", exact[w]));
        }
    }
    Ok(())
}

/// Scores of Re ln Psi and Im ln Psi against differences of the twin with respect to every parameter.
fn scores(gpu: &Gpu) -> Check {
    scores_of(gpu, &[0, 1, 2, 3], false)
}

/// One small case, for mutants.
fn small_scores(gpu: &Gpu) -> Check {
    scores_of(gpu, &[0], false)
}

/// What score kernels take and give: S_z of all walkers, and of each the derivatives of Re ln Psi and Im ln Psi by all parameters.
struct Derivatives {
    s_z: Vec<f32>,
    scores: Vec<[Vec<f64>; 2]>,
}

fn score_differences(c: &Case) -> Derivatives {
    // step of the differences
    const H: f64 = 1e-3;
    let (n, dim, d) = (c.flow.n(), c.flow.model().dim, c.flow.order());
    let k = random(50, n * dim).iter().map(|v| 3.0 * v).collect::<Vec<_>>();
    // S_z by differences of the Slater determinant alone: a flow with zero parameters is z = x + const
    let mut s_z = Vec::new();
    for w in 0..c.walkers {
        let z = c.twin.values(c.position(w)).0;
        for b in 0..d {
            for part in 0..2 {
                let slater = |s: f64| {
                    let mut y = z.clone();
                    y[b] += s;
                    let v = plane_waves(&y, &k, n, dim, c.twin.up);
                    if part == 0 { v.0 } else { v.1 }
                };
                s_z.push(twin::derivatives(1e-3, unwrapped(slater, part == 1)).0 as f32);
            }
        }
    }
    let derivatives = |w: usize| {
        let at = |q: usize, s: f64| {
            let mut parameters = c.twin.parameters.clone();
            parameters[q] += s;
            twin::Flow { model: c.twin.model, n, up: c.twin.up, length: c.twin.length, parameters }.log_psi(c.position(w), &k)
        };
        let mut scores = [Vec::new(), Vec::new()];
        for q in 0..c.flow.parameters() {
            let steps: Vec<(f64, f64, f64)> = (-3..=3).map(|k| at(q, k as f64 * H)).collect();
            let of = |s: f64| steps[(s / H + 3.0).round() as usize];
            scores[0].push(twin::derivatives(H, |s| of(s).0 + of(s).2).0);
            scores[1].push(twin::derivatives(H, unwrapped(|s| of(s).1, true)).0);
        }
        scores
    };
    Derivatives { s_z, scores: (0..c.walkers).map(derivatives).collect() }
}

/// The same for some cases, by the dense passes or in registers (`registers`).
pub(crate) fn scores_of(gpu: &Gpu, cases: &[usize], registers: bool) -> Check {
    static WANTED: Wanted<usize, Derivatives> = Wanted::new();
    for &index in cases {
        let c = case(gpu, index);
        let want = WANTED.of(index, || score_differences(&c));
        let (s_z, inverse) = (gpu.upload("S_z", &want.s_z), c.inverse(gpu));
        let count = c.flow.parameters();
        let out = Buffer::new("scores", c.walkers * 2 * pad4(count));
        let mut rec;
        if registers {
            rec = Recording::new();
            c.flow.record_pack(&mut rec, &c.params);
            c.flow.record_register_values(&mut rec, &c.xb, c.walkers);
            let signs = Some(probes(1, 1, 0, 0));
            c.flow.record_register_derivatives(&mut rec, &c.xb, &inverse, c.walkers, signs);
            c.flow.record_register_scores(&mut rec, &c.xb, &s_z, &inverse, c.walkers, &out, 0);
        } else {
            rec = c.forward(Order::First);
            c.flow.record_jet_scores(&mut rec, &s_z, &inverse, c.walkers, Order::First, &out, 0);
        }
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let got = read(gpu, &out)?;
        for (w, [re, im]) in want.scores.iter().enumerate() {
            close("score Re", &got[2 * w * pad4(count)..], re, SECOND)?;
            close("score Im", &got[(2 * w + 1) * pad4(count)..], im, SECOND)?;
        }
    }
    Ok(())
}

fn plane_waves(z: &[f64], k: &[f64], n: usize, dim: usize, up: usize) -> (f64, f64) {
    let mut m = Vec::new();
    for i in 0..n {
        for a in 0..n {
            let phase: f64 = (0..dim).map(|c| k[a * dim + c] * z[i * dim + c]).sum();
            let like = f64::from((i < up) == (a < up));
            m.extend([like * phase.cos(), like * phase.sin()]);
        }
    }
    helmholtz::reference::determinant::complex(&m, n)
}

/// A phase near its value at 0 instead of near +-pi.
fn unwrapped(f: impl Fn(f64) -> f64, phase: bool) -> impl Fn(f64) -> f64 {
    let zero = if phase { f(0.0) } else { 0.0 };
    move |s| {
        let v = f(s);
        if phase { zero + (v - zero + std::f64::consts::PI).rem_euclid(2.0 * std::f64::consts::PI) - std::f64::consts::PI } else { v }
    }
}

/// The caller's buffers, which are as long as documented, and then end before the last word that is touched; too many walkers.
fn short_buffers(gpu: &Gpu) -> Check {
    let signs = probes(1, 1, 0, 0);
    for directions in [Directions::Rows(signs), Directions::Signs(signs), Directions::Exact] {
        let c = case(gpu, 0);
        let (w, d, ld, row) = (c.walkers, c.flow.order(), c.flow.ld(), pad4(c.flow.parameters()));
        let whole = [("x", w * d), ("S_z", 2 * w * d), ("inverse", w * ld * ld), ("scores", 2 * w * row)];
        let check = |w: usize, words: [usize; 4]| {
            let [x, s_z, inverse, scores] = std::array::from_fn(|i| Buffer::new(whole[i].0, words[i]));
            let mut rec = Recording::new();
            c.flow.record_for_derivatives(&mut rec, &x, w, directions);
            c.flow.record_derivatives(&mut rec, &x, &inverse, w, directions);
            c.flow.record_scores(&mut rec, &x, &s_z, &inverse, w, directions, &scores, 0);
            rec.check().map_err(|e| e.to_string())
        };
        let all = whole.map(|(_, words)| words);
        check(w, all)?;
        let short = [w * d - 1, 2 * w * d - 1, (w - 1) * ld * ld + (d - 1) * ld + d - 1, all[3] / 2];
        // the dense passes write scores by `outer` alone
        let named = if matches!(directions, Directions::Rows(_)) { 4 } else { 3 };
        for (i, (name, _)) in whole.iter().enumerate().take(named) {
            let mut words = all;
            words[i] = short[i];
            match check(w, words) {
                Err(text) if text.contains(&format!("buffer {name} has {} words", short[i])) => {}
                other => return Err(format!("{directions:?}, {name} of {} words: {other:?}", short[i])),
            }
        }
        // the case's memory is for one walker more
        check(w + 1, all.map(|words| 2 * words))?;
        if check(w + 2, all.map(|words| 2 * words)).is_ok() {
            return Err(format!("{directions:?}: more walkers than there is memory for"));
        }
    }
    Ok(())
}

#[test]
fn short_buffers_are_refused() {
    verify(short_buffers);
}

#[test]
fn values_and_jacobian() {
    verify(values);
}

#[test]
fn derivatives_of_the_determinant() {
    verify(laplacian);
}

#[test]
fn random_signs_are_unbiased() {
    verify(unbiased);
}

#[test]
fn scores_agree_with_differences() {
    verify(scores);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&backflow::PAIR_FEATURES, "m1[k] / (2.0 * q));", "m1[k] / q);", values);
    mutant(&backflow::PAIR_FEATURES, "3.0 * m1m1", "2.0 * m1m1", laplacian);
    mutant(&backflow::PAIR_ACTIVATION, "2.0 * f.s1 * h[k]", "f.s1 * h[k]", laplacian);
    mutant(&backflow::PARTICLE_GATHER, "factor = -factor", "factor = factor", values);
    mutant(&backflow::PARTICLE_ACTIVATION, "v += f.s1 * squares", "v += f.s * squares", laplacian);
    mutant(&backflow::PARTICLE_MEAN, "p.scale * v", "v", values);
    mutant(&backflow::JACOBIAN, "v += p.scale", "v += 1.0", laplacian);
    mutant(&backflow::VALUES, "x[coordinate] + jets[at]", "x[coordinate]", values);
    mutant(&backflow::TANGENT_GATHER, "factor = 2.0 * factor", "factor = factor", laplacian);
    mutant(&backflow::TANGENT_ACTIVATION, "f.s2 * squares * v0", "f.s1 * squares * v0", laplacian);
    mutant(&backflow::DIRECTIONS, "select(-1.0, 1.0", "select(0.5, 1.0", unbiased);
    mutant(&backflow::PROBE, "product[k + c * p.ld + r]", "product[k + r * p.ld + c]", laplacian);
    mutant(&backflow::PROBE_SUM, "sum -= part.y", "sum += part.y", laplacian);
}

#[test]
fn broken_score_kernels_are_noticed() {
    mutant(&backflow::SCORE_SEED, "0.5 * inverse", "inverse", small_scores);
    mutant(&backflow::SCORE_ACTIVATION, "v += f.s1 * sum", "v += f.s * sum", small_scores);
    mutant(&backflow::SCORE_SCATTER, "- yb[at + (j * DIM + jet) * W4]", "", small_scores);
    mutant(&backflow::SCORE_PAIR, "+ f.s1 * sum", "", small_scores);
    mutant(&backflow::PARTICLE_BROADCAST, "p.scale * mean", "mean", small_scores);
    mutant(&backflow::SCORE_POSITIONS, "- pull(", "+ pull(", laplacian);
}
