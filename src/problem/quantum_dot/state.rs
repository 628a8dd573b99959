//! A quantum dot in training: draws, local energies, gradients.

use std::sync::Arc;

use super::averages::{Batch, Monitors};
use super::settings::Settings;
use crate::archive::Archive;
use crate::config::{Group, Values};
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::trap::{self, Occupied, Outputs, RECORD, Shape};
use crate::model::parameters::Table;
use crate::number::philox::{Stream, purpose};
use crate::number::statistics::Running;
use crate::optimize::{Learner, Options, Start};
use crate::problem::{ACCEPTANCE, Conclusion, Drawn, Ending, Measured, Named, Parameters, Problem};
use crate::system::Dot;

/// Share of walkers that may fail.
const MOST_FAILED: f64 = 0.01;
/// Share of Newton's step that the weights of the determinants make: a batch sees rare ones through the noise of their energies.
const SHARE: f64 = 0.25;
/// Relative error of an update of the flow, in the Fisher norm: far below the noise of a batch.
const SOLVED: f64 = 0.05;
/// Standard errors beyond which a virial is told.
const AWAY: f64 = 5.0;

/// Names and shapes of the weights of the determinants.
pub(super) fn weights(states: usize) -> Table {
    Table::new(vec![("states/w".into(), vec![states])])
}

/// Prefixes of the two tables in files.
pub(super) const PREFIXES: [&str; 2] = ["p/", "flow/"];

/// Electrons in a trap, and what they are trained by.
pub struct QuantumDot {
    settings: Settings,
    dot: Dot,
    shape: Shape,
    /// With a temperature: p_n, the softmax of a weight for each determinant.
    weights: Option<Learner>,
    flow: Learner,
    /// ln p_n.
    log_p: Vec<f64>,
    cumulative: Buffer,
    occupied: Buffer,
    quantiles: Buffer,
    index: Buffer,
    z: Buffer,
    tries: Buffer,
    /// Positions of the electrons, f32 `[walker][n][2]`.
    pub x: Buffer,
    out: Outputs,
    map: Buffer,
    flow_weights: Buffer,
    walker_weights: Buffer,
    draws: u32,
    batch: Batch,
    /// Of all steps with frozen parameters.
    worst: Monitors,
}

/// See [`crate::problem::Kind::open`].
pub(super) fn open(_: &Gpu, values: &Values, parameters: Option<Parameters>) -> Result<Box<dyn Problem>> {
    Ok(Box::new(QuantumDot::new(&Settings::read(values), parameters)?))
}

impl QuantumDot {
    /// A dot for settled settings; from parameters (the weights of the determinants, if there is a temperature, then the flow's)
    /// or fresh ones.
    ///
    /// # Errors
    /// [`Error::User`] for settings that make none.
    pub fn new(settings: &Settings, parameters: Option<Parameters>) -> Result<QuantumDot> {
        let s = settings.clone();
        let (dot, walkers) = (s.dot()?, s.training.batch);
        let shape = s.shape(walkers);
        shape.check()?;
        let (states, seed) = (dot.states.len(), s.training.seed);
        let mut given = parameters.map(Vec::into_iter);
        let mut next = || given.as_mut().and_then(Iterator::next);
        let cooled = |l: Learner| l.cooled(s.training.steps, s.optimisation.cooling);
        let weights = match s.inverse_temperature() {
            None => None,
            Some(beta) => {
                let (given, energies) = (next(), dot.energies.clone());
                let boltzmann = move || energies.iter().map(|e| (-beta * (e - energies[0])) as f32).collect();
                let values = Arc::new(move || given.clone().unwrap_or_else(&boltzmann));
                let start = Start { name: "states", norm: "grad_p", prefix: PREFIXES[0], table: weights(states), values };
                Some(cooled(Learner::of_softmax(&s.optimisation, start)))
            }
        };
        let (given, model, radius) = (next(), s.flow(), dot.radius(s.Z));
        let values = Arc::new(move || given.clone().unwrap_or_else(|| model.initial(seed, radius)));
        let start = Start { name: "flow", norm: "grad_flow", prefix: PREFIXES[1], table: model.table(), values };
        let options = Options { tolerance: SOLVED, ..Options::default() };
        let flow = cooled(Learner::of_scores(&s.optimisation, start, walkers, 1, options)?);
        let table = trap::occupied(&dot);
        Ok(QuantumDot {
            weights,
            flow,
            log_p: vec![0.0; states],
            // a state alone has all of it; with others they are written before each draw
            cumulative: Buffer::filled("cumulative p", states, move || vec![u32::MAX; states]),
            occupied: Buffer::filled("occupied orbitals", states * dot.n, move || table),
            quantiles: trap::quantile_table(),
            index: Buffer::result("states", walkers),
            z: Buffer::result("z", 2 * walkers * dot.n),
            tries: Buffer::result("candidates", walkers),
            x: Buffer::result("x", 2 * walkers * dot.n),
            out: Outputs::new(shape),
            map: trap::weight_map(s.units),
            flow_weights: Buffer::new("flow weights", shape.weight_words()),
            walker_weights: Buffer::new("weights of the walkers", walkers),
            draws: 0,
            batch: Batch::default(),
            worst: Monitors::default(),
            settings: s,
            dot,
            shape,
        })
    }

