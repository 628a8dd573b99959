//! Memory and parameter layout of the flow for a chunk of walkers.

use crate::gpu::{Buffer, Gpu};
use crate::model::backflow::{Backflow, OUTPUT};

use super::super::{pack, pad4};
use super::Order;
use super::lanes::Lanes;

/// Places of one layer's matrices in the packed weights, in vec4 units; `_t` are transposed.
pub(super) struct OneLayer {
    pub vh: usize,
    pub vg: usize,
    pub vy: usize,
    pub bias: usize,
    pub vh_t: usize,
    pub vg_t: usize,
    pub vy_t: usize,
    /// First words in the flat parameter vector.
    pub w_word: usize,
    pub b_word: usize,
}

pub(super) struct Plain {
    pub w: usize,
    pub bias: usize,
    pub w_t: usize,
    pub w_word: usize,
    pub b_word: usize,
}

/// What [`Lanes`] are made from.
pub(super) struct Shapes<'a> {
    pub model: Backflow,
    pub one: &'a [OneLayer],
    pub two: &'a [Plain],
    pub output: &'a Plain,
    /// Words of the packed weights.
    pub words: usize,
}

/// The flow on the device for up to `chunk` walkers of `n` particles in a box of side `length`.
///
/// Outputs of the recording methods lie in the public buffers.
pub struct Flow {
    pub model: Backflow,
    pub n: usize,
    /// Box side in units of rs a0.
    pub length: f64,
    /// Most walkers a recording can hold.
    pub chunk: usize,
    /// Directions of one tangent pass.
    pub pass: usize,
    /// z(x): `[walker][n][d]`.
    pub z: Buffer,
    /// Δz: `[walker][ld]`, padding 0 (third order only).
    pub lap_z: Buffer,
    /// J = ∂z/∂x: `[walker][ld][ld]`, row = output, column = input, padding 0.
    pub jacobian: Buffer,
    /// ∇ ln|det J|: `[walker][ld]`.
    pub grad_logdet: Buffer,
    /// Δ ln|det J|: `[walker]`.
    pub lap_logdet: Buffer,
    pub(super) one: Vec<OneLayer>,
    pub(super) two: Vec<Plain>,
    pub(super) output: Plain,
    pub(super) weights: Buffer,
    map: Buffer,
    words: usize,
    pub(super) memory: Memory,
    /// The registers' path, for the flows that have it.
    pub(super) lanes: Option<Lanes>,
}

