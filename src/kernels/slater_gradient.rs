//! `slater_gradient`: gradient of ln det M and the matrices C^k = M (ik) M⁻¹ behind its second derivatives.
//!
//! Twin: `reference::slater`.

use std::f64::consts::PI;

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};
use crate::system::ElectronGas;

use super::WG;

pub static KERNEL: Kernel = Kernel {
    name: "slater_gradient",
    source: include_str!("../../shaders/slater_gradient.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub walkers: u32,
    pub n: u32,
    pub dim: u32,
    /// 2π/L.
    pub wave: f32,
}

impl Params {
    pub fn new(gas: &ElectronGas, walkers: usize) -> Self {
        Params { walkers: walkers as u32, n: gas.n as u32, dim: gas.dim as u32, wave: (2.0 * PI / gas.length()) as f32 }
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

/// Words of the buffer `current`.
pub fn current_words(walkers: usize, n: usize, dim: usize) -> usize {
    2 * walkers * n * n * dim
}

/// Records `current` (vec2 \[w\]\[i\]\[c\]\[j\], C^c_ij) and `gradient` (vec2 \[w\]\[i\]\[c\], ∂ ln det M/∂z_ic).
pub fn record(rec: &mut Recording, name: &str, p: Params, waves: Waves, current: &Buffer, gradient: &Buffer) {
    let n = p.n as usize;
    let threads = p.walkers as usize * n.div_ceil(2) * n.div_ceil(4);
    let cube = p.walkers as f64 * (n * n * n) as f64;
    rec.push(Dispatch {
        name: name.into(),
        kernel: &KERNEL,
        constants: vec![("WG", WG)],
        params: bytemuck::bytes_of(&p).to_vec(),
        buffers: vec![
            waves.matrix.clone(),
            waves.inverse.clone(),
            waves.states.clone(),
            waves.orbitals.clone(),
            current.clone(),
            gradient.clone(),
        ],
        groups: grid(threads.div_ceil(WG as usize)),
        trips: n as u64 + 8 * (p.dim as u64 + 1),
        flops: cube * (6.0 + 4.0 * p.dim as f64),
        bytes: p.walkers as f64 * (n * n) as f64 * 8.0 * (2.0 + p.dim as f64),
    });
}