    /// 1/β; 0 for a ground state.
    fn temperature(&self) -> f64 {
        self.settings.inverse_temperature().map_or(0.0, |beta| 1.0 / beta)
    }

    fn occupied(&self) -> Occupied<'_> {
        Occupied { table: &self.occupied, states: self.dot.states.len(), index: &self.index }
    }

    fn probabilities(&self) -> Vec<f64> {
        self.log_p.iter().map(|l| l.exp()).collect()
    }

    /// The probabilities as the weights now say, in float64, for the next draw.
    fn renew(&mut self, gpu: &Gpu) -> Result<()> {
        let Some(weights) = &self.weights else { return Ok(()) };
        let w: Vec<f64> = weights.values(gpu)?.into_iter().map(f64::from).collect();
        let top = w.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = w.iter().map(|w| (w - top).exp()).sum();
        self.log_p = w.iter().map(|w| w - top - sum.ln()).collect();
        gpu.write(&self.cumulative, &trap::cumulative(&self.probabilities()));
        Ok(())
    }

    fn record_draw(&mut self, rec: &mut Recording, gpu: &Gpu) {
        let at = |purpose: u32, draws: u32| Stream { seed: self.settings.training.seed, step: draws, purpose, first_walker: 0 };
        let (walkers, states, draws) = (self.shape.walkers, self.dot.states.len(), self.draws);
        rec.phase("sampling");
        let stream = at(purpose::OCCUPATION, draws);
        trap::record_states(rec, stream, walkers, states, &self.cumulative, &self.index);
        let (stream, n) = (at(purpose::POSITIONS, draws), self.dot.n);
        trap::record_draw(rec, gpu.profile, stream, walkers, n, self.occupied(), &self.quantiles, &self.z, &self.tries);
        trap::record_pack(rec, self.shape, &self.flow.parameters, &self.map, &self.flow_weights);
        trap::record_flow(rec, gpu.profile, self.shape, &self.flow_weights, &self.z, &self.x);
        rec.phase("local energy");
        self.record_energy(rec, gpu, self.shape, &self.out);
        self.draws += 1;
    }

    fn record_energy(&self, rec: &mut Recording, gpu: &Gpu, shape: Shape, out: &Outputs) {
        trap::record_energy(rec, gpu.profile, shape, &self.flow_weights, &self.x, &self.z, self.occupied(), out);
    }

    fn records(&self, gpu: &Gpu, out: &Outputs) -> Result<Batch> {
        Ok(Batch {
            records: gpu.read_words(&out.records, RECORD * self.shape.walkers)?,
            states: gpu.read_words(&self.index, self.shape.walkers)?,
            log_p: self.log_p.clone(),
        })
    }

    /// Records the gradient of the flow from the weights of the walkers.
    fn record_gradient(&self, rec: &mut Recording, gpu: &Gpu) {
        rec.phase("gradient");
        trap::record_scores(rec, gpu.profile, self.shape, &self.flow_weights, &self.out, &self.flow.scores);
        self.flow.record_gradient(rec, &self.walker_weights, 1.0);
    }

    /// Why a draw cannot be used, if it cannot.
    fn fault(&self) -> Option<String> {
        let (monitors, failed) = (self.batch.monitors(), self.batch.failed());
        if failed > MOST_FAILED {
            return Some(format!("{:.1} % of the walkers have energies that are not finite", 100.0 * failed));
        }
        (monitors.round_trip > self.settings.tolerance).then(|| {
            format!(
                "the flow is too steep for its integrator: a walker carried back ends {:.1e} from where it was drawn, tolerance {:.1e}; more n_steps help",
                monitors.round_trip, self.settings.tolerance
            )
        })
    }

    /// Change of E when the steps of the integrator are halved, over the present walkers.
    fn halved(&self, gpu: &Gpu) -> Result<Estimate> {
        let shape = Shape { steps: 2 * self.shape.steps, ..self.shape };
        let out = Outputs::new(shape);
        let mut rec = Recording::new();
        self.record_energy(&mut rec, gpu, shape, &out);
        gpu.run(&rec)?;
        let z = self.settings.Z;
        let mut change = Running::default();
        for (coarse, fine) in self.batch.energies(z).iter().zip(self.records(gpu, &out)?.energies(z)) {
            if (fine - coarse).is_finite() {
                change.push(fine - coarse);
            }
        }
        Ok(Estimate::new(change.mean, change.error()))
    }
}

/// That a run has not reached its optimum, where a dilation of all states, a constant μ, would have lowered F.
fn stretched(virial: Estimate) -> Option<String> {
    let far = virial.value.abs() / virial.error;
    (far > AWAY).then(|| {
        format!(
            "not at the optimum: the virial is {:.3} ± {:.3} ħω, {far:.0} errors from 0, where {} of all states lowers F: train longer, with more walkers (batch) or a smaller max_norm",
            virial.value,
            virial.error,
            if virial.value > 0.0 { "a dilation" } else { "a contraction" }
        )
    })
}

