//! What the benches `kernels` and `roofline` measure: names, and recordings made when their turn comes.

use helmholtz::Settings;
use helmholtz::gpu::{Buffer, Gpu, Op, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::backflow::{Directions, Signs};
use helmholtz::kernels::cholesky::{Factor, STATE_WORDS};
use helmholtz::kernels::dpp::{self, Draw};
use helmholtz::kernels::{determinant, ewald, linear, pad4};
use helmholtz::network::OccupationKernels;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::sample::{Exact, Sampler, exact};
use helmholtz::system::{ElectronGas, Ewald, ewald::DEVICE};
use helmholtz::wave_function::WaveFunction;

type Build = Box<dyn Fn(&Gpu) -> anyhow::Result<Recording>>;

/// A benchmark; what it needs is made and run by `build`.
pub struct Case {
    pub name: String,
    pub build: Build,
}

fn case(all: &mut Vec<Case>, name: String, build: impl Fn(&Gpu) -> anyhow::Result<Recording> + 'static) {
    all.push(Case { name, build: Box::new(build) });
}

/// Those whose name contains one of `wanted`; all without any.
pub fn chosen(wanted: &[&str]) -> Vec<Case> {
    let mut all = Vec::new();
    determinants(&mut all);
    products(&mut all);
    sampling(&mut all);
    waves(&mut all);
    for order in [1024, 4096] {
        case(&mut all, format!("Gram matrix and Cholesky {order}"), move |gpu| {
            let (rows, state) = (gpu.upload("rows", &random(order * order)), gpu.upload("state", &[0u32; STATE_WORDS]));
            let mut rec = Recording::new();
            Factor::new("bench", order, order, &state).record(&mut rec, gpu.profile, &rows, 1.0, 1e-3, 1);
            Ok(rec)
        });
    }
    all.retain(|c| wanted.is_empty() || wanted.iter().any(|w| c.name.contains(w)));
    all
}

fn random(count: usize) -> Vec<f32> {
    stream(purpose::FILL).uniforms().take(count).map(|u| u as f32 - 0.5).collect()
}

fn stream(purpose: u32) -> Stream {
    Stream { seed: 1, step: 0, purpose, first_walker: 0 }
}

fn determinants(all: &mut Vec<Case>) {
    for (kind, orders, numbers) in [("real", [32, 64, 128], 16384), ("complex", [32, 57, 101], 8192)] {
        for (order, inverse) in orders.into_iter().flat_map(|o| [(o, false), (o, true)]) {
            let (batch, real) = (numbers / order, kind == "real");
            let what = if inverse { "inverse" } else { "lu" };
            case(all, format!("{what} {kind} {order}, batch {batch}"), move |gpu| {
                let mut rec = Recording::new();
                if real {
                    let (a, out) =
                        (gpu.upload("a", &random(batch * pad4(order).pow(2))), determinant::Outputs::real("bench", order, batch, inverse)?);
                    determinant::real(&mut rec, "lu", gpu.profile, &a, order, batch, &out);
                } else {
                    let (a, out) = (
                        gpu.upload("a", &random(2 * batch * order * order)),
                        determinant::Outputs::complex("bench", order, batch, inverse)?,
                    );
                    determinant::complex(&mut rec, "lu", gpu.profile, &a, order, batch, &out);
                }
                Ok(rec)
            });
        }
    }
}

/// The shapes of a training step: pairs of n = 29, particles, score rows.
fn products(all: &mut Vec<Case>) {
    for (rows, k, n) in [(64 * 841 * 3, 8, 16), (64 * 841, 16, 16), (64 * 29 * 60, 32, 16), (4096, 64, 64), (1024, 256, 256)] {
        case(all, format!("linear {rows} x {k} x {n}"), move |gpu| {
            let (x, w, y) = (gpu.upload("x", &random(rows * k)), gpu.upload("w", &random(k * n)), Buffer::new("y", rows * n));
            let mut rec = Recording::new();
            linear::record(&mut rec, "product", linear::Params::new(rows, k / 4, n / 4, 0), &x, &w, &y);
            Ok(rec)
        });
    }
}

fn settings(n: usize, dim: usize) -> anyhow::Result<Settings> {
    Ok(Settings::of(&format!("n={n} dim={dim} rs=10 theta=0.15"))?)
}

/// The ground state for every walker.
fn ground(gpu: &Gpu, gas: &ElectronGas, walkers: usize) -> Buffer {
    let row: Vec<u32> = gas.ground_state().map(|s| s as u32).collect();
    gpu.upload("states", &row.repeat(walkers))
}

/// Free fermions, and states from the transformer.
fn sampling(all: &mut Vec<Case>) {
    let walkers = 64;
    for (n, dim) in [(29, 2), (57, 2), (101, 2), (33, 3)] {
        case(all, format!("free fermions n {n}, {dim}D, batch {walkers}"), move |gpu| {
            let gas = settings(n, dim)?.gas()?;
            let (states, orbitals) = (ground(gpu, &gas, walkers), gpu.upload("orbitals", &gas.momenta_padded()));
            let draw = Draw { at: stream(purpose::POSITIONS), walkers };
            let mut rec = Recording::new();
            dpp::record(&mut rec, gpu.profile, &gas, draw, &states, &orbitals, &dpp::Outputs::new(n, dim, walkers))?;
            Ok(rec)
        });
    }
    for n in [29, 57] {
        case(all, format!("sampling of states n {n}, batch 1024"), move |gpu| {
            let s = settings(n, 2)?;
            let gas = s.gas()?;
            let model = s.occupation(&gas);
            let kernels = OccupationKernels::new(&model, 1024, &gas.momenta(), None, gpu)?;
            let values = gpu.upload("parameters", &model.initial(1, s.prior));
            let mut rec = Recording::new();
            kernels.record_pack(&mut rec, &values);
            gpu.run(&rec)?;
            let (mut rec, states, log_p) = (Recording::new(), Buffer::new("states", 1024 * n), Buffer::new("ln p", 1024));
            let at = stream(purpose::OCCUPATION);
            kernels.record_sample(&mut rec, at, Chunk { first: 0, count: 1024 }, &states, &log_p);
            Ok(rec)
        });
    }
}

/// A wave function with fresh parameters, uniform positions and ground states.
struct Setting {
    wave: WaveFunction,
    gas: ElectronGas,
    x: Buffer,
    states: Buffer,
    parameters: usize,
}

impl Setting {
    fn new(gpu: &Gpu, n: usize, dim: usize, walkers: usize) -> anyhow::Result<Setting> {
        let s = settings(n, dim)?;
        let gas = s.gas()?;
        let wave = WaveFunction::new(gpu, &gas, s.backflow(), walkers)?;
        let initial = s.backflow().initial(1);
        let mut rec = Recording::new();
        wave.flow.record_pack(&mut rec, &gpu.upload("parameters", &initial));
        gpu.run(&rec)?;
        let points: Vec<f32> = random(walkers * n * dim).iter().map(|v| v * gas.length() as f32).collect();
        Ok(Setting { x: gpu.upload("x", &points), states: ground(gpu, &gas, walkers), parameters: initial.len(), wave, gas })
    }
}

/// Coulomb sum, flow and its inverse.
fn waves(all: &mut Vec<Case>) {
    let walkers = 64;
    case(all, format!("ewald n 29, batch {walkers}"), move |gpu| {
        let (s, sum) = (Setting::new(gpu, 29, 2, walkers)?, Ewald::new(2, DEVICE.0, DEVICE.1)?);
        let (entries, potential) = (gpu.upload("table", &sum.table()), Buffer::new("potential", walkers));
        let mut rec = Recording::new();
        let p = ewald::Params::new(&sum, walkers, 29, s.gas.rs, s.gas.length());
        ewald::record(&mut rec, "potential", p, &s.x, &entries, &potential);
        Ok(rec)
    });
    for (n, dim) in [(29, 2), (57, 2), (33, 3)] {
        let of = format!("n {n}, {dim}D, batch {walkers}");
        case(all, format!("flow values {of}"), move |gpu| {
            let (s, mut rec) = (Setting::new(gpu, n, dim, walkers)?, Recording::new());
            s.wave.flow.record_values(&mut rec, &s.x, walkers);
            Ok(rec)
        });
        case(all, format!("flow values and det J {of}"), move |gpu| {
            let (s, mut rec) = (Setting::new(gpu, n, dim, walkers)?, Recording::new());
            s.wave.record_jacobian(&mut rec, &s.x, walkers);
            Ok(rec)
        });
        case(all, format!("all derivatives {of}"), move |gpu| {
            let (s, mut rec) = (Setting::new(gpu, n, dim, walkers)?, Recording::new());
            let signs = Signs { probes: 1, at: stream(purpose::PROBES) };
            s.wave.record_derivatives(&mut rec, &s.x, &s.states, walkers, Directions::Rows(signs));
            Ok(rec)
        });
        case(all, format!("flow scores {of}"), move |gpu| {
            let (s, mut rec) = (Setting::new(gpu, n, dim, walkers)?, Recording::new());
            let directions = Directions::Rows(Signs { probes: 1, at: stream(purpose::PROBES) });
            s.wave.record_derivatives(&mut rec, &s.x, &s.states, walkers, directions);
            gpu.run(&rec)?;
            let (mut rec, scores) = (Recording::new(), Buffer::new("scores", 2 * walkers * pad4(s.parameters)));
            s.wave.record_scores(&mut rec, &s.x, walkers, directions, &scores, 0);
            Ok(rec)
        });
        case(all, format!("inverse flow {of}"), move |gpu| {
            let s = Setting::new(gpu, n, dim, walkers)?;
            let mut sampler = Exact::new(&s.gas, exact::Settings::new(walkers, walkers, 1))?;
            let mut rec = Recording::new();
            sampler.record(&mut rec, &s.wave, std::slice::from_ref(&s.states))?;
            gpu.run(&rec)?;
            // ζ is there: what is left is Newton's iteration
            rec.ops.retain(|op| matches!(op, Op::Dispatch(d) if d.name.starts_with("inverse flow/")));
            Ok(rec)
        });
    }
}
