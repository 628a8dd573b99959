//! `independence`: independence Metropolis, chains of e^{-βE}/Z that are proposed the samples of q one after another: beside
//! importance weights a second way from q to the exact distribution, which shows in how long it stays where q has too few.
//!
//! [`crate::estimate::chains`] finishes the sums in float64.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::free_energy::Samples;
use super::philox::{Address, Stream};

/// `shaders/independence.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "independence",
    source: include_str!("../../shaders/independence.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", WG)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    chains: u32,
    length: u32,
    skip: u32,
    start: u32,
    beta: f32,
    per_site: f32,
    pad: u32,
}

/// Numbers of a chain's row of sums; the header of the kernel names them.
pub const COLUMNS: usize = 8;
/// Most chains: their spread tells the error of their mean to 9 %.
pub const CHAINS: usize = 64;
/// Most proposals of a chain in a batch.
const MOST: usize = 16_000;

/// Chains that go on from batch to batch.
pub struct Independence {
    sites: usize,
    chains: usize,
    length: usize,
    /// The present samples, f32 `[chain][4]`.
    pub state: Buffer,
    /// f32 `[chain][8]`.
    pub sums: Buffer,
}

impl Independence {
    /// For batches of `samples` of `sites` spins. Samples that the chains do not share evenly are left over.
    pub fn new(samples: usize, sites: usize) -> Independence {
        let chains = samples.clamp(1, CHAINS);
        Independence {
            sites,
            chains,
            length: (samples / chains).min(MOST),
            state: Buffer::state("samples of chains", 4 * chains),
            sums: Buffer::result("sums of chains", COLUMNS * chains),
        }
    }

    /// Records a batch; `centre` as [`super::free_energy::FreeEnergy::centre`]. `start`: chains begin, and the first quarter is
    /// not counted. `beta` in inverse units of E.
    pub fn record(&self, rec: &mut Recording, at: Stream, samples: Samples, centre: &Buffer, beta: f64, start: bool) {
        let (chains, length, used) = (self.chains, self.length, self.chains * self.length);
        let p = Params {
            at: at.address(),
            chains: chains as u32,
            length: length as u32,
            skip: if start { length as u32 / 4 } else { 0 },
            start: start as u32,
            beta: beta as f32,
            per_site: (1.0 / self.sites as f64) as f32,
            pad: 0,
        };
        rec.launch("independence Metropolis", &KERNEL, &p)
            .constants(&[("WG", WG)])
            .read(samples.log_q, used)
            .read(samples.energy, used)
            .read(samples.magnetisation, used)
            .read(centre, 6)
            .update(&self.state, 4 * chains)
            .write(&self.sums, COLUMNS * chains)
            .trips((length + 10 * (length / 4 + 1)) as u64)
            .flops(60.0 * used as f64)
            .groups(grid(chains.div_ceil(WG as usize)));
    }
}
