//! Parameters in training: their gradient, and what updates them.

use std::sync::Arc;

use super::{Adam, Inputs, Optimisation, Optimizer, Options, Softmax, StochasticReconfiguration};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::scores::{self, Shape, Weights};
use crate::model::parameters::Table;

/// Growth of the steps after an update was taken back, an update: a factor 2 in 35 updates.
const RECOVERY: f64 = 1.02;

#[derive(Clone)]
enum Update {
    Sr(Box<StochasticReconfiguration>),
    Adam(Adam),
    /// Of the weights of a softmax, by the host.
    Softmax(Softmax),
    /// Whoever writes the gradient writes the whole step there.
    Step,
}

fn adam(s: &Optimisation, parameters: usize) -> Update {
    let clip = if s.max_gradient > 0.0 { s.max_gradient } else { f64::INFINITY };
    Update::Adam(Adam { rate: s.learning_rate, epsilon: s.epsilon, clip, ..Adam::new(parameters) })
}

/// What a learner starts with.
pub struct Start {
    /// "occupation": of buffers and messages.
    pub name: &'static str,
    /// Of the quantity that logs the norm of its gradient, and what its tensors are called in files ("van/").
    pub norm: &'static str,
    /// As `norm`.
    pub prefix: &'static str,
    /// Names and shapes of the parameters.
    pub table: Table,
    /// Makes the first parameters, when the device needs them.
    pub values: Arc<dyn Fn() -> Vec<f32> + Send + Sync>,
}

/// Parameters on one device, with their gradient and what updates them.
pub struct Learner {
    /// "occupation": of buffers and messages.
    pub name: &'static str,
    /// The quantity that logs the norm of its gradient.
    pub norm: &'static str,
    /// What its tensors are called in files: this and the table's names.
    pub prefix: &'static str,
    /// Names and shapes of the parameters.
    pub table: Table,
    /// f32 `[P]`, in the order of the table.
    pub parameters: Buffer,
    /// Gradient of the loss, f32 `[pad4(P)]`.
    pub gradient: Buffer,
    /// Scores, f32 `[row][parts][pad4(P)]`: a row a walker, or a distinct state ([`Learner::share_rows`]); empty for a learner
    /// whose gradient is made as a whole.
    pub scores: Buffer,
    partial: Buffer,
    /// Total momenta of the walkers, for the gauge of a flow.
    momenta: Option<Buffer>,
    shape: Shape,
    rows: usize,
    update: Update,
    /// The parameters of the last usable draws.
    kept: Buffer,
    /// What the settings ask for: `max_norm` or the learning rate.
    length: f64,
    /// Factor of the steps, 1 unless an update was taken back.
    pace: f64,
    /// Steps over which the schedule halves them; 0: none.
    decay: f64,
    /// Updates of the whole run, and how many of them, the last ones, shrink evenly.
    cooling: (f64, f64),
    updates: usize,
}

impl Learner {
    /// A learner whose gradient is the weighted sum of scores, `parts` of them (1 real, 2 complex) of each of `batch` walkers.
    ///
    /// # Errors
    /// [`Error::User`] for shapes and options that make no optimiser.
    pub fn of_scores(s: &Optimisation, start: Start, batch: usize, parts: usize, options: Options) -> Result<Learner> {
        let parameters = start.table.len();
        let shape = Shape { batch, parts, parameters };
        let update = match s.optimizer {
            Optimizer::Sr => {
                let options = Options { damping: s.damping, max_norm: s.max_norm, ..options };
                Update::Sr(Box::new(StochasticReconfiguration::new(start.name, shape, options)?))
            }
            Optimizer::Adam => adam(s, parameters),
        };
        Ok(Learner::new(s, start, shape, update))
    }

    /// A learner whose gradient somebody else writes into [`Learner::gradient`]; Adam updates it.
    pub fn of_gradient(s: &Optimisation, start: Start) -> Learner {
        let parameters = start.table.len();
        let update = adam(s, parameters);
        Learner::new(s, start, Shape { batch: 0, parts: 1, parameters }, update)
    }

    /// A learner of the weights of a softmax, whose gradient somebody else writes into [`Learner::gradient`], before
    /// [`Learner::seen`]; stochastic reconfiguration by its Fisher matrix in closed form, or Adam.
    pub fn of_softmax(s: &Optimisation, start: Start) -> Learner {
        let parameters = start.table.len();
        let update = match s.optimizer {
            Optimizer::Sr => Update::Softmax(Softmax::new(s.damping, s.max_norm)),
            Optimizer::Adam => adam(s, parameters),
        };
        Learner::new(s, start, Shape { batch: 0, parts: 1, parameters }, update)
    }

    /// Says which share of the walkers is in each state of a softmax, and its probabilities.
    pub fn seen(&mut self, shares: Vec<f64>, probabilities: Vec<f64>) {
        if let Update::Softmax(softmax) = &mut self.update {
            (softmax.shares, softmax.probabilities) = (shares, probabilities);
        }
    }

