//! Stochastic reconfiguration (natural gradient) with an on-device solver (Sorella, PRL 80, 4558 (1998)).
//!
//! (F + damping) d = g, parameters -= min(1, sqrt(max_norm / g.d)) d, with the Fisher matrix
//! F = Oᵀ Π O / B of the score rows O (B walkers). Π removes from the rows, over the batch:
//! nothing (real scores, whose mean vanishes); the mean (complex scores: real and imaginary rows
//! each; [`Gauge::Published`]); and from the imaginary rows also the total momenta ([`Gauge::Fixed`]).
//! A common shift of all coordinates multiplies a wave function of total momentum P by exp(i P.c):
//! no physics, yet the largest eigenvalues of F unless it is projected out.
//!
//! The solver is conjugate gradients. F is applied as Oᵀ (Π (O v)) in double-single arithmetic, exact
//! to 1e-13; the preconditioner is an f32 Cholesky factor of the smaller of F (parameters x parameters)
//! and S Sᵀ (rows x rows, with the Woodbury identity), shifted by 4 ε tr F. A solve that fails leaves the
//! parameters alone; where the factor was at fault, the next solve shifts ten times as much, and later
//! ones return slowly to the usual shift.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::cholesky::{Factor, SKIP_SOLVE, STATE_WORDS};
use crate::kernels::krylov::{self, Phase, Settings, Vectors};
use crate::kernels::pad4;
use crate::kernels::score_projection::{self as projection, Project};
use crate::kernels::scores::{self, Combine, Shape, Weights};

crate::config::choice!(
    /// What is projected out of complex score rows.
    Gauge, "published or fixed":
        /// The batch mean: the Fisher matrix of the published code.
        Published = "published",
        /// The batch mean, and from the imaginary rows the total momentum.
        #[default]
        Fixed = "fixed");

/// Iterations that a solve takes: 5 to 15.
const USUAL: usize = 12;

/// Settings of the update and of its solver.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Added to the Fisher matrix's diagonal.
    pub damping: f64,
    /// Largest g.d of a step.
    pub max_norm: f64,
    /// Relative error of d in the norm of F + damping.
    pub tolerance: f64,
    /// Iterations recorded; those after convergence do nothing.
    pub iterations: usize,
    /// Shift of the preconditioner over tr F.
    pub shift: f64,
    /// Factorisations recorded, each with a tenfold shift; those after a success do nothing.
    pub attempts: usize,
    /// Directions that no sample sees.
    pub gauge: Gauge,
    /// Components of the total momentum ([`Gauge::Fixed`]).
    pub dim: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            damping: 1e-3,
            max_norm: 1e-3,
            tolerance: 1e-5,
            iterations: 120,
            shift: 4.0 * f32::EPSILON as f64,
            attempts: 3,
            gauge: Gauge::Published,
            dim: 0,
        }
    }
}

/// What an update is made from, and of.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// f32 `[batch][parts][ld]`.
    pub scores: &'a Buffer,
    /// f32 `[parameters]`.
    pub gradient: &'a Buffer,
    /// f32 `[parameters]`: updated.
    pub parameters: &'a Buffer,
    /// f32 `[batch][dim]`, needed by [`Gauge::Fixed`] alone.
    pub momenta: Option<&'a Buffer>,
}

/// What a solve did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Bits: 1 not finite, 2 pivot not positive, 4 not converged, 8 curvature not positive; 0: applied.
    pub status: u32,
    /// Of conjugate gradients, where the solver iterates.
    pub iterations: u32,
    /// Factorisations needed.
    pub attempts: u32,
    /// g.d: the squared length of the full step in the Fisher norm.
    pub energy: f32,
    /// The step was d times minus this.
    pub scale: f32,
    /// Bound of the relative error of d in the norm of F + damping.
    pub residual: f32,
    /// tr F.
    pub trace: f32,
    /// Damping + shift of the preconditioner.
    pub regularised: f32,
}

impl Report {
    /// An error that says why no update was made.
    pub fn check(&self) -> Result<()> {
        let why = match self.status {
            0 => return Ok(()),
            s if s & 1 != 0 => "scores or gradient are not finite: look for walkers near a node, lower the step (max_norm)",
            s if s & 2 != 0 => "the Fisher matrix could not be factorised: raise the damping",
            s if s & 8 != 0 => "the Fisher matrix lost its positive curvature to rounding: raise the damping",
            _ => "the solver did not converge: raise the damping or the number of iterations",
        };
        Err(Error::Numerics(format!(
            "stochastic reconfiguration: no update, {why} (status {}, {} iterations, relative error {:.1e}, tr F {:.3e})",
            self.status, self.iterations, self.residual, self.trace
        )))
    }
}

