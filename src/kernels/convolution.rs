//! `convolution` and `convolution_outer`: masked convolutions of a square lattice, their reverse mode, and gradients by weights
//! and bias.
//!
//! Twin: the network of `reference::pixel_cnn`.

use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::model::window::Window;

use super::linear::extent;
use super::masked_outer::Rows;
use super::{WG, pad4};

/// `shaders/convolution.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "convolution",
    source: include_str!("../../shaders/convolution.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", 64), ("ROWS", 8), ("COLS", 1), ("IN1", 1), ("IN4", 0), ("OUT1", 1), ("OUT4", 0)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 1), ("IN1", 0), ("IN4", 1), ("OUT1", 1), ("OUT4", 0)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 1), ("IN1", 0), ("IN4", 1), ("OUT1", 0), ("OUT4", 1)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 2), ("IN1", 1), ("IN4", 0), ("OUT1", 0), ("OUT4", 1)],
        &[("WG", 64), ("ROWS", 8), ("COLS", 2), ("IN1", 0), ("IN4", 1), ("OUT1", 0), ("OUT4", 1)],
        &[("WG", 64), ("ROWS", 10), ("COLS", 4), ("IN1", 0), ("IN4", 1), ("OUT1", 0), ("OUT4", 1)],
    ],
};

/// `shaders/convolution_outer.wgsl`.
pub static OUTER: Kernel = Kernel {
    name: "convolution_outer",
    source: include_str!("../../shaders/convolution_outer.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<OuterParams>(),
    variants: &[
        &[("WG", 64), ("ROWS", 1), ("COLS", 1), ("IN1", 1), ("IN4", 0), ("OUT1", 1), ("OUT4", 0)],
        &[("WG", 64), ("ROWS", 2), ("COLS", 1), ("IN1", 0), ("IN4", 1), ("OUT1", 1), ("OUT4", 0)],
        &[("WG", 64), ("ROWS", 1), ("COLS", 2), ("IN1", 1), ("IN4", 0), ("OUT1", 0), ("OUT4", 1)],
        &[("WG", 64), ("ROWS", 2), ("COLS", 2), ("IN1", 0), ("IN4", 1), ("OUT1", 0), ("OUT4", 1)],
        &[("WG", 64), ("ROWS", 4), ("COLS", 4), ("IN1", 0), ("IN4", 1), ("OUT1", 0), ("OUT4", 1)],
    ],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    rows: u32,
    side: u32,
    half: u32,
    taps: u32,
    inputs: u32,
    outputs: u32,
    x4: u32,
    y4: u32,
    w_offset: u32,
    b_offset: u32,
    flags: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct OuterParams {
    batches: u32,
    inner: u32,
    count: u32,
    first: u32,
    side: u32,
    half: u32,
    taps: u32,
    inputs: u32,
    outputs: u32,
    x4: u32,
    y4: u32,
    g_offset: u32,
    g_stride: u32,
    bias: u32,
    flags: u32,
    pad: u32,
}

/// Samples of an invocation, and columns of 4 channels: 8 samples on GPUs; on CPU drivers, which have no registers to run short
/// of, up to 16 in even tiles and 4 columns where they fill them.
fn block(profile: Profile, rows: usize, outputs: usize) -> [u32; 2] {
    match profile {
        Profile::Gpu => [8, tile(outputs)],
        Profile::Simd => {
            let tiles = rows.div_ceil(16).max(1);
            let even = rows.div_ceil(tiles).next_multiple_of(2).max(8) as u32;
            [even, if outputs.is_multiple_of(32) { 4 } else { tile(outputs) }]
        }
    }
}

/// Text constants: a tile, and how channels that enter and leave lie.
fn constants(rows: u32, cols: u32, inputs: usize, outputs: usize) -> [(&'static str, u32); 7] {
    let [one_in, one_out] = [inputs, outputs].map(|channels| (channels == 1) as u32);
    [("WG", WG), ("ROWS", rows), ("COLS", cols), ("IN1", one_in), ("IN4", 1 - one_in), ("OUT1", one_out), ("OUT4", 1 - one_out)]
}

/// Columns of 4 channels in a tile: 2 where they fill it.
fn tile(channels: usize) -> u32 {
    if channels.is_multiple_of(8) { 2 } else { 1 }
}

/// Packed weights of a convolution: places in vec4.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// Of the matrices, a tap after the other; transposed for the reverse mode.
    pub matrices: usize,
    /// Of the bias, if there is one.
    pub bias: Option<usize>,
    /// From outputs to inputs.
    pub reverse: bool,
    /// Add to what Y holds.
    pub accumulate: bool,
}

/// Records the convolution of `rows` padded rows, or its reverse mode: from the gradient by its outputs to that by its inputs.
#[allow(clippy::too_many_arguments)]
pub fn record(
    rec: &mut Recording,
    profile: Profile,
    name: &str,
    shape: Window,
    rows: usize,
    m: Weights,
    x: &Buffer,
    packed: &Buffer,
    y: &Buffer,
) {
    let (inputs, outputs) = if m.reverse { (shape.outputs, shape.inputs) } else { (shape.inputs, shape.outputs) };
    let (sites, taps, out4) = (shape.sites(), shape.taps(), pad4(outputs) / 4);
    let (x4, y4) = (pad4(sites * inputs) / 4, pad4(sites * outputs) / 4);
    let p = Params {
        rows: rows as u32,
        side: shape.side as u32,
        half: shape.half as u32,
        taps: taps as u32,
        inputs: inputs as u32,
        outputs: outputs as u32,
        x4: x4 as u32,
        y4: y4 as u32,
        w_offset: m.matrices as u32,
        b_offset: m.bias.unwrap_or(0) as u32,
        flags: m.bias.is_some() as u32 | (m.accumulate as u32) << 1 | (m.reverse as u32) << 2,
        pad: 0,
    };
    let [tall, cols] = block(profile, rows, outputs);
    let mut w_words = extent(p.w_offset, 1, 0, taps * inputs * out4);
    if m.bias.is_some() {
        let bias = extent(p.b_offset, 1, 0, out4);
        w_words = w_words.start.min(bias.start)..w_words.end.max(bias.end);
    }
    let launch = rec.launch(name, &KERNEL, &p).constants(&constants(tall, cols, inputs, outputs)).read(x, 4 * rows * x4);
    let launch = launch.read(packed, w_words);
    let launch = if m.accumulate { launch.update(y, 4 * rows * y4) } else { launch.write(y, 4 * rows * y4) };
    let seen = shape.pairs(sites);
    launch
        .trips((taps * (1 + inputs / 4) + 4) as u64)
        .flops(2.0 * (rows * seen * inputs) as f64 * outputs as f64)
        .moved(4.0 * (rows * (x4 + y4) * 4 + taps * inputs * out4 * 4) as f64)
        .groups(grid((rows.div_ceil(tall as usize) * sites * out4.div_ceil(cols as usize)).div_ceil(WG as usize)));
}

/// Where gradients go: words of the first result, and from one to the next.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Of the weights.
    pub weights: usize,
    /// Of the bias, if there is one.
    pub bias: Option<usize>,
    /// Words from one result to the next.
    pub stride: usize,
}

/// Records the gradients by weights and bias, summed over each batch of `rows`: of the padded rows `x` of inputs and `y` of
/// gradients by the outputs. In several launches where a batch takes more loop trips than one may make.
#[allow(clippy::too_many_arguments)]
pub fn record_outer(
    rec: &mut Recording,
    profile: Profile,
    name: &str,
    shape: Window,
    rows: Rows,
    y: &Buffer,
    x: &Buffer,
    g: &Buffer,
    to: Place,
) {
    let (sites, taps) = (shape.sites(), shape.taps());
    let (x4, y4) = (pad4(shape.columns()) / 4, pad4(shape.rows()) / 4);
    // the last term: what a tile of 4 x 4 columns takes to store
    let trips = |count: usize| (count * (1 + shape.side * (1 + shape.side)) + 16 * 16) as u64;
    let most = ((MAX_TRIPS - trips(0)) / (trips(1) - trips(0))).max(1) as usize;
    let wide = |channels: usize| if profile == Profile::Simd && channels.is_multiple_of(16) { 4 } else { tile(channels) };
    let [r, c] = [shape.inputs, shape.outputs].map(wide);
    let blocks = (pad4(shape.inputs) / 4).div_ceil(r as usize) * (pad4(shape.outputs) / 4).div_ceil(c as usize);
    let gap = rows.batches.saturating_sub(1) * to.stride;
    let mut words = to.weights..to.weights + gap + shape.words();
    if let Some(bias) = to.bias {
        words = words.start.min(bias)..words.end.max(bias + gap + shape.outputs);
    }
    let seen = shape.pairs(sites);
    for begin in (0..rows.inner).step_by(most) {
        let (count, adds) = (most.min(rows.inner - begin), rows.adds || begin > 0);
        let p = OuterParams {
            batches: rows.batches as u32,
            inner: rows.inner as u32,
            count: count as u32,
            first: (rows.first + begin) as u32,
            side: shape.side as u32,
            half: shape.half as u32,
            taps: taps as u32,
            inputs: shape.inputs as u32,
            outputs: shape.outputs as u32,
            x4: x4 as u32,
            y4: y4 as u32,
            g_offset: to.weights as u32,
            g_stride: to.stride as u32,
            bias: to.bias.unwrap_or(0) as u32,
            flags: to.bias.is_some() as u32 | (adds as u32) << 1,
            pad: 0,
        };
        let first = rows.first + begin;
        let read = first..first + rows.batches.saturating_sub(1) * rows.inner + count;
        let of = |row4: usize| 4 * read.start * row4..4 * read.end * row4;
        let summed = (rows.batches * count) as f64;
        let launch = rec.launch(name, &OUTER, &p).constants(&constants(r, c, shape.inputs, shape.outputs));
        let launch = launch.read(x, of(x4)).read(y, of(y4));
        let launch = if adds { launch.update(g, words.clone()) } else { launch.write(g, words.clone()) };
        launch
            .trips(trips(count))
            .flops(2.0 * summed * (seen * shape.inputs) as f64 * shape.outputs as f64)
            .moved(4.0 * (summed * 4.0 * (x4 + y4) as f64 + (rows.batches * shape.words()) as f64))
            .groups(grid((rows.batches * blocks * (taps + to.bias.is_some() as usize)).div_ceil(WG as usize)));
    }
}
