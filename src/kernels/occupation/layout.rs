//! Where the network's matrices lie, packed for the kernels (vec4 units), and the sampler's program.

use crate::kernels::{pack, pad4};
use crate::model::occupation::Occupation;
use crate::model::parameters::Leaf;

/// A linear layer in the packed buffer: matrix, its transpose, bias.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Linear {
    pub w: usize,
    pub t: usize,
    pub b: usize,
    /// Rows and columns over 4, rounded up.
    pub in4: usize,
    pub out4: usize,
    /// Unpadded shape, and the places of b and w in the flat parameter vector.
    pub shape: [usize; 2],
    pub b_offset: usize,
    pub w_offset: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub mixed: Linear,
    pub hidden: Linear,
    pub back: Linear,
}

pub(super) struct Layout {
    pub pack: pack::Layout,
    pub x1hat: usize,
    pub embedding: Linear,
    pub blocks: Vec<Block>,
    pub output: Linear,
    /// Three vec4<u32> a stage, see `occupation_sample`.
    pub program: Vec<u32>,
    /// Scratch of one walker of the sampler (vec4 units) and the place of its logits.
    pub stride: usize,
    pub logits: usize,
    /// (tasks a walker, inner length) of each stage, for the bound of loop trips.
    pub work: Vec<Work>,
}

/// Size of a sampler's stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub tasks: usize,
    pub trips: usize,
    /// Trips are per token already seen.
    pub attention: bool,
}

const LINEAR: u32 = 0;
const ATTENTION: u32 = 1;
const TANH: u32 = 2;
const GATHER: u32 = 3;
const FLAG_TANH: u32 = 1;
const FLAG_ADD: u32 = 2;
const FLAG_WINDOW: u32 = 4;

fn quarter(n: usize) -> usize {
    pad4(n) / 4
}

impl Layout {
    pub fn new(model: &Occupation) -> Layout {
        let table = model.parameters();
        let leaf = |name: &str| -> Leaf {
            table.get(&format!("van/transformer/{name}")).cloned().expect("a leaf named by Occupation::parameters")
        };
        let mut pack = pack::Layout::default();
        let linear = |pack: &mut pack::Layout, name: String| -> Linear {
            let (b, w) = (leaf(&format!("{name}/b")), leaf(&format!("{name}/w")));
            let (rows, cols) = (w.shape[0], w.shape[1]);
            Linear {
                w: pack.matrix(w.offset, cols, 0, rows),
                t: pack.transposed(w.offset, cols, 0, rows),
                b: pack.vector(b.offset, cols),
                in4: quarter(rows),
                out4: quarter(cols),
                shape: [rows, cols],
                b_offset: b.offset,
                w_offset: w.offset,
            }
        };
        let x1hat = pack.vector(leaf("x1hat").offset, model.orbitals);
        let embedding = linear(&mut pack, "embedding_mlp".into());
        let blocks: Vec<Block> = (0..model.layers)
            .map(|l| Block {
                query: linear(&mut pack, format!("layer{l}_attn/query")),
                key: linear(&mut pack, format!("layer{l}_attn/key")),
                value: linear(&mut pack, format!("layer{l}_attn/value")),
                mixed: linear(&mut pack, format!("layer{l}_attn/linear")),
                hidden: linear(&mut pack, format!("layer{l}_mlp/linear")),
                back: linear(&mut pack, format!("layer{l}_mlp/linear_1")),
            })
            .collect();
        let output = linear(&mut pack, "output_mlp".into());
        let mut layout = Layout { pack, x1hat, embedding, blocks, output, program: Vec::new(), stride: 0, logits: 0, work: Vec::new() };
        layout.sampler(model);
        layout
    }

    /// Packs what only the sampler reads (heads padded to vec4) and writes its program.
    fn sampler(&mut self, model: &Occupation) {
        let size4 = quarter(model.head_size());
        let wide = model.heads * size4;
        let (d4, h4, m4) = (quarter(model.model_size), quarter(model.hidden), quarter(model.orbitals));
        // places in a walker's scratch: momentum, residual stream, hidden layer, mixed values, logits, cache
        let (u, h, t) = (0, 1, 1 + d4);
        let a = t + h4.max(d4);
        self.logits = a + wide;
        let cache = self.logits + m4;
        let row = 3 * wide;
        self.stride = cache + model.layers * row * model.n.saturating_sub(1);
        self.stage([LINEAR, 0, m4 as u32, FLAG_WINDOW], [u, self.logits, 0, 0], self.x1hat);
        self.stage([GATHER, 0, 1, 0], [0, u, 0, 0], 0);
        let (e, o) = (self.embedding, self.output);
        self.stage([LINEAR, e.in4 as u32, d4 as u32, FLAG_TANH], [u, h, 0, e.w], e.b);
        for (l, block) in self.blocks.clone().iter().enumerate() {
            let (qkv, qkv_bias, mixed) = self.heads(model, block);
            let layer = cache + l * row * model.n.saturating_sub(1);
            self.stage([LINEAR, d4 as u32, row as u32, 0], [h, layer, row, qkv], qkv_bias);
            self.stage([ATTENTION, size4 as u32, wide as u32, 0], [layer, a, 0, 0], 0);
            self.stage([LINEAR, wide as u32, d4 as u32, FLAG_ADD], [a, h, 0, mixed], block.mixed.b);
            self.stage([LINEAR, d4 as u32, h4 as u32, FLAG_TANH], [h, t, 0, block.hidden.w], block.hidden.b);
            self.stage([LINEAR, h4 as u32, d4 as u32, FLAG_ADD], [t, h, 0, block.back.w], block.back.b);
        }
        self.stage([TANH, 0, d4 as u32, 0], [h, t, 0, 0], 0);
        self.stage([LINEAR, d4 as u32, m4 as u32, FLAG_WINDOW], [t, self.logits, 0, o.w], o.b);
    }

    fn stage(&mut self, head: [u32; 4], place: [usize; 4], bias: usize) {
        self.program.extend(head);
        self.program.extend(place.map(|v| v as u32));
        self.program.extend([bias as u32, 0, 0, 0]);
        let attention = head[0] == ATTENTION;
        let trips = if attention { head[1] as usize + 1 } else { head[1] as usize };
        self.work.push(Work { tasks: head[2] as usize, trips, attention });
    }

    /// Queries, keys and values as one matrix (with its bias), and the matrix behind the attention, with
    /// the columns of each head padded to a multiple of 4.
    fn heads(&mut self, model: &Occupation, block: &Block) -> (usize, usize, usize) {
        let (d, size) = (model.model_size, model.head_size());
        let padded = pad4(size);
        let wide = model.heads * padded;
        // column of the published matrix behind a padded column
        let column = move |c: usize| (c % padded < size).then_some(c / padded * size + c % padded);
        let parts = [block.query, block.key, block.value];
        let matrix = move |r: usize, c: usize| column(c % wide).filter(|_| r < d).map(|from| parts[c / wide].w_offset + r * d + from);
        let place = self.pack.block(pad4(d), 3 * wide, matrix);
        let bias = self.pack.block(1, 3 * wide, move |_, c| column(c % wide).map(|from| parts[c / wide].b_offset + from));
        let first = block.mixed.w_offset;
        let mixed = self.pack.block(wide, pad4(d), move |r, c| column(r).filter(|_| c < d).map(|from| first + from * d + c));
        (place, bias, mixed)
    }
}
