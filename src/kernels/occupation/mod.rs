//! Kernels of the occupation model p(K) ([`crate::model::occupation`]): sampling, ln p of given
//! states, per-walker scores d ln p / d theta, and their weighted sum.
//!
//! Rows are (walker, token). Only the first n - 1 tokens enter the network: row i of the logits reads
//! its output at token i - 1, row 0 is the parameter x1hat. Buffers of the caller hold all walkers;
//! a [`Chunk`] says which rows a recording works on, so that memory is that of one chunk.

mod backward;
mod forward;
mod layout;
mod parts;
mod sample;

use super::Chunk;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Profile, Recording};
use crate::kernels::{pack, pad4};
use crate::model::occupation::Occupation;

use layout::Layout;
pub use parts::{ACTIVATE, ATTENTION, EMBED, LOGITS, MIX, TOTAL};
pub(crate) use parts::{activate, activate_vjp};
pub use sample::KERNEL as SAMPLE;

/// Buffers and tables of one occupation model on one device; none can be changed apart from the others.
pub struct OccupationKernels {
    model: Occupation,
    /// Most walkers of a chunk.
    batch: usize,
    /// Number of parameters P.
    parameters: usize,
    profile: Profile,
    layout: Layout,
    map: Buffer,
    packed: Buffer,
    program: Buffer,
    /// M momenta (vec4), then n rows of biases.
    tables: Buffer,
    orbitals: Buffer,
    bias: Buffer,
    ones: Buffer,
    zeros: Buffer,
    scratch: Buffer,
    work: Work,
}

/// Activations of one chunk and their gradients.
struct Work {
    momenta: Buffer,
    /// Before an activation, and gradients of hidden layers.
    hidden: Buffer,
    wide: Buffer,
    layers: Vec<LayerWork>,
    last: Buffer,
    output: Buffer,
    logits: Buffer,
    rows: Buffer,
    d_stream: Buffer,
    d_mixed: Buffer,
    d_query: Buffer,
    d_key: Buffer,
    d_value: Buffer,
    d_attention: Buffer,
    partial: Buffer,
}

struct LayerWork {
    input: Buffer,
    query: Buffer,
    key: Buffer,
    value: Buffer,
    attention: Buffer,
    mixed: Buffer,
    middle: Buffer,
    hidden: Buffer,
}

/// Walkers whose gradients are added in one partial sum.
const GROUP: usize = 16;

/// Partial sums of a chunk, and one for what is added to them.
fn groups(batch: usize) -> usize {
    pad4(batch.div_ceil(GROUP) + 1)
}

impl OccupationKernels {
    /// Tables of `model` for chunks of at most `batch` walkers.
    ///
    /// `orbitals`: M x dim, integer momentum + twist (not times 2 pi / L), in table order. `bias`: n x M
    /// logits of a prior ([`crate::system::ideal_gas::IdealGas::bias`]).
    pub fn new(model: &Occupation, batch: usize, orbitals: &[f64], bias: Option<&[f64]>, gpu: &Gpu) -> Result<Self> {
        model.check()?;
        let (n, m) = (model.n, model.orbitals);
        if batch == 0 || orbitals.len() != m * model.dim || bias.is_some_and(|b| b.len() != n * m) {
            return Err(Error::User(format!(
                "occupation model: batch {batch}, {} orbital components, {:?} biases do not fit M = {m} orbitals in {} dimensions and n = {n}",
                orbitals.len(),
                bias.map(<[f64]>::len),
                model.dim
            )));
        }
        let layout = Layout::new(model);
        let momenta: Vec<f32> = orbitals
            .chunks(model.dim)
            .flat_map(|k| {
                let mut row = [0.0; 4];
                k.iter().zip(&mut row).for_each(|(v, r)| *r = *v as f32);
                row
            })
            .collect();
        let bias: Option<Vec<f32>> = bias.map(|b| b.iter().map(|v| *v as f32).collect());
        // rows padded to vec4
        let prior = move || {
            let mut prior = vec![0.0f32; n * pad4(m)];
            for (row, from) in prior.chunks_mut(pad4(m)).zip(bias.iter().flat_map(|b| b.chunks(m))) {
                row[..m].copy_from_slice(from);
            }
            prior
        };
        let (parameters, pack) = (model.parameters().len(), layout.pack.clone());
        let (program, momenta_of_tables, prior_of_tables) = (layout.program.clone(), momenta.clone(), prior.clone());
        Ok(OccupationKernels {
            batch,
            parameters,
            profile: gpu.profile,
            packed: Buffer::new("occupation packed", pack.words()),
            map: Buffer::filled("occupation map", pack.words(), move || pack.map()),
            program: Buffer::filled("occupation program", program.len(), move || program),
            tables: Buffer::filled("occupation tables", 4 * m + n * pad4(m), move || [momenta_of_tables, prior_of_tables()].concat()),
            orbitals: Buffer::filled("occupation orbitals", 4 * m, move || momenta),
            bias: Buffer::filled("occupation bias", n * pad4(m), prior),
            ones: Buffer::filled("ones", groups(batch), move || vec![1.0f32; groups(batch)]),
            zeros: Buffer::filled("zeros", pad4(parameters), move || vec![0.0f32; pad4(parameters)]),
            scratch: Buffer::new("occupation scratch", 4 * layout.stride * batch),
            work: Work::new(model, batch, parameters),
            layout,
            model: model.clone(),
        })
    }

