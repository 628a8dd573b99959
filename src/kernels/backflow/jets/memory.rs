//! Intermediate arrays of the dense passes.

use crate::gpu::Buffer;
use crate::model::backflow::Backflow;

use super::super::super::pad4;
use super::Order;

/// Sized for [`Order::Third`]; a launch says how much of them it touches.
pub(in super::super) struct Jets {
    /// Pair jets entering layer l, its preactivations, and its product with V_y.
    pub t: Vec<Buffer>,
    pub pair_a: Vec<Buffer>,
    pub u: Vec<Buffer>,
    /// Particle jets: preactivations of layer l and outputs (h\[0\] is the first layer's).
    pub a: Vec<Buffer>,
    pub h: Vec<Buffer>,
    pub mean: Vec<Buffer>,
    pub mean_v: Vec<Buffer>,
    pub out: Buffer,
    pub tangent: Buffer,
    pub tangent_a: Buffer,
    pub tangent_mean: Buffer,
    pub tangent_mean_v: Buffer,
    pub tangent_out: Buffer,
    pub parts: Buffer,
    /// Row pass: mean-field jets of two rows, their products, output rows; adjoints; directions of g.
    pub cross: Buffer,
    pub cross_a: Buffer,
    pub row_out: Buffer,
    pub row_adjoint: Buffer,
    pub row_ab: Buffer,
    pub row_kappa: Buffer,
    pub row_directions: Buffer,
    pub row_mean: Buffer,
    pub seed: Buffer,
    pub hb: Buffer,
    pub ab: Buffer,
    pub ab_mean: Buffer,
    pub g_mean: Buffer,
    pub yb: Buffer,
    pub tb: Buffer,
    pub tb_a: Buffer,
    pub tb_features: Buffer,
    pub tb_u: Buffer,
}

impl Jets {
    /// For `chunk` walkers of `n` particles and `pass` directions of each.
    pub fn new(model: &Backflow, n: usize, chunk: usize, pass: usize) -> Jets {
        let d = n * model.dim;
        let ld = pad4(d);
        let (h, t) = (pad4(model.one), pad4(model.pair).max(8));
        let (jets, rows) = (Order::Third.jets(model.dim), Order::Third.rows(d));
        let (pairs, back) = (n * n, model.dim + 2);
        let buffer = |name: &str, per_walker: usize| Buffer::new(format!("flow {name}"), chunk * per_walker);
        let layers =
            |name: &str, count: usize, per_walker: usize| (0..count).map(|l| buffer(&format!("{name}{l}"), per_walker)).collect::<Vec<_>>();
        let width = |l: usize| if l == 0 { 8 } else { pad4(model.pair) };
        Jets {
            t: (0..model.depth).map(|l| buffer(&format!("t{l}"), pairs * jets * width(l))).collect(),
            pair_a: layers("pair a", model.depth - 1, pairs * jets * pad4(model.pair)),
            u: layers("u", model.depth, pairs * jets * h),
            a: layers("a", model.depth, n * rows * h),
            h: layers("h", model.depth, n * rows * h),
            mean: layers("mean h", model.depth, rows * h),
            mean_v: layers("mean h V", model.depth, rows * h),
            out: buffer("output", n * rows * 4),
            tangent: buffer("tangent h", pass * n * rows * h),
            tangent_a: buffer("tangent a", pass * n * rows * h),
            tangent_mean: buffer("tangent mean", pass * rows * h),
            tangent_mean_v: buffer("tangent mean V", pass * rows * h),
            tangent_out: buffer("tangent output", pass * n * rows * 4),
            parts: buffer("parts", pass * 4),
            cross: buffer("row cross", pass * model.dim * n * 2 * h),
            cross_a: buffer("row cross a", pass * model.dim * n * 2 * h),
            row_out: buffer("row output", pass * model.dim * n * 4),
            row_adjoint: buffer("row adjoint", ld * h),
            row_ab: buffer("row adjoint a", ld * h),
            row_kappa: buffer("row kappa", ld * h),
            row_directions: buffer("row directions", d * h),
            row_mean: buffer("row mean", n * h),
            seed: buffer("score seed", n * rows * 4),
            hb: buffer("score h", n * rows * h),
            ab: buffer("score a", n * rows * h),
            ab_mean: buffer("score mean a", rows * h),
            g_mean: buffer("score mean h", rows * h),
            yb: buffer("score y", n * rows * t),
            tb: buffer("score t", pairs * back * pad4(model.pair)),
            tb_a: buffer("score pair a", pairs * back * pad4(model.pair)),
            tb_features: buffer("score features", pairs * back * 8),
            tb_u: buffer("score u", pairs * back * h),
        }
    }
}
