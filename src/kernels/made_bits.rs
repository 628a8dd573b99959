//! `made_bits`: up to 32 spins drawn from a masked network of one layer in a single launch, with ln q0, E and M: the whole
//! forward half of a training step for Sherrington–Kirkpatrick and Hopfield models of that size.
//!
//! Twin: `Twin::draw` of `reference::made`, and `reference::couplings`.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};
use crate::model::made::Made;

use super::philox::{Address, Stream};
use super::{Chunk, pad4};

/// `shaders/made_bits.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "made_bits",
    source: include_str!("../../shaders/made_bits.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 32), ("TILE", 4)], &[("WG", 32), ("TILE", 1)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    count: u32,
    sites: u32,
    first: u32,
    weights: u32,
    bias: u32,
    flags: u32,
    factor: f32,
}

/// Lanes of a workgroup.
const LANES: usize = 32;
/// Spins that a word has bits for.
const MOST: usize = 32;

/// Where a network of one layer has its parameters.
#[derive(Clone, Copy, Debug)]
pub struct OneLayer {
    sites: usize,
    weights: usize,
    bias: Option<usize>,
    tile: usize,
}

/// Buffers of a draw, all samples of a batch; f32.
#[derive(Clone, Copy)]
pub struct Outputs<'b> {
    /// ±1 `[sample][sites]`.
    pub spins: &'b Buffer,
    /// ln q0(s) `[sample]`.
    pub plus: &'b Buffer,
    /// ln q0(-s) `[sample]`.
    pub minus: &'b Buffer,
    /// E `[sample]`.
    pub energy: &'b Buffer,
    /// M = Σ s `[sample]`.
    pub magnetisation: &'b Buffer,
}

impl OneLayer {
    /// # Errors
    /// [`Error::User`] for a network of more layers, or of more than 32 spins.
    pub fn new(model: &Made, profile: Profile) -> Result<OneLayer> {
        model.check()?;
        if model.depth != 1 || model.sites > MOST {
            let (depth, sites) = (model.depth, model.sites);
            return Err(Error::User(format!("spins as bits: depth {depth} and {sites} spins; it takes depth 1 and {MOST} at the most")));
        }
        let table = model.parameters();
        let place = |leaf: &str| table.get(&format!("made/layer00/{leaf}")).map(|l| l.offset);
        let tile = if profile == Profile::Simd { 4 } else { 1 };
        Ok(OneLayer { sites: model.sites, weights: place("w").unwrap_or(0), bias: place("b"), tile })
    }

    /// Draws `chunk`'s samples, as [`super::ancestral::record`] would with `factor` times the fields of the same couplings; `couplings` holds [`super::couplings::table`]. Flips of
    /// all spins would change neither ln q of the mixture of both signs, nor its gradient, nor E without a field.
    #[allow(clippy::too_many_arguments)]
    pub fn record(
        &self,
        rec: &mut Recording,
        at: Stream,
        chunk: Chunk,
        parameters: &Buffer,
        couplings: &Buffer,
        factor: f64,
        out: Outputs,
    ) {
        let (n, ld, Chunk { first, count }) = (self.sites, pad4(self.sites), chunk);
        let p = Params {
            at: at.skip(first).address(),
            count: count as u32,
            sites: n as u32,
            first: first as u32,
            weights: self.weights as u32,
            bias: self.bias.unwrap_or(0) as u32,
            flags: self.bias.is_some() as u32,
            factor: factor as f32,
        };
        let words = (self.weights + n * (n - 1) / 2).max(self.bias.map_or(0, |b| b + n));
        let one = first..first + count;
        rec.launch("sample", &KERNEL, &p)
            .constants(&[("WG", LANES as u32), ("TILE", self.tile as u32)])
            .read(parameters, words)
            .read(couplings, ld * ld + n)
            .write(out.spins, n * first..n * (first + count))
            .write(out.plus, one.clone())
            .write(out.minus, one.clone())
            .write(out.energy, one.clone())
            .write(out.magnetisation, one)
            .trips((n * (n + 1) / 2 + 10 * self.tile * n) as u64)
            .flops(count as f64 * (2.0 * (n * n) as f64 + 350.0 * n as f64))
            .moved(4.0 * count as f64 * (n as f64 + (n * n / self.tile) as f64))
            .groups(grid(count.div_ceil(LANES * self.tile)));
    }
}
