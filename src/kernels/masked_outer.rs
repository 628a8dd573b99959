//! `masked_outer`: weight gradients of masked layers, and how masked weights are stored.
//!
//! Twin: the reverse mode of `reference::made`.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use crate::model::layer::{Mask, Triangle};

use super::linear::extent;
use super::{WG, pad4};

/// `shaders/masked_outer.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "masked_outer",
    source: include_str!("../../shaders/masked_outer.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batches: u32,
    inner: u32,
    sites: u32,
    outputs: u32,
    inputs: u32,
    flags: u32,
    y_offset: u32,
    y4: u32,
    x_offset: u32,
    x4: u32,
    g_offset: u32,
    g_stride: u32,
}

/// Rows to sum over: `inner` of them for each of `batches` results, from row `first` on.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// First row.
    pub first: usize,
    /// Results.
    pub batches: usize,
    /// Rows of a result.
    pub inner: usize,
    /// Results are added to what there is.
    pub adds: bool,
}

/// Records G_b = the triangle of Σ_rows Y_rowᵀ X_row; `y` and `x` in padded rows, G_b from word `offset + b stride` of `g`.
#[allow(clippy::too_many_arguments)]
pub fn record(
    rec: &mut Recording,
    name: &str,
    shape: Triangle,
    rows: Rows,
    y: &Buffer,
    x: &Buffer,
    g: &Buffer,
    (offset, stride): (usize, usize),
) {
    if rows.batches == 0 || shape.words() == 0 {
        return;
    }
    let (y4, x4) = (pad4(shape.rows()) / 4, pad4(shape.columns()) / 4);
    let p = Params {
        batches: rows.batches as u32,
        inner: rows.inner as u32,
        sites: shape.sites as u32,
        outputs: shape.outputs as u32,
        inputs: shape.inputs as u32,
        flags: (shape.mask != Mask::Before) as u32 | (rows.adds as u32) << 1 | ((shape.mask == Mask::Own) as u32) << 2,
        y_offset: (rows.first * y4) as u32,
        y4: y4 as u32,
        x_offset: (rows.first * x4) as u32,
        x4: x4 as u32,
        g_offset: offset as u32,
        g_stride: stride as u32,
    };
    let seen = shape.seen(shape.sites - 1).end;
    let blocks = shape.rows().div_ceil(8) * seen.div_ceil(8);
    let summed = rows.batches * rows.inner;
    // the last block of columns reads one vec4 more where X has it
    let x_read = x4.min(2 * seen.div_ceil(8));
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(y, extent(p.y_offset, summed, p.y4, y4))
        .read(x, extent(p.x_offset, summed, p.x4, x_read))
        .update(g, offset..offset + (rows.batches - 1) * stride + shape.words())
        .trips(rows.inner as u64)
        .flops(2.0 * (summed * shape.words()) as f64)
        .moved(4.0 * (summed * (4 * y4 + 4 * x4) + rows.batches * shape.words()) as f64)
        .groups(grid((rows.batches * blocks).div_ceil(WG as usize)));
}
