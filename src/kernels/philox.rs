//! `philox`: counter-based random numbers, the same on every device and for every split of walkers.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;

pub static KERNEL: Kernel = Kernel {
    name: "philox",
    source: include_str!("../../shaders/philox.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64), ("KIND", 0)], &[("WG", 64), ("KIND", 1)], &[("WG", 64), ("KIND", 2)]],
};

/// What the fourth counter word stands for: streams that must not meet.
pub mod purpose {
    /// Plain fills by this kernel.
    pub const FILL: u32 = 0;
    /// Occupations drawn from p(K).
    pub const OCCUPATION: u32 = 1;
    /// Metropolis moves and their acceptance.
    pub const METROPOLIS: u32 = 2;
    /// Exact sampling of positions.
    pub const POSITIONS: u32 = 3;
    /// Random probe vectors.
    pub const PROBES: u32 = 4;
    /// Spin configurations.
    pub const SPINS: u32 = 5;
    /// Latent variables of normalising flows.
    pub const LATENT: u32 = 6;
    /// Initial parameters, made on the host.
    pub const PARAMETERS: u32 = 7;
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub seed_low: u32,
    pub seed_high: u32,
    pub step: u32,
    pub purpose: u32,
    pub first_walker: u32,
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

/// Place of a block of random numbers in the streams of a run.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub seed: u64,
    pub step: u32,
    /// One of [`purpose`].
    pub purpose: u32,
    /// Global index of the first walker of the buffer.
    pub first_walker: u32,
}

/// Records a fill of `y` with `walkers` rows of 4 `blocks` numbers; the numbers of a walker depend on
/// its global index alone.
pub fn record(rec: &mut Recording, name: &str, kind: Kind, at: Stream, walkers: usize, blocks: usize, y: &Buffer) {
    let p = Params {
        seed_low: at.seed as u32,
        seed_high: (at.seed >> 32) as u32,
        step: at.step,
        purpose: at.purpose,
        first_walker: at.first_walker,
        walkers: walkers as u32,
        blocks: blocks as u32,
        pad: 0,
    };
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG), ("KIND", kind as u32)])
        .write(y, 4 * walkers * blocks)
        .trips(10)
        .flops(250.0 * (walkers * blocks) as f64)
        .groups(grid((walkers * blocks).div_ceil(WG as usize)));
}
