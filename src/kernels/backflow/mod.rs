//! The flow z(x) on the device: values, Jacobian, exact derivatives of ln|det J|, parameter scores.
//!
//! Two ways lead there, chosen when [`BackflowKernels`] are made:
//!
//! - `registers`, flows of two layers: one invocation owns a particle and keeps everything in registers;
//! - `jets`, any flow: dense passes over arrays of values and their derivatives.
//!
//! Flows of two spins take the first alone. Others of two layers have both: Hutchinson's estimate of the whole Laplacian ([`Directions::Signs`]) takes the dense passes.

mod array;
mod directions;
mod jets;
mod mean;
mod registers;
mod weights;

pub use directions::{DIRECTIONS, Directions, Signs};
pub use jets::Order;
pub use jets::kernels::*;
pub use mean::PARTICLE_MEAN;
pub use registers::kernels::*;
pub use registers::{SCORE_SUM, WIDEST};

use crate::gpu::{Binding, Buffer, Gpu, Recording};
use crate::model::backflow::Backflow;

use super::pad4;
use array::span;
use directions::Along;
use jets::Jets;
use registers::{InRegisters, Registers};
use weights::Weights;

/// The flow on the device for up to `chunk` walkers of `n` particles, the first `up` of them of spin up, in a box of side `length`.
///
/// Outputs of the recording methods lie in the public buffers. A recording of more walkers than `chunk` is refused.
pub struct BackflowKernels {
    model: Backflow,
    n: usize,
    /// Those of spin up, the first ones.
    up: usize,
    /// Box side in units of rs a0.
    length: f64,
    /// Directions of one tangent pass.
    pub pass: usize,
    /// z(x): `[walker][n][d]`.
    pub z: Buffer,
    /// Δz: `[walker][ld]`, padding 0 (third order only).
    pub lap_z: Buffer,
    /// J = ∂z/∂x: `[walker][ld][ld]`, row = output, column = input, padding 0.
    pub jacobian: Buffer,
    /// ∇ ln|det J|: `[walker][ld]`.
    pub grad_logdet: Buffer,
    /// Δ ln|det J|: `[walker]`.
    pub lap_logdet: Buffer,
    weights: Weights,
    along: Along,
    jets: Jets,
    /// For the flows that have them.
    registers: Option<Registers>,
}

impl BackflowKernels {
    /// Shapes, packed-weight layout and (lazily allocated) memory.
    pub fn new(gpu: &Gpu, model: Backflow, [n, up]: [usize; 2], length: f64, chunk: usize) -> BackflowKernels {
        let d = n * model.dim;
        let ld = pad4(d);
        // directions a pass: as many as keep the largest tangent array near 16 Mi words
        let most = (gpu.max_words() / 2).min(1 << 24);
        let largest = (n * Order::Third.rows(d) * pad4(model.one)).max(ld * ld);
        // (a grid dimension ends at 65,535 workgroups)
        let pass = (most / (chunk * largest)).min(65_535 / chunk.max(1)).clamp(1, d);
        let weights = Weights::new(&model);
        let buffer = |name: &str, per_walker: usize| Buffer::new(format!("flow {name}"), chunk * per_walker);
        BackflowKernels {
            model,
            n,
            up,
            length,
            pass,
            z: buffer("z", d),
            lap_z: buffer("lap z", ld),
            jacobian: buffer("J", ld * ld),
            grad_logdet: buffer("grad ln det J", ld),
            lap_logdet: buffer("lap ln det J", 1),
            along: Along::new(chunk * pass, d, ld),
            jets: Jets::new(&model, n, chunk, pass),
            registers: Registers::new(gpu.profile, &model, &weights, n, chunk, pass),
            weights,
        }
    }

    /// Its shape.
    pub fn model(&self) -> &Backflow {
        &self.model
    }

    /// Number of particles.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of coordinates D = n d.
    pub fn order(&self) -> usize {
        self.n * self.model.dim
    }

    /// Row stride of D x D matrices.
    pub fn ld(&self) -> usize {
        pad4(self.order())
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.model.table().len()
    }

    /// Whether values and derivatives by output rows are made in registers.
    pub fn has_registers(&self) -> bool {
        self.registers.is_some()
    }

    /// Records z alone for `walkers` configurations x `[walker][n][d]` (units rs a0, any image); J too where it comes with z.
    pub fn record_positions(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        match self.in_registers(x, walkers) {
            Some(there) => there.record_positions(rec, false),
            None => self.record_forward(rec, x, walkers, Order::First),
        }
    }

    /// Records z and J alone for `walkers` configurations x `[walker][n][d]` (units rs a0, any image).
    ///
    /// Leaves nothing for derivatives and scores: they want [`BackflowKernels::record_for_derivatives`].
    pub fn record_values(&self, rec: &mut Recording, x: &Buffer, walkers: usize) {
        match self.in_registers(x, walkers) {
            Some(there) => there.record_values(rec, false),
            None => self.record_forward(rec, x, walkers, Order::First),
        }
    }

    /// Records z and J and all that derivatives along these directions build on.
    pub fn record_for_derivatives(&self, rec: &mut Recording, x: &Buffer, walkers: usize, directions: Directions) {
        match self.by_rows(x, walkers, directions) {
            Some(there) => there.record_values(rec, true),
            None => self.record_forward(rec, x, walkers, Order::Third),
        }
    }

    /// Records Δz, ∇ ln|det J| and Δ ln|det J| after [`BackflowKernels::record_for_derivatives`] of the same walkers.
    ///
    /// `inverse`: J⁻¹ `[walker][ld][ld]`, padding 0.
    pub fn record_derivatives(&self, rec: &mut Recording, x: &Buffer, inverse: &Buffer, walkers: usize, directions: Directions) {
        match self.by_rows(x, walkers, directions) {
            Some(there) => there.record_derivatives(rec, inverse, directions),
            None => self.record_jet_derivatives(rec, inverse, walkers, directions),
        }
    }

    /// Records O = ∂ ln Ψ/∂θ of every walker after [`BackflowKernels::record_derivatives`] of the same walkers and directions.
    ///
    /// `slater_gradient`: S_z `[walker][n d]` complex; `inverse`: J⁻¹ `[walker][ld][ld]`. Walker w goes to rows
    /// 2 (first_walker + w) (real) and the next (imaginary) of `scores`, `pad4(P)` words a row.
    #[allow(clippy::too_many_arguments)] // inputs, outputs and their places
    pub fn record_scores(
        &self,
        rec: &mut Recording,
        x: &Buffer,
        slater_gradient: &Buffer,
        inverse: &Buffer,
        walkers: usize,
        directions: Directions,
        scores: &Buffer,
        first_walker: usize,
    ) {
        match self.by_rows(x, walkers, directions) {
            Some(there) => there.record_scores(rec, slater_gradient, inverse, scores, first_walker),
            None => self.record_jet_scores(rec, slater_gradient, inverse, walkers, Order::Third, scores, first_walker),
        }
    }

    /// The way through registers, if the flow has it and it knows these directions. Flows of two spins have no other: all directions
    /// are those of the trace then.
    fn by_rows<'a>(&'a self, x: &'a Buffer, walkers: usize, directions: Directions) -> Option<InRegisters<'a>> {
        self.in_registers(x, walkers).filter(|_| self.model.unlike || directions.by_rows())
    }

    /// Elements of `walkers` D x D matrices that a kernel reads, without the padding.
    fn read_matrix(&self, matrix: &Buffer, walkers: usize) -> Binding {
        let (d, ld) = (self.order(), self.ld());
        Binding::read(matrix, span(walkers, ld * ld, (d - 1) * ld + d))
    }
}
