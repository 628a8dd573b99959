//! `displace`, `amplitude`, `momentum_distribution`: n(k) of the electrons, from one of them moved by a random vector.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::determinant::Outputs;
use super::observables::Positions;
use super::philox::{Address, Stream};

const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", WG)]];

/// `shaders/displace.wgsl`.
pub static DISPLACE: Kernel = Kernel {
    name: "displace",
    source: include_str!("../../shaders/displace.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Displacement>(),
    variants: VARIANTS,
};

/// `shaders/amplitude.wgsl`.
pub static AMPLITUDE: Kernel = Kernel {
    name: "amplitude",
    source: include_str!("../../shaders/amplitude.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Amplitude>(),
    variants: VARIANTS,
};

/// `shaders/momentum_distribution.wgsl`.
pub static MOMENTUM_DISTRIBUTION: Kernel = Kernel {
    name: "momentum_distribution",
    source: include_str!("../../shaders/momentum_distribution.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Distribution>(),
    variants: VARIANTS,
};

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Displacement {
    at: Address,
    walkers: u32,
    n: u32,
    dim: u32,
    index: u32,
    length: f32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Amplitude {
    walkers: u32,
    pad: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Distribution {
    walkers: u32,
    n: u32,
    shells: u32,
    vectors: u32,
    first: u32,
    weight: f32,
    pad: [u32; 2],
}

/// Records `moved` (f32 \[walker\]\[n\]\[dim\]), the walkers with one electron elsewhere, and `shift` (vec4 \[walker\]), by how much over
/// L; `index` counts the moves of a step.
pub fn displace(rec: &mut Recording, at: Positions, stream: Stream, index: usize, moved: &Buffer, shift: &Buffer) {
    let Positions { x, walkers, n, dim, length } = at;
    let params = Displacement {
        at: stream.address(),
        walkers: walkers as u32,
        n: n as u32,
        dim: dim as u32,
        index: index as u32,
        length: length as f32,
        pad: [0; 2],
    };
    rec.launch("move one electron", &DISPLACE, &params)
        .constants(&[("WG", WG)])
        .read(x, walkers * n * dim)
        .write(moved, walkers * n * dim)
        .write(shift, 4 * walkers)
        .trips(10 + dim as u64)
        .flops(100.0 * (walkers * n) as f64)
        .groups(grid((walkers * n).div_ceil(WG as usize)));
}

/// Records Ψ but for a constant as (ln|Ψ|, arg Ψ) of `walkers` into `out`, vec2 \[walker\], from their determinants.
pub fn amplitude(rec: &mut Recording, walkers: usize, slater: &Outputs, jacobian: &Outputs, out: &Buffer) {
    rec.launch("psi", &AMPLITUDE, &Amplitude { walkers: walkers as u32, pad: [0; 3] })
        .constants(&[("WG", WG)])
        .read(&slater.logdet, walkers)
        .read(&slater.sign, walkers)
        .read(&slater.status, walkers)
        .read(&jacobian.logdet, walkers)
        .read(&jacobian.status, walkers)
        .write(out, 2 * walkers)
        .flops(2.0 * walkers as f64)
        .groups(grid(walkers.div_ceil(WG as usize)));
}

/// Plane waves, shell after shell.
#[derive(Clone, Copy)]
pub struct PlaneWaves<'b> {
    /// vec4 (k L/2π, 0).
    pub vectors: &'b Buffer,
    /// How many.
    pub count: usize,
    /// u32: where each shell begins, and the end.
    pub starts: &'b Buffer,
    /// How many.
    pub shells: usize,
    /// Vectors of the largest.
    pub largest: usize,
}

/// Records `share` of the occupations of `waves` by the n electrons of each of `walkers` into `out`, f32 \[walker\]\[shells\]: in place of
/// what is there (`first`), or added to it. `here`, `moved` vec2 \[walker\] of [`amplitude`], `shift` of [`displace`].
#[allow(clippy::too_many_arguments)] // sizes and buffers
pub fn momentum_distribution(
    rec: &mut Recording,
    (walkers, n): (usize, usize),
    waves: PlaneWaves,
    [here, moved, shift]: [&Buffer; 3],
    (first, share): (bool, f64),
    out: &Buffer,
) {
    let PlaneWaves { vectors, count, starts, shells, largest } = waves;
    let params = Distribution {
        walkers: walkers as u32,
        n: n as u32,
        shells: shells as u32,
        vectors: count as u32,
        first: first.into(),
        weight: share as f32,
        pad: [0; 2],
    };
    rec.launch("momentum distribution", &MOMENTUM_DISTRIBUTION, &params)
        .constants(&[("WG", WG)])
        .read(here, 2 * walkers)
        .read(moved, 2 * walkers)
        .read(shift, 4 * walkers)
        .read(vectors, 4 * count)
        .read(starts, shells + 1)
        .update(out, walkers * shells)
        .trips(largest as u64)
        .flops(30.0 * (walkers * count) as f64)
        .groups(grid((walkers * shells).div_ceil(WG as usize)));
}
