//! `metropolis_propose`, `metropolis_accept`, `metropolis_adapt`: moves of all electrons of a walker at once.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::philox::{Address, Stream};

/// `shaders/metropolis_propose.wgsl`.
pub static PROPOSE: Kernel = Kernel {
    name: "metropolis_propose",
    source: include_str!("../../shaders/metropolis_propose.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<ProposeParams>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/metropolis_accept.wgsl`.
pub static ACCEPT: Kernel = Kernel {
    name: "metropolis_accept",
    source: include_str!("../../shaders/metropolis_accept.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<AcceptParams>(),
    variants: &[&[("WG", 32)]],
};

/// `shaders/metropolis_adapt.wgsl`.
pub static ADAPT: Kernel = Kernel {
    name: "metropolis_adapt",
    source: include_str!("../../shaders/metropolis_adapt.wgsl"),
    shared: &[],
    params_bytes: size_of::<AdaptParams>(),
    variants: &[&[("WG", 64)]],
};

/// Threads of a walker in `metropolis_accept`.
const LANES: u32 = 32;

/// Numbers of the state: width, acceptance of the last round, share of non-finite proposals, rounds.
pub const STATE: usize = 4;

/// Walkers to move and their random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its step is the number of the sweep in the whole run.
    pub at: Stream,
    /// How many.
    pub walkers: usize,
    /// n dim.
    pub size: usize,
}

/// Numbers of a launch.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct ProposeParams {
    pub at: Address,
    pub walkers: u32,
    pub size: u32,
    pub pad: u32,
}

/// Parameters of `metropolis_accept`.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct AcceptParams {
    pub at: Address,
    pub walkers: u32,
    pub size: u32,
    pub here: u32,
    pub tracked: u32,
    pub sweep: u32,
    pub length: f32,
    pub inverse_length: f32,
}

/// Parameters of `metropolis_adapt`.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct AdaptParams {
    pub walkers: u32,
    /// Proposals of the round: walkers x sweeps.
    pub moves: f32,
    /// Wanted acceptance.
    pub goal: f32,
    pub gain: f32,
    pub smallest: f32,
    pub largest: f32,
    pub pad: [u32; 2],
}

/// Records proposal = x + width N(0, 1); `x`, `proposal` f32 \[w\]\[size\], `state` f32 \[4\] with the width first.
pub fn record_propose(rec: &mut Recording, m: Move, x: &Buffer, state: &Buffer, proposal: &Buffer) {
    let params = ProposeParams { at: m.at.address(), walkers: m.walkers as u32, size: m.size as u32, pad: 0 };
    rec.launch("propose", &PROPOSE, &params)
        .constants(&[("WG", WG)])
        .read(x, m.walkers * m.size)
        .read(state, 1)
        .write(proposal, m.walkers * m.size)
        .trips(15)
        .flops(60.0 * (m.walkers * m.size) as f64)
        .groups(grid((m.walkers * m.size.div_ceil(4)).div_ceil(WG as usize)));
}

/// What `metropolis_accept` reads and changes.
#[derive(Clone, Copy)]
pub struct Accept<'a> {
    /// f32 \[w\]\[size\].
    pub x: &'a Buffer,
    /// f32 \[w\]\[size\].
    pub proposal: &'a Buffer,
    /// ln|Ψ| of x, f32 \[w\].
    pub log_psi: &'a Buffer,
    /// ln|Ψ| of the proposal, f32 \[w\].
    pub proposed: &'a Buffer,
    /// u32 \[batch\]\[2\]: accepted, non-finite.
    pub counts: &'a Buffer,
    /// f32 \[sweep\]\[tracked\]: ln|Ψ|² along the chains.
    pub series: &'a Buffer,
    /// Place of the first walker in the batch.
    pub here: usize,
    /// Walkers of the batch whose series is kept.
    pub tracked: usize,
    /// Row of `series`.
    pub sweep: usize,
    /// Side of the box, units of x.
    pub length: f64,
}

/// Records the decision of every walker.
pub fn record_accept(rec: &mut Recording, m: Move, a: Accept) {
    let params = AcceptParams {
        at: m.at.address(),
        walkers: m.walkers as u32,
        size: m.size as u32,
        here: a.here as u32,
        tracked: a.tracked as u32,
        sweep: a.sweep as u32,
        length: a.length as f32,
        inverse_length: (1.0 / a.length) as f32,
    };
    // rows of chains that are tracked begin before this chunk's
    let tracked = a.sweep * a.tracked + a.here.min(a.tracked)..a.sweep * a.tracked + (a.here + m.walkers).min(a.tracked);
    rec.launch("accept", &ACCEPT, &params)
        .constants(&[("WG", LANES)])
        .update(a.x, m.walkers * m.size)
        .read(a.proposal, m.walkers * m.size)
        .update(a.log_psi, m.walkers)
        .read(a.proposed, m.walkers)
        .update(a.counts, 2 * a.here..2 * (a.here + m.walkers))
        .write(a.series, tracked)
        .trips(m.size.div_ceil(LANES as usize) as u64 + 10)
        .flops(6.0 * (m.walkers * m.size) as f64)
        .groups(grid(m.walkers));
}

/// Records the new width; `counts` of all walkers of the batch.
pub fn record_adapt(rec: &mut Recording, p: AdaptParams, counts: &Buffer, state: &Buffer) {
    rec.launch("adapt", &ADAPT, &p)
        .constants(&[("WG", WG)])
        .read(counts, 2 * p.walkers as usize)
        .update(state, STATE)
        .trips((p.walkers as u64).div_ceil(WG as u64) + 8)
        .flops(p.walkers as f64)
        .groups([1, 1, 1]);
}
