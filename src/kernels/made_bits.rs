//! `made_bits` and `made_bits_gradient`: up to 32 spins drawn from a masked network of one layer in a single launch, with ln q0,
//! E and M, and the gradient of ln q0 in another: both halves of a training step for Sherrington–Kirkpatrick and Hopfield
//! models of that size.
//!
//! Twin: `Twin::draw` and `Twin::score` of `reference::made`, and `reference::couplings`.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};
use crate::model::made::Made;

use super::linear;
use super::philox::{Address, Stream};
use super::{Chunk, WG, pad4};

/// `shaders/made_bits.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "made_bits",
    source: include_str!("../../shaders/made_bits.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", 32), ("TILE", 16), ("MIRROR", 1), ("SAME", 0)],
        &[("WG", 32), ("TILE", 16), ("MIRROR", 0), ("SAME", 1)],
        &[("WG", 32), ("TILE", 1), ("MIRROR", 1), ("SAME", 0)],
    ],
};

/// `shaders/made_bits_gradient.wgsl`.
pub static GRADIENT: Kernel = Kernel {
    name: "made_bits_gradient",
    source: include_str!("../../shaders/made_bits_gradient.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<GradientParams>(),
    variants: &[
        &[("WG", 64), ("COLS", 16), ("COLS4", 4), ("BIAS", 1), ("MIRROR", 1), ("SAME", 0)],
        &[("WG", 64), ("COLS", 16), ("COLS4", 4), ("BIAS", 0), ("MIRROR", 0), ("SAME", 1)],
    ],
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

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct GradientParams {
    count: u32,
    sites: u32,
    groups: u32,
    ld: u32,
    weights: u32,
    bias: u32,
    pad: [u32; 2],
}

/// Columns of an invocation of the gradient, samples of a group and most groups.
const COLUMNS: usize = 16;
const GROUP: usize = 128;
const GROUPS: usize = 512;
/// Lanes of a workgroup.
const LANES: usize = 32;
/// Spins that a word has bits for.
const MOST: usize = 32;

/// Where a network of one layer has its parameters, and what a draw of at most a chunk of samples leaves for its gradient.
#[derive(Clone, Debug)]
pub struct OneLayer {
    sites: usize,
    weights: usize,
    bias: Option<usize>,
    tile: usize,
    /// Neither a bias nor a field tells a sample from its mirror image.
    symmetric: bool,
    slopes: Buffer,
    partial: Buffer,
    ones: Buffer,
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
    pub fn new(model: &Made, chunk: usize, profile: Profile) -> Result<OneLayer> {
        model.check()?;
        if model.depth != 1 || model.sites > MOST {
            let (depth, sites) = (model.depth, model.sites);
            return Err(Error::User(format!("spins as bits: depth {depth} and {sites} spins; it takes depth 1 and {MOST} at the most")));
        }
        let table = model.parameters();
        let place = |leaf: &str| table.get(&format!("made/layer00/{leaf}")).map(|l| l.offset);
        let tile = if profile == Profile::Simd { 16 } else { 1 };
        let (sites, parts) = (model.sites, groups(chunk));
        Ok(OneLayer {
            sites,
            weights: place("w").unwrap_or(0),
            bias: place("b"),
            tile,
            symmetric: false,
            slopes: Buffer::new("slopes of spins as bits", (1 + 2 * sites) * chunk),
            partial: Buffer::new("parts of the gradient", parts * pad4(table.len())),
            ones: Buffer::filled("ones", parts, move || vec![1.0f32; parts]),
        })
    }

    /// For an energy without fields, where a sample and its mirror image have one ln q0 unless there is a bias.
    pub fn without_fields(self) -> OneLayer {
        OneLayer { symmetric: self.bias.is_none(), ..self }
    }

    /// Words that a draw of so many samples leaves for their gradient.
    fn slopes_of(&self, count: usize) -> usize {
        (1 + if self.symmetric { self.sites } else { 2 * self.sites }) * count
    }

    fn flags(&self) -> u32 {
        self.bias.is_some() as u32
    }

    /// Words of the parameters.
    fn words(&self) -> usize {
        (self.weights + self.sites * (self.sites - 1) / 2).max(self.bias.map_or(0, |b| b + self.sites))
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
            flags: self.flags(),
            factor: factor as f32,
        };
        let one = first..first + count;
        rec.launch("sample", &KERNEL, &p)
            .constants(&[
                ("WG", LANES as u32),
                ("TILE", self.tile as u32),
                ("MIRROR", !self.symmetric as u32),
                ("SAME", self.symmetric as u32),
            ])
            .read(parameters, self.words())
            .read(couplings, ld * ld + n)
            .write(out.spins, n * first..n * (first + count))
            .write(out.plus, one.clone())
            .write(out.minus, one.clone())
            .write(out.energy, one.clone())
            .write(out.magnetisation, one)
            .write(&self.slopes, self.slopes_of(count))
            .trips((n * (n + 1) / 2 + 10 * self.tile * n.div_ceil(4)) as u64)
            .flops(count as f64 * (2.0 * (n * n) as f64 + 350.0 * n as f64))
            .moved(4.0 * count as f64 * (3.0 * n as f64 + (n * n / self.tile) as f64))
            .groups(grid(count.div_ceil(LANES * self.tile)));
    }

    /// Σ_w f_w ∂ ln q0(s_w) + g_w ∂ ln q0(-s_w) by the parameters into `gradient` (f32, P padded to a multiple of 4), over the
    /// `count` samples of the last [`OneLayer::record`]; f and g f32 `[count]`.
    pub fn record_gradient(&self, rec: &mut Recording, count: usize, f: &Buffer, g: Option<&Buffer>, gradient: &Buffer) {
        let (n, parts, ld) = (self.sites, groups(count), pad4(self.words()));
        let p = GradientParams {
            count: count as u32,
            sites: n as u32,
            groups: parts as u32,
            ld: ld as u32,
            weights: self.weights as u32,
            bias: self.bias.unwrap_or(0) as u32,
            pad: [0; 2],
        };
        // padding, and what belongs to no parameter, adds nothing
        rec.clear(&self.partial);
        let blocks = n * (n - 1).div_ceil(COLUMNS).max(1);
        rec.launch("gradient", &GRADIENT, &p)
            .constants(&[
                ("WG", WG),
                ("COLS", COLUMNS as u32),
                ("COLS4", COLUMNS as u32 / 4),
                ("BIAS", self.flags()),
                ("MIRROR", (g.is_some() && !self.symmetric) as u32),
                ("SAME", (g.is_some() && self.symmetric) as u32),
            ])
            .read(&self.slopes, self.slopes_of(count))
            .read(f, count)
            .read(g.unwrap_or(f), count)
            .update(&self.partial, (parts - 1) * ld + self.words())
            .trips(count.div_ceil(parts) as u64)
            .flops((count * n * (n + 3)) as f64)
            .moved(4.0 * (count * (3 + 2 * n)) as f64)
            .groups(grid((blocks * parts).div_ceil(WG as usize)));
        let sum = linear::Params::new(1, parts / 4, ld / 4, 0);
        linear::record(rec, "gradient", sum, &self.ones, &self.partial, gradient);
    }
}

/// Parts of a gradient over so many samples: a multiple of 4.
fn groups(count: usize) -> usize {
    pad4(count.div_ceil(GROUP)).clamp(4, GROUPS)
}
