//! `ancestral` and `ancestral_group`: spins drawn site by site from masked layers, with a cache of the activations of the sites
//! before.
//!
//! Twin: `Twin::draw` of `reference::made`.

use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::model::layer::{Mask, Triangle};

use super::ENTRY;
use super::fields::Known;
use super::philox::{Address, Stream};

/// `shaders/ancestral.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "ancestral",
    source: include_str!("../../shaders/ancestral.wgsl"),
    shared: &["grid", "special", "philox", "ancestral"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 8), ("TILE", 8)]],
};

/// `shaders/ancestral_group.wgsl`.
pub static GROUP: Kernel = Kernel {
    name: "ancestral_group",
    source: include_str!("../../shaders/ancestral_group.wgsl"),
    shared: &["grid", "special", "philox", "ancestral"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", LANES as u32)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    count: u32,
    sites: u32,
    site: u32,
    end: u32,
    layers: u32,
    logits: u32,
    first: u32,
    factor: f32,
    pad: [u32; 3],
}

/// On CPU drivers lanes of a workgroup and samples of an invocation, which share loads.
const TILE: (usize, usize) = (8, 8);
/// On GPUs lanes that share the work of a sample.
const LANES: usize = 64;
/// Trips in which their sums meet.
const TREE: usize = ENTRY + LANES.ilog2() as usize;

/// What follows the sum of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The sum itself.
    Nothing,
    /// Its tanh.
    Tanh,
    /// PReLU with slopes from this word of the parameters on.
    Prelu(usize),
}

/// A masked layer and what follows it; places are words of the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// The mask, with its channels.
    pub shape: Triangle,
    /// First word of the weights.
    pub weights: usize,
    /// First word of the bias, if there is one.
    pub bias: Option<usize>,
    /// It ends a residual, which began so many stages before: what entered that stage is added to the sum.
    pub adds: Option<usize>,
    /// What is made of the sum.
    pub then: Then,
}

/// Layers from one spin a site to one logit a site.
#[derive(Clone)]
pub struct Program {
    stages: Vec<Stage>,
    sites: usize,
    /// Samples whose parts of the cache lie interleaved: those of a workgroup of `ancestral`.
    span: usize,
    /// Unit of the cache where the first logit stands.
    logits: usize,
    table: Buffer,
}

impl Stage {
    /// Loop trips of `ancestral` for one site.
    fn trips(&self, site: usize) -> u64 {
        let (blocks, rows) = (self.shape.outputs / 4, self.shape.outputs % 4);
        (1 + (blocks + rows) * (1 + self.shape.seen(site).len()) + blocks * 4 * TILE.1) as u64
    }

    /// Loop trips of `ancestral_group` for one site.
    fn trips_of_group(&self, site: usize) -> u64 {
        let block = 1 + ENTRY + self.shape.seen(site).len().div_ceil(LANES) + TREE;
        (1 + ENTRY + self.shape.outputs.div_ceil(4) * block) as u64
    }

    /// Words of the parameters that sites before `end` read.
    fn words(&self, end: usize) -> usize {
        let units = end * self.shape.outputs;
        let slopes = if let Then::Prelu(first) = self.then { first + units } else { 0 };
        (self.weights + self.shape.before(end)).max(self.bias.map_or(0, |b| b + units)).max(slopes)
    }
}

impl Program {
    /// Layers in order; the first sees the spins.
    pub(crate) fn new(stages: Vec<Stage>, profile: Profile) -> Program {
        let sites = stages.first().map_or(0, |s| s.shape.sites);
        // where each stage reads, and where the next free unit is
        let (mut sources, mut free) = (vec![0], sites);
        let mut words: Vec<u32> = Vec::new();
        for (k, s) in stages.iter().enumerate() {
            let (mut slopes, mut flags) = (0, if s.bias.is_some() { 2 } else { 0 });
            flags |= match s.shape.mask {
                Mask::Before => 0,
                Mask::Through => 1,
                Mask::Own => 17,
            };
            match s.then {
                Then::Nothing => {}
                Then::Tanh => flags |= 8,
                Then::Prelu(first) => (slopes, flags) = (first, flags | 4),
            }
            // a residual goes on where it began: of what it adds to, only the present site is read any more
            let target = match s.adds {
                Some(back) => {
                    flags |= 32;
                    sources[k - back]
                }
                None => {
                    free += s.shape.rows();
                    free - s.shape.rows()
                }
            };
            let row = [sources[k], target, s.shape.inputs, s.shape.outputs, s.weights, s.bias.unwrap_or(0), slopes, flags];
            words.extend(row.map(|v| v as u32));
            sources.push(target);
        }
        let table = Buffer::filled("ancestral program", words.len(), move || words);
        let span = if profile == Profile::Simd { TILE.0 * TILE.1 } else { 1 };
        Program { sites, span, logits: free - sites, stages, table }
    }

