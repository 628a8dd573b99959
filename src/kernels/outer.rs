//! `outer`: per-batch sums of outer products of rows, the weight gradients of linear layers.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::linear::extent;

/// `shaders/outer.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "outer",
    source: include_str!("../../shaders/outer.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// Shapes and places; X and Y in vec4 units, G in words. See the kernel's header.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub batches: u32,
    pub outer: u32,
    pub inner: u32,
    pub rows_out: u32,
    pub cols: u32,
    pub x_offset: u32,
    pub x_stride: u32,
    pub x_outer: u32,
    pub x_inner: u32,
    pub y_offset: u32,
    pub y_stride: u32,
    pub y_outer: u32,
    pub y_inner: u32,
    pub g_offset: u32,
    pub g_stride: u32,
    pub flags: u32,
}

/// Add to what G holds (flag of [`Params::flags`]).
pub const ACCUMULATE: u32 = 1;
/// Take 1 for X: the bias gradient (flag of [`Params::flags`]).
pub const ONES: u32 = 2;

/// Records G_b (+)= Σ_rows X_row^T Y_row.
pub fn record(rec: &mut Recording, name: &str, p: Params, x: &Buffer, y: &Buffer, g: &Buffer) {
    let blocks = (p.cols as usize).div_ceil(8) * (p.rows_out as usize).div_ceil(8);
    // outer rows are split over launches so that no invocation loops too long
    let most = (40_000 / (p.inner as u64 + 1)).max(1) as u32;
    let mut first = 0;
    while first < p.outer {
        let count = most.min(p.outer - first);
        let part = Params {
            outer: count,
            x_offset: p.x_offset + first * p.x_outer,
            y_offset: p.y_offset + first * p.y_outer,
            flags: p.flags | if first > 0 { ACCUMULATE } else { 0 },
            ..p
        };
        // a row is as wide as its blocks of 4 columns
        let span = |offset: u32, stride: u32, each: u32, inner: u32, columns: u32| {
            let rows = (count as usize - 1) * each as usize + (p.inner as usize).saturating_sub(1) * inner as usize;
            extent(offset, p.batches as usize, stride, rows + columns.div_ceil(4) as usize)
        };
        // the column of ones is not read
        let x_words = if p.flags & ONES != 0 { 0..4 } else { span(part.x_offset, p.x_stride, p.x_outer, p.x_inner, p.rows_out) };
        let y_words = span(part.y_offset, p.y_stride, p.y_outer, p.y_inner, p.cols);
        let g_first = p.g_offset as usize;
        let g_words = g_first..g_first + (p.batches as usize).saturating_sub(1) * p.g_stride as usize + (p.rows_out * p.cols) as usize;
        let launch = rec.launch(name, &KERNEL, &part).constants(&[("WG", WG)]).read(x, x_words).read(y, y_words);
        let launch = if part.flags & ACCUMULATE != 0 { launch.update(g, g_words) } else { launch.write(g, g_words) };
        let (read, written) = (count as f64 * p.inner as f64 * (p.rows_out + p.cols) as f64, (p.rows_out * p.cols) as f64);
        launch
            .trips(count as u64 * (p.inner as u64 + 1))
            .flops(2.0 * p.batches as f64 * count as f64 * p.inner as f64 * written)
            .moved(4.0 * p.batches as f64 * (read + written))
            .groups(grid((p.batches as usize * blocks).div_ceil(WG as usize)));
        first += count;
    }
}
