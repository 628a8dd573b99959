//! What a training loop needs of a system ([`Problem`]), and what command line, logs and reports know of it ([`Kind`]).

mod baseline;
pub mod dual_ising;
pub mod electron_gas;
pub mod fitting;
mod frozen;
pub mod initial;
mod kind;
pub mod memory;
mod named;
pub mod published;
pub mod quantum_dot;
pub mod spins;
mod training;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::OnceLock;

pub use baseline::{Baseline, Baselines, method};
pub use kind::{Beside, Course, Exact, Kind, Landmark, Means, Parameter, Parameters, Quantity, Role, Sequence, Tables, Unit};
pub use named::Named;
pub use published::{Published, published};
pub use training::{TRAINING, Training};

use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::config::{Resolved, System};
use crate::error::{Error, Result};
use crate::estimate::value::nullable;
use crate::estimate::{Estimate, Plot};
use crate::gpu::{Gpu, Recording};
use crate::optimize::Learner;

/// Every system of this program.
static KINDS: &[&Kind] = &[
    &electron_gas::KIND,
    &quantum_dot::KIND,
    &spins::kinds::ISING_KIND,
    &spins::kinds::SK,
    &spins::kinds::HOPFIELD,
    &spins::kinds::COUPLINGS,
    &dual_ising::KIND,
];

/// Those that another program adds.
static ADDED: OnceLock<Vec<&'static Kind>> = OnceLock::new();

/// Every system that can be simulated.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain(ADDED.get().into_iter().flatten()).copied()
}

/// Adds systems to those of this program; once, before anything else.
pub fn register(kinds: impl IntoIterator<Item = &'static Kind>) {
    let _ = ADDED.set(kinds.into_iter().collect());
}

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|k| k.name() == name)
}

/// Resolves the name of a system, or the path of a TOML file, and `key=value` arguments.
///
/// # Errors
/// [`Error::User`] with everything that is wrong.
pub fn resolve(target: impl AsRef<OsStr>, arguments: &[String]) -> Result<Resolved> {
    let systems: Vec<&'static System> = kinds().map(|k| k.system).collect();
    Resolved::from_command(&systems, target, arguments)
}

/// A run of the first system, for tests of what knows none.
#[cfg(test)]
pub(crate) fn given(line: &str) -> Resolved {
    let words: Vec<String> = line.split_whitespace().map(String::from).collect();
    resolve(KINDS[0].name(), &words).unwrap_or_else(|e| panic!("{line}: {e}"))
}

impl Resolved {
    /// The kind of system that these are the settings of.
    ///
    /// # Panics
    /// For a system of no kind; [`resolve`] makes none.
    pub fn kind(&self) -> &'static Kind {
        kind(self.system.name).expect("a system belongs to a kind")
    }
}

/// The diagnostic of Markov chains that tables and figures show where it is known: their accepted share of moves.
pub const ACCEPTANCE: &str = "acceptance";

/// The diagnostic that a schedule moves: steps at another value of it than the last one measure another system.
pub const SCHEDULED: &str = "beta";

/// A trial state in training on one device.
pub trait Problem {
    /// Parameters, each with what updates it; in the order of [`Kind::tables`].
    fn learners(&mut self) -> Vec<&mut Learner>;

    /// What the next step goes on from, and sums of steps that a result is made of: all of it, once for both ways. Between steps;
    /// a problem just opened with the same settings takes it and goes on with the same bits.
    fn state(&mut self, archive: &mut Archive) -> Result<()>;

    /// Everything a step records, phase by phase: for listings, memory bills, and pipelines made ahead.
    fn record_step(&mut self, gpu: &Gpu) -> Result<Recording>;

    /// Records fewer repetitions of what is the same from now on: a step then touches the same arrays, and nothing is run.
    fn shorten(&mut self) {}

    /// What a user should know before the run: warnings, and with `true` those that stay with the result.
    fn remarks(&self) -> Vec<(bool, String)> {
        Vec::new()
    }

    /// One step of what comes before training, `None` when there is no more.
    fn warm_up(&mut self, _gpu: &Gpu) -> Result<Option<WarmUp>> {
        Ok(None)
    }

    /// Fresh samples.
    fn draw(&mut self, gpu: &Gpu) -> Result<Drawn>;

    /// Undoes the last updates since draws that could be used, and shortens the next ones; returns by which factor.
    fn take_back(&mut self, gpu: &Gpu) -> Result<f64> {
        let factors: Vec<f64> = self.learners().into_iter().map(|l| l.take_back(gpu)).collect::<Result<_>>()?;
        Ok(factors.into_iter().fold(1.0, f64::min))
    }

    /// Averages over the present samples; `learn`: gradients will be asked for.
    fn measure(&mut self, gpu: &Gpu, learn: bool) -> Result<Measured>;

    /// Gradients of the present samples into every learner.
    fn gradients(&mut self, gpu: &Gpu) -> Result<()>;

    /// Numbers of up to `count` of the samples measured last, spread over the batch, as the device has them: for
    /// [`crate::verify::audit`]. None where nobody computes them again.
    fn walkers(&mut self, _gpu: &Gpu, _count: usize) -> Result<Option<Walkers>> {
        Ok(None)
    }

