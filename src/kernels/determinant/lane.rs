//! `lu_lane_real`, `lu_lane_complex`: a matrix an invocation, for CPU drivers.

use super::{Problem, pad4};
use crate::gpu::{Dispatch, Kernel, MAX_TRIPS, Recording, grid};

/// Invocations a workgroup: a SIMD register of common CPU drivers.
const WG: usize = 8;
const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", WG as u32), ("GROUPS", 8)], &[("WG", WG as u32), ("GROUPS", 32)]];

pub static LANE_REAL: Kernel = Kernel {
    name: "lu_lane_real",
    source: include_str!("../../../shaders/lu_lane_real.wgsl"),
    shared: &["grid", "logarithm"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    order: u32,
    ld4: u32,
    blocks: u32,
    inverse: u32,
    pad: [u32; 3],
}

/// Words of scratch a matrix: L and U in blocks of 8 rows and columns.
pub fn work_words(order: usize, parts: usize) -> usize {
    64 * order.div_ceil(8).pow(2) * parts
}

/// Upper bound of the loop trips of an invocation; one is added to each loop for its last test.
fn trips(order: usize, inverse: bool) -> u64 {
    let (blocks, ld4) = (order.div_ceil(8), pad4(order) / 4);
    let mut total = 2 * blocks + 2;
    for c in 0..blocks {
        // fetch, store; a tile with its products at least one trip
        total += 4 + 4 * blocks + (0..blocks).map(|i| 1 + (2 * i.min(c)).max(1)).sum::<usize>();
        for col in 2 * c..2 * c + 2 {
            total += 2 + 4 * (2 + ld4.saturating_sub(col)) + ld4.saturating_sub(col);
        }
        if inverse {
            total += 4 + ld4 + 2 * blocks;
            total += (c..blocks).map(|i| 1 + (2 * (i - c)).max(1)).sum::<usize>();
            total += (0..blocks).map(|i| 1 + ld4.saturating_sub(2 * i + 2).max(1)).sum::<usize>();
        }
    }
    total as u64
}

/// Whether the kernels take matrices of this order.
pub fn fits(order: usize, inverse: bool) -> bool {
    trips(order, inverse) <= MAX_TRIPS
}

pub fn record(rec: &mut Recording, name: &str, kernel: &'static Kernel, problem: &Problem) {
    let &Problem { order, batch, out, .. } = problem;
    let (inverse, blocks) = (out.inverse.is_some(), order.div_ceil(8));
    let params = Params {
        batch: batch as u32,
        order: order as u32,
        ld4: (pad4(order) / 4) as u32,
        blocks: blocks as u32,
        inverse: inverse as u32,
        pad: [0; 3],
    };
    rec.push(Dispatch {
        name: name.into(),
        kernel,
        constants: vec![("WG", WG as u32), ("GROUPS", (2 * blocks).next_multiple_of(8) as u32)],
        params: bytemuck::bytes_of(&params).to_vec(),
        buffers: problem.buffers(),
        groups: grid(batch.div_ceil(WG)),
        trips: trips(order, inverse),
        flops: problem.flops(),
        bytes: problem.bytes(),
    });
}
