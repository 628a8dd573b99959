//! `adam`: one step of Adam on the device.
//!
//! Twin: `reference::optimize`.

use crate::gpu::{Buffer, Kernel, Profile, Recording};

use super::scores::single;

/// `shaders/adam.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "adam",
    source: include_str!("../../shaders/adam.wgsl"),
    shared: &[],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)], &[("WG", 256)]],
};

/// The numbers of a step; see [`crate::optimize::Adam`] for the meaning.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub words: u32,
    pub pad: u32,
    pub rate: f32,
    pub epsilon: f32,
    pub beta1: f32,
    pub rest1: f32,
    pub beta2: f32,
    pub rest2: f32,
}

/// Records a step. `m`, `v`: moments, f32 `[words]`; `state` `[4]`; all zero before the first step.
#[allow(clippy::too_many_arguments)]
pub fn record(
    rec: &mut Recording,
    name: &str,
    profile: Profile,
    p: Params,
    gradient: &Buffer,
    parameters: &Buffer,
    m: &Buffer,
    v: &Buffer,
    state: &Buffer,
) {
    let wg = single(profile);
    let words = p.words as usize;
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", wg as u32)])
        .read(gradient, words)
        .update(parameters, words)
        .update(m, words)
        .update(v, words)
        .update(state, 4)
        .trips(2 * words.div_ceil(wg) as u64)
        .flops(14.0 * p.words as f64)
        .groups([1, 1, 1]);
}