/// The optimiser: buffers and settings for one network.
#[derive(Clone, Debug)]
pub struct StochasticReconfiguration {
    /// The score rows; `batch` of them, or fewer where walkers in equal states share a row.
    pub shape: Shape,
    /// Walkers B.
    walkers: usize,
    /// How steps are made.
    pub options: Options,
    /// The step before it is capped: double-single `[ld]` (hi, lo).
    pub vectors: Vectors,
    /// Solver state; read by [`StochasticReconfiguration::report`].
    pub state: Buffer,
    factor: Factor,
    dense: bool,
    rows: Buffer,
    basis: Buffer,
    coefficients: Buffer,
    row_vector: Buffer,
    right: Buffer,
    scratch: Buffer,
    partial: Buffer,
    /// Iterations of the last solve.
    taken: Arc<AtomicUsize>,
}

impl StochasticReconfiguration {
    /// For real scores (`shape.parts` = 1) or complex ones (2), `[batch][parts][pad4(parameters)]`.
    pub fn new(name: &str, shape: Shape, options: Options) -> Result<Self> {
        let bad = |what: String| Err(Error::User(format!("stochastic reconfiguration ({name}): {what}")));
        if shape.batch == 0 || shape.parameters == 0 || !(1..=2).contains(&shape.parts) {
            return bad(format!("{shape:?}: needs walkers, parameters, and 1 or 2 parts"));
        }
        if !(options.damping > 0.0 && options.max_norm > 0.0 && options.tolerance > 0.0) || options.attempts == 0 {
            return bad("damping, max_norm, tolerance and attempts must be positive".into());
        }
        if options.gauge == Gauge::Fixed && options.dim > 3 {
            return bad(format!("momenta have {} components, at most 3", options.dim));
        }
        let buffer = |what: &str, words| Buffer::new(format!("{name} {what}"), words);
        let (order, dense) = (shape.rows().min(shape.parameters), shape.parameters <= shape.rows());
        let depth = if dense { pad4(shape.rows()) } else { shape.ld() };
        let state = Buffer::state(format!("{name} solver state"), STATE_WORDS);
        let factor = Factor::new(name, order, depth, &state);
        let pairs = |what: &str| buffer(what, 2 * shape.ld());
        Ok(StochasticReconfiguration {
            walkers: shape.batch,
            shape,
            options,
            vectors: Vectors {
                state: state.clone(),
                solution: pairs("step"),
                residual: pairs("residual"),
                preconditioned: pairs("preconditioned residual"),
                direction: pairs("direction"),
                image: pairs("image"),
            },
            rows: buffer("centred scores", factor.padded * depth),
            right: buffer("right-hand side", factor.padded),
            scratch: buffer("solve", factor.padded),
            factor,
            dense,
            basis: buffer("projection", 8 * shape.rows()),
            coefficients: buffer("projected means", 8 * shape.ld()),
            row_vector: buffer("row vector", 2 * shape.rows()),
            partial: buffer("partial sums", shape.partial_words()),
            taken: Arc::new(AtomicUsize::new(USUAL)),
            state,
        })
    }

    /// The same optimiser where the scores are `rows` rows √c s (at most the batch): real scores s of distinct states with
    /// c walkers each, B together ([`crate::kernels::distinct`]). F is still that of all walkers. Memory is shared.
    pub fn merged(&self, rows: usize) -> Self {
        assert!(self.shape.parts == 1 && (1..=self.shape.batch).contains(&rows), "{rows} merged rows of {:?}", self.shape);
        let shape = Shape { batch: rows, ..self.shape };
        let dense = shape.parameters <= rows;
        let depth = if dense { pad4(rows) } else { shape.ld() };
        StochasticReconfiguration { shape, dense, factor: self.factor.smaller(rows.min(shape.parameters), depth), ..self.clone() }
    }

    /// Columns of the projection: 0, 1, or 1 + dim.
    fn columns(&self) -> usize {
        match (self.shape.parts, self.options.gauge) {
            (1, _) => 0,
            (_, Gauge::Published) => 1,
            (_, Gauge::Fixed) => 1 + self.options.dim,
        }
    }

