//! `slater_laplacian`: the curvature part Σ S_pq (J Jᵀ)_pq of ∇² ln det M(z(x)).
//!
//! Twin: `reference::slater`.

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};

use super::{WG, slater_gradient};

pub use super::slater_gradient::{Params, Waves};

pub static KERNEL: Kernel = Kernel {
    name: "slater_laplacian",
    source: include_str!("../../shaders/slater_laplacian.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<slater_gradient::Params>(),
    variants: &[&[("WG", 64)]],
};

/// Records `trace` (vec2 \[w\]).
///
/// `current` comes from [`slater_gradient::record`]; `jacobian` is dz/dx, f32 \[w\]\[ld\]\[ld\] with
/// ld = pad4(n dim), row = output, zero padded.
pub fn record(rec: &mut Recording, name: &str, p: Params, waves: Waves, current: &Buffer, jacobian: &Buffer, trace: &Buffer) {
    let (n, wg) = (p.n as u64, WG as u64);
    let rows4 = (n * p.dim as u64).div_ceil(4);
    let tiles = rows4 * (rows4 + 1) / 2;
    let walkers = p.walkers as f64;
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
            jacobian.clone(),
            trace.clone(),
        ],
        groups: grid(p.walkers as usize),
        trips: tiles.div_ceil(wg) * (rows4 + 21) + n.div_ceil(wg) * (rows4 + n + 2) + 8,
        flops: walkers * (tiles as f64 * (128.0 * rows4 as f64 + 16.0 * 10.0) + (n * n) as f64 * 24.0),
        bytes: walkers * (64.0 * (rows4 * rows4) as f64 + 8.0 * (n * n) as f64 * (2.0 + p.dim as f64)),
    });
}
