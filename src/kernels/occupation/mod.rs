//! Kernels of the physics of p(K) ([`crate::model::occupation`]): momenta that the network reads, conditional probabilities
//! behind the ordering of orbitals and the prior, ln p, and draws. The network between is one of layers:
//! [`crate::network::OccupationKernels`].
//!
//! Rows are (walker, token). Only the first n - 1 tokens enter the network: row i of the logits reads its output at token
//! i - 1, row 0 is a parameter.

mod program;
mod sample;

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::{Chunk, WG, pad4};

pub use program::Program;
pub use sample::KERNEL as SAMPLE;
pub use sample::{Outputs, record as sample};

macro_rules! kernel {
    ($name:literal, $shared:expr, $params:ty) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("../../../shaders/", $name, ".wgsl")),
            shared: $shared,
            params_bytes: size_of::<$params>(),
            variants: &[&[("WG", 64)]],
        }
    };
}

/// `shaders/occupation_embed.wgsl`.
pub static EMBED: Kernel = kernel!("occupation_embed", &["grid"], EmbedParams);
/// `shaders/occupation_logits.wgsl`.
pub static LOGITS: Kernel = kernel!("occupation_logits", &["grid", "special"], LogitsParams);
/// `shaders/occupation_total.wgsl`.
pub static TOTAL: Kernel = kernel!("occupation_total", &["grid"], [u32; 4]);

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct EmbedParams {
    count: u32,
    tokens: u32,
    n: u32,
    first: u32,
    orbitals: u32,
    pad: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct LogitsParams {
    count: u32,
    n: u32,
    orbitals: u32,
    ld: u32,
    first: u32,
    first_factor: u32,
    flags: u32,
    factor_step: u32,
}

/// Flag of [`LogitsParams`]: leave the gradient by the logits in their place.
const GRADIENT: u32 = 1;

/// States of some walkers, and the number of orbitals that bounds what stands in them.
#[derive(Clone, Copy)]
pub struct States<'b> {
    /// u32 `[walker][n]`, each ascending.
    pub buffer: &'b Buffer,
    /// Number of fermions n.
    pub n: usize,
    /// Number of orbitals M.
    pub orbitals: usize,
    /// Which walkers.
    pub chunk: Chunk,
}

/// Factors of the walkers' gradients: f32 `first + step w` for walker w of the chunk.
#[derive(Clone, Copy)]
pub struct Factors<'b> {
    /// Where they are.
    pub buffer: &'b Buffer,
    /// Word of the first.
    pub first: usize,
    /// Words from one to the next.
    pub step: usize,
}

impl States<'_> {
    /// Words of the chunk's states, all or up to some token of the last.
    fn words(&self, tokens: usize) -> std::ops::Range<usize> {
        let Chunk { first, count } = self.chunk;
        self.n * first..(self.n * (first + count) + tokens).saturating_sub(self.n)
    }
}

/// Records the momenta of the first n - 1 orbitals of each state, `momenta` vec4 `[walker][token]`; `orbitals`: M vec4.
pub fn embed(rec: &mut Recording, s: States, orbitals: &Buffer, momenta: &Buffer) {
    let (count, tokens) = (s.chunk.count, s.n - 1);
    let p = EmbedParams {
        count: count as u32,
        tokens: tokens as u32,
        n: s.n as u32,
        first: s.chunk.first as u32,
        orbitals: s.orbitals as u32,
        pad: [0; 3],
    };
    rec.launch("embed", &EMBED, &p)
        .constants(&[("WG", WG)])
        .read(s.buffer, s.words(tokens))
        .read(orbitals, 4 * s.orbitals)
        .write(momenta, 4 * count * tokens)
        .moved(36.0 * (count * tokens) as f64)
        .groups(threads(count * tokens));
}

/// Records the conditional log-probabilities `rows` (f32 `[walker][n]`) of logits in padded rows: those of the tokens, then one
/// row a walker for its first orbital. With `factors` logits become c_w d ln p / d logits. `bias`: n padded rows.
pub fn logits(rec: &mut Recording, s: States, bias: &Buffer, factors: Option<Factors>, logits: &Buffer, rows: &Buffer) {
    let (Chunk { first, count }, n, ld) = (s.chunk, s.n, pad4(s.orbitals));
    let f = factors.unwrap_or(Factors { buffer: bias, first: 0, step: 0 });
    let p = LogitsParams {
        count: count as u32,
        n: n as u32,
        orbitals: s.orbitals as u32,
        ld: ld as u32,
        first: first as u32,
        first_factor: f.first as u32,
        flags: if factors.is_some() { GRADIENT } else { 0 },
        factor_step: f.step as u32,
    };
    let words = count * n * ld;
    // windows end before the padding of a row, which only gradients are written to
    let padding = ld - s.orbitals;
    let read = if factors.is_some() { f.first..f.first + f.step * count.saturating_sub(1) + 1 } else { 0..4 };
    rec.launch("logits", &LOGITS, &p)
        .constants(&[("WG", WG)])
        .read(s.buffer, s.words(n))
        .read(bias, n * ld - padding)
        .read(f.buffer, read)
        .update(logits, if factors.is_some() { words } else { words.saturating_sub(padding) })
        .write(rows, count * n)
        .trips(3 * ld as u64)
        .flops(30.0 * words as f64)
        .groups(threads(count * n));
}

/// Records logp\[first + w\] = sum of the n rows of walker w < count.
pub fn total(rec: &mut Recording, n: usize, chunk: Chunk, rows: &Buffer, logp: &Buffer) {
    let Chunk { first, count } = chunk;
    rec.launch("total", &TOTAL, &[count as u32, n as u32, first as u32, 0])
        .constants(&[("WG", WG)])
        .read(rows, count * n)
        .write(logp, first..first + count)
        .trips(n as u64)
        .flops((count * n) as f64)
        .groups(threads(count));
}

/// Workgroups for so many invocations.
fn threads(count: usize) -> [u32; 3] {
    grid(count.div_ceil(WG as usize))
}
