//! `z2_flip`, `z2_join`, `z2_split`: the mixture q(s) = [q0(s) + q0(-s)]/2 of a distribution of spins and its mirror image.
//!
//! Where E is even in s, q is as good as q0 or better, and cannot collapse onto one sign. Sampling costs nothing more, ln q a
//! second pass, and d ln q = w d ln q0(s) + (1 - w) d ln q0(-s) with w = q0(s)/[q0(s) + q0(-s)].

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::bernoulli::Factors;
use super::philox::{Address, Stream};
use super::{Chunk, WG};

const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", 64)]];

/// `shaders/z2_flip.wgsl`.
pub static FLIP: Kernel = Kernel {
    name: "z2_flip",
    source: include_str!("../../shaders/z2_flip.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<FlipParams>(),
    variants: VARIANTS,
};

/// `shaders/z2_join.wgsl`.
pub static JOIN: Kernel = Kernel {
    name: "z2_join",
    source: include_str!("../../shaders/z2_join.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

/// `shaders/z2_split.wgsl`.
pub static SPLIT: Kernel = Kernel {
    name: "z2_split",
    source: include_str!("../../shaders/z2_split.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct FlipParams {
    at: Address,
    count: u32,
    sites: u32,
    first: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    first: u32,
    step: u32,
    pad: u32,
}

/// ln q0(s) and ln q0(-s), f32 `[sample]`.
#[derive(Clone, Copy)]
pub struct Logarithms<'b> {
    /// Of the samples.
    pub plus: &'b Buffer,
    /// Of the samples with all spins flipped.
    pub minus: &'b Buffer,
}

/// Flips all spins of each of `chunk`'s samples (f32 ±1 `[sample][sites]`) with probability 1/2, before their logarithms are
/// taken. `at` as for the draw of the spins, with a purpose of its own
/// ([`purpose::FLIP`](crate::number::philox::purpose::FLIP)).
pub fn record_flip(rec: &mut Recording, at: Stream, chunk: Chunk, sites: usize, spins: &Buffer) {
    let Chunk { first, count } = chunk;
    let p = FlipParams { at: at.skip(first).address(), count: count as u32, sites: sites as u32, first: first as u32 };
    rec.launch("flips", &FLIP, &p)
        .constants(&[("WG", WG)])
        .update(spins, sites * first..sites * (first + count))
        .trips(sites as u64 + 10)
        .flops((count * (sites + 100)) as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}

/// ln q of `count` samples.
pub fn record_join(rec: &mut Recording, count: usize, logs: Logarithms, log_q: &Buffer) {
    rec.launch("ln q of both signs", &JOIN, &Params { count: count as u32, ..Default::default() })
        .constants(&[("WG", WG)])
        .read(logs.plus, count)
        .read(logs.minus, count)
        .write(log_q, count)
        .flops(30.0 * count as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}

/// The factors of `count` gradients of ln q as those of d ln q0(s) (`forward`) and of d ln q0(-s) (`backward`).
pub fn record_split(rec: &mut Recording, count: usize, logs: Logarithms, factors: Factors, forward: &Buffer, backward: &Buffer) {
    let p = Params { count: count as u32, first: factors.first as u32, step: factors.step as u32, pad: 0 };
    rec.launch("factors of both signs", &SPLIT, &p)
        .constants(&[("WG", WG)])
        .read(logs.plus, count)
        .read(logs.minus, count)
        .read(factors.buffer, factors.first..factors.first + factors.step * count.saturating_sub(1) + 1)
        .write(forward, count)
        .write(backward, count)
        .flops(12.0 * count as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}
