//! `slater`: plane-wave matrices M_ia = e^(i k_a·z_i) of a batch of walkers.

use crate::gpu::{Buffer, Kernel, Recording, grid};
use crate::system::ElectronGas;

use super::WG;

/// `shaders/slater.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "slater",
    source: include_str!("../../shaders/slater.wgsl"),
    shared: &["grid", "special"],
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
    /// Rows of the table of orbitals.
    pub orbitals: u32,
    /// 1/L.
    pub inverse_length: f32,
    /// Twist in units of 2π/L.
    pub twist: [f32; 3],
    /// Particles and states of spin up.
    pub up: u32,
    pub pad: [u32; 3],
}

impl Params {
    /// For `walkers` determinants of the gas.
    pub fn new(gas: &ElectronGas, walkers: usize) -> Self {
        Params {
            walkers: walkers as u32,
            n: gas.n as u32,
            dim: gas.dim as u32,
            orbitals: gas.orbital_count() as u32,
            inverse_length: (1.0 / gas.length()) as f32,
            twist: gas.twist.map(|t| t as f32),
            up: gas.up as u32,
            pad: [0; 3],
        }
    }
}

/// Records `matrix` (vec2 \[w\]\[particle\]\[state\]) of `z` (f32 \[w\]\[n\]\[dim\]) and `states` (u32 \[w\]\[n\]).
///
/// `orbitals` holds [`ElectronGas::momenta_padded`]. Add [`ElectronGas::ln_norm`] to ln|det|.
pub fn record(rec: &mut Recording, name: &str, p: Params, z: &Buffer, states: &Buffer, orbitals: &Buffer, matrix: &Buffer) {
    let elements = p.walkers as usize * p.n as usize * p.n as usize;
    let (walkers, n, dim) = (p.walkers as usize, p.n as usize, p.dim as usize);
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(z, walkers * n * dim)
        .read(states, walkers * n)
        .read(orbitals, 4 * p.orbitals as usize)
        .write(matrix, 2 * walkers * n * n)
        .flops(45.0 * elements as f64)
        .groups(grid(elements.div_ceil(WG as usize)));
}
