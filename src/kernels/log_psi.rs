//! `log_psi`: ln|Ψ| from the two determinants.
//!
//! Twin: the sum in its test.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;

/// `shaders/log_psi.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "log_psi",
    source: include_str!("../../shaders/log_psi.wgsl"),
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
    /// Constant of the normalisation, -(n d/2) ln L.
    pub norm: f32,
    pub pad: [u32; 2],
}

/// Records out = slater + ½ jacobian + norm, each f32 `[walker]`.
pub fn record(rec: &mut Recording, name: &str, walkers: usize, norm: f64, slater: &Buffer, jacobian: &Buffer, out: &Buffer) {
    let p = Params { walkers: walkers as u32, norm: norm as f32, pad: [0; 2] };
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(slater, walkers)
        .read(jacobian, walkers)
        .write(out, walkers)
        .flops(3.0 * walkers as f64)
        .groups(grid(walkers.div_ceil(WG as usize)));
}