    /// A learner of a few parameters whose whole step somebody else solves for and writes into [`Learner::gradient`].
    pub fn of_step(start: Start) -> Learner {
        let shape = Shape { batch: 0, parts: 1, parameters: start.table.len() };
        Learner::with(0.0, 0.0, start, shape, Update::Step)
    }

    fn new(s: &Optimisation, start: Start, shape: Shape, update: Update) -> Learner {
        let length = if matches!(update, Update::Sr(_) | Update::Softmax(_)) { s.max_norm } else { s.learning_rate };
        Learner::with(length, s.decay, start, shape, update)
    }

    fn with(length: f64, decay: f64, start: Start, shape: Shape, update: Update) -> Learner {
        let Start { name, norm, prefix, table, values } = start;
        let filled = |name: String| {
            let values = values.clone();
            Buffer::starting(name, shape.parameters, move || values())
        };
        Learner {
            name,
            norm,
            prefix,
            table,
            parameters: filled(format!("{name} parameters")),
            gradient: Buffer::result(format!("{name} gradient"), shape.ld()),
            scores: Buffer::result(format!("{name} scores"), shape.batch * shape.parts * shape.ld()),
            partial: Buffer::new(format!("{name} gradient sums"), shape.partial_words()),
            momenta: None,
            shape,
            rows: shape.batch,
            length,
            update,
            kept: filled(format!("{name} parameters kept")),
            pace: 1.0,
            decay,
            cooling: (0.0, 0.0),
            updates: 0,
        }
    }

    /// In a run of so many updates, of which the last ones, this share of them, shrink evenly to nothing.
    pub fn cooled(self, updates: usize, share: f64) -> Learner {
        Learner { cooling: (updates as f64, share * updates as f64), ..self }
    }

    /// Factor of the present update by the schedules.
    fn schedule(&self) -> f64 {
        let done = self.updates as f64;
        let decayed = if self.decay > 0.0 { 1.0 / (1.0 + done / self.decay) } else { 1.0 };
        let (all, last) = self.cooling;
        // those behind a run that went on, as a user's own loop may, are as short as its last
        let cooled = if last >= 1.0 { ((all - done) / (last + 1.0)).clamp(1.0 / (last + 1.0), 1.0) } else { 1.0 };
        decayed * cooled
    }

    /// With the total momenta of the walkers, f32 `[walker][dim]`, which [`super::Gauge::Fixed`] takes out of complex scores.
    pub fn with_momenta(self, momenta: &Buffer) -> Learner {
        Learner { momenta: Some(momenta.clone()), ..self }
    }

    /// Rows of the scores in use.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Says that walkers in equal states share a row of the scores: `rows` of them, each times the root of its walkers.
    pub fn share_rows(&mut self, rows: usize) {
        self.rows = rows.clamp(1, self.shape.batch);
    }

    fn used(&self) -> Shape {
        Shape { batch: self.rows, ..self.shape }
    }

    /// `scale` times the gradient from the scores; weights of rows, one after another.
    pub fn record_gradient(&self, rec: &mut Recording, weights: &Buffer, scale: f64) {
        rec.phase("gradient");
        let w = Weights::default();
        scores::weighted_sum(rec, self.name, self.used(), &self.scores, weights, w, scale, &self.partial, &self.gradient, 0);
    }

    /// Takes from the weights of complex scores what the update does not see: see
    /// [`StochasticReconfiguration::record_weights`].
    pub fn record_weights(&self, rec: &mut Recording, profile: Profile, weights: &Buffer) {
        if let (Update::Sr(sr), Some(momenta)) = (&self.update, &self.momenta) {
            sr.record_weights(rec, profile, momenta, weights);
        }
    }

    fn inputs<'a>(&'a self, parameters: &'a Buffer) -> Inputs<'a> {
        Inputs { scores: &self.scores, gradient: &self.gradient, parameters, momenta: self.momenta.as_ref() }
    }

    /// The optimiser for the rows in use, with the present length of a step.
    fn sized(&self, sr: &StochasticReconfiguration) -> StochasticReconfiguration {
        if self.rows == self.shape.batch { sr.clone() } else { sr.merged(self.rows) }
    }

    /// What makes the present update: base × pace × schedule is the length of its step; in the Fisher norm, max_norm is a square.
    fn present(&self) -> Update {
        let factor = self.pace * self.schedule();
        match &self.update {
            Update::Sr(sr) => {
                let mut sr = self.sized(sr);
                sr.options.max_norm = self.length * factor.powi(2);
                Update::Sr(Box::new(sr))
            }
            Update::Adam(adam) => Update::Adam(Adam { rate: self.length * factor, ..adam.clone() }),
            Update::Softmax(softmax) => Update::Softmax(Softmax { max_norm: self.length * factor.powi(2), ..softmax.clone() }),
            Update::Step => Update::Step,
        }
    }

