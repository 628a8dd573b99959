//! `lu_lane_real`, `lu_lane_complex`: a matrix an invocation, for CPU drivers.

use super::{Problem, pad4};
use crate::gpu::{Kernel, MAX_TRIPS, Recording, grid};

/// Invocations a workgroup: a SIMD register of common CPU drivers.
const WG: usize = 8;
const VARIANTS: &[&[(&str, u32)]] =
    &[&[("WG", WG as u32), ("GROUPS", 8), ("SLOTS", 16)], &[("WG", WG as u32), ("GROUPS", 32), ("SLOTS", 64)]];

/// `shaders/lu_lane_real.wgsl`.
pub static LANE_REAL: Kernel = Kernel {
    name: "lu_lane_real",
    source: include_str!("../../../shaders/lu_lane_real.wgsl"),
    shared: &["grid", "logarithm", "triangles"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

/// `shaders/lu_lane_complex.wgsl`.
pub static LANE_COMPLEX: Kernel = Kernel {
    name: "lu_lane_complex",
    source: include_str!("../../../shaders/lu_lane_complex.wgsl"),
    shared: &["complex", "grid", "logarithm", "triangles"],
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

/// Upper bound of the loop trips of an invocation; one is added to each loop for its last test. `quads`: columns a
/// block, in vec4.
fn trips(order: usize, quads: usize, inverse: bool) -> u64 {
    let (blocks, ld4) = (order.div_ceil(8), pad4(order) / 4);
    let mut total = 2 * blocks + 2;
    for first in (0..2 * blocks).step_by(quads) {
        // fetch, store; a tile with its products at least one trip
        total += 6 + 2 * (2 * blocks * quads + 1) + (0..blocks).map(|i| 1 + (2 * i).min(first).max(1)).sum::<usize>();
        for col in first..first + quads {
            total += 4 + 4 * (5 + ld4.saturating_sub(col)) + ld4.saturating_sub(col);
        }
        if inverse {
            total += 6 + 2 * (2 * blocks * quads + 1);
            total += (first / 2..blocks).map(|i| 1 + (2 * i).saturating_sub(first).max(1)).sum::<usize>();
            total += (0..blocks).map(|i| 1 + ld4.saturating_sub(2 * i + 2).max(1)).sum::<usize>();
        }
    }
    total as u64
}

/// Columns a block, in vec4: 8 real or 4 complex ones.
fn quads(parts: usize) -> usize {
    3 - parts
}

/// Largest order: drivers compile private arrays in a time that grows faster than their length.
const MAX_ORDER: usize = 208;

/// Whether the kernels take matrices of this order.
pub fn fits(order: usize, parts: usize, inverse: bool) -> bool {
    order <= MAX_ORDER && trips(order, quads(parts), inverse) <= MAX_TRIPS
}

pub fn record(rec: &mut Recording, name: &str, problem: &Problem) {
    let &Problem { order, batch, parts, out, .. } = problem;
    let (inverse, blocks) = (out.inverse.is_some(), order.div_ceil(8));
    // rounded so that few orders make a kernel of their own
    let groups = (2 * blocks).next_multiple_of(8) as u32;
    let params = Params {
        batch: batch as u32,
        order: order as u32,
        ld4: (pad4(order) / 4) as u32,
        blocks: blocks as u32,
        inverse: inverse as u32,
        pad: [0; 3],
    };
    let kernel = if parts == 1 { &LANE_REAL } else { &LANE_COMPLEX };
    problem
        .launch(rec, name, kernel, &params, batch * work_words(order, parts))
        .constants(&[("WG", WG as u32), ("GROUPS", groups), ("SLOTS", 2 * groups)])
        .trips(trips(order, quads(parts), inverse))
        .groups(grid(batch.div_ceil(WG)));
}
