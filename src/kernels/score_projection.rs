//! `score_basis`, `score_project`, `score_rows`: what a Fisher matrix leaves out of the score rows.
//!
//! The mean over the batch, and for imaginary rows optionally the regression on the total momenta, is
//! removed from vectors over the rows (in double-single) and from the rows themselves (f32).
//!
//! Twin: `reference::optimize::project_rows`.

#![allow(clippy::too_many_arguments)]

use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};

use super::cholesky::SKIP_SOLVE;
use super::scores::{Shape, single};
use super::{WG, pad4};

/// Words of a row of the basis: vec4 hi, vec4 lo.
const BASIS_WORDS: usize = 8;

const EITHER: &[&[(&str, u32)]] = &[&[("WG", 64)], &[("WG", 256)]];

/// `shaders/score_basis.wgsl`.
pub static BASIS: Kernel = Kernel {
    name: "score_basis",
    source: include_str!("../../shaders/score_basis.wgsl"),
    shared: &["double_single"],
    params_bytes: size_of::<BasisParams>(),
    variants: EITHER,
};

/// `shaders/score_project.wgsl`.
pub static PROJECT: Kernel = Kernel {
    name: "score_project",
    source: include_str!("../../shaders/score_project.wgsl"),
    shared: &["double_single", "solver_state"],
    params_bytes: size_of::<ProjectParams>(),
    variants: EITHER,
};

/// `shaders/score_rows.wgsl`.
pub static ROWS: Kernel = Kernel {
    name: "score_rows",
    source: include_str!("../../shaders/score_rows.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<RowsParams>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct BasisParams {
    batch: u32,
    dim: u32,
    zero: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct ProjectParams {
    rows: u32,
    parts: u32,
    columns: u32,
    flags: u32,
    padded: u32,
    scale: f32,
    zero: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct RowsParams {
    rows: u32,
    ld4: u32,
    parts: u32,
    columns: u32,
    padded: u32,
    out4: u32,
    transpose: u32,
    scale: f32,
}

/// Records the orthonormal columns (`[2 batch]` of vec4 hi, vec4 lo) that [`project`] removes: the constant for both
/// parts; for imaginary rows also `momenta` `[batch][dim]` f32, dim 0 to 3.
pub fn basis(rec: &mut Recording, name: &str, profile: Profile, batch: usize, momenta: &Buffer, dim: usize, out: &Buffer) {
    let wg = single(profile);
    let p = BasisParams { batch: batch as u32, dim: dim as u32, zero: 0, pad: 0 };
    rec.launch(name, &BASIS, &p)
        .constants(&[("WG", wg as u32)])
        .read(momenta, batch * dim)
        .write(out, 2 * BASIS_WORDS * batch)
        .trips((6 * dim * (dim + 2) + 1) as u64 * (batch.div_ceil(wg) as u64 + 10))
        .flops((8 * dim * (dim + 1) * batch) as f64)
        .moved((32 * dim * (dim + 1) * batch) as f64)
        .groups([1, 1, 1]);
}

/// What [`project`] does besides projecting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Project {
    /// Rows of the scores.
    pub rows: usize,
    /// 1: real scores; 2: real and imaginary rows, apart.
    pub parts: usize,
    /// Columns of the basis to remove; 0: none.
    pub columns: usize,
    /// Take u from the f32 vector first.
    pub load: bool,
    /// Write scale u to the f32 vector of `padded` words, 0 past the rows.
    pub store: Option<(f64, usize)>,
}

/// Records u ← (1 - Q Qᵀ) u in double-single `[rows]`.
pub fn project(rec: &mut Recording, name: &str, profile: Profile, p: Project, basis: &Buffer, u: &Buffer, vector: &Buffer, gate: &Buffer) {
    let wg = single(profile);
    let (scale, padded) = p.store.unwrap_or((1.0, 0));
    let params = ProjectParams {
        rows: p.rows as u32,
        parts: p.parts as u32,
        columns: p.columns as u32,
        flags: p.load as u32 | (p.store.is_some() as u32) << 1,
        padded: padded as u32,
        scale: scale as f32,
        zero: 0,
        pad: 0,
    };
    let share = p.rows.div_ceil(wg) + p.parts;
    let vector_words = if p.load || p.store.is_some() { p.rows.max(padded) } else { 4 };
    rec.launch(name, &PROJECT, &params)
        .constants(&[("WG", wg as u32)])
        .read(basis, if p.columns > 0 { BASIS_WORDS * p.rows } else { 4 })
        .update(u, 2 * p.rows)
        .update(vector, vector_words)
        .read(gate, SKIP_SOLVE + 1)
        .trips((2 * p.columns * (2 * share + 10 * p.parts) + 2 * share + padded.div_ceil(wg)) as u64)
        .flops((100 * (p.columns + 1) * p.rows) as f64)
        .moved((40 * (p.columns + 1) * p.rows) as f64)
        .groups([1, 1, 1]);
}

/// Records S = scale (1 - Q Qᵀ) O in f32 (`[padded][ld]`, or its transpose `[padded][pad4(rows)]`), given
/// C = Qᵀ O, f32 `[2][4][ld]` (part, column).
pub fn rows(
    rec: &mut Recording,
    name: &str,
    s: Shape,
    columns: usize,
    scale: f64,
    transposed: bool,
    padded: usize,
    scores: &Buffer,
    basis: &Buffer,
    coefficients: &Buffer,
    out: &Buffer,
) {
    let (ld4, out4) = (s.ld() / 4, pad4(s.rows()) / 4);
    let p = RowsParams {
        rows: s.rows() as u32,
        ld4: ld4 as u32,
        parts: s.parts as u32,
        columns: columns as u32,
        padded: padded as u32,
        out4: out4 as u32,
        transpose: transposed as u32,
        scale: scale as f32,
    };
    let blocks = padded.div_ceil(4) * if transposed { out4 } else { ld4 };
    // of Q the high words alone; of C the columns in use
    let (basis_words, coefficient_words) = match columns {
        0 => (4, 4),
        1 => ((BASIS_WORDS * s.rows()).saturating_sub(4), (4 * s.parts).saturating_sub(3) * s.ld()),
        _ => ((BASIS_WORDS * s.rows()).saturating_sub(4), 4 * s.parts * s.ld()),
    };
    rec.launch(name, &ROWS, &p)
        .constants(&[("WG", WG)])
        .read(scores, s.rows() * s.ld())
        .read(basis, basis_words)
        .read(coefficients, coefficient_words)
        .write(out, pad4(padded) * if transposed { pad4(s.rows()) } else { s.ld() })
        .trips(8)
        .flops(9.0 * (s.rows() * s.ld()) as f64)
        .groups(grid(blocks.div_ceil(WG as usize)));
}
