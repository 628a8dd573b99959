//! `gram`, `cholesky`, `triangular`: Gram matrices, blocked Cholesky factors and solves in f32.
//!
//! The factor serves as preconditioner: it is of a matrix shifted by a few ε tr A, so that f32
//! factorises what float64 would (Higham, Accuracy and Stability, ch. 10); a breakdown is
//! repaired with a larger shift by the device itself.
//!
//! Twin: `reference::optimize`.

use std::ops::Range;

use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};

use super::pad4;
use super::scores::single;

/// `shaders/gram.wgsl`.
pub static GRAM: Kernel = Kernel {
    name: "gram",
    source: include_str!("../../shaders/gram.wgsl"),
    shared: &["grid", "solver_state"],
    params_bytes: size_of::<GramParams>(),
    variants: &[&[SIDE, ("ROWS", 1)], &[SIDE, ("ROWS", 2)]],
};

/// `shaders/cholesky.wgsl`.
pub static CHOLESKY: Kernel = Kernel {
    name: "cholesky",
    source: include_str!("../../shaders/cholesky.wgsl"),
    shared: &["solver_state"],
    params_bytes: size_of::<CholeskyParams>(),
    variants: &[&[SIDE, ("WG", 64)], &[SIDE, ("WG", 256)]],
};

/// `shaders/triangular.wgsl`.
pub static TRIANGULAR: Kernel = Kernel {
    name: "triangular",
    source: include_str!("../../shaders/triangular.wgsl"),
    shared: &["grid", "solver_state"],
    params_bytes: size_of::<TriangularParams>(),
    variants: &[&[SIDE]],
};

