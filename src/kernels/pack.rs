//! `pack`: gathers stored parameters into the padded (and transposed) matrices kernels read.
//!
//! Twin: the index arithmetic of its test; it computes nothing.

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};

use super::{WG, pad4};

pub static KERNEL: Kernel = Kernel {
    name: "pack",
    source: include_str!("../../shaders/pack.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub words: u32,
    pub pad: [u32; 3],
}

/// Where each packed word comes from; built once on the host from the parameter table.
#[derive(Default, Clone)]
pub struct Layout {
    pub map: Vec<u32>,
}

/// No source: the packed word is 0.
pub const NONE: u32 = u32::MAX;

impl Layout {
    /// Appends rows `first..first + count` of the row-major matrix (`rows` x `cols`, stored from word
    /// `offset`) padded to multiples of 4 both ways; returns its place in vec4 units.
    pub fn matrix(&mut self, offset: usize, cols: usize, first: usize, count: usize) -> usize {
        self.block(pad4(count), pad4(cols), |r, c| (r < count && c < cols).then_some(offset + (first + r) * cols + c))
    }

    /// The same block transposed: `cols` x `count`, padded.
    pub fn transposed(&mut self, offset: usize, cols: usize, first: usize, count: usize) -> usize {
        self.block(pad4(cols), pad4(count), |r, c| (r < cols && c < count).then_some(offset + (first + c) * cols + r))
    }

    /// A padded vector; returns its place in vec4 units.
    pub fn vector(&mut self, offset: usize, len: usize) -> usize {
        self.block(1, pad4(len), |_, c| (c < len).then_some(offset + c))
    }

    fn block(&mut self, rows: usize, cols: usize, from: impl Fn(usize, usize) -> Option<usize>) -> usize {
        let at = self.map.len() / 4;
        for r in 0..rows {
            for c in 0..cols {
                self.map.push(from(r, c).map_or(NONE, |v| v as u32));
            }
        }
        at
    }
}

/// Records packed = parameters\[map\] (`map`: one u32 a packed word).
pub fn record(rec: &mut Recording, name: &str, words: usize, parameters: &Buffer, map: &Buffer, packed: &Buffer) {
    rec.push(Dispatch {
        name: name.into(),
        kernel: &KERNEL,
        constants: vec![("WG", WG)],
        params: bytemuck::bytes_of(&Params { words: words as u32, pad: [0; 3] }).to_vec(),
        buffers: vec![parameters.clone(), map.clone(), packed.clone()],
        groups: grid(words.div_ceil(WG as usize)),
        trips: 0,
        flops: 0.0,
        bytes: 12.0 * words as f64,
    });
}
