//! The rows of a comparison, each with the errors that it allows.
//!
//! With ε = 2⁻²³, D = n d coordinates, and of each walker g = |∇ ln Ψ|, m = max |z|:
//!
//! - z_i is x_i plus sums over n pairs: a sum of n rounded terms is off by some √n ε of its size. Rounding the
//!   parameters to float32 moves z by what its twin in float64 says. Both together are δz, four of it the most that
//!   thousands of coordinates may show.
//! - ln Ψ is as sensitive to a shift of z as g: errors 2 δz g; eliminations of order D add some ε D, and both
//!   networks what the rounding of their parameters does, ε |θ · score|.
//! - Derivatives of ln Ψ lose the relative ρ = 16 ε D + 2 δz g: next to a node g grows like 1/r, and with it the
//!   relative error of r. Second derivatives are sums of terms of size g² and lose the same share of those.
//! - Gradients and updates are compared in two halves, each of which leaves next to nothing to rounding: what the device
//!   made of its own energies and scores against float64, and the same float64 formula of the stored energies and scores
//!   against the stored result. (From end to end a walker near a node, or a large eigenvalue of F, would allow anything.)
//!
//! Every walker has its own g and its own allowance: one near a node does not excuse the others.

use super::table::Measure;
use super::update::{Device, Solve};
use super::{Case, Quantity, Report};
use crate::problem::electron_gas::Settings;
use crate::reference::estimators;

pub const EPS: f64 = f32::EPSILON as f64;

/// Per-walker values read back from the device, in the layouts of the case's tensors.
#[derive(Clone, Default)]
pub struct Values {
    pub z: Vec<f64>,
    pub log_phi: [Vec<f64>; 2],
    pub half_logdet: Vec<f64>,
    pub jacobian: Vec<f64>,
    pub log_psi: Vec<f64>,
    pub gradient: [Vec<f64>; 2],
    pub half_gradient: Vec<f64>,
    pub half_laplacian: Vec<f64>,
    pub laplacian: [Vec<f64>; 2],
    pub kinetic: [Vec<f64>; 2],
    pub potential: Vec<f64>,
    pub log_probability: Vec<f64>,
    /// Records of the estimators, eight a walker.
    pub records: Vec<[f64; 8]>,
    /// How far z moves in float64 when the parameters are rounded to float32, rs a0.
    pub moved: f64,
    pub beta: f64,
    pub occupation: Device,
    pub flow: Device,
}

/// What a walker's rounding allows.
struct Allowed {
    z: Vec<f64>,
    /// Of ln p and ln Ψ.
    log_p: Vec<f64>,
    log_psi: Vec<f64>,
    /// Of ∇ ln Ψ, second derivatives, V, the local energy, F; of the scores.
    gradient: Vec<f64>,
    square: Vec<f64>,
    potential: f64,
    energy: Vec<f64>,
    free: Vec<f64>,
    occupation_score: f64,
    flow_score: Vec<f64>,
}

fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |m, x| if x.abs() > m { x.abs() } else { m })
}

/// |θ · score| of each walker; rows of both parts.
fn sensitive(theta: &[f64], rows: &[f64], parts: usize) -> Vec<f64> {
    let row = |r: &[f64]| r.iter().zip(theta).map(|(a, b)| (a * b).powi(2)).sum::<f64>().sqrt();
    rows.chunks(parts * theta.len()).map(|w| w.chunks(theta.len()).map(row).fold(0.0, f64::max)).collect()
}

