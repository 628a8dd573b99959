//! `occupation_sample`: states drawn token by token with a cache of keys and values, in one kernel.

use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::kernels::philox::{Address, Stream};

use super::layout::Layout;
use super::{Chunk, OccupationKernels};

/// `shaders/occupation_sample.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "occupation_sample",
    source: include_str!("../../../shaders/occupation_sample.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 32), ("WALKERS", 32), ("TILE", 4)], &[("WG", 64), ("WALKERS", 4), ("TILE", 1)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub at: Address,
    pub count: u32,
    pub n: u32,
    pub orbitals: u32,
    pub ld4: u32,
    pub token: u32,
    pub tokens: u32,
    pub stages: u32,
    pub stride: u32,
    pub first: u32,
    pub logits: u32,
    pub scale: f32,
}

/// Lanes and walkers of a workgroup, and walkers of an invocation in a product: many walkers share the
/// loaded weights on CPU drivers; on GPUs the lanes share a walker's columns.
fn shape(profile: Profile) -> (u32, u32, u32) {
    match profile {
        Profile::Simd => (32, 32, 4),
        Profile::Gpu => (64, 4, 1),
    }
}

/// Loop trips of one invocation for one token that sees `seen` others.
fn trips(layout: &Layout, orbitals: usize, seen: usize, (lanes, walkers, tile): (u32, u32, u32)) -> u64 {
    let mut sum = 3 * orbitals as u64 * walkers.div_ceil(lanes) as u64 + 12;
    for work in &layout.work {
        let rows = if work.attention { walkers } else { walkers / tile } as u64;
        let rounds = (rows * work.tasks as u64).div_ceil(lanes as u64);
        let length = work.trips as u64 * if work.attention { seen as u64 } else { 1 };
        sum += 1 + rounds * (length + 1);
    }
    sum
}

impl OccupationKernels {
    /// Draws `chunk.count` states from p(K) into rows `chunk.first`.. of `states` (u32 \[..\]\[n\], ascending)
    /// and their ln p into `logp` (f32). A draw depends on seed, step and purpose of `at` and on the walker's
    /// global index (`at.first_walker` + row) alone. Parameters as of the last [`OccupationKernels::record_pack`].
    pub fn record_sample(&self, rec: &mut Recording, at: Stream, chunk: Chunk, states: &Buffer, logp: &Buffer) {
        let shape = shape(self.profile);
        let (lanes, walkers, tile) = shape;
        let count = self.fit(chunk).count;
        let mut token = 0;
        while token < self.model.n {
            let mut tokens = 0;
            let mut sum = 0;
            while token + tokens < self.model.n {
                let more = trips(&self.layout, self.model.orbitals, token + tokens, shape);
                if tokens > 0 && sum + more > MAX_TRIPS {
                    break;
                }
                sum += more;
                tokens += 1;
            }
            let p = Params {
                at: at.skip(chunk.first).address(),
                count: count as u32,
                n: self.model.n as u32,
                orbitals: self.model.orbitals as u32,
                ld4: self.layout.output.out4 as u32,
                token: token as u32,
                tokens: tokens as u32,
                stages: self.layout.work.len() as u32,
                stride: self.layout.stride as u32,
                first: chunk.first as u32,
                logits: self.layout.logits as u32,
                scale: 1.0 / (self.model.head_size() as f32).sqrt(),
            };
            let work: usize = self.layout.work.iter().map(|w| w.tasks * w.trips * if w.attention { token + tokens } else { 1 }).sum();
            let macs = 16.0 * (count * tokens * work) as f64;
            let (n, m, first) = (self.model.n, self.model.orbitals, chunk.first);
            token += tokens;
            // the window of the last token ends with orbital M - n + token - 1
            let tables = 4 * (m + (token - 1) * self.layout.output.out4 + (m - n + token - 1) / 4 + 1);
            rec.launch("sample", &KERNEL, &p)
                .constants(&[("WG", lanes), ("WALKERS", walkers), ("TILE", tile)])
                .read(&self.program, 12 * self.layout.work.len())
                .read(&self.packed, self.layout.pack.words())
                .read(&self.tables, tables)
                .update(&self.scratch, 4 * self.layout.stride * count)
                .update(states, n * first..(n * (first + count) + token).saturating_sub(n))
                .update(logp, first..first + count)
                .trips(sum)
                .flops(2.0 * macs)
                .moved(2.0 * macs)
                .groups(grid(count.div_ceil(walkers as usize)));
        }
    }
}
