//! `ewald`: Coulomb energy of a batch of walkers in a periodic box.

use crate::gpu::{Buffer, Kernel, Recording, grid};
use crate::system::Ewald;

use super::WG;

/// `shaders/ewald.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "ewald",
    source: include_str!("../../shaders/ewald.wgsl"),
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
    /// Blocks of 4 vectors G.
    pub blocks: u32,
    /// 1/L.
    pub inverse_length: f32,
    pub kappa: f32,
    /// 2 rs/L.
    pub prefactor: f32,
    /// Everything that does not depend on x, Ry/rs².
    pub constant: f32,
}

impl Params {
    /// `walkers` configurations of `n` electrons in a box of side `length` (units of rs a0).
    pub fn new(ewald: &Ewald, walkers: usize, n: usize, rs: f64, length: f64) -> Self {
        let prefactor = 2.0 * rs / length;
        let pairs = 0.5 * (n * n.saturating_sub(1)) as f64;
        Params {
            walkers: walkers as u32,
            n: n as u32,
            dim: ewald.dim as u32,
            blocks: ewald.vectors.len().div_ceil(4) as u32,
            inverse_length: (1.0 / length) as f32,
            kappa: ewald.kappa as f32,
            prefactor: prefactor as f32,
            constant: (prefactor * pairs * ewald.g0 + ewald.constant(n, rs, length)) as f32,
        }
    }
}

/// Records potential\[w\] (f32, Ry/rs²) of `x` (f32 \[w\]\[n\]\[dim\], units of rs a0, any image).
///
/// `table` holds [`Ewald::table`].
pub fn record(rec: &mut Recording, name: &str, p: Params, x: &Buffer, table: &Buffer, potential: &Buffer) {
    let pairs = p.n as u64 * (p.n as u64).saturating_sub(1) / 2;
    let wg = WG as u64;
    let vectors = 4.0 * p.blocks as f64;
    let (walkers, coordinates) = (p.walkers as usize, (p.n * p.dim) as usize);
    rec.launch(name, &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(x, walkers * coordinates)
        .read(table, 16 * p.blocks as usize)
        .write(potential, walkers)
        .trips(pairs.div_ceil(wg) + (p.blocks as u64).div_ceil(wg) * (p.n as u64 + 1) + 8)
        // about 28 operations a phase and 45 a pair
        .flops(p.walkers as f64 * (28.0 * vectors * p.n as f64 + 45.0 * pairs as f64))
        .groups(grid(walkers));
}
