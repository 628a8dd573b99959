//! Dense passes over jets: any depth, width and dimension 2 or 3.
//!
//! Everything is built from `linear` products and elementwise kernels on *jets*: arrays that hold a
//! value and its derivatives as consecutive rows. With H the one-particle width and D = n d:
//!
//! - pair jets `[walker][i][j][jet][width]`: value, first derivatives, second derivatives and the
//!   gradient of their trace with respect to r = x_i - x_j;
//! - particle jets `[walker][i][row][H]`: value, derivatives with respect to all D coordinates, Laplacian.
//!
//! The forward pass is dense in the D derivatives (cost n D H² a layer), so J = 1 + ∂(C h) needs no
//! reverse mode. The *tangent* pass is the forward pass differentiated along directions v, which gives
//! ∂_v J and ∂_v Δz, hence the exact gradient and Laplacian of ln|det J| when v runs over all unit
//! vectors, and an unbiased estimate of the Laplacian for random signs. The *row* pass (`rows`) gives
//! most of that Laplacian exactly from d directions a particle instead of D = n d, so that only
//! Σ_v tr((J⁻¹ ∂_vJ)²) is left to random signs. The *score* pass is the adjoint of the forward pass.

mod forward;
pub(super) mod kernels;
mod memory;
mod rows;
mod score;
mod tangent;

pub(super) use memory::Jets;

use crate::gpu::{Binding, Kernel, Recording};

use super::super::{WG, pad4};
use super::BackflowKernels;
use kernels::Params;

/// Add the residual, or: there is something to add to (flag of the elementwise kernels).
const ADD: u32 = 1;

/// How many derivatives the pair jets carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Values and first derivatives: enough for z, J and the scores.
    First,
    /// Up to the third: for Δz and the tangent pass.
    Third,
}

impl Order {
    /// Jets of a pair.
    pub fn jets(self, dim: usize) -> usize {
        match self {
            Order::First => 1 + dim,
            Order::Third => 1 + dim + dim * (dim + 1) / 2 + dim,
        }
    }

    /// Rows of a particle: value, D derivatives, and the Laplacian.
    pub fn rows(self, d: usize) -> usize {
        match self {
            Order::First => 1 + d,
            Order::Third => 2 + d,
        }
    }
}

/// One elementwise launch: `threads` invocations for each of `walkers` walkers (or walkers and probes).
struct Elementwise<'a> {
    name: &'a str,
    kernel: &'static Kernel,
    dim: usize,
    params: Params,
    width4: usize,
    walkers: usize,
    threads: usize,
    /// Most loop trips of one invocation.
    trips: usize,
    /// Elements of 16 bytes that all invocations of a walker look at.
    elements: f64,
}

impl Elementwise<'_> {
    fn record(self, rec: &mut Recording, bindings: impl IntoIterator<Item = Binding>) {
        let groups = [self.threads.div_ceil(WG as usize) as u32, self.walkers as u32, 1];
        self.record_groups(rec, groups, bindings);
    }

    fn record_groups(self, rec: &mut Recording, groups: [u32; 3], bindings: impl IntoIterator<Item = Binding>) {
        let once = std::ptr::eq(self.kernel.variants, kernels::ONCE);
        let jets = if once { 1 + self.dim as u32 } else { self.params.jets };
        rec.launch(self.name, self.kernel, &self.params)
            .constants(&[("WG", WG), ("DIM", self.dim as u32), ("JETS", jets), ("W4", self.width4 as u32)])
            .bindings(bindings)
            .trips(self.trips as u64)
            // elementwise kernels do about two operations on each number they look at
            .flops(8.0 * self.elements * self.walkers as f64)
            .groups(groups);
    }
}

impl BackflowKernels {
    /// One-particle width over 4.
    fn h4(&self) -> usize {
        pad4(self.model.one) / 4
    }

    /// Width over 4 of the pair stream entering layer `l`.
    fn t4(&self, l: usize) -> usize {
        if l == 0 { 2 } else { pad4(self.model.pair) / 4 }
    }

    /// Words of pair jets of width 4 `width4`.
    fn pair_words(&self, walkers: usize, jets: usize, width4: usize) -> usize {
        4 * walkers * self.n * self.n * jets * width4
    }

    /// Words of particle jets of width H.
    fn particle_words(&self, walkers: usize, rows: usize) -> usize {
        4 * walkers * self.n * rows * self.h4()
    }

    fn params(&self, walkers: usize, order: Order) -> Params {
        let rows = order.rows(self.order()) as u32;
        Params {
            walkers: walkers as u32,
            n: self.n as u32,
            rows,
            jets: order.jets(self.model.dim) as u32,
            probes: 1,
            ld: self.ld() as u32,
            forward_rows: rows,
            length: self.length as f32,
            half_turns: self.model.feature.half_turns(),
            scale: 1.0,
            ..Default::default()
        }
    }

    /// A launch over the jets of all particles (width H), `trips` in the few rows that sum.
    fn particles<'a>(&self, name: &'a str, kernel: &'static Kernel, params: Params, walkers: usize, trips: usize) -> Elementwise<'a> {
        let threads = self.n * params.rows as usize * self.h4();
        // at most DIM + 2 of the rows of a particle sum over `trips` elements
        let elements = 3.0 * threads as f64 + (self.n * self.h4() * trips) as f64;
        Elementwise { name, kernel, dim: self.model.dim, params, width4: self.h4(), walkers, threads, trips, elements }
    }

    /// A launch over `threads` invocations a walker that look at `each` elements.
    fn plain<'a>(
        &self,
        name: &'a str,
        kernel: &'static Kernel,
        params: Params,
        walkers: usize,
        threads: usize,
        each: usize,
    ) -> Elementwise<'a> {
        let elements = (threads * (each + 1)) as f64;
        Elementwise { name, kernel, dim: self.model.dim, params, width4: self.h4(), walkers, threads, trips: each, elements }
    }
}