impl Problem for QuantumDot {
    fn learners(&mut self) -> Vec<&mut Learner> {
        self.weights.iter_mut().chain([&mut self.flow]).collect()
    }

    fn state(&mut self, a: &mut Archive) -> Result<()> {
        self.weights.as_mut().map_or(Ok(()), |w| w.state(a))?;
        self.flow.state(a)?;
        a.value("draws", &mut self.draws)?;
        let worst = &mut self.worst;
        a.schedule(|a| {
            a.value("round_trip", &mut worst.round_trip)?;
            a.value("log_det", &mut worst.log_det)
        })
    }

    fn record_step(&mut self, gpu: &Gpu) -> Result<Recording> {
        let mut rec = Recording::new();
        self.record_draw(&mut rec, gpu);
        self.record_gradient(&mut rec, gpu);
        for learner in self.weights.iter().chain([&self.flow]) {
            learner.record_keep(&mut rec);
            learner.record_update(&mut rec, gpu)?;
        }
        Ok(rec)
    }

    fn remarks(&self) -> Vec<(bool, String)> {
        super::truncation(&self.settings, &self.dot).into_iter().map(|text| (true, text)).collect()
    }

    fn draw(&mut self, gpu: &Gpu) -> Result<Drawn> {
        self.renew(gpu)?;
        let mut rec = Recording::new();
        self.record_draw(&mut rec, gpu);
        gpu.run(&rec)?;
        self.batch = self.records(gpu, &self.out)?;
        let tries: Vec<u32> = gpu.read_words(&self.tries, self.shape.walkers)?;
        let fault = self.fault();
        if fault.is_none() {
            for learner in self.weights.iter().chain([&self.flow]) {
                learner.keep(gpu)?;
            }
        }
        let accepted = (self.dot.n * tries.len()) as f64 / tries.iter().map(|t| f64::from(*t)).sum::<f64>();
        Ok(Drawn { fault, values: Named::from([(ACCEPTANCE, accepted.into())]) })
    }

    fn measure(&mut self, _: &Gpu, learn: bool) -> Result<Measured> {
        self.worst = if learn { Monitors::default() } else { self.worst.max(self.batch.monitors()) };
        Ok(self.batch.measured(self.settings.Z, self.temperature()))
    }

    fn gradients(&mut self, gpu: &Gpu) -> Result<()> {
        let (z, clip) = (self.settings.Z, self.settings.clip);
        let (temperature, p) = (self.temperature(), self.probabilities());
        if let Some(weights) = &mut self.weights {
            let (shares, gradient) = self.batch.state_gradient(z, temperature, clip, &p);
            // of β F, whose curvature is the Fisher matrix: a full step is Newton's at every temperature
            let scaled: Vec<f32> = gradient.iter().map(|g| (SHARE * self.settings.beta * g) as f32).collect();
            gpu.write(&weights.gradient, &scaled);
            weights.seen(shares, p);
        }
        gpu.write(&self.walker_weights, &self.batch.flow_weights(z, &self.dot.energies, clip));
        let mut rec = Recording::new();
        self.record_gradient(&mut rec, gpu);
        gpu.run(&rec)
    }

    fn conclude(&mut self, gpu: &Gpu, end: &Ending, _: &mut dyn FnMut(&str)) -> Result<Conclusion> {
        if end.frozen == 0 {
            return Ok(Conclusion::default());
        }
        // a run that was gone on with has no walkers yet
        if let Some(fault) = self.draw(gpu)?.fault {
            return Err(Error::Numerics(fault));
        }
        let (change, tolerance) = (self.halved(gpu)?, self.settings.tolerance);
        let text = format!(
            "integrator, {} steps: walkers carried back end within {:.1e} of where they were drawn, δ and ln|det ∂z/∂x| agree within {:.1e}, half the step changes E by ({:+.1} ± {:.1})e-6 ħω",
            self.shape.steps,
            self.worst.round_trip,
            self.worst.log_det,
            1e6 * change.value,
            1e6 * change.error
        );
        if change.value.abs() - 3.0 * change.error > tolerance || self.worst.round_trip > tolerance {
            return Err(Error::Numerics(format!(
                "{text}; the tolerance is {tolerance:.1e}: give more n_steps, which the result then belongs to"
            )));
        }
        let notes = end.result.get("virial").and_then(|v| stretched(*v)).into_iter().chain([text]).collect();
        Ok(Conclusion { notes, ..Conclusion::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virial_far_from_0_is_told() {
        assert_eq!(stretched(Estimate::new(0.05, 0.02)), None);
        // without a walker, or one
        assert_eq!(stretched(Estimate::new(f64::NAN, f64::NAN)), None);
        let told = |v: f64| stretched(Estimate::new(v, 0.043)).unwrap();
        assert!(told(1.954).contains("1.954 ± 0.043 ħω, 45 errors from 0, where a dilation"), "{}", told(1.954));
        assert!(told(-0.5).contains("a contraction"));
    }
}
