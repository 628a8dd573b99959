//! Computes the quantities of a case on a device, to be compared with the stored float64 values.

use super::compare::{Values, compare};
use super::{Case, Report};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::estimators::Baseline;
use crate::kernels::pad4;
use crate::model::occupation::Prior;
use crate::optimize::Gauge;
use crate::problem::electron_gas::settle::fitting_chunk;
use crate::problem::electron_gas::{Laplacian, Trainer};
use crate::reference::backflow as twin;

/// Computes and compares everything the case holds.
pub fn evaluate(case: &Case, gpu: &Gpu) -> Result<Report> {
    Ok(compare(case, &gpu.describe(), &compute(case, gpu)?))
}

/// Everything that is compared, from the device.
pub fn compute(case: &Case, gpu: &Gpu) -> Result<Values> {
    let mut trainer = build(case, gpu)?;
    let floats = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
    let x = case.get("x").unwrap_or_default();
    trainer.load(gpu, &floats(x), &case.states())?;
    let mut values = walkers(&trainer, gpu)?;
    let mut averages = Recording::new();
    trainer.record_averages(&mut averages);
    gpu.run(&averages)?;
    let records = read(gpu, &trainer.estimators.records, 8 * trainer.batch)?;
    values.records = records.chunks(8).map(|r| std::array::from_fn(|c| r[c])).collect();
    values.log_probability = read(gpu, &trainer.log_probability, trainer.batch)?;
    (values.moved, values.beta) = (rounding(case, &trainer)?, trainer.gas.beta());
    gradients(&trainer, gpu, &mut values)?;
    Ok(values)
}

fn read(gpu: &Gpu, b: &Buffer, words: usize) -> Result<Vec<f64>> {
    Ok(gpu.read_words::<f32>(b, words)?.iter().map(|v| *v as f64).collect())
}

fn build(case: &Case, gpu: &Gpu) -> Result<Trainer> {
    let mut s = case.settings.clone();
    // the stored values are those of the published code
    (s.prior, s.gauge, s.baseline, s.training.batch) = (Prior::None, Gauge::Published, Baseline::Mean, case.walkers);
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
    s.training.chunk = fitting_chunk(gpu, &gas, &s, s.training.batch)?;
    let vector = |table: &crate::model::parameters::Table, prefix: &str| -> Result<Vec<f32>> {
        Ok(case.parameters.vector(table, prefix)?.iter().map(|v| *v as f32).collect())
    };
    let occupation = vector(&s.occupation(&gas).parameters(), "van/")?;
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
        let read = |b: &Buffer, words: usize| read(gpu, b, words);
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

/// Scores, gradients and the updates they give.
fn gradients(t: &Trainer, gpu: &Gpu, v: &mut Values) -> Result<()> {
    let (po, pf) = (t.occupation.len(), t.flow.len());
    let (occupation, flow) = (gpu.upload("occupation update", &vec![0.0f32; po]), gpu.upload("flow update", &vec![0.0f32; pf]));
    let mut rec = Recording::new();
    t.record_scores(&mut rec);
    t.record_gradients(&mut rec);
    gpu.run(&rec)?;
    // an update that was refused stays zero, and fails its row
    t.occupation.update_of(gpu, &occupation)?;
    t.flow.update_of(gpu, &flow)?;
    for (device, network, parts) in [(&mut v.occupation, &t.occupation, 1), (&mut v.flow, &t.flow, 2)] {
        let p = network.len();
        let rows = read(gpu, &network.scores, parts * network.rows() * pad4(p))?;
        device.solved = rows.chunks(pad4(p)).flat_map(|row| &row[..p]).copied().collect();
    }
    // equal states share a row of the scores until here
    let mut rec = Recording::new();
    t.record_walker_scores(&mut rec);
    gpu.run(&rec)?;
    for (device, network, update, parts) in [(&mut v.occupation, &t.occupation, &occupation, 1), (&mut v.flow, &t.flow, &flow, 2)] {
        let p = network.len();
        let padded = read(gpu, &network.scores, parts * t.batch * pad4(p))?;
        device.scores = padded.chunks(pad4(p)).flat_map(|row| &row[..p]).copied().collect();
        device.theta = network.values(gpu)?.iter().map(|v| *v as f64).collect();
        device.gradient = read(gpu, &network.gradient, p)?;
        device.update = read(gpu, update, p)?;
    }
    Ok(())
}

/// How much z of the first walkers changes in float64 when the parameters are rounded to f32, rs a0.
fn rounding(case: &Case, t: &Trainer) -> Result<f64> {
    let model = case.settings.backflow();
    let parameters = case.parameters.vector(&model.table(), "flow/")?;
    let rounded = parameters.iter().map(|&v| v as f32 as f64).collect();
    let size = t.gas.n * t.gas.dim;
    let at = |parameters: Vec<f64>| twin::Flow { model, n: t.gas.n, up: t.gas.up, length: t.gas.length(), parameters };
    let (exact, rounded) = (at(parameters), at(rounded));
    let walkers = case.get("x").unwrap_or_default().chunks(size).take(8);
    let change = |x: &[f64]| exact.values(x).0.iter().zip(rounded.values(x).0).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    Ok(walkers.map(change).fold(0.0, f64::max))
}