    /// Rows of scores and gradients are this long: P rounded up to a multiple of 4.
    pub fn leading(&self) -> usize {
        pad4(self.parameters)
    }

    /// Splits rows 0 .. total into chunks of at most the batch.
    pub fn chunks(&self, total: usize) -> impl Iterator<Item = Chunk> {
        let batch = self.batch;
        (0..total).step_by(batch).map(move |first| Chunk { first, count: batch.min(total - first) })
    }

    /// No more rows than the buffers of this model hold.
    fn fit(&self, chunk: Chunk) -> Chunk {
        Chunk { count: chunk.count.min(self.batch), ..chunk }
    }

    /// Gathers `params` (P f32 in the order of [`Occupation::parameters`]) for the other methods.
    pub fn record_pack(&self, rec: &mut Recording, params: &Buffer) {
        pack::record(rec, "pack", self.layout.pack.words(), (params, self.parameters), &self.map, &self.packed);
    }
}

impl Work {
    fn new(model: &Occupation, batch: usize, parameters: usize) -> Work {
        let tokens = model.n - 1;
        let rows = batch * tokens;
        let (d, h) = (pad4(model.model_size), pad4(model.hidden));
        let stream = |name: &str| Buffer::new(format!("occupation {name}"), rows * d);
        let attention = |name: &str| Buffer::new(format!("occupation {name}"), rows * model.heads * tokens);
        let layer = |l: usize| LayerWork {
            input: stream(&format!("input {l}")),
            query: stream(&format!("query {l}")),
            key: stream(&format!("key {l}")),
            value: stream(&format!("value {l}")),
            attention: attention(&format!("attention {l}")),
            mixed: stream(&format!("mixed {l}")),
            middle: stream(&format!("middle {l}")),
            hidden: Buffer::new(format!("occupation hidden {l}"), rows * h),
        };
        Work {
            momenta: Buffer::new("occupation momenta", rows * 4),
            hidden: Buffer::new("occupation hidden", rows * h),
            wide: stream("wide"),
            layers: (0..model.layers).map(layer).collect(),
            last: stream("last"),
            output: stream("output"),
            logits: Buffer::new("occupation logits", (batch + rows) * pad4(model.orbitals)),
            rows: Buffer::new("occupation rows", batch * model.n),
            d_stream: stream("d stream"),
            d_mixed: stream("d mixed"),
            d_query: stream("d query"),
            d_key: stream("d key"),
            d_value: stream("d value"),
            d_attention: attention("d attention"),
            partial: Buffer::new("occupation partial", groups(batch) * pad4(parameters)),
        }
    }
}
