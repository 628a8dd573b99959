//! Parameters as padded matrices: their places in the flat vector and in the packed weights.

use crate::gpu::{Buffer, Recording};
use crate::model::backflow::{Backflow, OUTPUT, UNLIKE};

use super::super::pack;
use super::BackflowKernels;

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

/// All layers, and the packed weights themselves.
pub(super) struct Weights {
    pub one: Vec<OneLayer>,
    pub two: Vec<Plain>,
    /// The two-particle layer of pairs of unlike spins, in the place of the first of `two`.
    pub unlike: Option<Plain>,
    pub output: Plain,
    pub words: usize,
    pub buffer: Buffer,
    pub map: Buffer,
}

impl Weights {
    pub fn new(model: &Backflow) -> Weights {
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
        let two = (0..model.depth - 1).map(|l| plain(&model.pair_name(l), model.pair_in(l), model.pair)).collect();
        let output = plain(OUTPUT, model.one, model.dim);
        let unlike = model.unlike.then(|| plain(UNLIKE, model.features(), model.pair));
        let words = layout.words();
        Weights {
            one,
            two,
            unlike,
            output,
            words,
            buffer: Buffer::new("flow weights", words),
            map: Buffer::filled("flow map", words, move || layout.map()),
        }
    }
}

impl BackflowKernels {
    /// Gathers the parameters (flat, published order) into padded matrices: once after each update.
    pub fn record_pack(&self, rec: &mut Recording, parameters: &Buffer) {
        let w = &self.weights;
        pack::record(rec, "flow weights", w.words, (parameters, self.parameters()), &w.map, &w.buffer);
    }
}
