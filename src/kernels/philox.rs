//! `philox`: counter-based random numbers, the same on every device and for every split of walkers.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
pub use crate::number::philox::{Address, Stream, purpose};

/// `shaders/philox.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "philox",
    source: include_str!("../../shaders/philox.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64), ("KIND", 0)], &[("WG", 64), ("KIND", 1)], &[("WG", 64), ("KIND", 2)]],
};

/// Numbers of a launch.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub at: Address,
    pub walkers: u32,
    pub blocks: u32,
    pub pad: u32,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 32 random bits a word.
    Bits,
    /// Uniform in the open interval (0, 1).
    Uniform,
    /// Standard normal.
    Normal,
}

/// Records a fill of `y` with `walkers` rows of 4 `blocks` numbers; the numbers of a walker depend on
/// its global index alone.
pub fn record(rec: &mut Recording, name: &str, kind: Kind, at: Stream, walkers: usize, blocks: usize, y: &Buffer) {
    let p = Params { at: at.address(), walkers: walkers as u32, blocks: blocks as u32, pad: 0 };
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG), ("KIND", kind as u32)])
        .write(y, 4 * walkers * blocks)
        .trips(10)
        .flops(250.0 * (walkers * blocks) as f64)
        .groups(grid((walkers * blocks).div_ceil(WG as usize)));
}
