//! `ancestral_convolution`: spins of a square lattice drawn site by site from masked convolutions, with a cache of the
//! channels of the sites before.
//!
//! Twin: `Twin::draw` of `reference::made`.

use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::model::window::Window;

use super::ancestral::Outputs;
use super::fields::Known;
use super::philox::{Address, Stream};
use super::{ENTRY, pack, pad4};

/// `shaders/ancestral_convolution.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "ancestral_convolution",
    source: include_str!("../../shaders/ancestral_convolution.wgsl"),
    shared: &["grid", "special", "philox", "ancestral"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 16), ("TILE", 8)], &[("WG", 16), ("TILE", 6)], &[("WG", 128), ("TILE", 4)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    count: u32,
    side: u32,
    site: u32,
    end: u32,
    layers: u32,
    stride: u32,
    logits: u32,
    first: u32,
    factor: f32,
    pad: [u32; 2],
}

/// Lanes of a workgroup, and its samples: on CPU drivers samples share loads, on GPUs lanes share the work of a sample.
fn tile(profile: Profile) -> (usize, usize) {
    match profile {
        Profile::Simd => (16, 8),
        Profile::Gpu => (128, 4),
    }
}

/// A convolution and what follows it; places are words of the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Mask and channels.
    pub shape: Window,
    /// First word of the weights.
    pub weights: usize,
    /// First word of the bias, if there is one.
    pub bias: Option<usize>,
    /// It ends a residual, which began so many stages before: what entered that stage is added to the sum.
    pub adds: Option<usize>,
    /// First word of the slopes of a PReLU, if one follows.
    pub slopes: Option<usize>,
}

impl Stage {
    /// Columns of 4 channels.
    fn out4(&self) -> usize {
        pad4(self.shape.outputs) / 4
    }

    /// Loop trips for one site. Its loops are short: the trips on which one is entered and left count.
    fn trips(&self, lanes: usize, tile: usize) -> u64 {
        let block = |first: usize| {
            let width = (self.out4() - first).min(lanes);
            let slices = lanes / width;
            let (taps, sums) = (self.shape.taps().div_ceil(slices), (width * tile).div_ceil(lanes));
            1 + ENTRY + taps * (1 + ENTRY + self.shape.inputs / 4) + ENTRY + sums * (1 + ENTRY + slices)
        };
        (0..self.out4()).step_by(lanes).map(block).sum::<usize>() as u64 + 1 + ENTRY as u64
    }

    /// Words of the parameters up to its last.
    fn parameters(&self) -> usize {
        let channels = |first: Option<usize>| first.map_or(0, |at| at + self.shape.outputs);
        (self.weights + self.shape.words()).max(channels(self.bias)).max(channels(self.slopes))
    }
}

/// Convolutions from one spin a site to one logit a site.
pub struct Program {
    stages: Vec<Stage>,
    side: usize,
    /// Vec4 of a sample's part of the cache, and where its logits begin.
    stride: usize,
    logits: usize,
    parameters: usize,
    layout: pack::Layout,
    table: Buffer,
    map: Buffer,
    packed: Buffer,
}

impl Program {
    /// Convolutions in order; the first sees the spins.
    pub(crate) fn new(stages: Vec<Stage>) -> Program {
        let side = stages.first().map_or(0, |s| s.shape.side);
        // where each stage reads, and where the next free vec4 is
        let (mut sources, mut free) = (vec![0], 0);
        let mut layout = pack::Layout::default();
        let mut words: Vec<u32> = Vec::new();
        for (k, s) in stages.iter().enumerate() {
            let (shape, first) = (s.shape, s.weights);
            let weights = layout.block(shape.taps() * shape.inputs, pad4(shape.outputs), move |row, c| {
                (c < shape.outputs).then(|| first + row * shape.outputs + c)
            });
            let [bias, slopes] = [s.bias, s.slopes].map(|at| at.map_or(0, |at| layout.vector(at, shape.outputs)));
            let mut flags = if s.bias.is_some() { 2 } else { 0 } | if s.slopes.is_some() { 4 } else { 0 };
            // a residual goes on where it began: of what it adds to, only the present site is read any more
            let target = match s.adds {
                Some(back) => {
                    flags |= 8;
                    sources[k - back]
                }
                None => {
                    free += shape.sites() * s.out4();
                    free - shape.sites() * s.out4()
                }
            };
            let head = [sources[k], target, shape.inputs, shape.outputs, shape.half, shape.taps(), weights, bias, slopes, flags, 0, 0];
            words.extend(head.map(|v| v as u32));
            sources.push(target);
        }
        let (map, parameters) = (layout.clone(), stages.iter().map(Stage::parameters).max().unwrap_or(0));
        Program {
            table: Buffer::filled("ancestral program", words.len(), move || words),
            map: Buffer::filled("ancestral map", layout.words(), move || map.map()),
            packed: Buffer::new("ancestral weights", layout.words()),
            stages,
            side,
            stride: free,
            logits: sources.last().copied().unwrap_or(0),
            parameters,
            layout,
        }
    }

