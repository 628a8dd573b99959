//! `column_sum`: sums of rows, the bias gradients of layers, where `outer` would leave a GPU idle: few columns, many rows.
//!
//! Twin: `outer` of `reference::linear`, with a column of ones.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::linear::extent;
use super::outer;

/// `shaders/column_sum.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "column_sum",
    source: include_str!("../../shaders/column_sum.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", LANES as u32), ("COLS", COLUMNS as u32)]],
};

/// Lanes of a workgroup, and its columns of 4.
const LANES: usize = 128;
const COLUMNS: usize = 4;

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batches: u32,
    rows: u32,
    inner: u32,
    cols: u32,
    y_offset: u32,
    y_stride: u32,
    y_outer: u32,
    y_inner: u32,
    g_offset: u32,
    g_stride: u32,
    flags: u32,
    pad: u32,
}

/// Records G_b (+)= Σ_rows Y_row: what [`outer::record`] does with [`outer::ONES`], of whose parameters those of X are not used.
pub fn record(rec: &mut Recording, name: &str, p: outer::Params, y: &Buffer, g: &Buffer) {
    let most = (LANES / COLUMNS * 40_000 / p.inner as usize).max(1) as u32;
    let mut first = 0;
    while first < p.outer {
        let count = most.min(p.outer - first);
        let adds = p.flags & outer::ACCUMULATE != 0 || first > 0;
        let part = Params {
            batches: p.batches,
            rows: count * p.inner,
            inner: p.inner,
            cols: p.cols,
            y_offset: p.y_offset + first * p.y_outer,
            y_stride: p.y_stride,
            y_outer: p.y_outer,
            y_inner: p.y_inner,
            g_offset: p.g_offset,
            g_stride: p.g_stride,
            flags: adds as u32,
            pad: 0,
        };
        let (batches, cols, rows) = (p.batches as usize, p.cols as usize, part.rows as usize);
        let row = (count as usize - 1) * p.y_outer as usize + (p.inner as usize - 1) * p.y_inner as usize + cols.div_ceil(4);
        let words = p.g_offset as usize..p.g_offset as usize + (batches - 1) * p.g_stride as usize + cols;
        let launch = rec
            .launch(name, &KERNEL, &part)
            .constants(&[("WG", LANES as u32), ("COLS", COLUMNS as u32)])
            .read(y, extent(part.y_offset, batches, p.y_stride, row));
        let launch = if adds { launch.update(g, words) } else { launch.write(g, words) };
        launch
            .trips((rows.div_ceil(LANES / COLUMNS) + 12) as u64)
            .flops((batches * rows * cols) as f64)
            .moved(4.0 * (batches * (rows + 1) * cols) as f64)
            .groups(grid(batches * cols.div_ceil(4).div_ceil(COLUMNS)));
        first += count;
    }
}
