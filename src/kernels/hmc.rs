//! `hmc_leapfrog` and `hmc_accept`: Hamiltonian Monte Carlo of many chains, whose potential somebody else computes.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::philox::{Address, Stream};

/// `shaders/hmc_leapfrog.wgsl`.
pub static LEAPFROG: Kernel = Kernel {
    name: "hmc_leapfrog",
    source: include_str!("../../shaders/hmc_leapfrog.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<LeapfrogParams>(),
    variants: &[&[("WG", WG)]],
};

/// `shaders/hmc_accept.wgsl`.
pub static ACCEPT: Kernel = Kernel {
    name: "hmc_accept",
    source: include_str!("../../shaders/hmc_accept.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<AcceptParams>(),
    variants: &[&[("WG", WG)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct LeapfrogParams {
    blocks: u32,
    kick: f32,
    drift: f32,
    base: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct AcceptParams {
    at: Address,
    chains: u32,
    blocks: u32,
    flags: u32,
    base: f32,
    per_site: f32,
    pad: [u32; 2],
}

/// Numbers of a chain's row of the state: H, m², 1 where it moved, the change of H that was proposed.
pub const COLUMNS: usize = 4;

/// Where the chains are and what moves them; a number of coordinates that 4 divides.
pub struct Chains {
    chains: usize,
    sites: usize,
    /// Their coordinates, f32 `[chain][site]`.
    pub position: Buffer,
    /// f32 `[chain][site]`.
    pub momentum: Buffer,
    /// ln N of the momenta, f32 `[chain]`.
    pub kinetic: Buffer,
    /// f32 `[chain][4]`.
    pub state: Buffer,
    kept: Buffer,
}

/// The potential at the coordinates; shapes are those of the shader.
#[derive(Clone, Copy)]
pub struct Potential<'b> {
    /// U, f32 `[chain]`.
    pub energy: &'b Buffer,
    /// ln q of samples and ln N of their latent variables, where these are the coordinates.
    pub latent: Option<(&'b Buffer, &'b Buffer)>,
    /// n m, f32 `[chain]`.
    pub magnetisation: &'b Buffer,
}

impl Chains {
    /// So many of them.
    pub fn new(chains: usize, sites: usize) -> Chains {
        Chains {
            chains,
            sites,
            position: Buffer::new("coordinates of chains", chains * sites),
            momentum: Buffer::new("momenta of chains", chains * sites),
            kinetic: Buffer::new("ln N of momenta", chains),
            state: Buffer::new("states of chains", COLUMNS * chains),
            kept: Buffer::new("coordinates kept", chains * sites),
        }
    }

    /// Records p <- p - `kick` (force + base q), q <- q + `drift` p; `base` whether q are latent variables.
    pub fn record_leapfrog(&self, rec: &mut Recording, force: &Buffer, [kick, drift]: [f64; 2], base: bool) {
        let words = self.chains * self.sites;
        let p = LeapfrogParams { blocks: (words / 4) as u32, kick: kick as f32, drift: drift as f32, base: base as u32 as f32 };
        rec.launch("leapfrog", &LEAPFROG, &p)
            .constants(&[("WG", WG)])
            .read(force, words)
            .update(&self.momentum, words)
            .update(&self.position, words)
            .flops(6.0 * words as f64)
            .groups(grid((words / 4).div_ceil(WG as usize)));
    }

    /// Records that a trajectory `begins`, or that it ends and is accepted or taken back, by the potential where it is.
    pub fn record_end(&self, rec: &mut Recording, at: Stream, of: Potential, begins: bool) {
        let (chains, words) = (self.chains, self.chains * self.sites);
        let p = AcceptParams {
            at: at.address(),
            chains: chains as u32,
            blocks: (self.sites / 4) as u32,
            flags: begins as u32,
            base: of.latent.is_some() as u32 as f32,
            per_site: (1.0 / self.sites as f64) as f32,
            pad: [0; 2],
        };
        // not read without latent variables
        let (log_q, normal) = of.latent.unwrap_or((of.energy, of.energy));
        rec.launch(if begins { "trajectories begin" } else { "trajectories end" }, &ACCEPT, &p)
            .constants(&[("WG", WG)])
            .read(of.energy, chains)
            .read(log_q, chains)
            .read(normal, chains)
            .read(&self.kinetic, chains)
            .read(of.magnetisation, chains)
            .update(&self.kept, words)
            .update(&self.position, words)
            .update(&self.state, COLUMNS * chains)
            .trips(10 + (self.sites / 4).div_ceil(WG as usize) as u64)
            .flops(100.0 * chains as f64)
            .groups(grid(chains));
    }
}