/// Order of the blocks; matrices are padded to multiples of it.
pub const BLOCK: usize = 64;
/// The same for the shaders.
const SIDE: (&str, u32) = ("BLOCK", BLOCK as u32);
/// Words of the solver's state; the meanings are in shaders/shared/solver_state.wgsl.
pub const STATE_WORDS: usize = 20;
/// The word of the state that is 1 once the system is solved, or cannot be.
pub const SKIP_SOLVE: usize = 1;
/// The word of the state that is 1 once a factorisation has succeeded.
pub const SKIP_FACTOR: usize = 2;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct GramParams {
    block_rows: u32,
    block_columns: u32,
    depth4: u32,
    column4: u32,
    x_row: u32,
    y_row: u32,
    y_column4: u32,
    source_ld4: u32,
    target_row: u32,
    target_column4: u32,
    target_ld4: u32,
    pad0: u32,
    alpha: f32,
    beta: f32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct CholeskyParams {
    phase: u32,
    order: u32,
    ld4: u32,
    block: u32,
    damping: f32,
    shift: f32,
    attempt: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct TriangularParams {
    block: u32,
    blocks: u32,
    ld4: u32,
    backward: u32,
}

/// Words from the first to the last of some rows and columns of a matrix whose rows are `ld` long.
fn block_words(ld: usize, [row, column]: [usize; 2], [rows, columns]: [usize; 2]) -> Range<usize> {
    let start = row * ld + column;
    start..start + ld * rows.saturating_sub(1) + columns
}

/// Cholesky factor of S Sᵀ + regularisation for rows S, and where it lies.
#[derive(Clone, Debug)]
pub struct Factor {
    /// Rows of S: the order of the matrix.
    pub order: usize,
    /// `order` rounded up to [`BLOCK`]; rows of S that must be there, zero past `order`.
    pub padded: usize,
    /// Columns of S, a multiple of 4.
    pub depth: usize,
    /// Diagonal blocks: the inverses of those of L.
    pub matrix: Buffer,
    /// L below its diagonal blocks.
    pub lower: Buffer,
    /// [`STATE_WORDS`] words.
    pub state: Buffer,
}

impl Factor {
    /// For matrices of `order`, S Sᵀ with rows of length `depth`.
    pub fn new(name: &str, order: usize, depth: usize, state: &Buffer) -> Factor {
        let padded = order.div_ceil(BLOCK) * BLOCK;
        Factor {
            order,
            padded,
            depth,
            matrix: Buffer::new(format!("{name} Gram matrix"), padded * padded),
            lower: Buffer::new(format!("{name} factor"), padded * padded),
            state: state.clone(),
        }
    }

    /// The factor of a smaller matrix in the same memory: `order` and `order` x `depth` at most what this was made for.
    pub fn smaller(&self, order: usize, depth: usize) -> Factor {
        Factor { order, padded: order.div_ceil(BLOCK) * BLOCK, depth, ..self.clone() }
    }

    /// Records the factorisation of S Sᵀ + (damping + shift tr(S Sᵀ)) 1; `attempts` times with a tenfold
    /// shift each, of which those after a success do nothing. `rows`: S, f32 `[padded][depth]`.
    pub fn record(&self, rec: &mut Recording, profile: Profile, rows: &Buffer, damping: f64, shift: f64, attempts: usize) {
        let blocks = self.padded / BLOCK;
        for attempt in 0..attempts {
            if attempt > 0 {
                rec.gate(Some((&self.state, SKIP_FACTOR)));
            }
            let step = |phase, block| CholeskyParams {
                phase,
                order: self.order as u32,
                ld4: self.padded as u32 / 4,
                block: block as u32,
                damping: damping as f32,
                shift: (shift * 10f64.powi(attempt as i32)) as f32,
                attempt: attempt as u32,
                pad: 0,
            };
            self.step(rec, "Cholesky start", profile, step(0, 0));
            let all = GramParams {
                block_rows: blocks as u32,
                depth4: self.depth as u32 / 4,
                source_ld4: self.depth as u32 / 4,
                target_ld4: self.padded as u32 / 4,
                alpha: 1.0,
                ..Default::default()
            };
            self.gram(rec, "Gram matrix", profile, all, rows, &self.matrix);
            self.step(rec, "Cholesky shift", profile, step(1, 0));
            for k in 0..blocks {
                self.step(rec, "Cholesky diagonal", profile, step(2, k));
                let below = (BLOCK * (k + 1)) as u32;
                let panel = GramParams {
                    block_rows: (blocks - k - 1) as u32,
                    block_columns: 1,
                    depth4: BLOCK as u32 / 4,
                    column4: (BLOCK * k) as u32 / 4,
                    x_row: below,
                    y_row: (BLOCK * k) as u32,
                    y_column4: (BLOCK * k) as u32 / 4,
                    source_ld4: self.padded as u32 / 4,
                    target_row: below,
                    target_column4: (BLOCK * k) as u32 / 4,
                    target_ld4: self.padded as u32 / 4,
                    alpha: 1.0,
                    ..Default::default()
                };
                self.gram(rec, "Cholesky panel", profile, panel, &self.matrix, &self.lower);
                let rest = GramParams { block_columns: 0, y_row: below, target_column4: below / 4, alpha: -1.0, beta: 1.0, ..panel };
                self.gram(rec, "Cholesky update", profile, rest, &self.lower, &self.matrix);
            }
            rec.gate(None);
            if attempt + 1 == attempts {
                self.step(rec, "Cholesky end", profile, step(3, 0));
            }
        }
    }

    /// Records the solution of L Lᵀ x = b; `vector`: b on entry, x on exit, f32 `[padded]`; `scratch` alike.
    pub fn solve(&self, rec: &mut Recording, vector: &Buffer, scratch: &Buffer) {
        let blocks = self.padded / BLOCK;
        for backward in [false, true] {
            for step in 0..blocks {
                let block = if backward { blocks - 1 - step } else { step };
                let groups = (blocks - 1 - step).max(1);
                let (rhs, solution) = if backward { (scratch, vector) } else { (vector, scratch) };
                let p =
                    TriangularParams { block: block as u32, blocks: blocks as u32, ld4: self.padded as u32 / 4, backward: backward as u32 };
                let known = if backward { self.blocks([block, 0], [1, block]) } else { self.blocks([block + 1, block], [groups, 1]) };
                let own = BLOCK * block..BLOCK * (block + 1);
                rec.launch("triangular solve", &TRIANGULAR, &p)
                    .constants(&[SIDE])
                    .read(&self.matrix, self.blocks([block, block], [1, 1]))
                    .read(&self.lower, if step + 1 < blocks { known } else { 0..4 })
                    .update(rhs, if backward { 0..own.end } else { own.start..self.padded })
                    .write(solution, own)
                    .read(&self.state, SKIP_SOLVE + 1)
                    .trips(2 * BLOCK as u64)
                    .flops(4.0 * (groups * BLOCK * BLOCK) as f64)
                    .moved(8.0 * (groups * BLOCK * BLOCK) as f64)
                    .groups(grid(groups));
            }
        }
    }

    /// Words from the first to the last of some rows and columns of blocks.
    fn blocks(&self, first: [usize; 2], count: [usize; 2]) -> Range<usize> {
        block_words(self.padded, first.map(|b| BLOCK * b), count.map(|b| BLOCK * b))
    }

    fn gram(&self, rec: &mut Recording, name: &str, profile: Profile, p: GramParams, source: &Buffer, target: &Buffer) {
        let rows = p.block_rows as usize;
        let groups = if p.block_columns == 0 { rows * (rows + 1) / 2 } else { rows * p.block_columns as usize };
        let macs = groups as f64 * (BLOCK * BLOCK) as f64 * 4.0 * p.depth4 as f64;
        let columns = if p.block_columns == 0 { rows } else { p.block_columns as usize };
        let words =
            |ld4: u32, row: u32, column4: u32, size: [usize; 2]| block_words(4 * ld4 as usize, [row as usize, 4 * column4 as usize], size);
        let depth = 4 * p.depth4 as usize;
        let x = words(p.source_ld4, p.x_row, p.column4, [BLOCK * rows, depth]);
        let y = words(p.source_ld4, p.y_row, p.y_column4, [BLOCK * columns, depth]);
        rec.launch(name, &GRAM, &p)
            .constants(&[SIDE, ("ROWS", if profile == Profile::Simd { 2 } else { 1 })])
            .read(source, x.start.min(y.start)..x.end.max(y.end))
            .update(target, words(p.target_ld4, p.target_row, p.target_column4, [BLOCK * rows, BLOCK * columns]))
            .read(&self.state, SKIP_FACTOR + 1)
            .trips(p.depth4 as u64)
            .flops(2.0 * macs)
            .moved(16.0 * groups as f64 * BLOCK as f64 * (2.0 * p.depth4 as f64 + BLOCK as f64 / 2.0))
            .groups(grid(groups));
    }

    fn step(&self, rec: &mut Recording, name: &str, profile: Profile, p: CholeskyParams) {
        let wg = single(profile);
        let block = p.block as usize;
        let words = match p.phase {
            // the diagonal
            1 => 0..pad4((self.padded + 1) * self.order.saturating_sub(1) + 1),
            2 => self.blocks([block, block], [1, 1]),
            _ => 0..4,
        };
        rec.launch(name, &CHOLESKY, &p)
            .constants(&[SIDE, ("WG", wg as u32)])
            .update(&self.matrix, words)
            .update(&self.state, STATE_WORDS)
            .trips((self.order.div_ceil(wg) + 10).max(BLOCK * (4 + BLOCK * BLOCK / 4 / wg)) as u64)
            .flops(if p.phase == 2 { 2.0 * (BLOCK * BLOCK * BLOCK) as f64 } else { 0.0 })
            .moved(if p.phase == 2 { 4.0 * (BLOCK * BLOCK * BLOCK) as f64 } else { 0.0 })
            .groups([1, 1, 1]);
    }
}
