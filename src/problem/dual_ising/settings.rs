//! Settings of the continuous dual of the Ising model and of its flow.

use crate::config::{Group, Range, Resolved, Values};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::renorm::MOST_HIDDEN;
use crate::model::renorm::Renorm;
use crate::optimize::{Optimisation, Optimizer};
use crate::problem::{Tables, Training};
use crate::system::DualIsing;

crate::config::choice!(
    /// Symmetry of q(x).
    Symmetry, "none or z2":
        /// None.
        None = "none",
        /// q(x) = q(-x).
        #[default]
        Z2 = "z2");

crate::config::choice!(
    /// What the gradient differentiates.
    Gradient, "path or total":
        /// The samples alone: without noise where q is exact.
        #[default]
        Path = "path",
        /// ln q as well.
        Total = "total");

crate::config::settings! {
    /// The model.
    #[allow(non_snake_case)] // as the field writes them
    pub struct Dual, DUAL
    "system" {
        L: usize = "", Range::Within(4.0, 64.0), "", "sites of a row, and rows: 4, 8, 16, 32 or 64";
        T: f64 = "", Range::Within(0.1, 100.0), "J", "temperature; critical at 2.269185";
    }
}

crate::config::settings! {
    /// How T is reached.
    pub struct Cooling, COOLING
    "temperature" {
        anneal: f64 = "0.5", Range::Within(0.0, 1.0), "", "share of the training steps in which 1/T rises from 0; of a run that starts from parameters 0 unless given";
    }
}

crate::config::settings! {
    /// The flow.
    pub struct Map, MAP
    "network" {
        depth: usize = "auto", Range::Within(1.0, 6.0), "", "levels of the flow, fine to coarse; auto: all, log2 L";
        repeats: usize = "1", Range::Within(1.0, 8.0), "", "pairs of blocks a level";
        couplings: usize = "6", Range::Within(1.0, 32.0), "", "affine couplings of a block";
        hidden_layers: usize = "2", Range::Within(1.0, 4.0), "", "hidden layers of the networks of a coupling";
        hidden: usize = "8", Range::Within(1.0, MOST_HIDDEN as f64), "", "their units";
        shared: bool = "no", Range::Any, "", "levels share their networks: the same map at every scale";
        haar: bool = "yes", Range::Any, "", "levels begin with the Haar rotation of a mean and three differences to four sites; no: blocks in the published order";
        white: bool = "yes", Range::Any, "", "the flow draws fields that are white noise about their mean at given spins, which √K' colours; no: it draws them as they are";
        symmetry: Symmetry = "z2", Range::Any, "", "q(x) = q(-x) by drawing either sign (z2), or none";
        gradient: Gradient = "path", Range::Any, "", "gradient along the path of the samples, or the total derivative";
    }
}

crate::config::settings! {
    /// Other ways to ⟨m²⟩, at the end of a run.
    pub struct Roads, ROADS
    "other ways" {
        clusters: usize = "50000", Range::Within(0.0, 1e9), "", "Wolff clusters of spins; 0: none";
        trajectories: usize = "0", Range::Within(0.0, 1e6), "", "trajectories of Hamiltonian Monte Carlo, a chain a sample of the batch, in latent variables and in fields; 0: none";
    }
}

/// The model of settings.
///
/// # Errors
/// Those of [`DualIsing::new`].
pub fn dual(values: &Values) -> Result<DualIsing> {
    let s = Dual::read(values);
    DualIsing::new(s.L, s.T)
}

/// Its flow.
///
/// # Errors
/// [`Error::User`] for shapes that make none.
pub fn flow(values: &Values) -> Result<Renorm> {
    let (side, s) = (dual(values)?.side, Map::read(values));
    let depth = if values.left("depth") { side.ilog2() as usize } else { s.depth };
    let Map { repeats, couplings, hidden_layers, hidden, shared, haar, .. } = s;
    let flow = Renorm { side, depth, repeats, couplings, hidden_layers, hidden, shared, haar };
    flow.check()?;
    Ok(flow)
}

/// Fills in the depth.
pub fn derive(resolved: &mut Resolved) -> std::result::Result<(), String> {
    let flow = flow(&resolved.values).map_err(|e| e.to_string())?;
    if resolved.values.left("depth") {
        resolved.derive("depth", &flow.depth.to_string(), "all levels of the lattice");
    }
    Ok(())
}

/// What clashes.
pub fn mistakes(values: &Values) -> Vec<String> {
    let training = Training::read(values);
    let mut found: Vec<String> = training.mistakes().into_iter().chain(Optimisation::mistakes(values, &[])).collect();
    if values.get::<Optimizer>("optimizer") == Optimizer::Sr {
        found.push("optimizer=sr needs scores, which the gradient along a path has none of: use optimizer=adam".into());
    }
    if training.batch != 0 && training.chunk != 0 && training.chunk != training.batch {
        let Training { batch, chunk, .. } = training;
        found.push(format!("chunk={chunk} is not batch={batch}: the whole batch is in memory; leave chunk out"));
    }
    found
}

/// See [`crate::problem::Kind::tables`].
pub fn tables(values: &Values) -> Result<Tables> {
    Ok(vec![(flow(values)?.parameters(), "renorm/")])
}

/// Samples of a step where they are left to the program.
const BATCH: usize = 256;

/// Batch and chunk where they are left to the program.
///
/// # Errors
/// [`Error::Device`] where a batch that was asked for does not fit.
pub fn settle(gpu: &Gpu, values: &Values) -> Result<(usize, usize)> {
    let (training, dual) = (Training::read(values), dual(values)?);
    let most = gpu.max_words() / dual.sites();
    let batch = match (training.batch, training.chunk) {
        (0, 0) => BATCH.min(most),
        (0, chunk) => chunk,
        (batch, _) => batch,
    };
    if batch < 2 || batch > most {
        return Err(Error::Device(format!(
            "batch = {batch}: {} binds fields of at most {most} samples; use a smaller batch",
            gpu.info.name
        )));
    }
    Ok((batch, batch))
}
