//! `bernoulli` and `spin_rows`: spins ±1 as input of a network, and ln q0 of them from its logits.
//!
//! Twin: `reference::made`.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::{WG, pad4};

/// `shaders/bernoulli.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "bernoulli",
    source: include_str!("../../shaders/bernoulli.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/spin_rows.wgsl`.
pub static ROWS: Kernel = Kernel {
    name: "spin_rows",
    source: include_str!("../../shaders/spin_rows.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<RowsParams>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    sites: u32,
    ld: u32,
    first: u32,
    flags: u32,
    first_factor: u32,
    factor_step: u32,
    to: u32,
    sign: f32,
    step: u32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct RowsParams {
    count: u32,
    sites: u32,
    ld: u32,
    first: u32,
    sign: f32,
    step: u32,
    shift: u32,
    pad: u32,
}

/// What the rows of a network stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A sample: its spins enter, its logits leave, padded to a multiple of 4 numbers.
    Sample,
    /// A site of a sample: the spin before its own enters, its logit leaves, each the first of 4 numbers.
    Token,
}

/// Spins `sign` s of samples `first .. first + count` of a buffer `[sample][sites]` of s = ±1.
#[derive(Clone, Copy)]
pub struct Spins<'b> {
    /// f32 `[sample][sites]`.
    pub buffer: &'b Buffer,
    /// Spins of a sample.
    pub sites: usize,
    /// First sample.
    pub first: usize,
    /// Samples.
    pub count: usize,
    /// 1, or -1: all spins flipped.
    pub sign: f32,
    /// Rows of the network that they enter.
    pub rows: Rows,
}

impl Spins<'_> {
    pub(super) fn words(&self) -> std::ops::Range<usize> {
        self.sites * self.first..self.sites * (self.first + self.count)
    }

    /// Words of a sample's rows, and from one site to the next.
    pub(super) fn row(&self) -> [usize; 2] {
        match self.rows {
            Rows::Sample => [pad4(self.sites), 1],
            Rows::Token => [4 * self.sites, 4],
        }
    }
}

/// Factor of sample w: word `first + step w`.
#[derive(Clone, Copy)]
pub struct Factors<'b> {
    /// f32.
    pub buffer: &'b Buffer,
    /// Word of the first sample's.
    pub first: usize,
    /// Words from one sample's to the next one's; 0: one factor for all.
    pub step: usize,
}

/// Records the rows of `y`, padded with zeros.
pub fn record_rows(rec: &mut Recording, spins: Spins, y: &Buffer) {
    let [ld, step] = spins.row();
    let shift = (spins.rows == Rows::Token) as usize;
    let [count, sites, first] = [spins.count, spins.sites, spins.first].map(|v| v as u32);
    let p = RowsParams { count, sites, ld: ld as u32, first, sign: spins.sign, step: step as u32, shift: shift as u32, pad: 0 };
    // a last spin that no token knows is not read
    let words = spins.words();
    rec.launch("spins", &ROWS, &p)
        .constants(&[("WG", WG)])
        .read(spins.buffer, words.start..words.end - shift.min(words.len()))
        .write(y, spins.count * ld)
        .groups(grid((spins.count * ld).div_ceil(WG as usize)));
}

/// Records ln q0 of the spins into words `to ..` of `log_q`; with `factors`, the padded rows of `logits` become the gradient
/// of ln q0 by them, times the sample's factor; padding between the logits of tokens must be 0.
pub fn record(rec: &mut Recording, spins: Spins, logits: &Buffer, factors: Option<Factors>, log_q: &Buffer, to: usize) {
    let (count, sites, [ld, step]) = (spins.count, spins.sites, spins.row());
    let none = Buffer::new("no factors", 4);
    let f = factors.unwrap_or(Factors { buffer: &none, first: 0, step: 0 });
    let p = Params {
        count: count as u32,
        sites: sites as u32,
        ld: ld as u32,
        first: spins.first as u32,
        flags: factors.is_some() as u32,
        first_factor: f.first as u32,
        factor_step: f.step as u32,
        to: to as u32,
        sign: spins.sign,
        step: step as u32,
        pad: [0; 2],
    };
    let used = if factors.is_some() { f.first..f.first + f.step * count.saturating_sub(1) + 1 } else { 0..4 };
    // the padding of a row is written with the gradient only
    let words = (count * ld).saturating_sub(if factors.is_some() { 0 } else { ld - (sites.max(1) - 1) * step - 1 });
    rec.launch("ln q", &KERNEL, &p)
        .constants(&[("WG", WG)])
        .read(spins.buffer, spins.words())
        .read(f.buffer, used)
        .update(logits, words)
        .write(log_q, to..to + count)
        .trips(ld as u64)
        .flops(40.0 * (count * sites) as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}
