//! `attention` and `attention_mix`: causal attention among the tokens of a sample, and the products of its reverse mode.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::linear::extent;
use super::{WG, pad4};

/// `shaders/attention.wgsl`.
pub static ATTENTION: Kernel = Kernel {
    name: "attention",
    source: include_str!("../../shaders/attention.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", 64), ("MODE", 0), ("ALIGNED", 1)],
        &[("WG", 64), ("MODE", 1), ("ALIGNED", 1)],
        &[("WG", 64), ("MODE", 0), ("ALIGNED", 0)],
        &[("WG", 64), ("MODE", 1), ("ALIGNED", 0)],
    ],
};
/// `shaders/attention_mix.wgsl`.
pub static MIX: Kernel = Kernel {
    name: "attention_mix",
    source: include_str!("../../shaders/attention_mix.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<MixParams>(),
    variants: &[&[("WG", 64), ("ALIGNED", 1)], &[("WG", 64), ("ALIGNED", 0)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    tokens: u32,
    heads: u32,
    size: u32,
    q_first: u32,
    q_ld4: u32,
    k_first: u32,
    k_ld4: u32,
    scale: f32,
    pad: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct MixParams {
    count: u32,
    tokens: u32,
    heads: u32,
    size: u32,
    x_first: u32,
    x_ld4: u32,
    y_first: u32,
    y_ld4: u32,
    units4: u32,
    flags: u32,
    pad: [u32; 2],
}

/// Sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Samples.
    pub count: usize,
    /// Rows of a sample.
    pub tokens: usize,
    /// Heads, which share the columns evenly.
    pub heads: usize,
    /// Columns of a head.
    pub size: usize,
}

/// Some columns of the rows (sample, token) of a buffer, padded to multiples of 4.
#[derive(Clone, Copy)]
pub struct Columns<'b> {
    /// f32.
    pub buffer: &'b Buffer,
    /// First of the columns, in vec4.
    pub first: usize,
    /// Length of a row, in vec4.
    pub ld4: usize,
}

impl<'b> Columns<'b> {
    /// Whole rows of `units` numbers.
    pub fn all(buffer: &'b Buffer, units: usize) -> Columns<'b> {
        Columns { buffer, first: 0, ld4: pad4(units) / 4 }
    }
}

impl Shape {
    /// Vec4 of a row of all heads.
    fn units4(&self) -> usize {
        pad4(self.heads * self.size) / 4
    }

    /// Words of the squares (token, token) of every sample and head.
    pub fn squares(&self) -> usize {
        self.count * self.heads * self.tokens * self.tokens
    }

    /// Words that `columns` take.
    fn words(&self, columns: Columns) -> std::ops::Range<usize> {
        extent(columns.first as u32, self.count * self.tokens, columns.ld4 as u32, self.units4())
    }

    /// Pairs j <= i of all heads, nearly.
    fn pairs(&self) -> f64 {
        0.5 * self.squares() as f64
    }

    /// Whether heads begin at multiples of 4 columns.
    fn aligned(&self) -> (&'static str, u32) {
        ("ALIGNED", self.size.is_multiple_of(4) as u32)
    }
}

/// Records the weights a_ij = softmax_(j <= i) (q_i . k_j / sqrt(size)), f32 `[sample][head][i][j]`.
pub fn record(rec: &mut Recording, name: &str, shape: Shape, q: Columns, k: Columns, a: &Buffer) {
    weights(rec, name, 0, shape, [q, k], (q.buffer, 4), a);
}

/// Records the gradient by the products q_i . k_j into `d_products`, from that by the mixed values `d`, the values `v` and the
/// weights `a`.
pub fn record_vjp(rec: &mut Recording, name: &str, shape: Shape, d: Columns, v: Columns, a: &Buffer, d_products: &Buffer) {
    weights(rec, name, 1, shape, [d, v], (a, shape.squares()), d_products);
}

fn weights(rec: &mut Recording, name: &str, mode: u32, shape: Shape, [q, k]: [Columns; 2], weights: (&Buffer, usize), a: &Buffer) {
    let p = Params {
        count: shape.count as u32,
        tokens: shape.tokens as u32,
        heads: shape.heads as u32,
        size: shape.size as u32,
        q_first: q.first as u32,
        q_ld4: q.ld4 as u32,
        k_first: k.first as u32,
        k_ld4: k.ld4 as u32,
        scale: 1.0 / (shape.size as f32).sqrt(),
        pad: [0; 3],
    };
    rec.launch(name, &ATTENTION, &p)
        .constants(&[("WG", WG), ("MODE", mode), shape.aligned()])
        .read(q.buffer, shape.words(q))
        .read(k.buffer, shape.words(k))
        .read(weights.0, weights.1)
        .write(a, shape.squares())
        .trips((shape.tokens * (shape.size / 4 + 5)) as u64)
        .flops(shape.pairs() * (2.0 * shape.size as f64 + 20.0))
        .moved(4.0 * shape.pairs() * (2.0 * shape.size as f64 + 4.0))
        .groups(grid((shape.count * shape.heads * shape.tokens).div_ceil(WG as usize)));
}

/// Records y_i = sum_j a_ij x_j, head by head, or y_j = sum_i a_ij x_i if `transposed`.
pub fn record_mix(rec: &mut Recording, name: &str, shape: Shape, transposed: bool, a: &Buffer, x: Columns, y: Columns) {
    let (rows, units4) = (shape.count * shape.tokens, shape.units4());
    let p = MixParams {
        count: shape.count as u32,
        tokens: shape.tokens as u32,
        heads: shape.heads as u32,
        size: shape.size as u32,
        x_first: x.first as u32,
        x_ld4: x.ld4 as u32,
        y_first: y.first as u32,
        y_ld4: y.ld4 as u32,
        units4: units4 as u32,
        flags: transposed as u32,
        pad: [0; 2],
    };
    let pairs = 2.0 * (rows * units4 * shape.tokens) as f64;
    rec.launch(name, &MIX, &p)
        .constants(&[("WG", WG), shape.aligned()])
        .read(a, shape.squares())
        .read(x.buffer, shape.words(x))
        .write(y.buffer, shape.words(y))
        .trips(shape.tokens as u64)
        .flops(2.0 * pairs)
        .moved(8.0 * pairs)
        .groups(grid((rows * units4).div_ceil(WG as usize)));
}
