//! `local_energy`: gradient of ln Ψ and kinetic energy of a batch of walkers.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::pad4;

/// `shaders/local_energy.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "local_energy",
    source: include_str!("../../shaders/local_energy.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 32)]],
};

/// Threads of a walker: each takes four columns of the Jacobian.
const WG: u32 = 32;

/// Numbers of a launch.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub walkers: u32,
    /// n dim.
    pub size: u32,
    pub pad: [u32; 2],
}

/// What the kernel reads; ld = `pad4(n dim)`, lengths in units of rs a0.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// ∂ ln det M/∂z, vec2 \[w\]\[n dim\].
    pub slater: &'a Buffer,
    /// dz/dx, f32 \[w\]\[ld\]\[ld\], row = output, zero padded.
    pub jacobian: &'a Buffer,
    /// Σ S_pq (J Jᵀ)_pq, vec2 \[w\] ([`super::slater_laplacian`]).
    pub trace: &'a Buffer,
    /// ∇²z, f32 \[w\]\[ld\].
    pub lap_z: &'a Buffer,
    /// ∇ ln|det J|, f32 \[w\]\[ld\].
    pub grad_q: &'a Buffer,
    /// ∇² ln|det J|, f32 \[w\].
    pub lap_q: &'a Buffer,
}

/// Records `gradient` (∇ ln Ψ, vec2 \[w\]\[n dim\]) and `kinetic` (vec4 \[w\]: re, im, the form with
/// first derivatives of ln|det J| only, Σ|∇ ln Ψ|²; Ry/rs²).
pub fn record(rec: &mut Recording, name: &str, walkers: usize, size: usize, inputs: Inputs, gradient: &Buffer, kinetic: &Buffer) {
    let ld = pad4(size);
    rec.launch(name, &KERNEL, &Params { walkers: walkers as u32, size: size as u32, pad: [0; 2] })
        .constants(&[("WG", WG)])
        .read(inputs.slater, 2 * walkers * size)
        .read(inputs.jacobian, walkers * ld * ld)
        .read(inputs.trace, 2 * walkers)
        .read(inputs.lap_z, walkers * ld)
        .read(inputs.grad_q, walkers * ld)
        .read(inputs.lap_q, walkers)
        .write(gradient, 2 * walkers * size)
        .write(kinetic, 4 * walkers)
        .trips((ld as u64 / 4).div_ceil(WG as u64) * (size as u64 + 5) + 8)
        .flops(walkers as f64 * ld as f64 * (4.0 * size as f64 + 20.0))
        .groups(grid(walkers));
}
