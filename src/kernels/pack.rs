//! `pack`: gathers stored parameters into the padded (and transposed) matrices kernels read.
//!
//! Twin: the index arithmetic of its test; it computes nothing.

use std::sync::Arc;

use crate::gpu::{Buffer, Kernel, Recording, grid};
use crate::model::layer::Dense;

use super::{WG, pad4};

/// `shaders/pack.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "pack",
    source: include_str!("../../shaders/pack.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// Numbers of a launch.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub words: u32,
    pub parameters: u32,
    pub pad: [u32; 2],
}

/// Word of the parameters behind a row and column of a block; none: 0.
type Source = Arc<dyn Fn(usize, usize) -> Option<usize> + Send + Sync>;

/// Where each packed word comes from: blocks of rows and columns, written out when the device needs them.
#[derive(Default, Clone)]
pub struct Layout {
    blocks: Vec<(usize, usize, Source)>,
    words: usize,
}

/// Units in heads, each padded to a multiple of 4; a plain row is one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Units of a head.
    pub size: usize,
}

impl Heads {
    /// One head of all units.
    pub fn one(units: usize) -> Heads {
        Heads { count: 1, size: units }
    }

    /// Padded units of all heads.
    pub fn wide(&self) -> usize {
        self.count * pad4(self.size)
    }

    /// The unit at a padded place, if it is not padding.
    pub fn unit(&self, place: usize) -> Option<usize> {
        let (head, unit) = (place / pad4(self.size), place % pad4(self.size));
        (head < self.count && unit < self.size).then_some(head * self.size + unit)
    }
}

/// No source: the packed word is 0.
pub const NONE: u32 = u32::MAX;

impl Layout {
    /// Appends rows `first..first + count` of the row-major matrix (`rows` x `cols`, stored from word
    /// `offset`) padded to multiples of 4 both ways; returns its place in vec4 units.
    pub fn matrix(&mut self, offset: usize, cols: usize, first: usize, count: usize) -> usize {
        self.block(pad4(count), pad4(cols), move |r, c| (r < count && c < cols).then_some(offset + (first + r) * cols + c))
    }

    /// The same block transposed: `cols` x `count`, padded.
    pub fn transposed(&mut self, offset: usize, cols: usize, first: usize, count: usize) -> usize {
        self.block(pad4(cols), pad4(count), move |r, c| (r < cols && c < count).then_some(offset + (first + c) * cols + r))
    }

    /// A padded vector; returns its place in vec4 units.
    pub fn vector(&mut self, offset: usize, len: usize) -> usize {
        self.block(1, pad4(len), move |_, c| (c < len).then_some(offset + c))
    }

    /// The matrices of dense layers side by side, with rows and the columns of each spread over heads, and their biases (0
    /// without): two places.
    pub fn dense<const K: usize>(&mut self, parts: [Dense; K], rows: Heads, columns: Heads) -> [usize; 2] {
        let wide = columns.wide();
        let matrix = self.block(rows.wide(), K * wide, move |r, c| {
            let part = parts[c / wide];
            Some(part.weights + rows.unit(r)? * part.outputs + columns.unit(c % wide)?)
        });
        let bias = self.block(1, K * wide, move |_, c| Some(parts[c / wide].bias? + columns.unit(c % wide)?));
        [matrix, bias]
    }

    /// The transposes of the matrices below each other.
    pub fn dense_transposed<const K: usize>(&mut self, parts: [Dense; K], rows: Heads, columns: Heads) -> usize {
        let wide = columns.wide();
        self.block(K * wide, rows.wide(), move |c, r| {
            let part = parts[c / wide];
            Some(part.weights + rows.unit(r)? * part.outputs + columns.unit(c % wide)?)
        })
    }

    /// Appends `rows` x `cols` words (`cols` a multiple of 4); returns their place in vec4 units.
    pub fn block(&mut self, rows: usize, cols: usize, from: impl Fn(usize, usize) -> Option<usize> + Send + Sync + 'static) -> usize {
        let at = self.words / 4;
        self.blocks.push((rows, cols, Arc::new(from)));
        self.words += rows * cols;
        at
    }

    /// Number of packed words.
    pub fn words(&self) -> usize {
        self.words
    }

    /// The source of each packed word, [`NONE`] for a 0.
    pub fn map(&self) -> Vec<u32> {
        let mut map = Vec::with_capacity(self.words);
        for (rows, cols, from) in &self.blocks {
            map.extend((0..*rows).flat_map(|r| (0..*cols).map(move |c| from(r, c).map_or(NONE, |v| v as u32))));
        }
        map
    }
}

/// Records packed = parameters\[map\] for `words` words (`map`: one u32 each; past the last parameter: 0); `parameters` with
/// their number.
pub fn record(rec: &mut Recording, name: &str, words: usize, parameters: (&Buffer, usize), map: &Buffer, packed: &Buffer) {
    rec.launch(name, &KERNEL, &Params { words: words as u32, parameters: parameters.1 as u32, pad: [0; 2] })
        .constants(&[("WG", WG)])
        .read(parameters.0, parameters.1)
        .read(map, words)
        .write(packed, words)
        .groups(grid(words.div_ceil(WG as usize)));
}