    /// Records solve and update with all iterations of the options.
    pub fn record(&self, rec: &mut Recording, profile: Profile, inputs: Inputs) -> Result<()> {
        self.record_start(rec, profile, inputs)?;
        self.record_iterations(rec, profile, inputs, 0..self.options.iterations);
        self.record_finish(rec, profile, inputs);
        Ok(())
    }

    /// Runs solve and update, a few iterations a submission, until it has converged or failed.
    pub fn solve(&self, gpu: &Gpu, inputs: Inputs) -> Result<Report> {
        let mut rec = Recording::new();
        rec.phase("update");
        self.record_start(&mut rec, gpu.profile, inputs)?;
        let (mut done, most) = (0, self.options.iterations);
        while done < most {
            // the next solve is about as hard as the last one; iterations beyond convergence do nothing, but are launched
            let next = (done + if done == 0 { self.taken.load(Ordering::Relaxed) + 1 } else { USUAL }).min(most);
            self.record_iterations(&mut rec, gpu.profile, inputs, done..next);
            gpu.run(&rec)?;
            rec = Recording::new();
            rec.phase("update");
            done = next;
            if gpu.read_words::<u32>(&self.state, 2)?[SKIP_SOLVE] == 1 {
                break;
            }
        }
        self.record_finish(&mut rec, gpu.profile, inputs);
        gpu.run(&rec)?;
        let report = self.report(gpu)?;
        self.taken.store(report.iterations as usize, Ordering::Relaxed);
        Ok(report)
    }

    fn settings(&self) -> Settings {
        let o = self.options;
        Settings { parameters: self.shape.parameters, damping: o.damping, tolerance: o.tolerance, max_norm: o.max_norm }
    }

    fn record_start(&self, rec: &mut Recording, profile: Profile, inputs: Inputs) -> Result<()> {
        let (o, v) = (self.options, &self.vectors);
        if self.columns() > 1 && inputs.momenta.is_none() {
            return Err(Error::User("stochastic reconfiguration: the fixed gauge needs the total momenta of the walkers".into()));
        }
        for buffer in [&v.residual, &v.preconditioned, &v.direction, &v.image, &v.solution, &self.coefficients] {
            rec.clear(buffer);
        }
        self.prepare(rec, profile, inputs.scores, inputs.momenta);
        self.factor.record(rec, profile, &self.rows, o.damping, o.shift, o.attempts);
        rec.gate(Some((&self.state, SKIP_SOLVE)));
        krylov::record(rec, profile, Phase::Start, self.settings(), v, inputs.gradient, inputs.parameters);
        self.precondition(rec, profile, inputs.scores);
        krylov::record(rec, profile, Phase::FirstDirection, self.settings(), v, inputs.gradient, inputs.parameters);
        rec.gate(None);
        Ok(())
    }

    fn record_iterations(&self, rec: &mut Recording, profile: Profile, inputs: Inputs, range: std::ops::Range<usize>) {
        rec.gate(Some((&self.state, SKIP_SOLVE)));
        for _ in range {
            self.fisher(rec, profile, inputs.scores);
            krylov::record(rec, profile, Phase::Step, self.settings(), &self.vectors, inputs.gradient, inputs.parameters);
            self.precondition(rec, profile, inputs.scores);
            krylov::record(rec, profile, Phase::Direction, self.settings(), &self.vectors, inputs.gradient, inputs.parameters);
        }
        rec.gate(None);
    }

    fn record_finish(&self, rec: &mut Recording, profile: Profile, inputs: Inputs) {
        krylov::record(rec, profile, Phase::Finish, self.settings(), &self.vectors, inputs.gradient, inputs.parameters);
    }

    /// Reads what the last solve did.
    pub fn report(&self, gpu: &Gpu) -> Result<Report> {
        let w: Vec<u32> = gpu.read_words(&self.state, STATE_WORDS)?;
        let f = |i: usize| f32::from_bits(w[i]);
        Ok(Report {
            status: w[0],
            iterations: w[3],
            attempts: w[5],
            trace: f(6),
            regularised: f(7),
            energy: f(12),
            scale: f(13),
            residual: f(14),
        })
    }

    /// What solves keep of the ones before: the shift of a preconditioner that failed.
    pub fn state(&self, a: &mut Archive) -> Result<()> {
        a.words("solver", &self.state, STATE_WORDS)
    }

