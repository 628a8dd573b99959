//! Electrons: ln p, ln|Ψ|, kinetic and potential energy of walkers.
//!
//! Derivatives of z and of ln|det J| are central differences of J, of sixth order with a step of 0.01 rs a0: some 1e-12 of their
//! size. The rest, and what single precision is allowed, is that of reference cases: see `super::super::compare`. The effect
//! of rounded products in the flow on ln|Ψ| is that of parameters which are a random ε off, measured four times.

use super::super::compare::EPS;
use super::super::{Measure, Quantity};
use crate::error::Result;
use crate::model::occupation::Prior;
use crate::number::philox::{Stream, purpose};
use crate::problem::electron_gas::{Laplacian, Settings};
use crate::problem::{Parameters, Walkers};
use crate::reference::backflow::{Flow, derivatives};
use crate::reference::local_energy::local;
use crate::reference::occupation::Twin;
use crate::reference::{determinant, ewald, slater};
use crate::system::{ElectronGas, Ewald};

/// Step of the differences, rs a0.
const STEP: f64 = 0.01;
/// Trials of rounded parameters.
const TRIALS: u32 = 4;

/// Whether local energies have no random part.
pub fn exact(s: &Settings) -> bool {
    s.laplacian == Laplacian::Exact
}

/// What a walker is in float64, and what each number may be off; energies in Ry/rs² of all electrons.
#[derive(Clone, Copy, Default)]
struct Exact {
    log_p: [f64; 2],
    log_psi: [f64; 2],
    /// Local, and after the partial integration.
    kinetic: [f64; 2],
    mixed: [f64; 2],
    potential: f64,
}

struct System<'a> {
    gas: &'a ElectronGas,
    flow: Flow,
    rounded: Vec<Flow>,
    occupation: Twin<'a>,
    coulomb: Ewald,
}

impl System<'_> {
    fn log_psi(&self, flow: &Flow, x: &[f64], k: &[f64]) -> f64 {
        let (re, _, half) = flow.log_psi(x, k);
        re + half + self.gas.ln_norm()
    }

    fn walker(&self, x: &[f64], state: &[usize]) -> Exact {
        let (size, dim, n) = (x.len(), self.gas.dim, self.gas.n as f64);
        let unit = std::f64::consts::TAU / self.gas.length();
        let momenta = self.gas.momenta();
        let k: Vec<f64> = state.iter().flat_map(|s| momenta[s * dim..][..dim].iter().map(|m| unit * m).collect::<Vec<_>>()).collect();
        let (z, jacobian) = self.flow.values(x);
        let (mut lap_z, mut grad_q, mut lap_q) = (vec![0.0; size], vec![0.0; size], 0.0);
        for d in 0..size {
            let at: Vec<(Vec<f64>, f64)> = (-3..=3)
                .map(|step| {
                    let mut y = x.to_vec();
                    y[d] += STEP * step as f64;
                    let jacobian = self.flow.values(&y).1;
                    let column = (0..size).map(|p| jacobian[p * size + d]).collect();
                    (column, determinant::real(&jacobian, size).0)
                })
                .collect();
            let place = |h: f64| ((h / STEP).round() + 3.0) as usize;
            lap_z.iter_mut().enumerate().for_each(|(p, l)| *l += derivatives(STEP, |h| at[place(h)].0[p]).0);
            let (first, second) = derivatives(STEP, |h| at[place(h)].1);
            grad_q[d] = first;
            lap_q += second;
        }
        let m = slater::matrix(&z, &k, dim, self.gas.up);
        let (_, inverse) = slater::ln_det_inverse(&m, self.gas.n);
        let (_, gradient) = slater::current(&m, &inverse, &k, dim);
        let trace = slater::trace(&slater::hessian(&m, &inverse, &k, dim), &jacobian, size);
        let own = local(&gradient, &jacobian, trace, &lap_z, &grad_q, lap_q);
        let log_psi = self.log_psi(&self.flow, x, &k);
        let shifts = self.rounded.iter().map(|flow| (self.log_psi(flow, x, &k) - log_psi).powi(2));
        let moved = (shifts.sum::<f64>() / self.rounded.len() as f64).sqrt();
        let largest = z.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let (g, shift) = (own.square.sqrt(), EPS * n.sqrt() * largest);
        let relative = 16.0 * EPS * size as f64 + 2.0 * shift * g;
        // ∇² ln Ψ = -K - (∇ ln Ψ)², real and imaginary part of at most |K| + |∇ ln Ψ|² together
        let second = own.square + own.kinetic.norm2().sqrt() + own.square + 0.5 * lap_q.abs();
        let mixed = second + grad_q.iter().map(|q| 0.25 * q * q).sum::<f64>();
        let score = self.occupation.score(state);
        let sensitive = score.iter().zip(self.occupation.parameters).map(|(s, t)| (s * t).powi(2)).sum::<f64>().sqrt();
        Exact {
            log_p: [self.occupation.log_probability(state), EPS * (16.0 * (n + 4.0) + 8.0 * sensitive)],
            log_psi: [log_psi, EPS * 4.0 * size as f64 + 4.0 * moved + 2.0 * shift * g],
            kinetic: [own.kinetic.re, relative * second],
            mixed: [own.mixed, relative * mixed],
            potential: ewald::potential(&self.coulomb, x, self.gas.rs, self.gas.length()),
        }
    }
}