    /// What else can be known of a result, at its parameters.
    fn conclude(&mut self, _gpu: &Gpu, _end: &Ending, _say: &mut dyn FnMut(&str)) -> Result<Conclusion> {
        Ok(Conclusion::default())
    }
}

/// Updates taken back in a row after which no more are.
const MOST_TAKEN_BACK: usize = 10;

/// Draws samples; takes updates back until they can be used. `tell` hears the fault, and by which factor steps are shorter.
///
/// # Errors
/// [`Error::Numerics`] where that does not help.
pub fn draw(gpu: &Gpu, problem: &mut dyn Problem, mut tell: impl FnMut(&str, f64)) -> Result<Drawn> {
    let mut last = String::new();
    for _ in 0..MOST_TAKEN_BACK {
        let drawn = problem.draw(gpu)?;
        let Some(fault) = drawn.fault else { return Ok(drawn) };
        tell(&fault, problem.take_back(gpu)?);
        last = fault;
    }
    Err(Error::Numerics(format!(
        "{last} in {MOST_TAKEN_BACK} rounds of draws in a row, although its updates were taken back; start from other parameters, with a smaller max_norm or learning_rate"
    )))
}

/// Trains a problem for some steps; `tell` hears what each of them measured before its update.
///
/// # Errors
/// The first of a step; an update that is refused is one.
pub fn train(gpu: &Gpu, problem: &mut dyn Problem, steps: usize, mut tell: impl FnMut(usize, &Measured)) -> Result<()> {
    while problem.warm_up(gpu)?.is_some() {}
    for step in 0..steps {
        draw(gpu, problem, |_, _| {})?;
        let measured = problem.measure(gpu, true)?;
        tell(step, &measured);
        problem.gradients(gpu)?;
        for learner in problem.learners() {
            learner.update(gpu)?.map_or(Ok(()), Err)?;
        }
    }
    Ok(())
}

/// What a step of [`Problem::warm_up`] did.
pub enum WarmUp {
    /// A training step of another kind, one of at most `total`, `refused` with a reason.
    Step { stage: &'static str, total: usize, measured: Box<Measured>, refused: Option<Error> },
    /// Something to say.
    Said(String),
    /// A warning that stays with the result.
    Remark(String),
}

/// How fresh samples came about.
pub struct Drawn {
    /// Why they cannot be used: the last update is to be taken back.
    pub fault: Option<String>,
    /// Diagnostics of the step.
    pub values: Named<Estimate>,
}

/// Some samples, and what the device made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Walkers {
    pub count: usize,
    /// By name, one sample after the other.
    pub numbers: BTreeMap<&'static str, Vec<f64>>,
}

impl Walkers {
    /// Up to `count` of the samples that are `usable`, spread evenly over them.
    pub fn chosen(usable: &[usize], count: usize) -> Vec<usize> {
        let count = count.min(usable.len());
        (0..count).map(|i| usable[i * usable.len() / count]).collect()
    }

    /// Numbers under a name; none under one that it lacks.
    pub fn of(&self, name: &str) -> &[f64] {
        self.numbers.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A run at its end.
pub struct Ending<'a> {
    pub result: &'a Named<Estimate>,
    /// Steps with frozen parameters.
    pub frozen: usize,
    /// By the user.
    pub stopped: bool,
}

/// What a problem says of a result.
#[derive(Default)]
pub struct Conclusion {
    pub notes: Vec<String>,
    /// Averages over the exact distribution, by importance weights.
    pub reweighted: Option<Reweighted>,
    /// The same by Markov chains.
    pub metropolis: Option<Metropolis>,
    /// And by what knows less of the trial state or nothing, under the methods' names: `latent_hmc`.
    pub roads: BTreeMap<String, Metropolis>,
    /// Split R̂ of F over chains that drew the samples at frozen parameters.
    pub r_hat: Option<f64>,
    /// On a lattice ⟨s s'⟩ over the exact distribution, of sites 0, 1, … apart along rows and columns.
    pub two_point: Vec<Estimate>,
    /// What simpler methods make of the same system.
    pub baselines: Baselines,
    /// Pictures of it.
    pub plots: Vec<Plot>,
}

/// Averages over the exact distribution, from samples of the trial state with importance weights.
pub struct Reweighted {
    pub values: Named<Estimate>,
    /// Effective sample size over samples.
    pub ess: f64,
    /// Standard deviation of R/β per site from sample to sample, R = ln q + β E: 0 where q is exact.
    pub std_r: f64,
}

/// Averages over the exact distribution, from chains whose moves samples of the trial state are proposed to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metropolis {
    #[serde(flatten)]
    pub values: Named<Estimate>,
    /// Accepted share of the proposals.
    #[serde(with = "nullable")]
    pub acceptance: f64,
    /// Integrated autocorrelation time of E, in proposals; 1 for independent samples.
    #[serde(with = "nullable")]
    pub tau: f64,
}

/// What a step measured: means over the samples that count.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub values: Named<Estimate>,
    pub counted: usize,
    /// Samples left out because a number of theirs is not finite.
    pub failed: usize,
}
