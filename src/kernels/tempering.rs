//! `tempering_sweep` and `tempering_swap`: parallel tempering of spins with dense couplings, samples of e^{-βE}/Z where
//! enumeration is out of reach: the other side of ⟨R⟩_p ≤ -ln Z ≤ ⟨R⟩_q.
//!
//! A ladder has a chain at each temperature; chain = rung x ladders + ladder, so that the samples of one temperature are
//! neighbours. Ladders are independent of each other: errors follow from their spread.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Recording, grid};
use crate::number::philox::purpose;

use super::couplings::{Dense, Observables};
use super::philox::{Address, Stream};
use super::{Chunk, WG, pad4};

/// `shaders/tempering_sweep.wgsl`.
pub static SWEEP: Kernel = Kernel {
    name: "tempering_sweep",
    source: include_str!("../../shaders/tempering_sweep.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", WG), ("WORDS", 1)], &[("WG", WG), ("WORDS", 4)]],
};

/// `shaders/tempering_swap.wgsl`.
pub static SWAP: Kernel = Kernel {
    name: "tempering_swap",
    source: include_str!("../../shaders/tempering_swap.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", WG)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    /// Chains, or pairs of rungs.
    count: u32,
    ladders: u32,
    rungs: u32,
    sites: u32,
    /// First site, or parity.
    first: u32,
    end: u32,
    pad: u32,
}

/// Chains of all ladders and temperatures.
pub struct Tempering {
    sites: usize,
    ladders: usize,
    rungs: usize,
    couplings: Dense,
    betas: Buffer,
    /// f32 ±1 `[rung][ladder][sites]`.
    pub spins: Buffer,
    /// E, f32 `[rung][ladder]`; it follows the spins, and rounds at every flip.
    pub energy: Buffer,
    /// M, f32 `[rung][ladder]`, of the last [`Tempering::record_observables`].
    pub magnetisation: Buffer,
    /// Exchanges with the rung above, u32 `[rung][ladder]`.
    pub swaps: Buffer,
    /// Sites that one launch updates.
    pub launch: usize,
}

impl Tempering {
    /// J and h as [`super::couplings::table`] takes them, for up to 1024 spins; inverse temperatures in order. Chains start
    /// from random spins.
    ///
    /// # Errors
    /// [`Error::User`] for more spins, for no temperature or ladder, for temperatures that are not finite, and for what
    /// [`super::couplings::table`] refuses.
    pub fn new(sites: usize, couplings: &[f64], fields: &[f64], betas: &[f64], ladders: usize, seed: u64) -> Result<Tempering> {
        if sites > 1024 || betas.is_empty() || ladders == 0 || betas.iter().any(|b| !b.is_finite()) {
            return Err(Error::User(format!(
                "parallel tempering: {sites} spins (at most 1024), {ladders} ladders (at least 1), inverse temperatures {betas:?} (at least one, finite)"
            )));
        }
        let chains = betas.len() * ladders;
        let rungs: Vec<f32> = betas.iter().map(|b| *b as f32).collect();
        let start = move || {
            let bit = |chain: usize, i: usize| {
                let at = Stream { seed, step: 0, purpose: purpose::START, first_walker: chain as u32 };
                at.bits(i as u32 / 4)[i % 4] >> 31
            };
            (0..chains * sites).map(|k| if bit(k / sites, k % sites) == 1 { 1.0f32 } else { -1.0 }).collect()
        };
        let spare = MAX_TRIPS as usize - 33 * sites.div_ceil(32) - 20;
        Ok(Tempering {
            sites,
            ladders,
            rungs: betas.len(),
            couplings: Dense::new(sites, couplings, fields, chains)?,
            betas: Buffer::filled("inverse temperatures", rungs.len(), move || rungs),
            spins: Buffer::starting("tempered spins", chains * sites, start),
            energy: Buffer::state("tempered energies", chains),
            magnetisation: Buffer::result("tempered magnetisations", chains),
            swaps: Buffer::starting("swaps", chains, move || vec![0u32; chains]),
            // ld4 + 2 trips a site, and 10 for every fourth
            launch: (spare / (pad4(sites) / 4 + 5) / 4 * 4).max(4),
        })
    }

    /// The chains of temperature `rung`.
    pub fn rung(&self, rung: usize) -> Chunk {
        Chunk { first: rung * self.ladders, count: self.ladders }
    }

    /// E and M of all chains, anew: before the first sweep, and now and then against rounding.
    pub fn record_observables(&self, rec: &mut Recording) {
        let all = Chunk { first: 0, count: self.rungs * self.ladders };
        self.couplings.record(rec, all, &self.spins, Observables { energy: &self.energy, magnetisation: &self.magnetisation });
    }

    /// One sweep of every chain, then exchanges of rungs (0, 1), (2, 3), … in even steps of the stream, of (1, 2), (3, 4), … in
    /// odd ones.
    pub fn record_sweep(&self, rec: &mut Recording, at: Stream) {
        let (n, ld4, chains) = (self.sites, pad4(self.sites) / 4, self.rungs * self.ladders);
        let words = n.div_ceil(32);
        let base = Params {
            at: at.address(),
            count: chains as u32,
            ladders: self.ladders as u32,
            rungs: self.rungs as u32,
            sites: n as u32,
            first: 0,
            end: 0,
            pad: 0,
        };
        for first in (0..n).step_by(self.launch) {
            let end = n.min(first + self.launch);
            rec.launch("sweep", &SWEEP, &Params { first: first as u32, end: end as u32, ..base })
                .constants(&[("WG", WG), ("WORDS", words as u32)])
                .read(&self.couplings.table, 16 * ld4 * ld4 + 4 * ld4)
                .read(&self.betas, self.rungs)
                .update(&self.spins, chains * n)
                .update(&self.energy, chains)
                .trips((33 * words + (end - first) * (ld4 + 2) + 10 * ((end - first) / 4 + 2)) as u64)
                .flops((chains * (end - first)) as f64 * (16.0 * ld4 as f64 + 60.0))
                .moved((chains * (end - first)) as f64 * (4.0 * ld4 as f64 + 8.0))
                .groups(grid(chains.div_ceil(WG as usize)));
        }
        let parity = at.step as usize % 2;
        let pairs = self.rungs.saturating_sub(parity) / 2;
        if pairs > 0 {
            let upper = self.ladders * (2 * pairs + parity);
            rec.launch("swaps", &SWAP, &Params { count: pairs as u32, first: parity as u32, ..base })
                .constants(&[("WG", WG)])
                .read(&self.betas, 2 * pairs + parity)
                .update(&self.spins, n * upper)
                .update(&self.energy, upper)
                .update(&self.swaps, upper - self.ladders)
                .trips(n as u64 + 10)
                .flops((pairs * self.ladders * (n + 100)) as f64)
                .groups(grid((pairs * self.ladders).div_ceil(WG as usize)));
        }
    }
}
