//! `occupied`: total momentum and ideal energy of occupied orbitals.

use std::f64::consts::PI;

use crate::gpu::{Buffer, Kernel, Recording, grid};
use crate::system::electron_gas::ElectronGas;

use super::WG;

/// `shaders/occupied.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "occupied",
    source: include_str!("../../shaders/occupied.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// Numbers of a launch.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub walkers: u32,
    pub n: u32,
    pub dim: u32,
    /// 2π/L.
    pub wave: f32,
    /// Rows of the table of orbitals.
    pub orbitals: u32,
    pub pad: [u32; 3],
}

/// Records `momentum` (f32 `[walker][dim]`, units of 2π/L) and `ideal` (vec4 `[walker]`, Σ k² in Ry/rs²) of
/// `states` (u32 `[walker][n]`); `orbitals` holds [`ElectronGas::momenta_padded`].
pub fn record(
    rec: &mut Recording,
    gas: &ElectronGas,
    walkers: usize,
    states: &Buffer,
    orbitals: &Buffer,
    momentum: &Buffer,
    ideal: &Buffer,
) {
    let p = Params {
        walkers: walkers as u32,
        n: gas.n as u32,
        dim: gas.dim as u32,
        wave: (2.0 * PI / gas.length()) as f32,
        orbitals: gas.orbital_count() as u32,
        pad: [0; 3],
    };
    rec.launch("occupied orbitals", &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(states, walkers * gas.n)
        .read(orbitals, 4 * gas.orbital_count())
        .write(momentum, walkers * gas.dim)
        .write(ideal, 4 * walkers)
        .trips((gas.n * (1 + gas.dim)) as u64)
        .flops(9.0 * (walkers * gas.n) as f64)
        .groups(grid(walkers.div_ceil(WG as usize)));
}
