//! Computes the quantities of a case on a device and compares them with the stored float64 values.
//!
//! Tolerances. With ε = 2⁻²³, D = n d coordinates, and g the largest |∇ ln Ψ| of the case's walkers:
//! positions are stored in f32, so x is off by ε L/2 and ln Ψ by ε L g/2; sums and eliminations of D terms
//! add some ε D. The local condition number c = L g + 4 D therefore multiplies every error of ln Ψ and its
//! derivatives: near a node g grows like 1/distance, and so do the relative errors of ∇ ln Ψ ~ g and K ~ g².
//! Network outputs are as sensitive to the rounding of the parameters, ε |θ · score|, as to their own sums.

use super::table::Measure;
use super::{Case, Quantity, Report};
use crate::config::{Baseline, Gauge, Laplacian, Prior};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::pad4;
use crate::reference::flow as twin;
use crate::reference::optimize::project_rows;
use crate::run::memory::fitting_chunk;
use crate::run::trainer::Trainer;

const EPS: f64 = f32::EPSILON as f64;

/// Per-walker values read back from the device, in the layouts of the case's tensors.
#[derive(Default)]
struct Values {
    z: Vec<f64>,
    log_phi: [Vec<f64>; 2],
    half_logdet: Vec<f64>,
    jacobian: Vec<f64>,
    log_psi: Vec<f64>,
    gradient: [Vec<f64>; 2],
    half_gradient: Vec<f64>,
    half_laplacian: Vec<f64>,
    laplacian: [Vec<f64>; 2],
    kinetic: [Vec<f64>; 2],
    potential: Vec<f64>,
}

/// Computes and compares everything the case holds.
pub fn evaluate(case: &Case, gpu: &Gpu) -> Result<Report> {
    let mut trainer = build(case, gpu)?;
    let floats = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
    let x = case.get("x").unwrap_or_default();
    trainer.load(gpu, &floats(x), &case.states())?;
    let values = walkers(&trainer, gpu)?;
    let mut averages = Recording::new();
    trainer.record_averages(&mut averages);
    gpu.run(&averages)?;
    let (scores, updates) = gradients(&trainer, gpu)?;
    let mut report = Report::new(&case.name, &gpu.describe());
    Comparison { case, report: &mut report, trainer: &trainer, values: &values }.all(gpu, &scores, &updates)?;
    Ok(report)
}

fn build(case: &Case, gpu: &Gpu) -> Result<Trainer> {
    let mut s = case.settings.clone();
    // the stored values are those of the published code
    (s.prior, s.gauge, s.baseline, s.batch) = (Prior::None, Gauge::Published, Baseline::Mean, case.walkers);
    // and exact derivatives
    s.laplacian = Laplacian::Exact;
    let mut gas = s.gas()?;
    if let Some(table) = case.get("sp_indices_twist") {
        let momenta = table
            .chunks(s.dim)
            .map(|row| {
                let mut m = [0; 3];
                row.iter().enumerate().for_each(|(c, v)| m[c] = (v - s.twist[c]).round() as i32);
                m
            })
            .collect();
        gas = gas.with_orbitals(momenta)?;
    }
    if gas.orbital_count() != case.orbitals {
        return Err(Error::User(format!(
            "{}: {} orbitals are stored, emax = {} gives {}; state Emax in the settings",
            case.name,
            case.orbitals,
            gas.emax,
            gas.orbital_count()
        )));
    }
    s.chunk = fitting_chunk(gpu, &gas, &s, s.batch)?;
    let vector = |table: &crate::model::parameters::Table, prefix: &str| -> Result<Vec<f32>> {
        Ok(case.parameters.vector(table, prefix)?.iter().map(|v| *v as f32).collect())
    };
    let occupation = vector(&s.occupation(gas.orbital_count()).parameters(), "van/")?;
    let flow = vector(&s.backflow().table(), "flow/")?;
    Trainer::of_gas(gpu, &s, gas, Some(occupation), Some(flow))
}

