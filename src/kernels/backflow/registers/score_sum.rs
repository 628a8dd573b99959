//! `backflow_score_sum`: particles' shares of weight gradients, summed into the rows of scores.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::super::super::WG;
use super::super::array::Array;

/// `shaders/backflow_score_sum.wgsl`.
pub static SCORE_SUM: Kernel = Kernel {
    name: "backflow_score_sum",
    source: include_str!("../../../../shaders/backflow_score_sum.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// Add to what the scores hold (flag of [`Params::flags`]).
pub const ADD: u32 = 1;
/// The last row goes to `place` (flag of [`Params::flags`]).
pub const LAST_APART: u32 = 2;

/// Shares of `parts` (Re, or Re and Im) of `rows` rows of `width` words, of which `cols` are no padding; places are words of the
/// scores, `step` from one walker to the next and `part_step` from Re to Im.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub walkers: u32,
    pub n: u32,
    pub parts: u32,
    pub rows: u32,
    pub cols: u32,
    pub width: u32,
    pub first: u32,
    pub place: u32,
    pub step: u32,
    pub part_step: u32,
    pub flags: u32,
    pub pad: u32,
}

impl Params {
    /// Words of the scores from the first that is touched to the last.
    fn range(&self) -> std::ops::Range<usize> {
        let [first, place, rows, cols] = [self.first, self.place, self.rows, self.cols].map(|v| v as usize);
        let apart = self.flags & LAST_APART != 0;
        let (start, end) =
            if apart { (first.min(place), (first + (rows - 1) * cols).max(place + cols)) } else { (first, first + rows * cols) };
        let last = self.walkers.saturating_sub(1) as usize * self.step as usize + (self.parts - 1) as usize * self.part_step as usize;
        start..end + last
    }
}

/// Records the sums of x `[walker][n][parts][rows][width]`.
pub fn record(rec: &mut Recording, p: Params, x: &Array, scores: &Buffer) {
    let words = (p.walkers * p.parts * p.rows * p.cols) as usize;
    rec.launch("score sum", &SCORE_SUM, &p)
        .constants(&[("WG", WG)])
        .bindings([x.read(p.walkers as usize)])
        .update(scores, p.range())
        .trips(u64::from(p.n))
        .flops(2.0 * (words * (p.n as usize + 1)) as f64)
        .groups(grid(words.div_ceil(WG as usize)));
}
