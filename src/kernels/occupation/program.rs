//! A network of layers as the sampler of states runs it, token by token: row 0 of the logits is a parameter.

use crate::error::Result;
use crate::gpu::{Buffer, Recording};
use crate::kernels::pack::Heads;
use crate::kernels::pad4;
use crate::kernels::tokens::{Goal, Kind, Source, Stages, Writer};
use crate::model::layer::Layer;

/// Stages and packed matrices of p(K)'s network; places are vec4 units.
pub struct Program {
    pub(super) stages: Stages,
    /// Row 0 of the logits in the packed buffer.
    first_row: usize,
    /// Where a walker's scratch has its logits.
    pub(super) logits: usize,
}

/// Flag of a stage: only columns a window can reach are written.
const FLAG_WINDOW: u32 = 4;

impl Program {
    /// Stages of `layers` behind row 0, `orbitals` parameters from word `first_row` on.
    ///
    /// # Errors
    /// [`crate::Error::User`] for layers that are not dense, attention, residual or tanh, or have heads of several sizes.
    pub fn new(layers: &[Layer], first_row: usize, orbitals: usize, tokens: usize) -> Result<Program> {
        let m4 = pad4(orbitals) / 4;
        let mut w = Writer::new(layers, tokens);
        let (logits, momentum) = (w.take(m4), w.take(1));
        let first = w.pack.vector(first_row, orbitals);
        let goal = Goal { place: logits, row: 0, flags: FLAG_WINDOW };
        w.stage(Kind::Linear, [0, m4], momentum, goal, [0, first]);
        w.stage(Kind::Own, [0, 1], 0, Goal { place: momentum, row: 0, flags: 0 }, [0; 2]);
        let inputs = layers.first().map_or(0, Layer::inputs);
        w.layers(layers, Source { place: momentum, heads: Heads::one(inputs) }, goal)?;
        Ok(Program { stages: w.finish(), first_row: first, logits })
    }

    /// Words of the scratch of `count` walkers.
    pub fn scratch_words(&self, count: usize) -> usize {
        self.stages.scratch_words(count)
    }

    /// Gathers `parameters` (with their number) for all that draws, and row 0.
    pub fn record_pack(&self, rec: &mut Recording, parameters: (&Buffer, usize)) {
        self.stages.record_pack(rec, parameters);
    }

    /// Row 0 of the logits, padded: the packed buffer and the vec4 of its first.
    pub fn first_row(&self) -> (&Buffer, usize) {
        (&self.stages.packed, self.first_row)
    }
}
