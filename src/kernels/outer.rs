//! `outer`: per-batch sums of outer products of rows, the weight gradients of linear layers.

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};

use super::WG;

pub static KERNEL: Kernel = Kernel {
    name: "outer",
    source: include_str!("../../shaders/outer.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// Shapes and places; X and Y in vec4 units, G in words. See the kernel's header.
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
    let rows = p.outer as f64 * p.inner as f64;
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
        let share = count as f64 / p.outer as f64;
        rec.push(Dispatch {
            name: name.into(),
            kernel: &KERNEL,
            constants: vec![("WG", WG)],
            params: bytemuck::bytes_of(&part).to_vec(),
            buffers: vec![x.clone(), y.clone(), g.clone()],
            groups: grid((p.batches as usize * blocks).div_ceil(WG as usize)),
            trips: count as u64 * (p.inner as u64 + 1),
            flops: 2.0 * share * p.batches as f64 * rows * p.rows_out as f64 * p.cols as f64,
            bytes: 4.0 * share * p.batches as f64 * rows * (p.rows_out as f64 + p.cols as f64),
        });
        first += count;
    }
}
