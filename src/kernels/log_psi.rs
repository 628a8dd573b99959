//! `log_psi`: ln|Ψ| from the two determinants.
//!
//! Twin: the sum in its test.

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};

use super::WG;

pub static KERNEL: Kernel = Kernel {
    name: "log_psi",
    source: include_str!("../../shaders/log_psi.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

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
    rec.push(Dispatch {
        name: name.into(),
        kernel: &KERNEL,
        constants: vec![("WG", WG)],
        params: bytemuck::bytes_of(&p).to_vec(),
        buffers: vec![slater.clone(), jacobian.clone(), out.clone()],
        groups: grid(walkers.div_ceil(WG as usize)),
        trips: 0,
        flops: 3.0 * walkers as f64,
        bytes: 12.0 * walkers as f64,
    });
}
