//! `gray`: thermal averages of up to 30 spins with dense couplings by enumeration of all states: an exact line beside a run.
//!
//! Energies are whole multiples of a unit 2^-k chosen such that the sum of all |J| and |h| fills 29 bits: flips add up exactly,
//! and J loses at most unit/2, 5e-10 of that sum at the most. Two passes: the least energy, then weights relative to it.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Kernel, Recording, grid};

use super::{WG, couplings, pad4};

/// `shaders/gray.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "gray",
    source: include_str!("../../shaders/gray.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", WG), ("QUADS", 1), ("SEARCH", 1)],
        &[("WG", WG), ("QUADS", 2), ("SEARCH", 0)],
        &[("WG", WG), ("QUADS", 3), ("SEARCH", 0)],
    ],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    first: u32,
    blocks: u32,
    low: u32,
    sites: u32,
    reference: i32,
    unit: f32,
    beta: f32,
    pad: u32,
}

/// Words of a workgroup's row.
const ROW: usize = 8;
/// Blocks of states that one launch takes.
pub const BLOCKS: usize = 1 << 13;

/// All states of n spins; where there is no field, one of each pair of mirror images.
pub struct Enumeration {
    sites: usize,
    couplings: Vec<f64>,
    fields: Vec<f64>,
    /// Spins that are enumerated, and those of a block.
    free: usize,
    low: usize,
    /// Energy of a step of the whole numbers.
    unit: f64,
    table: Buffer,
    /// u32 \[workgroup\]\[8\]: what [`Enumeration::ground`] and [`Enumeration::finish`] take.
    pub rows: Buffer,
    /// Blocks of states that one launch takes, a multiple of 64: [`BLOCKS`], or fewer.
    pub launch: usize,
}

/// The state of least energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// E in units of J.
    pub energy: f64,
    /// Spin i is +1 where bit i is set; one of the states of that energy.
    pub state: u32,
    level: i32,
}

/// Thermal averages at one temperature; m = M/n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact {
    /// ln Z.
    pub log_z: f64,
    /// ⟨E⟩.
    pub energy: f64,
    /// β² Var E.
    pub heat_capacity: f64,
    /// S = ln Z + β⟨E⟩, nats.
    pub entropy: f64,
    /// ⟨m²⟩.
    pub square: f64,
    /// ⟨m⟩.
    pub magnetisation: f64,
    /// States of the least energy, if J and h are whole multiples of 2^-k; else those equal to it up to rounding of J.
    pub degeneracy: u64,
}

impl Enumeration {
    /// J (n x n, row-major) and h (n, or none), 3 to 30 spins.
    ///
    /// # Errors
    /// [`Error::User`] for another number of spins, and for what [`couplings::table`] refuses.
    pub fn new(sites: usize, couplings: &[f64], fields: &[f64]) -> Result<Enumeration> {
        if !(3..=30).contains(&sites) {
            return Err(Error::User(format!("enumeration of all states: {sites} spins; it takes 3 to 30")));
        }
        couplings::table(sites, couplings, fields)?;
        let fields = if fields.is_empty() { vec![0.0; sites] } else { fields.to_vec() };
        // half of J, as each pair stands there twice
        let sum = 0.5 * couplings.iter().map(|v| v.abs()).sum::<f64>() + fields.iter().map(|v| v.abs()).sum::<f64>();
        let unit = if sum > 0.0 { (sum.log2().ceil() - 29.0).exp2() } else { 1.0 };
        let ld = pad4(sites);
        let mut words = vec![0i32; sites * ld + ld];
        for (row, numbers) in couplings.chunks(sites).chain([&fields[..]]).enumerate() {
            numbers.iter().enumerate().for_each(|(i, v)| words[row * ld + i] = (v / unit).round() as i32);
        }
        let free = sites - fields.iter().all(|h| *h == 0.0) as usize;
        // a thousand blocks or more, if there are as many states, of at most 4096
        let low = free.saturating_sub(10).clamp(4, 12).min(free);
        let groups = (1usize << (free - low)).div_ceil(WG as usize);
        Ok(Enumeration {
            sites,
            couplings: couplings.to_vec(),
            fields,
            free,
            low,
            unit,
            table: Buffer::filled("whole couplings", words.len(), move || words),
            rows: Buffer::result("sums over states", ROW * groups),
            launch: BLOCKS,
        })
    }