impl Allowed {
    fn new(s: &Settings, v: &Values) -> Allowed {
        let walkers = v.log_psi.len();
        let (n, size) = (s.n as f64, s.n * s.dim);
        let d = size as f64;
        let z: Vec<f64> = v.z.chunks(size).map(|z| EPS * n.sqrt() * largest(z) + v.moved).collect();
        let square: Vec<f64> =
            v.gradient[0].chunks(size).zip(v.gradient[1].chunks(size)).map(|(a, b)| a.iter().chain(b).map(|x| x * x).sum()).collect();
        let g: Vec<f64> = square.iter().map(|s: &f64| s.sqrt()).collect();
        let relative: Vec<f64> = (0..walkers).map(|w| 16.0 * EPS * d + 2.0 * z[w] * g[w]).collect();
        let (so, sf) = (sensitive(&v.occupation.theta, &v.occupation.scores, 1), sensitive(&v.flow.theta, &v.flow.scores, 2));
        let second = |w: usize| square[w] + v.laplacian[0][w].abs() + v.laplacian[1][w].abs() + v.half_laplacian[w].abs();
        let potential = 64.0 * EPS * largest(&v.potential);
        let log_p: Vec<f64> = so.iter().map(|so| EPS * (16.0 * (n + 4.0) + 8.0 * so)).collect();
        let square: Vec<f64> = (0..walkers).map(|w| relative[w] * second(w)).collect();
        let energy: Vec<f64> = square.iter().map(|k| k + potential).collect();
        let fs: Vec<f64> = v.flow.scores.chunks(2 * v.flow.theta.len()).map(largest).collect();
        Allowed {
            log_psi: (0..walkers).map(|w| EPS * (4.0 * d + 4.0 * sf[w]) + 2.0 * z[w] * g[w]).collect(),
            gradient: (0..walkers).map(|w| relative[w] * g[w]).collect(),
            free: (0..walkers).map(|w| energy[w] + log_p[w] / v.beta).collect(),
            // scores hold the probabilities of all orbitals, not of those chosen alone, and sums that cancel: all walkers' scale
            occupation_score: EPS * (16.0 * ((n + 4.0).sqrt() + 4.0) + 8.0 * largest(&so)) * largest(&v.occupation.scores),
            flow_score: (0..walkers).map(|w| relative[w] * fs[w]).collect(),
            z: z.iter().map(|z| 4.0 * z).collect(),
            log_p,
            square,
            potential,
            energy,
        }
    }
}

/// All rows that the case has tensors for.
pub fn compare(case: &Case, device: &str, v: &Values) -> Report {
    let mut c = Comparison { case, report: Report::new(&case.name, device), seen: Vec::new() };
    c.all(v);
    let inputs = ["x", "state_idx", "sp_indices_twist"];
    c.report.unused = case.samples.keys().filter(|k| !inputs.contains(&k.as_str()) && !c.seen.contains(k)).cloned().collect();
    c.report
}

struct Comparison<'a> {
    case: &'a Case,
    report: Report,
    seen: Vec<String>,
}

