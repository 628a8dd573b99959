//! `adam`: one step of Adam on the device, along a gradient that is shortened where it is too long.
//!
//! Twin: `reference::optimize`.

use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};

use super::scores::single;

/// `shaders/adam.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "adam",
    source: include_str!("../../shaders/adam.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64), ("PHASE", 0)], &[("WG", 64), ("PHASE", 1)], &[("WG", 256), ("PHASE", 2)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    words: u32,
    groups: u32,
    rate: f32,
    epsilon: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    clip: f32,
    pad: [u32; 3],
}

/// Words of [`Vectors::state`].
pub const STATE: usize = 8;
/// Words of `state`: steps taken and refused (u32), then the squared norm of the last gradient (f32).
pub const TAKEN: usize = 0;
/// As [`TAKEN`].
pub const REFUSED: usize = 1;
/// As [`TAKEN`].
pub const SQUARE: usize = 5;

/// Words of a workgroup below which no other one is worth its start, and most workgroups.
const STRETCH: usize = 4096;
const MOST: usize = 1024;

/// Workgroups of vectors of `words`, whose partial sums are as many.
pub fn groups(words: usize) -> usize {
    words.div_ceil(STRETCH).clamp(1, MOST)
}

/// The numbers of a step; see [`crate::optimize::Adam`] for the meaning.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // as there
pub struct Settings {
    pub parameters: usize,
    pub rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub clip: f64,
}

/// What a step reads and writes, all zero before the first one.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'b> {
    /// f32 `[parameters]`.
    pub gradient: &'b Buffer,
    /// f32 `[parameters]`; these begin with values of their own.
    pub parameters: &'b Buffer,
    /// First moments, f32 `[parameters]`.
    pub m: &'b Buffer,
    /// Second moments, f32 `[parameters]`.
    pub v: &'b Buffer,
    /// [`STATE`] words.
    pub state: &'b Buffer,
    /// Scratch, f32 `[groups]`.
    pub partial: &'b Buffer,
}

/// Records a step.
pub fn record(rec: &mut Recording, profile: Profile, s: Settings, vectors: Vectors) {
    let (wg, words, groups) = (single(profile), s.parameters, groups(s.parameters));
    let p = Params {
        words: words as u32,
        groups: groups as u32,
        rate: s.rate as f32,
        epsilon: s.epsilon as f32,
        beta1: s.beta1 as f32,
        rest1: (1.0 - s.beta1) as f32,
        beta2: s.beta2 as f32,
        rest2: (1.0 - s.beta2) as f32,
        // shaders need not know infinities
        clip: s.clip.min(f32::MAX as f64) as f32,
        pad: [0; 3],
    };
    for (phase, name) in ["norm of the gradient", "Adam begins", "Adam"].into_iter().enumerate() {
        // a phase does not touch every vector, but binds all of them
        let used = |phases: &[usize], words: usize| if phases.contains(&phase) { words } else { words.min(4) };
        let stretch = words.div_ceil(groups * wg) as u64;
        rec.launch(name, &KERNEL, &p)
            .constants(&[("WG", wg as u32), ("PHASE", phase as u32)])
            .read(vectors.gradient, used(&[0, 2], words))
            .update(vectors.parameters, used(&[2], words))
            .update(vectors.m, used(&[2], words))
            .update(vectors.v, used(&[2], words))
            .update(vectors.state, STATE)
            .update(vectors.partial, groups)
            .trips(if phase == 1 { groups.div_ceil(wg) as u64 } else { stretch } + 10)
            .flops([2.0, 0.0, 15.0][phase] * words as f64)
            .groups(grid(if phase == 1 { 1 } else { groups }));
    }
}
