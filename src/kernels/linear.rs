//! `linear`: batched matrix products Y = X W (+ bias), the layer every network here is made of.

use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};
use crate::model::layer::{Mask, Triangle};

use super::WG;

/// `shaders/linear.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "linear",
    source: include_str!("../../shaders/linear.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", 64), ("ROWS", 8), ("COLS", 1), ("MASK", 0)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 2), ("MASK", 0)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 3), ("MASK", 0)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 1), ("MASK", 1)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 2), ("MASK", 1)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 3), ("MASK", 1)],
        &[("WG", 64), ("ROWS", 16), ("COLS", 4), ("MASK", 0)],
        &[("WG", 64), ("ROWS", 16), ("COLS", 4), ("MASK", 1)],
    ],
};

/// Shapes and places, in vec4 units (4 f32) where a unit is needed; see the kernel's header.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub batches: u32,
    /// Rows of X and Y in each batch.
    pub rows: u32,
    /// Columns of X over 4.
    pub in4: u32,
    /// Columns of Y over 4.
    pub out4: u32,
    pub x_offset: u32,
    pub x_stride: u32,
    pub w_offset: u32,
    pub w_stride: u32,
    /// Consecutive batches that share one W.
    pub w_div: u32,
    pub y_offset: u32,
    pub y_stride: u32,
    pub b_offset: u32,
    /// The bias is added to every `period`-th row.
    pub period: u32,
    pub flags: u32,
    /// Units of X, and of Y, a site of the mask; 0: none.
    pub x_site: u32,
    pub y_site: u32,
}

/// Add the bias at `b_offset` (flag of [`Params::flags`]).
pub const BIAS: u32 = 1;
/// Add to what Y holds (flag of [`Params::flags`]).
pub const ACCUMULATE: u32 = 2;
const FROM: u32 = 4;
const INCLUSIVE: u32 = 8;
const UNTIL: u32 = 16;

impl Params {
    /// One X (`rows` x 4 `in4`) times one W at `w_offset` (vec4 units).
    pub fn new(rows: usize, in4: usize, out4: usize, w_offset: usize) -> Self {
        Params {
            batches: 1,
            rows: rows as u32,
            in4: in4 as u32,
            out4: out4 as u32,
            w_offset: w_offset as u32,
            w_div: 1,
            period: 1,
            ..Default::default()
        }
    }

    /// Adds the bias at `b_offset` (vec4 units of W's buffer) to every `period`-th row.
    pub fn bias(mut self, b_offset: usize, period: usize) -> Self {
        self.b_offset = b_offset as u32;
        self.period = period as u32;
        self.flags |= BIAS;
        self
    }

    /// Does not read what the mask forbids: W is that of `shape`, of which a row is a column of Y, or its transpose.
    pub fn masked(mut self, shape: Triangle, transposed: bool) -> Self {
        let sites = [shape.inputs as u32, shape.outputs as u32];
        [self.x_site, self.y_site] = if transposed { [sites[1], sites[0]] } else { sites };
        let bounds = if transposed { FROM } else { UNTIL };
        self.flags |= match shape.mask {
            Mask::Before => bounds,
            Mask::Through => bounds | INCLUSIVE,
            Mask::Own => FROM | UNTIL | INCLUSIVE,
        };
        self
    }

    /// Adds to what Y holds.
    pub fn accumulate(mut self) -> Self {
        self.flags |= ACCUMULATE;
        self
    }
}

/// Words of `count` blocks of `size` vec4, `stride` apart from `offset` on (all in vec4).
pub(super) fn extent(offset: u32, count: usize, stride: u32, size: usize) -> std::ops::Range<usize> {
    let first = offset as usize;
    4 * first..4 * (first + count.saturating_sub(1) * stride as usize + size)
}

/// Records Y = X W (+ bias) (+ Y).
pub fn record(rec: &mut Recording, name: &str, p: Params, x: &Buffer, w: &Buffer, y: &Buffer) {
    record_in(rec, Profile::Gpu, name, p, x, w, y);
}

/// Multiply-adds of a product that is worth the larger tiles, and the time to compile them.
const LARGE: usize = 1 << 22;

/// The same, in larger tiles of large products where they pay: on CPU drivers, which have no registers to run short of.
pub fn record_in(rec: &mut Recording, profile: Profile, name: &str, p: Params, x: &Buffer, w: &Buffer, y: &Buffer) {
    let macs = [p.rows, 4 * p.in4, 4 * p.out4].map(|v| v as usize).iter().product::<usize>();
    let (tall, most) = if profile == Profile::Simd && macs >= LARGE && p.out4 >= 4 { (16, 4) } else { (8, 3) };
    // the tile that loads least: a vec4 a row of X and 4 of W a column block and vec4 of X
    let cols = (1..=most).min_by_key(|c| p.out4.div_ceil(*c) * (tall / 4 + c)).unwrap_or(1);
    let threads = p.batches as usize * (p.rows as usize).div_ceil(tall as usize) * p.out4.div_ceil(cols) as usize;
    // a mask leaves half of the matrix, nearly, or its diagonal
    let masked = p.y_site > 0;
    let part = match p.flags & (FROM | UNTIL) {
        0 => 1.0,
        flags if flags == FROM | UNTIL => p.y_site as f64 / (4 * p.out4).max(1) as f64,
        _ => 0.5,
    };
    let macs = part * p.batches as f64 * p.rows as f64 * 16.0 * p.in4 as f64 * p.out4 as f64;
    let (batches, rows, in4, out4) = (p.batches as usize, p.rows as usize, p.in4 as usize, p.out4 as usize);
    let matrices = batches.div_ceil(p.w_div.max(1) as usize);
    let x_words = extent(p.x_offset, batches, p.x_stride, rows * in4);
    let y_words = extent(p.y_offset, batches, p.y_stride, rows * out4);
    let mut w_words = extent(p.w_offset, matrices, p.w_stride, 4 * in4 * out4);
    if p.flags & BIAS != 0 {
        let bias = extent(p.b_offset, 1, 0, out4);
        w_words = w_words.start.min(bias.start)..w_words.end.max(bias.end);
    }
    let launch = rec
        .launch(name, &KERNEL, &p)
        .constants(&[("WG", WG), ("ROWS", tall), ("COLS", cols), ("MASK", masked as u32)])
        .read(x, x_words)
        .read(w, w_words);
    let adds = p.flags & ACCUMULATE != 0;
    let launch = if adds { launch.update(y, y_words) } else { launch.write(y, y_words) };
    launch
        .trips(p.in4 as u64 + 1)
        .flops(2.0 * macs)
        .moved(16.0 * ((batches * rows * (in4 + out4 * (1 + adds as usize))) as f64 + part * (4 * matrices * in4 * out4) as f64))
        .groups(grid(threads.div_ceil(WG as usize)));
}
