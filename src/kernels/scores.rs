//! `score_*`: products with the score matrix O (one row a walker, or two: real and imaginary part).
//!
//! Products accumulate in double-single arithmetic (48 bits), so that Fisher matrices whose
//! eigenvalues span 1e8 can be applied to vectors although every buffer holds f32.

#![allow(clippy::too_many_arguments)]

use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};

use super::cholesky::{SKIP_SOLVE, STATE_WORDS};
use super::{WG, pad4};

macro_rules! kernel {
    ($name:literal, $params:ty, $shared:expr, $variants:expr) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            shared: $shared,
            params_bytes: size_of::<$params>(),
            variants: $variants,
        }
    };
}

const FLAT: &[&[(&str, u32)]] = &[&[("WG", 64)]];

/// `shaders/score_apply.wgsl`.
pub static APPLY: Kernel = kernel!("score_apply", ApplyParams, &["grid", "double_single", "solver_state"], &[&[("WG", 8)], &[("WG", 64)]]);
/// `shaders/score_transpose.wgsl`.
pub static TRANSPOSE: Kernel = kernel!("score_transpose", TransposeParams, &["grid", "double_single", "solver_state"], FLAT);
/// `shaders/score_combine.wgsl`.
pub static COMBINE: Kernel = kernel!("score_combine", CombineParams, &["grid", "double_single", "solver_state"], FLAT);
/// `shaders/score_sum.wgsl`.
pub static SUM: Kernel = kernel!("score_sum", SumParams, &["grid", "double_single"], FLAT);

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct ApplyParams {
    rows: u32,
    ld4: u32,
    zero: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct TransposeParams {
    count: u32,
    first: u32,
    step: u32,
    block: u32,
    blocks: u32,
    ld4: u32,
    weight_offset: u32,
    weight_stride: u32,
    two_words: u32,
    zero: u32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct CombineParams {
    words: u32,
    blocks: u32,
    mode: u32,
    zero: u32,
    damping: f32,
    scale: f32,
    scale_low: f32,
    damping_low: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct SumParams {
    words: u32,
    blocks: u32,
    offset: u32,
    zero: u32,
    stride: u32,
    scale: f32,
    pad: [u32; 2],
}

/// Shape of a score matrix, `[batch][parts][pad4(parameters)]` f32, padding zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Walkers.
    pub batch: usize,
    /// 1: real scores; 2: real and imaginary rows of each walker.
    pub parts: usize,
    /// Length P of a row.
    pub parameters: usize,
}

impl Shape {
    /// Rows of all walkers.
    pub fn rows(&self) -> usize {
        self.batch * self.parts
    }

    /// Length of a padded row.
    pub fn ld(&self) -> usize {
        pad4(self.parameters)
    }

    /// Rows a block of a column sum takes, and the number of blocks.
    fn blocks(&self, rows: usize) -> (usize, usize) {
        let block = rows.div_ceil(64).max(32);
        (block, rows.div_ceil(block))
    }

    /// Words that the partial sums of [`weighted_sum`] and [`transpose`] need.
    ///
    /// Enough for fewer rows as well.
    pub fn partial_words(&self) -> usize {
        2 * self.ld() * self.rows().div_ceil(32).min(64)
    }

    fn products(&self) -> f64 {
        self.rows() as f64 * self.ld() as f64
    }
}

/// Which rows a column sum runs over, and where their weights lie.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// Row r of O has its weight at `offset + stride r` of the weights buffer (words).
    pub offset: usize,
    /// Words from one row's weight to the next.
    pub stride: usize,
    /// The weight is a double-single number.
    pub two_words: bool,
    /// All rows (`None`) or only the real (0) or imaginary (1) ones.
    pub part: Option<usize>,
}

impl Default for Weights {
    /// One f32 a row: `[batch][parts]`.
    fn default() -> Self {
        Weights { offset: 0, stride: 1, two_words: false, part: None }
    }
}

fn split(x: f64) -> (f32, f32) {
    let hi = x as f32;
    (hi, (x - hi as f64) as f32)
}

/// Threads of the kernels that run as one workgroup.
pub(crate) fn single(profile: Profile) -> usize {
    if profile == Profile::Simd { 64 } else { 256 }
}

/// Records u = O v; `v` double-single `[ld]`, `u` double-single `[rows]`. `gate`: a solver state or any
/// buffer whose second word is not 1.
pub fn apply(rec: &mut Recording, name: &str, profile: Profile, s: Shape, scores: &Buffer, v: &Buffer, u: &Buffer, gate: &Buffer) {
    let wg = if profile == Profile::Simd { 8 } else { 64 };
    let p = ApplyParams { rows: s.rows() as u32, ld4: s.ld() as u32 / 4, zero: 0, pad: 0 };
    rec.launch(name, &APPLY, &p)
        .constants(&[("WG", wg as u32)])
        .read(scores, s.rows() * s.ld())
        .read(v, 2 * s.ld())
        .write(u, 2 * s.rows())
        .read(gate, SKIP_SOLVE + 1)
        .trips((s.ld() / 4).div_ceil(wg) as u64 + 48)
        .flops(40.0 * s.products())
        .groups(grid(s.rows().div_ceil(4)));
}

/// Records the block sums of Oᵀ w in double-single; returns the number of blocks.
pub fn transpose(
    rec: &mut Recording,
    name: &str,
    s: Shape,
    scores: &Buffer,
    weights: &Buffer,
    w: Weights,
    partial: &Buffer,
    gate: &Buffer,
) -> usize {
    let count = if w.part.is_some() { s.batch } else { s.rows() };
    let (block, blocks) = s.blocks(count);
    let p = TransposeParams {
        count: count as u32,
        first: w.part.unwrap_or(0) as u32,
        step: if w.part.is_some() { s.parts as u32 } else { 1 },
        block: block as u32,
        blocks: blocks as u32,
        ld4: s.ld() as u32 / 4,
        weight_offset: w.offset as u32,
        weight_stride: w.stride as u32,
        two_words: w.two_words as u32,
        zero: 0,
        pad: [0; 2],
    };
    let first = p.first as usize;
    let last = first + p.step as usize * count.saturating_sub(1);
    let place = |row: usize| w.offset + w.stride * row;
    rec.launch(name, &TRANSPOSE, &p)
        .constants(&[("WG", WG)])
        .read(scores, first * s.ld()..(last + 1) * s.ld())
        .read(weights, place(first)..place(last) + 1 + w.two_words as usize)
        .write(partial, 2 * blocks * s.ld())
        .read(gate, SKIP_SOLVE + 1)
        .trips(block as u64)
        .flops(40.0 * count as f64 * s.ld() as f64)
        .moved(4.0 * count as f64 * s.ld() as f64)
        .groups(grid((blocks * s.ld() / 4).div_ceil(WG as usize)));
    blocks
}

/// What [`combine`] does with the sum t of the blocks.
#[allow(missing_docs)] // as in the formulas
#[derive(Clone, Copy, Debug)]
pub enum Combine {
    /// y = damping v + scale t
    Damped { damping: f64, scale: f64 },
    /// y = (v - scale t) / (damping + shift), both from the solver state
    Woodbury { scale: f64 },
}

/// Records the last stage of a product with Oᵀ; `v`, `y` double-single `[ld]`.
pub fn combine(
    rec: &mut Recording,
    name: &str,
    s: Shape,
    blocks: usize,
    how: Combine,
    partial: &Buffer,
    v: &Buffer,
    y: &Buffer,
    state: &Buffer,
) {
    let (mode, damping, scale, state_words) = match how {
        Combine::Damped { damping, scale } => (0, damping, scale, SKIP_SOLVE + 1),
        Combine::Woodbury { scale } => (1, 0.0, scale, STATE_WORDS),
    };
    let ((damping, damping_low), (scale, scale_low)) = (split(damping), split(scale));
    let p = CombineParams { words: s.ld() as u32, blocks: blocks as u32, mode, zero: 0, damping, scale, scale_low, damping_low };
    rec.launch(name, &COMBINE, &p)
        .constants(&[("WG", WG)])
        .read(partial, 2 * blocks * s.ld())
        .read(v, 2 * s.ld())
        .write(y, 2 * s.ld())
        .read(state, state_words)
        .trips(blocks as u64)
        .flops(20.0 * (blocks * s.ld()) as f64)
        .groups(grid(s.ld().div_ceil(WG as usize)));
}

/// Records `out[offset + p] = scale Σ_r w_r O[r][p]` for p < `parameters`: gradients (weights `[batch][parts]`)
/// and column means. Fixed order, one rounding to f32. `partial`: [`Shape::partial_words`] words.
pub fn weighted_sum(
    rec: &mut Recording,
    name: &str,
    s: Shape,
    scores: &Buffer,
    weights: &Buffer,
    w: Weights,
    scale: f64,
    partial: &Buffer,
    out: &Buffer,
    offset: usize,
) {
    let open = Buffer::new("no gate", 4);
    let blocks = transpose(rec, name, s, scores, weights, w, partial, &open);
    let p = SumParams {
        words: s.parameters as u32,
        blocks: blocks as u32,
        offset: offset as u32,
        zero: 0,
        stride: s.ld() as u32,
        scale: scale as f32,
        pad: [0; 2],
    };
    rec.launch(name, &SUM, &p)
        .constants(&[("WG", WG)])
        .read(partial, 2 * (blocks.saturating_sub(1) * s.ld() + s.parameters))
        .write(out, offset..offset + s.parameters)
        .trips(blocks as u64)
        .flops(10.0 * (blocks * s.ld()) as f64)
        .groups(grid(s.parameters.div_ceil(WG as usize)));
}