/// Intermediate arrays.
pub(super) struct Memory {
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
    pub directions: Buffer,
    pub derivative: Buffer,
    pub product: Buffer,
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

impl Flow {
    /// Shapes, packed-weight layout and (lazily allocated) memory.
    pub fn new(gpu: &Gpu, model: Backflow, n: usize, length: f64, chunk: usize) -> Flow {
        let d = n * model.dim;
        let ld = pad4(d);
        let (h, t) = (pad4(model.one), pad4(model.pair).max(8));
        let jets = Order::Third.jets(model.dim);
        let rows = Order::Third.rows(d);
        // directions a pass: as many as keep the largest tangent array near 16 Mi words
        let most = (gpu.max_words() / 2).min(1 << 24);
        // (a grid dimension ends at 65,535 workgroups)
        let pass = (most / (chunk * (n * rows * h).max(ld * ld))).min(65_535 / chunk.max(1)).clamp(1, d);
        let table = model.table();
        let mut layout = pack::Layout::default();
        let word = |name: &str| table.get(name).map_or(0, |l| l.offset);
        let one: Vec<OneLayer> = (0..model.depth)
            .map(|l| {
                let (w, b) = (word(&format!("{}/w", model.one_name(l))), word(&format!("{}/b", model.one_name(l))));
                let (hin, tin, out) = (model.one_in(l), model.pair_in(l), model.one);
                OneLayer {
                    vh: layout.matrix(w, out, 0, hin),
                    vg: layout.matrix(w, out, hin, hin),
                    vy: layout.matrix(w, out, 2 * hin, tin),
                    bias: layout.vector(b, out),
                    vh_t: layout.transposed(w, out, 0, hin),
                    vg_t: layout.transposed(w, out, hin, hin),
                    vy_t: layout.transposed(w, out, 2 * hin, tin),
                    w_word: w,
                    b_word: b,
                }
            })
            .collect();
        let mut plain = |name: &str, rows: usize, cols: usize| {
            let (w, b) = (word(&format!("{name}/w")), word(&format!("{name}/b")));
            Plain {
                w: layout.matrix(w, cols, 0, rows),
                bias: layout.vector(b, cols),
                w_t: layout.transposed(w, cols, 0, rows),
                w_word: w,
                b_word: b,
            }
        };
        let two: Vec<Plain> = (0..model.depth - 1).map(|l| plain(&model.pair_name(l), model.pair_in(l), model.pair)).collect();
        let output = plain(OUTPUT, model.one, model.dim);
        let buffer = |name: &str, per_walker: usize| Buffer::new(format!("flow {name}"), chunk * per_walker);
        let layers =
            |name: &str, count: usize, per_walker: usize| (0..count).map(|l| buffer(&format!("{name}{l}"), per_walker)).collect::<Vec<_>>();
        let pairs = n * n;
        let width = |l: usize| if l == 0 { 8 } else { pad4(model.pair) };
        let memory = Memory {
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
            directions: buffer("directions", pass * d),
            derivative: buffer("dJ", pass * ld * ld),
            product: buffer("dJ/J", pass * ld * ld),
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
            tb: buffer("score t", pairs * (model.dim + 2) * pad4(model.pair)),
            tb_a: buffer("score pair a", pairs * (model.dim + 2) * pad4(model.pair)),
            tb_features: buffer("score features", pairs * (model.dim + 2) * 8),
            tb_u: buffer("score u", pairs * (model.dim + 2) * h),
        };
        let words = layout.words();
        let lanes = Lanes::new(gpu.profile, &Shapes { model, one: &one, two: &two, output: &output, words }, n, chunk, pass);
        Flow {
            model,
            n,
            length,
            chunk,
            pass,
            z: buffer("z", d),
            lap_z: buffer("lap z", ld),
            jacobian: buffer("J", ld * ld),
            grad_logdet: buffer("grad ln det J", ld),
            lap_logdet: buffer("lap ln det J", 1),
            one,
            two,
            output,
            weights: Buffer::new("flow weights", words),
            words,
            map: Buffer::filled("flow map", words, move || layout.map()),
            memory,
            lanes,
        }
    }

    /// Number of coordinates D = n d.
    pub fn order(&self) -> usize {
        self.n * self.model.dim
    }

    /// Row stride of D x D matrices.
    pub fn ld(&self) -> usize {
        pad4(self.order())
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.model.table().len()
    }

    /// Gathers the parameters (flat, published order) into padded matrices: once after each update.
    pub fn record_pack(&self, rec: &mut crate::gpu::Recording, parameters: &Buffer) {
        pack::record(rec, "flow weights", self.words, (parameters, self.parameters()), &self.map, &self.weights);
    }

    /// Name and bytes of every array, for the memory bill. `dense`: with the dense passes' even where derivatives by rows are made
    /// in registers.
    pub fn bill(&self, dense: bool) -> Vec<(String, u64)> {
        let m = &self.memory;
        let results = [&self.z, &self.lap_z, &self.jacobian, &self.grad_logdet, &self.lap_logdet, &self.weights, &self.map];
        let shared = [&m.directions, &m.derivative, &m.product];
        let lists = [&m.t, &m.pair_a, &m.u, &m.a, &m.h, &m.mean, &m.mean_v];
        let tangents = [&m.tangent, &m.tangent_a, &m.tangent_mean, &m.tangent_mean_v, &m.tangent_out, &m.parts];
        let rows = [&m.cross, &m.cross_a, &m.row_out, &m.row_adjoint, &m.row_ab, &m.row_kappa, &m.row_directions, &m.row_mean];
        let scores = [&m.seed, &m.hb, &m.ab, &m.ab_mean, &m.g_mean, &m.yb, &m.tb, &m.tb_a, &m.tb_features, &m.tb_u];
        let jets = lists.into_iter().flatten().chain([&m.out]).chain(tangents).chain(rows).chain(scores);
        let jets = jets.filter(|_| dense || self.lanes.is_none());
        let all = results.into_iter().chain(shared).chain(self.lanes.iter().flat_map(Lanes::all)).chain(jets);
        all.map(|b| (b.name().to_string(), b.bytes())).collect()
    }
}
