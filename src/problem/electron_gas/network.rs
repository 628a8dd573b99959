//! A network in training: parameters, scores, gradient and what updates them.

use std::sync::Arc;

use crate::config::{self, Optimizer, Settings};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::scores::{self, Shape, Weights};
use crate::model::occupation::Occupation;
use crate::optimize::{Adam, Gauge, Inputs, Options, StochasticReconfiguration};

/// Growth of the steps of a flow after an update was taken back, an update: a factor 2 in 35 updates.
const RECOVERY: f64 = 1.02;
/// Largest squared step of pretraining in the Fisher norm.
const PRETRAINING_NORM: f64 = 0.1;
/// Damping of pretraining: far below that of training, or rarely occupied orbitals hardly learn.
const PRETRAINING_DAMPING: f64 = 3e-4;

enum Update {
    Sr(Box<StochasticReconfiguration>),
    Adam(Adam),
}

/// Parameters that a network starts with, made when the device needs them.
pub(super) struct Initial {
    /// How many.
    pub parameters: usize,
    pub values: Arc<dyn Fn() -> Vec<f32> + Send + Sync>,
}

impl Initial {
    /// The values given, or fresh ones.
    pub(super) fn occupation(s: &Settings, model: &Occupation, given: Option<Vec<f32>>) -> Initial {
        let (model, seed, prior) = (model.clone(), s.seed as u64, s.occupation_prior());
        let parameters = model.parameters().len();
        Initial { parameters, values: Arc::new(move || given.clone().unwrap_or_else(|| model.initial(seed, prior))) }
    }

    pub(super) fn flow(s: &Settings, given: Option<Vec<f32>>) -> Initial {
        let (model, seed) = (s.backflow(), s.seed as u64);
        Initial { parameters: model.table().len(), values: Arc::new(move || given.clone().unwrap_or_else(|| model.initial(seed))) }
    }
}

/// A network: its parameters and what updates them.
pub struct Network {
    name: &'static str,
    /// f32 `[P]`, published order.
    pub parameters: Buffer,
    /// Gradient of the free energy, f32 `[P]`, Ry/rs².
    pub gradient: Buffer,
    /// Scores, f32 `[row][parts][pad4(P)]`: a row a walker, or a distinct state (`Network::share_rows`).
    pub scores: Buffer,
    partial: Buffer,
    shape: Shape,
    rows: usize,
    update: Update,
    /// The parameters of the last usable draws.
    kept: Buffer,
    /// What the settings ask for: `max_norm` or the learning rate.
    length: f64,
    /// Factor of the steps, 1 unless an update was taken back.
    pace: f64,
    schedule: f64,
}

impl Network {
    pub(super) fn new(s: &Settings, name: &'static str, initial: Initial, batch: usize, parts: usize) -> Result<Network> {
        let Initial { parameters, values } = initial;
        let shape = Shape { batch, parts, parameters };
        let gauge = match s.gauge {
            config::Gauge::Published => Gauge::Published,
            config::Gauge::Fixed => Gauge::Fixed { dim: s.dim },
        };
        let length = if s.optimizer == Optimizer::Sr { s.max_norm } else { s.learning_rate };
        let update = match s.optimizer {
            Optimizer::Sr => {
                let options = Options { damping: s.damping, max_norm: s.max_norm, gauge, ..Options::default() };
                Update::Sr(Box::new(StochasticReconfiguration::new(name, shape, options)?))
            }
            Optimizer::Adam => Update::Adam(Adam { rate: s.learning_rate, ..Adam::new(parameters) }),
        };
        let filled = |name: String| {
            let values = values.clone();
            Buffer::starting(name, parameters, move || values())
        };
        Ok(Network {
            name,
            parameters: filled(format!("{name} parameters")),
            gradient: Buffer::result(format!("{name} gradient"), parameters),
            scores: Buffer::result(format!("{name} scores"), batch * parts * shape.ld()),
            partial: Buffer::new(format!("{name} gradient sums"), shape.partial_words()),
            shape,
            rows: batch,
            update,
            kept: filled(format!("{name} parameters kept")),
            length,
            pace: 1.0,
            schedule: 1.0,
        })
    }

    /// Rows of the scores in use.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Says that walkers in equal states share a row of the scores: `rows` of them, each times the root of its walkers.
    pub(super) fn share_rows(&mut self, rows: usize) {
        self.rows = rows.clamp(1, self.shape.batch);
    }

    fn used(&self) -> Shape {
        Shape { batch: self.rows, ..self.shape }
    }

    /// `scale` times the gradient from the scores; weights of rows, one after another.
    pub(super) fn record_gradient(&self, rec: &mut Recording, weights: &Buffer, scale: f64) {
        rec.phase("gradient");
        let w = Weights::default();
        scores::weighted_sum(rec, self.name, self.used(), &self.scores, weights, w, scale, &self.partial, &self.gradient, 0);
    }