    /// Loop trips for one site: ten rounds of random numbers beside the layers.
    pub fn trips(&self, profile: Profile) -> u64 {
        let (lanes, tile) = tile(profile);
        (11 + 2 * ENTRY) as u64 + self.stages.iter().map(|s| s.trips(lanes, tile)).sum::<u64>()
    }

    /// Words of the cache of `count` samples: channels and logits of every site, a sample after the other.
    pub fn cache_words(&self, count: usize) -> usize {
        4 * self.stride * count
    }

    /// The word of the cache that holds the logit of a site.
    pub fn logit(&self, sample: usize, site: usize) -> usize {
        4 * (sample * self.stride + self.logits + site)
    }
}

/// Draws samples `first .. first + count` with their ln q0, in as many launches as the limit of loop trips asks for. A draw
/// depends on seed, step and purpose of `at` and on the sample's global index (`at.first_walker` + its row) alone.
#[allow(clippy::too_many_arguments)]
pub fn record(
    rec: &mut Recording,
    profile: Profile,
    program: &Program,
    at: Stream,
    first: usize,
    count: usize,
    parameters: &Buffer,
    known: Known,
    out: Outputs,
) {
    if count == 0 {
        return;
    }
    let (lanes, most) = tile(profile);
    // no workgroup of a small batch has most of the work
    let tile = if profile == Profile::Simd { count.div_ceil(count.div_ceil(most)).next_multiple_of(2) } else { most };
    let (side, sites, stages) = (program.side, program.side.pow(2), &program.stages);
    pack::record(rec, "pack", program.layout.words(), (parameters, program.parameters), &program.map, &program.packed);
    let trips = |site: usize| program.trips(profile) + (ENTRY + known.fields.entries(site)) as u64;
    let mut site = 0;
    while site < sites {
        let (mut end, mut sum) = (site + 1, trips(site));
        while end < sites && sum + trips(end) <= MAX_TRIPS {
            sum += trips(end);
            end += 1;
        }
        let p = Params {
            at: at.skip(first).address(),
            count: count as u32,
            side: side as u32,
            site: site as u32,
            end: end as u32,
            layers: stages.len() as u32,
            stride: program.stride as u32,
            logits: program.logits as u32,
            first: first as u32,
            factor: known.factor as f32,
            pad: [0; 2],
        };
        let pairs = |s: &Stage| (s.shape.pairs(end) - s.shape.pairs(site)) as f64;
        let macs: f64 = stages.iter().map(|s| pairs(s) * (s.shape.inputs * s.shape.outputs) as f64).sum();
        rec.launch("sample", &KERNEL, &p)
            .constants(&[("WG", lanes as u32), ("TILE", tile as u32)])
            .read(&program.table, 12 * stages.len())
            .read(&program.packed, program.layout.words())
            .update(out.cache, program.logit(count - 1, end))
            .update(out.spins, sites * first..sites * (first + count - 1) + end)
            .update(out.log_q, first..first + count)
            .read(&known.fields.table, known.fields.words(end))
            .trips(sum)
            .flops(count as f64 * (2.0 * macs + 300.0 * (end - site) as f64))
            .moved(4.0 * count as f64 * macs * (1.0 / tile as f64 + 0.25))
            .groups(grid(count.div_ceil(tile)));
        site = end;
    }
}
