//! `prelu`: leaky rectifiers with a slope for each unit, and their reverse mode.
//!
//! Twin: `reference::made`.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::{WG, pad4};

/// `shaders/prelu.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "prelu",
    source: include_str!("../../shaders/prelu.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count4: u32,
    units4: u32,
    first: u32,
    flags: u32,
}

/// Slopes of `units` units from vec4 `first` of a buffer on, and the rows they are used for.
#[derive(Clone, Copy)]
pub struct Slopes<'b> {
    /// Rows of numbers.
    pub rows: usize,
    /// Numbers of a row, each with a slope.
    pub units: usize,
    /// Where the slopes are, f32.
    pub buffer: &'b Buffer,
    /// Vec4 of the first.
    pub first: usize,
}

impl Slopes<'_> {
    fn params(&self, flags: u32) -> (Params, usize, usize) {
        let units4 = pad4(self.units) / 4;
        let p = Params { count4: (self.rows * units4) as u32, units4: units4 as u32, first: self.first as u32, flags };
        (p, 4 * self.rows * units4, 4 * units4)
    }
}

/// Records y = PReLU(x), in padded rows. `idle`: any buffer of its own, which stays as it is.
pub fn record(rec: &mut Recording, name: &str, s: Slopes, x: &Buffer, y: &Buffer, idle: &Buffer) {
    let (p, words, units) = s.params(0);
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(x, words)
        .read(s.buffer, 4 * s.first..4 * s.first + units)
        .write(y, words)
        .update(idle, 4)
        .flops(words as f64)
        .groups(grid((words / 4).div_ceil(WG as usize)));
}

/// Records the reverse mode: `d` holds the gradient by PReLU(x) and becomes that by x; `slopes`: that by the slopes, a row each.
pub fn record_vjp(rec: &mut Recording, name: &str, s: Slopes, x: &Buffer, d: &Buffer, slopes: &Buffer) {
    let (p, words, units) = s.params(1);
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(x, words)
        .read(s.buffer, 4 * s.first..4 * s.first + units)
        .update(d, words)
        .write(slopes, words)
        .flops(2.0 * words as f64)
        .groups(grid((words / 4).div_ceil(WG as usize)));
}