pub fn rows(s: &Settings, parameters: &Parameters, w: &Walkers) -> Result<Vec<Quantity>> {
    let gas = s.gas()?;
    let vectors: Vec<Vec<f64>> = parameters.iter().map(|v| v.iter().map(|v| f64::from(*v)).collect()).collect();
    let [occupation, flow, prior @ ..] = &vectors[..] else { return Ok(Vec::new()) };
    let flow = |trial: Option<u32>| {
        let at = Stream { seed: 0, step: trial.unwrap_or(0), purpose: purpose::FILL, first_walker: 0 };
        let off = if trial.is_some() { EPS } else { 0.0 };
        let parameters = flow.iter().zip(at.normals()).map(|(v, noise)| v * (1.0 + off * noise)).collect();
        Flow { model: s.backflow(), n: gas.n, up: gas.up, length: gas.length(), parameters }
    };
    let (model, orbitals) = (s.occupation(&gas), gas.labels());
    let inverse_mass = prior.first().and_then(|p| p.first()).copied().unwrap_or(1.0);
    let bias = match s.prior {
        Prior::None if gas.down() == 0 => Vec::new(),
        Prior::None => gas.ideal()?.windows(),
        _ => gas.ideal()?.scaled(inverse_mass)?.bias(),
    };
    let system = System {
        gas: &gas,
        flow: flow(None),
        rounded: (0..TRIALS).map(|trial| flow(Some(trial))).collect(),
        occupation: Twin { model: &model, parameters: occupation, orbitals: &orbitals, bias: &bias },
        coulomb: Ewald::new(gas.dim, s.kappa, s.gmax as u32)?,
    };
    let size = gas.n * gas.dim;
    let states: Vec<usize> = w.of("states").iter().map(|v| *v as usize).collect();
    let walkers: Vec<(&[f64], &[usize])> = w.of("x").chunks(size).zip(states.chunks(gas.n)).collect();
    let all: Vec<Exact> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let one = |part: &[(&[f64], &[usize])]| part.iter().map(|(x, state)| system.walker(x, state)).collect::<Vec<_>>();
        let shares = walkers.chunks(walkers.len().div_ceil(threads).max(1));
        let work: Vec<_> = shares.map(|part| scope.spawn(move || one(part))).collect();
        work.into_iter().flat_map(|t| t.join().unwrap_or_default()).collect()
    });
    let column = |f: &dyn Fn(&Exact) -> f64| all.iter().map(f).collect::<Vec<f64>>();
    let largest = all.iter().fold(0.0_f64, |a, e| a.max(e.potential.abs()));
    let potential = 64.0 * EPS * largest;
    let units = s.units();
    let row = |name: &str, unit: &'static str, scale: f64, own: &str, want: Vec<f64>, allowed: Vec<f64>, text: &str| {
        let scaled = |v: &[f64]| v.iter().map(|v| scale * v).collect::<Vec<f64>>();
        Quantity::compare(name, unit, Measure::Absolute, &scaled(w.of(own)), &scaled(&want), &scaled(&allowed), text)
    };
    let energy =
        |name: &str, want: Vec<f64>, allowed: Vec<f64>, text: &str| row(name, units.energy_name, units.energy, name, want, allowed, text);
    let rho = "ρ (second derivatives + g²), ρ = 16 ε D + 2 g δz, δz = ε √n max|z|";
    let log_p = |f: usize| column(&|e| e.log_p[f]);
    let mut rows = vec![
        row("ln p", "", 1.0, "ln p", log_p(0), log_p(1), "ε (16 (n + 4) + 8 |θ·score|)"),
        row(
            "ln|Ψ|",
            "",
            1.0,
            "ln|psi|",
            column(&|e| e.log_psi[0]),
            column(&|e| e.log_psi[1]),
            "4 ε D + 2 g δz + 4 times that of parameters ε off",
        ),
        energy("K", column(&|e| e.mixed[0]), column(&|e| e.mixed[1]), rho),
        energy("V_local", column(&|e| e.potential), vec![potential; all.len()], "64 ε max|V|"),
    ];
    if exact(s) {
        rows.push(energy("K_local", column(&|e| e.kinetic[0]), column(&|e| e.kinetic[1]), rho));
        let beta = gas.beta();
        let want = column(&|e| e.log_p[0] / beta + e.kinetic[0] + e.potential);
        let allowed = column(&|e| e.log_p[1] / beta + e.kinetic[1] + potential);
        rows.push(energy("F", want, allowed, "those of ln p/β + K_local + V_local"));
    }
    Ok(rows)
}
