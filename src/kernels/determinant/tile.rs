//! `lu_tile_real`, `lu_tile_complex`: a matrix a workgroup, in its registers, for GPUs.

use super::{Problem, pad4};
use crate::gpu::{Kernel, Recording, grid};

/// Threads and registers a side of the square that holds a matrix.
const VARIANTS: &[&[(&str, u32)]] = &[&[("G", 8), ("S", 4)], &[("G", 16), ("S", 4)], &[("G", 16), ("S", 8)]];

/// `shaders/lu_tile_real.wgsl`.
pub static TILE_REAL: Kernel = Kernel {
    name: "lu_tile_real",
    source: include_str!("../../../shaders/lu_tile_real.wgsl"),
    shared: &["grid", "logarithm"],
    params_bytes: size_of::<[u32; 4]>(),
    variants: VARIANTS,
};

/// `shaders/lu_tile_complex.wgsl`.
pub static TILE_COMPLEX: Kernel = Kernel {
    name: "lu_tile_complex",
    source: include_str!("../../../shaders/lu_tile_complex.wgsl"),
    shared: &["complex", "grid", "logarithm"],
    params_bytes: size_of::<[u32; 4]>(),
    variants: VARIANTS,
};

/// The smallest variant that holds matrices of this order.
fn variant(order: usize) -> Option<&'static [(&'static str, u32)]> {
    VARIANTS.iter().copied().find(|v| v.iter().map(|(_, n)| *n as usize).product::<usize>() >= order)
}

/// Whether the kernels take matrices of this order.
pub fn fits(order: usize) -> bool {
    variant(order).is_some()
}

pub fn record(rec: &mut Recording, name: &str, problem: &Problem) {
    let &Problem { order, batch, parts, out, .. } = problem;
    let (m, inverse) = (order as u32, out.inverse.is_some() as u32);
    // complex matrices have no leading dimension
    let params = if parts == 1 { [batch as u32, m, (pad4(order) / 4) as u32, inverse] } else { [batch as u32, m, inverse, 0] };
    let kernel = if parts == 1 { &TILE_REAL } else { &TILE_COMPLEX };
    problem
        .launch(rec, name, kernel, &params, 0)
        .constants(variant(order).expect("an order that fits"))
        // the steps, and two to number the rows
        .trips(order as u64 + 4)
        .groups(grid(batch));
}
