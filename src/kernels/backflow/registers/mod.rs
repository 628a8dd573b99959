//! Flows of two layers with everything in registers: one invocation owns a particle and loops over its pairs.
//!
//! Nothing of the size of pairs times width is ever stored: features of a pair cost less to compute than to load, and the
//! weights come from a uniform buffer.

mod arrays;
mod derivatives;
pub(super) mod kernels;
mod score_sum;
mod scores;
mod values;

pub(super) use arrays::Registers;
pub use arrays::WIDEST;
pub use score_sum::SCORE_SUM;

use crate::gpu::{Binding, Buffer, Kernel, Recording, grid};

use super::super::WG;
use super::BackflowKernels;
use kernels::Params;

/// Operations of a pair's features with first derivatives, and of all their derivatives.
const WAVE: f64 = 40.0;
const WAVES: f64 = 120.0;
/// Operations of four softplus jets.
const SOFTPLUS: f64 = 120.0;

/// What is recorded in registers: the flow of so many walkers at x `[walker][n][d]`.
#[derive(Clone, Copy)]
pub(super) struct InRegisters<'a> {
    flow: &'a BackflowKernels,
    /// The arrays.
    own: &'a Registers,
    x: &'a Buffer,
    walkers: usize,
}

/// A launch with one invocation a particle.
#[derive(Clone, Copy)]
struct Lane<'a> {
    name: &'a str,
    kernel: &'static Kernel,
    /// Text constants besides shapes and places.
    more: &'a [(&'static str, u32)],
    params: Params,
    /// Invocations, and how many column blocks the work of each is cut into.
    threads: usize,
    blocks: usize,
    trips: usize,
    /// Operations of one invocation.
    flops: f64,
}

impl InRegisters<'_> {
    fn params(&self) -> Params {
        let flow = self.flow;
        Params {
            walkers: self.walkers as u32,
            n: flow.n as u32,
            up: flow.up as u32,
            rows: 1,
            probes: 1,
            ld: flow.ld() as u32,
            length: flow.length as f32,
            half_turns: flow.model.feature.half_turns(),
            scale: 1.0,
            ..Default::default()
        }
    }

    /// Particles, dimensions, and widths over 4, for counts of operations.
    fn sizes(&self) -> (f64, f64, f64, f64) {
        let r = self.own;
        (self.flow.n as f64, r.dim as f64, r.h4 as f64, r.t4 as f64)
    }

    /// Operations of V1 (features to H) and W1 (features to T).
    fn by_features(&self) -> (f64, f64) {
        let (_, dim, h4, t4) = self.sizes();
        let f = 2.0 * dim + 1.0;
        (8.0 * f * h4, 8.0 * f * t4)
    }

    /// A launch over the particles of `units` walkers, or of walkers and directions.
    fn lane<'a>(&self, name: &'a str, kernel: &'static Kernel, units: usize, flops: f64) -> Lane<'a> {
        let n = self.flow.n;
        Lane { name, kernel, more: &[], params: self.params(), threads: units * n, blocks: 1, trips: n + 4, flops }
    }

    fn record(&self, rec: &mut Recording, lane: Lane, bindings: impl IntoIterator<Item = Binding>) {
        // the weights come first where the kernel has them
        let weights = &self.flow.weights;
        let weights = lane.kernel.shared.contains(&kernels::WEIGHTS).then(|| Binding::read(&weights.buffer, weights.words));
        let [x, y, _] = grid(lane.threads.div_ceil(WG as usize));
        rec.launch(lane.name, lane.kernel, &lane.params)
            .constants(&self.own.constants)
            .constants(lane.more)
            .bindings(weights)
            .bindings(bindings)
            .trips(lane.trips as u64)
            .flops(lane.threads as f64 * lane.flops)
            .groups([x, y, lane.blocks as u32]);
    }

    /// The positions.
    fn x(&self) -> Binding {
        Binding::read(self.x, self.walkers * self.flow.order())
    }
}

impl BackflowKernels {
    /// The way through registers, if the flow has it.
    pub(super) fn in_registers<'a>(&'a self, x: &'a Buffer, walkers: usize) -> Option<InRegisters<'a>> {
        self.registers.as_ref().map(|own| InRegisters { flow: self, own, x, walkers })
    }
}
