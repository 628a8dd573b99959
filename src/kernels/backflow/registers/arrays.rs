//! Arrays and text constants of the kernels that keep everything in registers.

use crate::gpu::Profile;
use crate::model::backflow::Backflow;

use super::super::super::{WG, pad4};
use super::super::array::Array;
use super::super::weights::Weights;

/// Widest layers that fit the registers.
pub const WIDEST: usize = 32;
/// Largest uniform buffer every device binds, in vec4.
const UNIFORM: usize = 4096;

/// Shapes, places of the weights, and arrays; each counts walkers, walkers and probes, or two rows of each.
pub(in super::super) struct Registers {
    pub dim: usize,
    pub h4: usize,
    pub t4: usize,
    pub constants: Vec<(&'static str, u32)>,
    /// Particles of a real GPU's invocation hold few column blocks each: registers are short there, invocations on CPU drivers.
    split: bool,
    /// Sums over pairs; h1, with its Laplacian as a second row, and the means of both.
    pub sums: Array,
    pub h: Array,
    pub mean: Array,
    pub rows: Array,
    pub kappa: Array,
    pub a2: Array,
    pub dg: Array,
    /// Sums along the output rows, their results, and the latter's sums over particles.
    pub row: Array,
    pub turned: Array,
    pub total: Array,
    pub vdg: Array,
    pub ydg: Array,
    /// The mean field's directions, one a channel, and what they give.
    pub channels: Array,
    pub share: Array,
    pub slope: Array,
    pub moments: Array,
    pub hessian: Array,
    pub pairs: Array,
    /// Along the probes.
    pub probe_h: Array,
    pub probe_slope: Array,
    pub probe_y: Array,
    pub probe_mean: Array,
    pub probe_rows: Array,
    pub probe_dg: Array,
    pub probe_ydg: Array,
    pub probe: Array,
    /// Inputs and adjoints of the layers, the latter's mean (both of two rows), and shares of the two-particle weights.
    pub score: Array,
    pub adjoint: Array,
    pub adjoint_mean: Array,
    pub score_weights: Array,
}

impl Registers {
    /// None where the flow has another depth, or is too wide.
    pub fn new(profile: Profile, m: &Backflow, weights: &Weights, n: usize, chunk: usize, pass: usize) -> Option<Registers> {
        if m.depth != 2 || m.one.max(m.pair) > WIDEST || weights.words > 4 * UNIFORM {
            return None;
        }
        let (dim, h4, t4, f) = (m.dim, pad4(m.one) / 4, pad4(m.pair) / 4, m.features());
        let [first, second] = [&weights.one[0], &weights.one[1]];
        let places = [
            ("DIM", dim),
            ("H4", h4),
            ("T4", t4),
            ("F", f),
            ("NW", weights.words / 4),
            ("V1", first.vy),
            ("C1", first.bias),
            ("VH", second.vh),
            ("VG", second.vg),
            ("VY", second.vy),
            ("C2", second.bias),
            ("VHT", second.vh_t),
            ("VGT", second.vg_t),
            ("VYT", second.vy_t),
            ("W1", weights.two[0].w),
            ("B1", weights.two[0].bias),
            ("WT", weights.output.w_t),
            ("BO", weights.output.bias),
            // matrices, biases and transposed lie alike in both
            ("UNLIKE", weights.unlike.as_ref().map_or(0, |unlike| unlike.w - weights.two[0].w)),
        ];
        let constants = std::iter::once(("WG", WG)).chain(places.map(|(name, value)| (name, value as u32))).collect();
        // vec4 a unit; places inside: shaders/shared/backflow_places.wgsl
        let array = |name: &str, vec4: usize| Array::new(format!("flow {name}"), chunk, 4 * vec4);
        let two_rows = |name: &str, vec4: usize| Array::new(format!("flow {name}"), 2 * chunk, 4 * vec4);
        let probes = |name: &str, vec4: usize| Array::new(format!("flow probes' {name}"), chunk * pass, 4 * vec4);
        let (d, ld) = (n * dim, pad4(n * dim));
        let row = dim * (5 + h4) + dim * dim + dim * (3 + dim) * t4 + (2 + f) * h4;
        let turned = turned_vec4(dim, h4, t4);
        Some(Registers {
            dim,
            h4,
            t4,
            constants,
            split: profile == Profile::Gpu,
            sums: array("pair sums", n * 2 * (2 + t4 + h4)),
            h: two_rows("h1", n * h4),
            mean: two_rows("mean h1", h4),
            rows: array("pulled rows", d * (2 + t4)),
            kappa: array("kappa", ld * h4),
            a2: array("a2", n * h4),
            dg: array("mean gradient", d * h4),
            row: array("row sums", n * row),
            turned: array("turned rows", n * turned),
            total: array("turned rows' sum", turned),
            vdg: array("V mean gradient", d * h4),
            ydg: array("Y mean gradient", d * h4),
            channels: array("channel directions", ld * h4),
            share: array("mean Laplacian", n * h4),
            slope: array("channel slopes", n * h4),
            moments: array("channel moments", n * f * h4),
            hessian: array("mean Hessian", d * h4),
            pairs: Array::new("flow gradient pairs", chunk, n * d),
            probe_h: probes("h1", n * h4),
            probe_slope: probes("slopes", n * h4),
            probe_y: probes("y1", n * t4),
            probe_mean: probes("mean h1", h4),
            probe_rows: probes("rows", d * (2 + t4 + h4)),
            probe_dg: probes("mean gradient", d * h4),
            probe_ydg: probes("Y mean gradient", d * h4),
            probe: Array::new("flow probes' traces", chunk * pass, 1),
            score: array("scores' layers", n * score_vec4(dim, h4, t4)),
            adjoint: two_rows("adjoint a2", n * h4),
            adjoint_mean: two_rows("mean adjoint a2", h4),
            score_weights: array("scores' weights", n * 2 * (f + 1) * t4),
        })
    }

    /// Vec4 a particle of `turned` (`TURNED`).
    pub fn turned_vec4(&self) -> usize {
        turned_vec4(self.dim, self.h4, self.t4)
    }

    /// Vec4 a particle of `score` (`SCORE`).
    pub fn score_vec4(&self) -> usize {
        score_vec4(self.dim, self.h4, self.t4)
    }

    /// How `whole` column blocks are shared out: blocks of an invocation, and invocations a particle.
    pub fn share(&self, whole: usize) -> (u32, usize) {
        if self.split { (1, whole) } else { (whole as u32, 1) }
    }
}

fn turned_vec4(dim: usize, h4: usize, t4: usize) -> usize {
    2 * dim * h4 + 3 + t4 + h4
}

fn score_vec4(dim: usize, h4: usize, t4: usize) -> usize {
    (1 + dim) * (3 * h4 + t4 + 2) + (2 + dim) * (2 * h4 + 1) + 2 * t4
}