/// Energies and everything on the way to them, chunk by chunk.
fn walkers(t: &Trainer, gpu: &Gpu) -> Result<Values> {
    let (d, ld) = (t.gas.n * t.gas.dim, pad4(t.gas.n * t.gas.dim));
    let mut v = Values::default();
    let norm = t.gas.ln_norm();
    for (index, chunk) in t.sampler.chunks().iter().enumerate() {
        let mut rec = Recording::new();
        t.record_chunk_energies(&mut rec, index);
        gpu.run(&rec)?;
        let w = chunk.walkers;
        let read =
            |b: &Buffer, words: usize| -> Result<Vec<f64>> { Ok(gpu.read_words::<f32>(b, words)?.iter().map(|v| *v as f64).collect()) };
        let wave = &t.wave;
        v.z.extend(read(&wave.flow.z, w * d)?);
        v.log_phi[0].extend(read(&wave.slater.logdet, w)?.iter().map(|l| l + norm));
        v.log_phi[1].extend(read(&wave.slater.sign, w)?);
        v.half_logdet.extend(read(&wave.jacobian.logdet, w)?.iter().map(|l| 0.5 * l));
        v.log_psi.extend(read(&wave.log_psi, w)?);
        for (walker, matrix) in read(&wave.flow.jacobian, w * ld * ld)?.chunks(ld * ld).enumerate() {
            // reference cases store J of the first walkers only
            if chunk.first + walker < 8 {
                matrix.chunks(ld).take(d).for_each(|row| v.jacobian.extend(&row[..d]));
            }
        }
        let gradient = read(&t.energy.gradient, 2 * w * d)?;
        let kinetic = read(&t.energy.kinetic, 4 * w)?;
        for (g, k) in gradient.chunks(2 * d).zip(kinetic.chunks(4)) {
            // Δ ln Ψ = -K - (∇ ln Ψ)²
            let mut lap = [-k[0], -k[1]];
            for c in g.chunks(2) {
                v.gradient[0].push(c[0]);
                v.gradient[1].push(c[1]);
                lap[0] -= c[0] * c[0] - c[1] * c[1];
                lap[1] -= 2.0 * c[0] * c[1];
            }
            for part in 0..2 {
                v.laplacian[part].push(lap[part]);
                v.kinetic[part].push(k[part]);
            }
        }
        v.half_gradient
            .extend(read(&wave.flow.grad_logdet, w * ld)?.chunks(ld).flat_map(|row| row[..d].iter().map(|g| 0.5 * g).collect::<Vec<_>>()));
        v.half_laplacian.extend(read(&wave.flow.lap_logdet, w)?.iter().map(|l| 0.5 * l));
        v.potential.extend(read(&t.energy.potential, w)?);
    }
    Ok(v)
}

/// Scores of both networks, and the Fisher-preconditioned updates (gradients first).
struct Gradients {
    occupation: Vec<f64>,
    flow: Vec<f64>,
}