    /// Records the update of the parameters, with all iterations a solve may need.
    pub fn record_update(&self, rec: &mut Recording, gpu: &Gpu) -> Result<()> {
        rec.phase("update");
        match self.present() {
            Update::Sr(sr) => sr.record(rec, gpu.profile, self.inputs(&self.parameters))?,
            Update::Adam(adam) => adam.record(rec, gpu.profile, &self.gradient, &self.parameters),
            // by the host: a few numbers
            Update::Softmax(_) | Update::Step => (),
        }
        Ok(())
    }

    /// Another stochastic reconfiguration of the same scores.
    pub fn another(&self, name: &str, options: Options) -> Result<StochasticReconfiguration> {
        StochasticReconfiguration::new(name, self.shape, options)
    }

    /// Updates the parameters by `sr`; says why not, if not.
    pub fn update_by(&self, gpu: &Gpu, sr: &StochasticReconfiguration) -> Result<Option<Error>> {
        Ok(self.sized(sr).solve(gpu, self.inputs(&self.parameters))?.check().err())
    }

    /// Updates the parameters, whose steps then grow again where they were shortened; says why not, if not.
    pub fn update(&mut self, gpu: &Gpu) -> Result<Option<Error>> {
        if self.pace < 1.0 {
            self.pace = (self.pace * RECOVERY).min(1.0);
        }
        let done = self.update_of(gpu, &self.parameters)?;
        self.updates += 1;
        Ok(done)
    }

    /// Makes the present update in another vector than the parameters: in zeros it gives the update itself.
    pub fn update_of(&self, gpu: &Gpu, parameters: &Buffer) -> Result<Option<Error>> {
        match self.present() {
            Update::Sr(sr) => Ok(sr.solve(gpu, self.inputs(parameters))?.check().err()),
            Update::Adam(adam) => {
                let before = adam.steps(gpu)?.1;
                let mut rec = Recording::new();
                adam.record(&mut rec, gpu.profile, &self.gradient, parameters);
                gpu.run(&rec)?;
                let refused = adam.steps(gpu)?.1 > before;
                Ok(refused.then(|| self.not_finite()))
            }
            update @ (Update::Softmax(_) | Update::Step) => {
                let words = self.shape.parameters;
                let (mut values, given): (Vec<f32>, Vec<f32>) =
                    (gpu.read_words(parameters, words)?, gpu.read_words(&self.gradient, words)?);
                let step: Vec<f64> = match update {
                    Update::Softmax(softmax) => softmax.step(&given),
                    _ => given.iter().map(|s| self.pace * f64::from(*s)).collect(),
                };
                values.iter_mut().zip(&step).for_each(|(v, s)| *v += *s as f32);
                if values.iter().any(|v| !v.is_finite()) {
                    return Ok(Some(self.not_finite()));
                }
                gpu.write(parameters, &values);
                Ok(None)
            }
        }
    }

    fn not_finite(&self) -> Error {
        Error::Numerics(format!("{}: the gradient is not finite", self.name))
    }

    /// What the next update goes on from, under the prefix of its files.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        let words = self.shape.parameters;
        a.part(self.prefix.trim_end_matches('/'), |a| {
            a.floats("parameters", &self.parameters, words)?;
            a.floats("parameters_kept", &self.kept, words)?;
            match &self.update {
                Update::Sr(sr) => sr.state(a)?,
                Update::Adam(adam) => adam.state(a)?,
                Update::Softmax(_) | Update::Step => (),
            }
            a.value("pace", &mut self.pace)?;
            a.schedule(|a| a.value("updates", &mut self.updates))
        })
    }

    /// Updates so far.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// Records that the parameters are remembered.
    pub fn record_keep(&self, rec: &mut Recording) {
        rec.copy(&self.parameters, &self.kept, self.shape.parameters);
    }

    /// Remembers the parameters.
    pub fn keep(&self, gpu: &Gpu) -> Result<()> {
        let mut rec = Recording::new();
        self.record_keep(&mut rec);
        gpu.run(&rec)
    }

    /// Returns to the parameters remembered and halves the steps, which then grow by 2 % an update. Returns the factor of the
    /// next one.
    pub fn take_back(&mut self, gpu: &Gpu) -> Result<f64> {
        let mut rec = Recording::new();
        rec.copy(&self.kept, &self.parameters, self.shape.parameters);
        gpu.run(&rec)?;
        self.pace *= 0.5;
        Ok(self.pace)
    }

    /// Euclidean norm of the gradient of the last update.
    pub fn gradient_norm(&self, gpu: &Gpu) -> Result<f64> {
        if let Update::Adam(adam) = &self.update {
            return adam.norm(gpu);
        }
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
