//! `stencil`: energies of the Ising model on a square or triangular lattice, without a table.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::couplings::Observables;
use super::{Chunk, WG};

/// `shaders/stencil.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "stencil",
    source: include_str!("../../shaders/stencil.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    side: u32,
    first: u32,
    flags: u32,
    coupling: f32,
    field: f32,
    pad: [u32; 2],
}

/// E = -J Σ_bonds s s' - h Σ s; site (i, j) is i side + j, and each bond counts once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stencil {
    /// Sites of a row, and rows.
    pub side: usize,
    /// Bonds (i, j)–(i + 1, j + 1) beside those of the square lattice.
    pub triangular: bool,
    /// Opposite edges are joined.
    pub periodic: bool,
    /// J.
    pub coupling: f64,
    /// h.
    pub field: f64,
}

impl Stencil {
    /// Refuses lattices whose bonds would count twice, and numbers that are not finite.
    ///
    /// # Errors
    /// [`Error::User`].
    pub fn check(&self) -> Result<()> {
        let least = if self.periodic { 3 } else { 2 };
        // 244 x 245 loop trips are the most that a launch makes
        if !(least..=244).contains(&self.side) || !self.coupling.is_finite() || !self.field.is_finite() {
            return Err(Error::User(format!("lattice: side {} ({least} to 244), J {}, h {}", self.side, self.coupling, self.field)));
        }
        Ok(())
    }

    /// Records E and M of `chunk`'s samples of `spins` (f32 ±1 `[sample][side²]`).
    pub fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        let (sites, Chunk { first, count }) = (self.side * self.side, chunk);
        let p = Params {
            count: count as u32,
            side: self.side as u32,
            first: first as u32,
            flags: self.triangular as u32 | (self.periodic as u32) << 1,
            coupling: self.coupling as f32,
            field: self.field as f32,
            pad: [0; 2],
        };
        rec.launch("energies", &KERNEL, &p)
            .constants(&[("WG", WG)])
            .read(spins, sites * first..sites * (first + count))
            .write(out.energy, first..first + count)
            .write(out.magnetisation, first..first + count)
            .trips((self.side * (self.side + 1)) as u64)
            .flops(8.0 * (count * sites) as f64)
            .moved(8.0 * (count * sites) as f64)
            .groups(grid(count.div_ceil(WG as usize)));
    }
}