fn gradients(t: &Trainer, gpu: &Gpu) -> Result<([Vec<f64>; 3], [Gradients; 2])> {
    let (po, pf) = (t.occupation.len(), t.flow.len());
    let (occupation, flow) = (gpu.upload("occupation update", &vec![0.0f32; po]), gpu.upload("flow update", &vec![0.0f32; pf]));
    let mut rec = Recording::new();
    t.record_scores(&mut rec);
    t.record_gradients(&mut rec);
    gpu.run(&rec)?;
    // an update that was refused stays zero, and fails its row
    t.update_of(gpu, &occupation, &flow)?;
    // equal states share a row of the scores until here
    let mut rec = Recording::new();
    t.record_walker_scores(&mut rec);
    gpu.run(&rec)?;
    let read = |b: &Buffer, words: usize| -> Result<Vec<f64>> { Ok(gpu.read_words::<f32>(b, words)?.iter().map(|v| *v as f64).collect()) };
    let rows = |all: Vec<f64>, p: usize, first: usize, step: usize| -> Vec<f64> {
        all.chunks(pad4(p)).skip(first).step_by(step).flat_map(|row| row[..p].to_vec()).collect()
    };
    let classical = rows(read(&t.occupation.scores, t.batch * pad4(po))?, po, 0, 1);
    let quantum = read(&t.flow.scores, 2 * t.batch * pad4(pf))?;
    let scores = [classical, rows(quantum.clone(), pf, 0, 2), rows(quantum, pf, 1, 2)];
    let gradient = Gradients { occupation: read(&t.occupation.gradient, po)?, flow: read(&t.flow.gradient, pf)? };
    let update = Gradients { occupation: read(&occupation, po)?, flow: read(&flow, pf)? };
    Ok((scores, [gradient, update]))
}

struct Comparison<'a> {
    case: &'a Case,
    report: &'a mut Report,
    trainer: &'a Trainer,
    values: &'a Values,
}

