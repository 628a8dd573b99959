//! `slater_laplacian`: the curvature part Σ S_pq (J Jᵀ)_pq of ∇² ln det M(z(x)).
//!
//! Twin: `reference::slater`.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::{WG, pad4, slater_gradient};

pub use super::slater_gradient::{Params, Waves};

/// `shaders/slater_laplacian.wgsl`.
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
    let wg = WG as u64;
    let rows4 = (p.n as u64 * p.dim as u64).div_ceil(4);
    let tiles = rows4 * (rows4 + 1) / 2;
    let walkers = p.walkers as f64;
    let (all, n) = (p.walkers as usize, p.n as usize);
    let ld = pad4(n * p.dim as usize);
    waves
        .bind(rec.launch(name, &KERNEL, &p).constants(&[("WG", WG)]), &p)
        .read(current, slater_gradient::current_words(all, n, p.dim as usize))
        .read(jacobian, all * ld * ld)
        .write(trace, 2 * all)
        .trips(tiles.div_ceil(wg) * (rows4 + 21) + (n as u64).div_ceil(wg) * (rows4 + n as u64 + 2) + 8)
        .flops(walkers * (tiles as f64 * (128.0 * rows4 as f64 + 16.0 * 10.0) + (n * n) as f64 * 24.0))
        .groups(grid(all));
}