    /// Records the search for the ground state.
    pub fn record_search(&self, rec: &mut Recording) {
        self.record(rec, "ground state", 1, 0, 0.0);
    }

    /// The ground state from the rows of the search; its energy in float64.
    pub fn ground(&self, rows: &[u32]) -> Ground {
        let best = rows.chunks_exact(ROW).map(|r| (r[0] as i32, r[1])).min_by_key(|(level, _)| *level);
        let (level, state) = best.unwrap_or((0, 0));
        let spin = |i: usize| if state >> i & 1 == 1 { 1.0 } else { -1.0 };
        let bond = |i: usize, j: usize| self.couplings[i * self.sites + j] * spin(j);
        let field = |i: usize| self.fields[i] + (0..i).map(|j| bond(i, j)).sum::<f64>();
        Ground { energy: -(0..self.sites).map(|i| spin(i) * field(i)).sum::<f64>(), state, level }
    }

    /// Records the sums at inverse temperature `beta`.
    pub fn record_sums(&self, rec: &mut Recording, beta: f64, ground: Ground) {
        self.record(rec, "sums over states", 0, ground.level, beta);
    }

    /// Averages from the rows of the sums.
    pub fn finish(&self, rows: &[u32], beta: f64, ground: Ground) -> Exact {
        let mut sums = [0.0f64; 6];
        for row in rows.chunks_exact(ROW) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += f32::from_bits(*v) as f64);
        }
        // states that are mirror images of those enumerated
        let images = (self.sites - self.free) as u32;
        let (weight, n) = (sums[0], self.sites as f64);
        let (excess, square) = (sums[1] / weight, sums[2] / weight);
        let energy = ground.energy + excess;
        let log_z = weight.ln() + images as f64 * 2.0_f64.ln() - beta * ground.energy;
        Exact {
            log_z,
            energy,
            heat_capacity: beta * beta * (square - excess * excess),
            entropy: log_z + beta * energy,
            square: sums[3] / (weight * n * n),
            magnetisation: if images == 0 { sums[4] / (weight * n) } else { 0.0 },
            degeneracy: (sums[5] as u64) << images,
        }
    }

    /// The ground state, and averages at each of `betas`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn solve(&self, gpu: &Gpu, betas: &[f64]) -> Result<(Ground, Vec<Exact>)> {
        let run = |record: &dyn Fn(&mut Recording)| {
            let mut rec = Recording::new();
            record(&mut rec);
            gpu.run(&rec)?;
            gpu.read::<u32>(&self.rows)
        };
        let ground = self.ground(&run(&|rec| self.record_search(rec))?);
        let at = |beta: &f64| Ok(self.finish(&run(&|rec| self.record_sums(rec, *beta, ground))?, *beta, ground));
        Ok((ground, betas.iter().map(at).collect::<Result<Vec<Exact>>>()?))
    }

    fn record(&self, rec: &mut Recording, name: &str, search: u32, reference: i32, beta: f64) {
        let (n, ld, blocks, low) = (self.sites, pad4(self.sites), 1usize << (self.free - self.low), self.low);
        for first in (0..blocks).step_by(self.launch) {
            let here = self.launch.min(blocks - first);
            let (groups, before) = (here.div_ceil(WG as usize), first / WG as usize);
            let p = Params {
                first: first as u32,
                blocks: blocks as u32,
                low: low as u32,
                sites: n as u32,
                reference,
                unit: self.unit as f32,
                beta: beta as f32,
                pad: 0,
            };
            rec.launch(name, &KERNEL, &p)
                .constants(&[("WG", WG), ("QUADS", low.div_ceil(4) as u32), ("SEARCH", search)])
                .read(&self.table, n * ld + ld)
                .write(&self.rows, ROW * before..ROW * (before + groups) - if search == 1 { ROW - 2 } else { 0 })
                .trips((1u64 << (low - 2)) + ((n + 2) * (ld / 4 + 1)) as u64 + 2 * WG as u64)
                .flops((here << low) as f64 * (40.0 + 2.0 * low as f64))
                .groups(grid(groups));
        }
    }
}