impl Comparison<'_> {
    /// Adds a row if the case stores the quantity.
    fn row(&mut self, name: &str, unit: &'static str, measure: Measure, got: &[f64], tolerance: f64, derivation: &str) {
        if let Some(want) = self.case.get(name) {
            let want = &want[..want.len().min(if name == "jac" { got.len() } else { usize::MAX })];
            self.report.push(Quantity::compare(name, unit, measure, got, want, tolerance, derivation));
        }
    }

    fn all(mut self, gpu: &Gpu, scores: &[Vec<f64>; 3], [gradient, update]: &[Gradients; 2]) -> Result<()> {
        let (t, v) = (self.trainer, self.values);
        let (n, d, beta) = (t.gas.n as f64, (t.gas.n * t.gas.dim) as f64, t.gas.beta());
        let size = t.gas.n * t.gas.dim;
        let stored = [self.case.get("grad_logpsi.re"), self.case.get("grad_logpsi.im")];
        let g2: Vec<f64> = match stored {
            [Some(re), Some(im)] => squares(re, im, size),
            _ => squares(&v.gradient[0], &v.gradient[1], size),
        };
        let g = g2.iter().fold(0.0f64, |m, s| m.max(s.sqrt()));
        let condition = t.gas.length() * g + 4.0 * d;
        // the reference has its parameters in float64: rounding them moves z, hence S_z by up to g² times as much
        let moved = rounding(self.case, t)?;
        let relative = 4.0 * EPS * condition + moved * g;
        // rounding of the parameters: ε |θ . score| of the worst walker
        let theta = |p: &[f32]| p.iter().map(|v| *v as f64).collect::<Vec<_>>();
        let (occupation, flow) = (theta(&t.occupation.values(gpu)?), theta(&t.flow.values(gpu)?));
        let sensitive = |theta: &[f64], s: &[f64]| {
            s.chunks(theta.len()).map(|row| row.iter().zip(theta).map(|(a, b)| (a * b).powi(2)).sum::<f64>().sqrt()).fold(0.0, f64::max)
        };
        let (so, sf) = (sensitive(&occupation, &scores[0]), sensitive(&flow, &scores[1]).max(sensitive(&flow, &scores[2])));
        let absolute = Measure::Absolute;
        let log_p: Vec<f64> = gpu.read_words::<f32>(&t.log_probability, t.batch)?.iter().map(|v| *v as f64).collect();
        let tolerance_p = EPS * (16.0 * (n + 4.0) + 8.0 * so);
        self.row("logprob", "", absolute, &log_p, tolerance_p, "ε (16 (n + 4) + 8 |θ·score|)");
        let width = EPS * 16.0 * t.gas.length() + 4.0 * moved;
        self.row("z", "rs a0", absolute, &v.z, width, "16 ε L + 4 times the effect of rounding the parameters to f32");
        self.row("jac", "", absolute, &v.jacobian, EPS * 64.0 * (d + 8.0), "64 ε (D + 8)");
        let tolerance_psi = EPS * (condition + 4.0 * sf);
        let text_psi = "ε (L g + 4 D + 4 |θ·score|)";
        self.row("logphi.re", "", absolute, &v.log_phi[0], tolerance_psi, text_psi);
        self.row("logphi.im", "rad", Measure::Phase, &v.log_phi[1], tolerance_psi, text_psi);
        self.row("half_logdetjac", "", absolute, &v.half_logdet, tolerance_psi, text_psi);
        self.row("logpsi.re", "", absolute, &v.log_psi, tolerance_psi, text_psi);
        self.row("logpsi.im", "rad", Measure::Phase, &v.log_phi[1], tolerance_psi, text_psi);
        let text = "4 ε (L g + 4 D) + g times the effect on z of rounding the parameters to f32";
        let scaled = Measure::Scaled;
        self.row("grad_logpsi.re", "", scaled, &v.gradient[0], relative, text);
        self.row("grad_logpsi.im", "", scaled, &v.gradient[1], relative, text);
        self.row("grad_half_logdetjac", "", scaled, &v.half_gradient, relative, text);
        self.row("lap_half_logdetjac", "", scaled, &v.half_laplacian, relative, text);
        // next to a node ∇ ln Ψ grows like 1/r and Δ ln Ψ like 1/r²: twice the relative error of r
        let twice = "twice that of the gradient: near a node it grows with its square";
        self.row("lap_logpsi.re", "", scaled, &v.laplacian[0], 2.0 * relative, twice);
        self.row("lap_logpsi.im", "", scaled, &v.laplacian[1], 2.0 * relative, twice);
        self.row("kinetic.re", "Ry/rs²", scaled, &v.kinetic[0], relative, text);
        self.row("kinetic.im", "Ry/rs²", scaled, &v.kinetic[1], relative, text);
        self.row("potential", "Ry/rs²", scaled, &v.potential, EPS * 64.0, "64 ε: the background cancels most of the pairs");
        let eloc: Vec<f64> = v.kinetic[0].iter().zip(&v.potential).map(|(k, p)| k + p).collect();
        let floc: Vec<f64> = eloc.iter().zip(&log_p).map(|(e, l)| e + l / beta).collect();
        self.energies("eloc.re", &eloc, relative);
        self.row("eloc.im", "Ry/rs²", scaled, &v.kinetic[1], relative, text);
        self.energies("floc", &floc, relative);
        self.mean(&eloc);
        let score = EPS * (16.0 * ((n + 4.0).sqrt() + 4.0) + 8.0 * so);
        self.row("classical_score", "", scaled, &scores[0], score, "ε (16 (√(n+4) + 4) + 8 |θ·score|)");
        self.row("quantum_score.re", "", scaled, &scores[1], relative, text);
        self.row("quantum_score.im", "", scaled, &scores[2], relative, text);
        let gradients = 4.0 * relative;
        self.row("grad_van", "Ry/rs²", scaled, &gradient.occupation, gradients.max(4.0 * score), "4 times that of F and scores");
        self.row("grad_flow", "Ry/rs²", scaled, &gradient.flow, gradients, "4 times that of E and scores");
        let complex: Vec<f64> = scores[1].chunks(flow.len()).zip(scores[2].chunks(flow.len())).flat_map(|(a, b)| [a, b].concat()).collect();
        self.update("update_van", &update.occupation, &gradient.occupation, &scores[0], 1, gradients.max(score));
        self.update("update_flow", &update.flow, &gradient.flow, &complex, 2, gradients);
        Ok(())
    }

    /// Energies are sums of K and V that may cancel: compared on the scale of the larger.
    fn energies(&mut self, name: &str, got: &[f64], relative: f64) {
        let scale = self.values.kinetic[0].iter().chain(&self.values.potential).fold(0.0f64, |m, v| m.max(v.abs()));
        self.row(name, "Ry/rs²", Measure::Absolute, got, relative * scale, "the same as of K, on the scale of K and V");
    }

    /// An update d = (F + damping)⁻¹ g is well conditioned in the norm of F + damping: errors of the scores
    /// enter once. Element by element, rounding errors ε |g| of the gradient in the null space of F appear
    /// divided by the damping.
    fn update(&mut self, name: &str, got: &[f64], gradient: &[f64], scores: &[f64], parts: usize, relative: f64) {
        let Some(want) = self.case.get(name) else { return };
        let s = &self.case.settings;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let norm = |v: &[f64]| {
            let mut centred = scores.to_vec();
            project_rows(&mut centred, self.trainer.batch, parts, v.len(), &[]);
            let fisher = centred.chunks(v.len()).map(|row| dot(row, v).powi(2)).sum::<f64>() / self.trainer.batch as f64;
            (fisher + s.damping * dot(v, v)).sqrt()
        };
        let error: Vec<f64> = got.iter().zip(want).map(|(a, b)| a - b).collect();
        let fisher = norm(&error) / norm(want).max(f64::MIN_POSITIVE);
        let text = "solver 1e-4 + errors of scores and gradient; in the norm of F + damping";
        let row = format!("{name} (Fisher norm)");
        self.report.push(Quantity::compare(&row, "", Measure::Absolute, &[fisher], &[0.0], 1e-4 + relative, text));
        let largest = |v: &[f64]| v.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
        // the step was multiplied by min(1, sqrt(max_norm/g.d)) = min(1, max_norm/|g.update|)
        let cap = (s.max_norm / dot(gradient, want).abs()).min(1.0);
        let noise = EPS * cap * largest(gradient) / (s.damping * largest(want));
        self.row(
            name,
            "",
            Measure::Scaled,
            got,
            1e-3 + relative + noise,
            "1e-3 + errors of the gradient + ε |g|/damping in the null space of F",
        );
    }

    /// The mean error of E_loc must not matter against its standard error at 8192 walkers.
    fn mean(&mut self, got: &[f64]) {
        let Some(want) = self.case.get("eloc.re") else { return };
        let count = want.len() as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / count;
        let centre = mean(want);
        let sigma = (want.iter().map(|e| (e - centre).powi(2)).sum::<f64>() / (count - 1.0).max(1.0)).sqrt();
        let tolerance = 0.01 * sigma / 8192f64.sqrt();
        self.report.push(Quantity::compare(
            "mean of eloc.re",
            "Ry/rs²",
            Measure::Absolute,
            &[mean(got)],
            &[centre],
            tolerance,
            "1 % of the standard error of 8192 walkers",
        ));
    }
}

/// How much z of the first walkers changes in float64 when the parameters are rounded to f32, rs a0.
fn rounding(case: &Case, t: &Trainer) -> Result<f64> {
    let model = case.settings.backflow();
    let parameters = case.parameters.vector(&model.table(), "flow/")?;
    let rounded = parameters.iter().map(|&v| v as f32 as f64).collect();
    let size = t.gas.n * t.gas.dim;
    let at = |parameters: Vec<f64>| twin::Flow { model, n: t.gas.n, length: t.gas.length(), parameters };
    let (exact, rounded) = (at(parameters), at(rounded));
    let walkers = case.get("x").unwrap_or_default().chunks(size).take(8);
    let change = |x: &[f64]| exact.values(x).0.iter().zip(rounded.values(x).0).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    Ok(walkers.map(change).fold(0.0, f64::max))
}

fn squares(re: &[f64], im: &[f64], size: usize) -> Vec<f64> {
    re.chunks(size).zip(im.chunks(size)).map(|(a, b)| a.iter().chain(b).map(|v| v * v).sum()).collect()
}