    /// Takes from the weights of complex scores what the update does not see: see
    /// [`StochasticReconfiguration::record_weights`].
    pub(super) fn record_weights(&self, rec: &mut Recording, profile: Profile, momenta: &Buffer, weights: &Buffer) {
        if let Update::Sr(sr) = &self.update {
            sr.record_weights(rec, profile, momenta, weights);
        }
    }

    fn inputs<'a>(&'a self, momenta: &'a Buffer, parameters: &'a Buffer) -> Inputs<'a> {
        Inputs { scores: &self.scores, gradient: &self.gradient, parameters, momenta: Some(momenta) }
    }

    /// The optimiser for the rows in use.
    fn sized(&self, sr: &StochasticReconfiguration) -> StochasticReconfiguration {
        if self.rows == self.shape.batch { sr.clone() } else { sr.merged(self.rows) }
    }

    /// Records the update of `parameters`, with all iterations a solve may need.
    pub(super) fn record_update(&self, rec: &mut Recording, gpu: &Gpu, momenta: &Buffer, parameters: &Buffer) -> Result<()> {
        rec.phase("update");
        match &self.update {
            Update::Sr(sr) => self.sized(sr).record(rec, gpu.profile, self.inputs(momenta, parameters))?,
            Update::Adam(adam) => adam.record(rec, gpu.profile, &self.gradient, parameters),
        }
        Ok(())
    }

    /// What makes the steps of pretraining, whatever trains later.
    pub(super) fn pretraining(&self) -> Result<StochasticReconfiguration> {
        let options = Options { damping: PRETRAINING_DAMPING, max_norm: PRETRAINING_NORM, ..Options::default() };
        StochasticReconfiguration::new("pretraining", self.shape, options)
    }

    /// Updates the parameters by `sr`; says why not, if not.
    pub(super) fn update_by(&self, gpu: &Gpu, sr: &StochasticReconfiguration, momenta: &Buffer) -> Result<Option<Error>> {
        Ok(self.sized(sr).solve(gpu, self.inputs(momenta, &self.parameters))?.check().err())
    }

    /// Updates `parameters`; says why not, if not.
    pub(super) fn update(&self, gpu: &Gpu, momenta: &Buffer, parameters: &Buffer) -> Result<Option<Error>> {
        match &self.update {
            Update::Sr(sr) => Ok(self.sized(sr).solve(gpu, self.inputs(momenta, parameters))?.check().err()),
            Update::Adam(adam) => {
                let before = adam.steps(gpu)?.1;
                let mut rec = Recording::new();
                adam.record(&mut rec, gpu.profile, &self.gradient, parameters);
                gpu.run(&rec)?;
                let refused = adam.steps(gpu)?.1 > before;
                Ok(refused.then(|| Error::Numerics(format!("{}: the gradient is not finite", self.name))))
            }
        }
    }

    /// Lets the steps grow again after an update was taken back.
    pub(super) fn recover(&mut self) {
        if self.pace < 1.0 {
            self.set_pace((self.pace * RECOVERY).min(1.0));
        }
    }

    /// Records that the parameters are remembered.
    pub(super) fn record_keep(&self, rec: &mut Recording) {
        rec.copy(&self.parameters, &self.kept, self.shape.parameters);
    }

    /// Remembers the parameters.
    pub(super) fn keep(&self, gpu: &Gpu) -> Result<()> {
        let mut rec = Recording::new();
        self.record_keep(&mut rec);
        gpu.run(&rec)
    }

    /// Returns to the parameters remembered and halves the steps.
    pub(super) fn take_back(&mut self, gpu: &Gpu) -> Result<f64> {
        let mut rec = Recording::new();
        rec.copy(&self.kept, &self.parameters, self.shape.parameters);
        gpu.run(&rec)?;
        self.set_pace(0.5 * self.pace);
        Ok(self.pace)
    }

    fn set_pace(&mut self, pace: f64) {
        self.pace = pace;
        self.set_length();
    }

    /// Sets the factor by which the schedule shortens steps.
    pub(super) fn set_schedule(&mut self, schedule: f64) {
        self.schedule = schedule;
        self.set_length();
    }

    /// The length of a step that the settings ask for, times pace and schedule; in the Fisher norm, max_norm is a square.
    fn set_length(&mut self) {
        let factor = self.pace * self.schedule;
        match &mut self.update {
            Update::Sr(sr) => sr.options.max_norm = self.length * factor.powi(2),
            Update::Adam(adam) => adam.rate = self.length * factor,
        }
    }

    pub(super) fn norm(&self, gpu: &Gpu) -> Result<f64> {
        let g: Vec<f32> = gpu.read_words(&self.gradient, self.shape.parameters)?;
        Ok(g.iter().map(|v| (*v as f64).powi(2)).sum::<f64>().sqrt())
    }

    /// Number of parameters P.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.shape.parameters
    }

    /// The parameters, read back.
    pub fn values(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        gpu.read_words(&self.parameters, self.shape.parameters)
    }
}
