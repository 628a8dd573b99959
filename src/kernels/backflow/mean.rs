//! `backflow_particle_mean`: means and sums over the particles of a walker.

use crate::gpu::{Buffer, Kernel, Recording};

use super::super::WG;

/// `shaders/backflow_particle_mean.wgsl`.
pub static PARTICLE_MEAN: Kernel = Kernel {
    name: "backflow_particle_mean",
    source: include_str!("../../../shaders/backflow_particle_mean.wgsl"),
    shared: &[],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    n: u32,
    /// vec4 a particle.
    block: u32,
    scale: f32,
    pad: u32,
}

/// Records out `[walker][block]` = `scale` times the sum over n particles of h `[walker][n][block]`, in vec4.
#[allow(clippy::too_many_arguments)] // input, output and their shapes
pub(super) fn record(rec: &mut Recording, name: &str, walkers: usize, n: usize, block: usize, scale: f32, h: &Buffer, out: &Buffer) {
    rec.launch(name, &PARTICLE_MEAN, &Params { n: n as u32, block: block as u32, scale, pad: 0 })
        .constants(&[("WG", WG)])
        .read(h, 4 * walkers * n * block)
        .write(out, 4 * walkers * block)
        .trips(n as u64)
        .flops((8 * walkers * block * (n + 1)) as f64)
        .groups([block.div_ceil(WG as usize) as u32, walkers as u32, 1]);
}
