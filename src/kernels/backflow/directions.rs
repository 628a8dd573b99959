//! Directions along which J is differentiated, and what all passes along them share.

use crate::gpu::{Buffer, Kernel, Recording};

use super::super::philox::{Address, Stream};
use super::super::{WG, linear};
use super::BackflowKernels;
use super::array::Array;

/// `shaders/backflow_directions.wgsl`.
pub static DIRECTIONS: Kernel = Kernel {
    name: "backflow_directions",
    source: include_str!("../../../shaders/backflow_directions.wgsl"),
    shared: &["quotient", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    order: u32,
    probes: u32,
    first: u32,
    flags: u32,
    pad: [u32; 3],
}

/// Along which directions v the Laplacian of ln|det J| is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// All unit vectors: exact.
    Exact,
    /// Random sign vectors (Hutchinson): unbiased, `probes` of them a walker.
    Signs(Signs),
    /// Random sign vectors for τ = Σ_v tr((J⁻¹ ∂_vJ)²) alone, see `jets/rows`: unbiased, and less noisy.
    Rows(Signs),
    /// As `Rows` with all unit vectors: exact, a check of it.
    RowsExact,
}

/// Random sign vectors, the same in every run: `probes` for each walker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// At least 1.
    pub probes: usize,
    /// Their random numbers.
    pub at: Stream,
}

impl Directions {
    pub(crate) fn signs(self) -> Option<Signs> {
        match self {
            Directions::Signs(s) | Directions::Rows(s) => Some(s),
            Directions::Exact | Directions::RowsExact => None,
        }
    }

    pub(crate) fn by_rows(self) -> bool {
        matches!(self, Directions::Rows(_) | Directions::RowsExact)
    }
}

/// Directions of one pass: `count` of all `of`, counted from `first`.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    pub first: usize,
    pub count: usize,
    pub of: usize,
    pub directions: Directions,
}

impl Pass {
    /// Weight of one direction in the sum over orthonormal ones.
    pub fn weight(&self) -> f32 {
        if self.directions.signs().is_none() { 1.0 } else { 1.0 / self.of as f32 }
    }
}

/// Arrays along the directions of a pass.
pub(super) struct Along {
    pub directions: Array,
    pub derivative: Array,
    pub product: Array,
}

impl Along {
    /// For up to `units` directions of all walkers.
    pub fn new(units: usize, order: usize, ld: usize) -> Along {
        Along {
            directions: Array::new("flow directions", units, order),
            derivative: Array::new("flow dJ", units, ld * ld),
            product: Array::new("flow dJ/J", units, ld * ld),
        }
    }
}

impl BackflowKernels {
    /// The passes over all directions.
    pub(super) fn passes(&self, directions: Directions) -> impl Iterator<Item = Pass> {
        let (of, most) = (directions.signs().map_or(self.order(), |s| s.probes), self.pass);
        (0..of).step_by(most).map(move |first| Pass { first, count: most.min(of - first), of, directions })
    }

    /// Records the directions of a pass.
    pub(super) fn record_directions(&self, rec: &mut Recording, walkers: usize, pass: Pass) {
        let p = Params { order: self.order() as u32, probes: pass.count as u32, first: pass.first as u32, ..Default::default() };
        let p = pass.directions.signs().map_or(p, |s| Params { at: s.at.address(), flags: 1, ..p });
        let words = pass.count * self.order();
        rec.launch("directions", &DIRECTIONS, &p)
            .constants(&[("WG", WG)])
            .bindings([self.along.directions.write(walkers * pass.count)])
            .flops((8 * walkers * words) as f64)
            .groups([words.div_ceil(WG as usize) as u32, walkers as u32, 1]);
    }

    /// Records (∂_v J) J⁻¹ of a pass, for `batch` walkers and directions, `count` a walker.
    pub(super) fn record_over_jacobian(&self, rec: &mut Recording, inverse: &Buffer, batch: usize, count: usize) {
        let ld = self.ld();
        let product = linear::Params {
            batches: batch as u32,
            x_stride: (ld * ld / 4) as u32,
            w_stride: (ld * ld / 4) as u32,
            w_div: count as u32,
            y_stride: (ld * ld / 4) as u32,
            ..linear::Params::new(self.order(), ld / 4, ld / 4, 0)
        };
        linear::record(rec, "dJ/J", product, &self.along.derivative.buffer, inverse, &self.along.product.buffer);
    }
}