    /// Records the projection of a gradient's weights (f32 `[batch][parts]`, in place): with [`Gauge::Fixed`] the
    /// gradient must not have the components that the Fisher matrix has lost, or damping alone would hold them: their
    /// noise over it would fill the step, for no change of |Ψ|.
    pub fn record_weights(&self, rec: &mut Recording, profile: Profile, momenta: &Buffer, weights: &Buffer) {
        let (s, columns) = (self.shape, self.columns());
        if columns < 2 {
            return;
        }
        // whatever became of the last solve, whose state stays
        let open = Buffer::new("open gate", STATE_WORDS);
        rec.clear(&open);
        projection::basis(rec, "weights basis", profile, s.batch, momenta, columns - 1, &self.basis);
        let p = Project { rows: s.rows(), parts: s.parts, columns, load: true, store: Some((1.0, s.rows())) };
        projection::project(rec, "weights projection", profile, p, &self.basis, &self.row_vector, weights, &open);
    }

    /// Projected, scaled score rows in f32 for the Gram matrix.
    fn prepare(&self, rec: &mut Recording, profile: Profile, scores: &Buffer, momenta: Option<&Buffer>) {
        let (s, columns) = (self.shape, self.columns());
        if columns > 0 {
            let none = Buffer::new("no momenta", 4);
            projection::basis(rec, "score basis", profile, s.batch, momenta.unwrap_or(&none), columns - 1, &self.basis);
        }
        for part in 0..s.parts {
            for column in 0..if part == 0 { columns.min(1) } else { columns } {
                let weights = Weights { offset: column, stride: 8, two_words: false, part: Some(part) };
                let at = (4 * part + column) * s.ld();
                scores::weighted_sum(rec, "score means", s, scores, &self.basis, weights, 1.0, &self.partial, &self.coefficients, at);
            }
        }
        let scale = (self.walkers as f64).powf(-0.5);
        projection::rows(
            rec,
            "centred scores",
            s,
            columns,
            scale,
            self.dense,
            self.factor.padded,
            scores,
            &self.basis,
            &self.coefficients,
            &self.rows,
        );
    }

    /// image = (F + damping) direction.
    fn fisher(&self, rec: &mut Recording, profile: Profile, scores: &Buffer) {
        let (s, v) = (self.shape, &self.vectors);
        scores::apply(rec, "Fisher product", profile, s, scores, &v.direction, &self.row_vector, &self.state);
        let centre = Project { rows: s.rows(), parts: s.parts, columns: self.columns(), load: false, store: None };
        if centre.columns > 0 {
            projection::project(rec, "Fisher centring", profile, centre, &self.basis, &self.row_vector, &self.right, &self.state);
        }
        let how = Combine::Damped { damping: self.options.damping, scale: 1.0 / self.walkers as f64 };
        self.pull_back(rec, scores, how, &v.direction, &v.image);
    }

    fn pull_back(&self, rec: &mut Recording, scores: &Buffer, how: Combine, v: &Buffer, y: &Buffer) {
        let weights = Weights { offset: 0, stride: 2, two_words: true, part: None };
        let blocks =
            scores::transpose(rec, "transposed product", self.shape, scores, &self.row_vector, weights, &self.partial, &self.state);
        scores::combine(rec, "combine", self.shape, blocks, how, &self.partial, v, y, &self.state);
    }

    /// preconditioned = M⁻¹ residual.
    fn precondition(&self, rec: &mut Recording, profile: Profile, scores: &Buffer) {
        let (s, v, padded) = (self.shape, &self.vectors, self.factor.padded);
        let project = |rec: &mut Recording, p: Project, u: &Buffer| {
            projection::project(rec, "preconditioner centring", profile, p, &self.basis, u, &self.right, &self.state);
        };
        let scale = (self.walkers as f64).powf(-0.5);
        if self.dense {
            let plain = Project { rows: s.parameters, parts: 1, columns: 0, load: false, store: None };
            project(rec, Project { store: Some((1.0, padded)), ..plain }, &v.residual);
            self.factor.solve(rec, &self.right, &self.scratch);
            project(rec, Project { load: true, ..plain }, &v.preconditioned);
        } else {
            let rows = Project { rows: s.rows(), parts: s.parts, columns: self.columns(), load: false, store: None };
            scores::apply(rec, "preconditioner product", profile, s, scores, &v.residual, &self.row_vector, &self.state);
            project(rec, Project { store: Some((scale, padded)), ..rows }, &self.row_vector);
            self.factor.solve(rec, &self.right, &self.scratch);
            project(rec, Project { load: true, ..rows }, &self.row_vector);
            self.pull_back(rec, scores, Combine::Woodbury { scale }, &v.residual, &v.preconditioned);
        }
    }
}
