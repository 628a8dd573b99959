//! `slater_gradient`: gradient of ln det M and the matrices C^k = M (ik) M⁻¹ behind its second derivatives.
//!
//! Twin: `reference::slater`.

use std::f64::consts::PI;

use crate::gpu::{Buffer, Kernel, Launch, Recording, grid};
use crate::system::ElectronGas;

use super::WG;

/// `shaders/slater_gradient.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "slater_gradient",
    source: include_str!("../../shaders/slater_gradient.wgsl"),
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

impl Params {
    /// For `walkers` determinants of the gas.
    pub fn new(gas: &ElectronGas, walkers: usize) -> Self {
        Params {
            walkers: walkers as u32,
            n: gas.n as u32,
            dim: gas.dim as u32,
            wave: (2.0 * PI / gas.length()) as f32,
            orbitals: gas.orbital_count() as u32,
            pad: [0; 3],
        }
    }
}

/// The occupied plane waves of a batch of walkers, as the derivative kernels read them.
#[derive(Clone, Copy)]
pub struct Waves<'a> {
    /// M, vec2 \[w\]\[particle\]\[state\].
    pub matrix: &'a Buffer,
    /// M⁻¹, vec2 \[w\]\[state\]\[particle\].
    pub inverse: &'a Buffer,
    /// u32 \[w\]\[n\].
    pub states: &'a Buffer,
    /// [`ElectronGas::momenta_padded`].
    pub orbitals: &'a Buffer,
}

impl Waves<'_> {
    /// Bindings 1 to 4 of both derivative kernels.
    pub(super) fn bind<'r>(&self, launch: Launch<'r>, p: &Params) -> Launch<'r> {
        let (walkers, n) = (p.walkers as usize, p.n as usize);
        launch
            .read(self.matrix, 2 * walkers * n * n)
            .read(self.inverse, 2 * walkers * n * n)
            .read(self.states, walkers * n)
            .read(self.orbitals, 4 * p.orbitals as usize)
    }
}

/// Words of the buffer `current`.
pub fn current_words(walkers: usize, n: usize, dim: usize) -> usize {
    2 * walkers * n * n * dim
}

/// Records `current` (vec2 \[w\]\[i\]\[c\]\[j\], C^c_ij) and `gradient` (vec2 \[w\]\[i\]\[c\], ∂ ln det M/∂z_ic).
pub fn record(rec: &mut Recording, name: &str, p: Params, waves: Waves, current: &Buffer, gradient: &Buffer) {
    let n = p.n as usize;
    let threads = p.walkers as usize * n.div_ceil(2) * n.div_ceil(4);
    let cube = p.walkers as f64 * (n * n * n) as f64;
    let (walkers, dim) = (p.walkers as usize, p.dim as usize);
    waves
        .bind(rec.launch(name, &KERNEL, &p).constants(&[("WG", WG)]), &p)
        .write(current, current_words(walkers, n, dim))
        .write(gradient, 2 * walkers * n * dim)
        .trips(n as u64 + 8 * (p.dim as u64 + 1))
        .flops(cube * (6.0 + 4.0 * p.dim as f64))
        .groups(grid(threads.div_ceil(WG as usize)));
}