    /// The word of the cache that holds a unit of a sample.
    fn place(&self, sample: usize, unit: usize) -> usize {
        let (block, at) = (sample / self.span, sample % self.span);
        (block * (self.logits + self.sites) + unit) * self.span + at
    }

    /// Words of the cache of `count` samples: spins, activations, logits.
    pub fn cache_words(&self, count: usize) -> usize {
        if count == 0 { 0 } else { self.logit(count - 1, self.sites - 1) + 1 }
    }

    /// The word of the cache that holds the logit of a site.
    pub fn logit(&self, sample: usize, site: usize) -> usize {
        self.place(sample, self.logits + site)
    }
}

/// Buffers of a draw: `spins` `[sample][sites]` and `log_q` hold all samples, `cache` those of one recording.
#[derive(Clone, Copy)]
pub struct Outputs<'b> {
    /// Scratch, f32, [`Program::cache_words`].
    pub cache: &'b Buffer,
    /// f32 ±1.
    pub spins: &'b Buffer,
    /// ln q0, f32 `[sample]`.
    pub log_q: &'b Buffer,
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
    let sites = program.sites;
    let group = profile == Profile::Gpu;
    // ten rounds of random numbers and the entries of the fields, a sample, beside the layers
    let trips = |site: usize| {
        let (entries, stages) = (known.fields.entries(site), &program.stages);
        1 + if group {
            (10 + 3 * ENTRY + TREE + entries.div_ceil(LANES)) as u64 + stages.iter().map(|s| s.trips_of_group(site)).sum::<u64>()
        } else {
            (TILE.1 * (12 + entries)) as u64 + stages.iter().map(|s| s.trips(site)).sum::<u64>()
        }
    };
    let (kernel, constants, samples) = match group {
        true => (&GROUP, vec![("WG", LANES as u32)], 1),
        false => (&KERNEL, vec![("WG", TILE.0 as u32), ("TILE", TILE.1 as u32)], TILE.0 * TILE.1),
    };
    // loads of a multiply-add: of weights, and of the cache for every fourth
    let loads = 0.25 + if group { 1.0 } else { 1.0 / TILE.1 as f64 };
    let mut site = 0;
    while site < sites && count > 0 {
        let (mut end, mut sum) = (site + 1, trips(site));
        while end < sites && sum + trips(end) <= MAX_TRIPS {
            sum += trips(end);
            end += 1;
        }
        let p = Params {
            at: at.skip(first).address(),
            count: count as u32,
            sites: sites as u32,
            site: site as u32,
            end: end as u32,
            layers: program.stages.len() as u32,
            logits: program.logits as u32,
            first: first as u32,
            factor: known.factor as f32,
            pad: [0; 3],
        };
        let macs: usize = program.stages.iter().map(|s| s.shape.before(end) - s.shape.before(site)).sum();
        rec.launch("sample", kernel, &p)
            .constants(&constants)
            .read(&program.table, 8 * program.stages.len())
            .read(parameters, program.stages.iter().map(|s| s.words(end)).max().unwrap_or(0).max(1))
            .update(out.cache, program.logit(count - 1, end - 1) + 1)
            .update(out.spins, sites * first..(sites * (first + count) + end) - sites)
            .update(out.log_q, first..first + count)
            .read(&known.fields.table, known.fields.words(end))
            .trips(sum)
            .flops(count as f64 * (2.0 * macs as f64 + 300.0 * (end - site) as f64))
            .moved(4.0 * loads * (count * macs) as f64)
            .groups(grid(count.div_ceil(samples)));
        site = end;
    }
}