impl<'a> Comparison<'a> {
    /// The stored tensor, or a line that says that it is not there.
    fn stored(&mut self, name: &str) -> Option<&'a [f64]> {
        let found = self.case.get(name);
        if found.is_some() {
            self.seen.push(name.into());
        } else {
            self.report.lacks(name);
        }
        found
    }

    fn row(&mut self, name: &str, unit: &'static str, got: &[f64], allowed: &[f64], derivation: &str) {
        self.measured(name, unit, Measure::Absolute, got, allowed, derivation);
    }

    fn measured(&mut self, name: &str, unit: &'static str, measure: Measure, got: &[f64], allowed: &[f64], derivation: &str) {
        if let Some(want) = self.stored(name) {
            // J is stored for the first walkers only
            let want = &want[..want.len().min(if name == "jac" { got.len() } else { usize::MAX })];
            self.report.push(Quantity::compare(name, unit, measure, got, want, allowed, derivation));
        }
    }

    fn all(&mut self, v: &Values) {
        let s = &self.case.settings.clone();
        let (d, a) = ((s.n * s.dim) as f64, Allowed::new(s, v));
        let energy = "Ry/rs²";
        self.row("logprob", "", &v.log_probability, &a.log_p, "ε (16 (n + 4) + 8 |θ·score|)");
        let text = "4 δz, δz = ε √n max|z| + effect of rounding the parameters to float32";
        self.row("z", "rs a0", &v.z, &a.z, text);
        self.row("jac", "", &v.jacobian, &[EPS * 64.0 * (d + 8.0)], "64 ε (D + 8)");
        let text = "ε (4 D + 4 |θ·score|) + 2 g δz, g = |∇ ln Ψ|";
        self.row("logphi.re", "", &v.log_phi[0], &a.log_psi, text);
        self.measured("logphi.im", "rad", Measure::Phase, &v.log_phi[1], &a.log_psi, text);
        self.row("half_logdetjac", "", &v.half_logdet, &a.log_psi, text);
        self.row("logpsi.re", "", &v.log_psi, &a.log_psi, text);
        self.measured("logpsi.im", "rad", Measure::Phase, &v.log_phi[1], &a.log_psi, text);
        let text = "ρ g, ρ = 16 ε D + 2 g δz: next to a node the relative error of the distance from it";
        self.row("grad_logpsi.re", "", &v.gradient[0], &a.gradient, text);
        self.row("grad_logpsi.im", "", &v.gradient[1], &a.gradient, text);
        // l has no nodes
        let text = "16 ε D of the largest";
        self.row("grad_half_logdetjac", "", &v.half_gradient, &[16.0 * EPS * d * largest(&v.half_gradient)], text);
        self.row("lap_half_logdetjac", "", &v.half_laplacian, &[16.0 * EPS * d * largest(&v.half_laplacian)], text);
        let text = "ρ (g² + |Δ ln Ψ| + |Δ l|), l = ½ ln|det J|";
        self.row("lap_logpsi.re", "", &v.laplacian[0], &a.square, text);
        self.row("lap_logpsi.im", "", &v.laplacian[1], &a.square, text);
        self.row("kinetic.re", energy, &v.kinetic[0], &a.square, text);
        self.row("kinetic.im", energy, &v.kinetic[1], &a.square, text);
        self.row("potential", energy, &v.potential, &[a.potential], "64 ε of the largest: the background cancels most of the pairs");
        let column = |c: usize| -> Vec<f64> { v.records.iter().map(|r| r[c]).collect() };
        self.row("eloc.re", energy, &column(4), &a.energy, "those of K and V");
        self.row("eloc.im", energy, &column(5), &a.square, "that of Im K");
        self.row("floc", energy, &column(6), &a.free, "those of E and ln p/β");
        self.mean(&column(4));
        self.row(
            "classical_score",
            "",
            &v.occupation.scores,
            &[a.occupation_score],
            "ε (16 (√(n+4) + 4) + 8 max |θ·score|) of the largest score",
        );
        let parts =
            |part: usize| -> Vec<f64> { v.flow.scores.chunks(v.flow.theta.len()).skip(part).step_by(2).flatten().copied().collect() };
        self.row("quantum_score.re", "", &parts(0), &a.flow_score, "ρ of the walker's largest");
        self.row("quantum_score.im", "", &parts(1), &a.flow_score, "ρ of the walker's largest");
        self.gradients(v);
        self.updates(v);
    }

    fn gradients(&mut self, v: &Values) {
        let clip = self.case.settings.clip;
        for (name, device, parts) in [("grad_van", &v.occupation, 1), ("grad_flow", &v.flow, 2)] {
            let (sum, size) = gradient(&v.records, &device.scores, parts, device.theta.len(), clip);
            let text = "4 ε Σ |weight| max |score| over walkers: sums in float64 of the device's own energies and scores";
            let row = format!("{name}, own");
            self.report.push(Quantity::compare(&row, "Ry/rs²", Measure::Absolute, &device.gradient, &sum, &[4.0 * EPS * size], text));
            let energies = ["eloc.re", "eloc.im", "floc"].map(|n| self.case.get(n));
            let (scores, Some(want)) = (self.scores(parts, device.theta.len()), self.stored(name)) else { continue };
            if let ([Some(re), Some(im), Some(f)], Some(scores)) = (energies, scores) {
                let records: Vec<[f64; 8]> = (0..re.len()).map(|w| [0.0, 0.0, 0.0, 0.0, re[w], im[w], f[w], 0.0]).collect();
                let (sum, size) = gradient(&records, &scores, parts, device.theta.len(), clip);
                let text = "1e-12 Σ |weight| max |score|: sums in float64 of the stored energies and scores against the stored gradient";
                self.report.push(Quantity::compare(name, "Ry/rs²", Measure::Absolute, &sum, want, &[1e-12 * size], text));
            }
        }
    }

    /// Stored scores of a network, `[walker][parts][P]`.
    fn scores(&self, parts: usize, width: usize) -> Option<Vec<f64>> {
        let names: &[&str] = if parts == 1 { &["classical_score"] } else { &["quantum_score.re", "quantum_score.im"] };
        let split: Vec<&[f64]> = names.iter().map(|n| self.case.get(n)).collect::<Option<_>>()?;
        let row = |w: usize| split.iter().flat_map(move |s| s[w * width..][..width].iter().copied());
        Some((0..split[0].len() / width).flat_map(row).collect())
    }

    fn updates(&mut self, v: &Values) {
        let s = &self.case.settings;
        let solve = Solve { damping: s.optimisation.damping, max_norm: s.optimisation.max_norm };
        for (name, device, parts) in [("van", &v.occupation, 1), ("flow", &v.flow, 2)] {
            self.report.push(solve.of_device(&format!("update_{name}, own"), device, self.case.walkers, parts));
            let scores = self.scores(parts, device.theta.len());
            let (gradient, update) = (self.case.get(&format!("grad_{name}")), self.stored(&format!("update_{name}")));
            if let (Some(scores), Some(gradient), Some(update)) = (scores, gradient, update) {
                self.report.push(solve.of_stored(&format!("update_{name}"), &scores, parts, gradient, update));
            }
        }
    }

    /// The mean error of E_loc must not matter against its standard error at 8192 walkers.
    fn mean(&mut self, got: &[f64]) {
        let Some(want) = self.case.get("eloc.re") else { return };
        let count = want.len() as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / count;
        let centre = mean(want);
        let sigma = (want.iter().map(|e| (e - centre).powi(2)).sum::<f64>() / (count - 1.0).max(1.0)).sqrt();
        // few walkers leave a mean of their own rounding errors, which is no bias
        let errors: Vec<f64> = want.iter().zip(got).map(|(a, b)| a - b).collect();
        let chance = errors.iter().map(|e| (e - mean(&errors)).powi(2)).sum::<f64>().sqrt() / count;
        let allowed = [0.01 * sigma / 8192f64.sqrt() + 3.0 * chance];
        let text = "1 % of the standard error of 8192 walkers + 3 standard errors of the mean of these errors";
        self.report.push(Quantity::compare("mean of eloc.re", "Ry/rs²", Measure::Absolute, &[mean(got)], &[centre], &allowed, text));
    }
}

/// Gradient of F in float64 from records and scores (`[walker][parts][P]`), and Σ |weight| max |score| over its walkers.
fn gradient(records: &[[f64; 8]], scores: &[f64], parts: usize, width: usize, clip: f64) -> (Vec<f64>, f64) {
    let averages = estimators::averages(records);
    let line = estimators::baseline(records, &vec![0.0; records.len()], false);
    let (mut sum, mut size) = (vec![0.0; width], 0.0);
    for (row, score) in scores.chunks(width).enumerate() {
        let (walker, part) = (row / parts, row % parts);
        let weight = estimators::weights(&records[walker], 0.0, &averages, &line, clip)[part + parts - 1];
        sum.iter_mut().zip(score).for_each(|(sum, s)| *sum += weight * s);
        // the mean that is subtracted is rounded as well
        size += (weight.abs() + parts as f64 * line.energy.abs() / records.len() as f64) * largest(score);
    }
    (sum, size)
}
