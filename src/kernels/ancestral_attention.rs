//! `ancestral_attention`: spins drawn site by site from a causal transformer, with a cache of keys and values.
//!
//! Twin: `Twin::draw` of `reference::made`.

use crate::error::Result;
use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::model::layer::Layer;

use super::ancestral::Outputs;
use super::fields::{Fields, Known};
use super::pack::Heads;
use super::philox::{Address, Stream};
use super::tokens::{Goal, Kind, Shape, Source, Stages, Writer};

/// `shaders/ancestral_attention.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "ancestral_attention",
    source: include_str!("../../shaders/ancestral_attention.wgsl"),
    shared: &["grid", "special", "philox", "ancestral", "tokens"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 32), ("SAMPLES", 32), ("TILE", 4)], &[("WG", 64), ("SAMPLES", 4), ("TILE", 1)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    count: u32,
    sites: u32,
    site: u32,
    end: u32,
    stage: u32,
    stage_end: u32,
    stages: u32,
    stride: u32,
    first: u32,
    logits: u32,
    scale: f32,
    factor: f32,
    pad: [u32; 3],
}

/// Layers from the spin before each token to its logit.
pub struct Program {
    stages: Stages,
    sites: usize,
    parameters: usize,
    /// Vec4 of a sample's scratch where its logits begin.
    logits: usize,
}

impl Program {
    /// # Errors
    /// [`crate::Error::User`] for other layers than those of a transformer, or heads of several sizes.
    pub(crate) fn new(layers: &[Layer], sites: usize, parameters: usize) -> Result<Program> {
        let mut writer = Writer::new(layers, sites);
        let (logits, spin) = (writer.take(sites), writer.take(1));
        let plain = |place, row| Goal { place, row, flags: 0 };
        writer.stage(Kind::Own, [0, 1], 0, plain(spin, 0), [0; 2]);
        writer.layers(layers, Source { place: spin, heads: Heads::one(1) }, plain(logits, 1))?;
        Ok(Program { stages: writer.finish(), sites, parameters, logits })
    }

    /// Words of the scratch of `count` samples.
    pub fn cache_words(&self, count: usize) -> usize {
        self.stages.scratch_words(count)
    }

    /// The word of the scratch that holds the logit of a site.
    pub fn logit(&self, sample: usize, site: usize) -> usize {
        4 * (sample * self.stages.stride + self.logits + site)
    }

    /// Loop trips of an invocation in the longest stage, with the draw.
    pub fn most_trips(&self, profile: Profile) -> u64 {
        let shape = Shape::of(profile);
        draw_trips(shape) + self.stages.work.iter().map(|work| work.trips(self.sites, shape)).max().unwrap_or(0)
    }
}

/// The loop over sites, and ten rounds of random numbers a sample.
fn draw_trips(shape: Shape) -> u64 {
    1 + 12 * shape.samples.div_ceil(shape.lanes) as u64
}

/// What one launch does: sites, all stages of each, or one site, some of its stages.
struct Part {
    sites: std::ops::Range<usize>,
    stages: std::ops::Range<usize>,
    trips: u64,
}

/// All stages of all sites in as few launches as the limit of loop trips allows.
fn parts(program: &Program, shape: Shape, fields: &Fields) -> Vec<Part> {
    let (count, mut parts): (usize, Vec<Part>) = (program.stages.work.len(), Vec::new());
    for site in 0..program.sites {
        let all: Vec<u64> = program.stages.work.iter().map(|work| work.trips(site + 1, shape)).collect();
        let drawn = draw_trips(shape) + (fields.entries(site) * shape.samples.div_ceil(shape.lanes)) as u64;
        let whole = drawn + all.iter().sum::<u64>();
        match parts.last_mut() {
            Some(last) if last.stages.len() == count && last.trips + whole <= MAX_TRIPS => {
                last.sites.end += 1;
                last.trips += whole;
            }
            _ if whole <= MAX_TRIPS => parts.push(Part { sites: site..site + 1, stages: 0..count, trips: whole }),
            _ => {
                let mut stage = 0;
                while stage < count {
                    let (mut end, mut trips) = (stage + 1, drawn + all[stage]);
                    while end < count && trips + all[end] <= MAX_TRIPS {
                        trips += all[end];
                        end += 1;
                    }
                    parts.push(Part { sites: site..site + 1, stages: stage..end, trips });
                    stage = end;
                }
            }
        }
    }
    parts
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
    let (shape, sites, stages) = (Shape::of(profile), program.sites, &program.stages);
    let Shape { lanes, samples, tile } = shape;
    stages.record_pack(rec, (parameters, program.parameters));
    for part in parts(program, shape, known.fields) {
        let p = Params {
            at: at.skip(first).address(),
            count: count as u32,
            sites: sites as u32,
            site: part.sites.start as u32,
            end: part.sites.end as u32,
            stage: part.stages.start as u32,
            stage_end: part.stages.end as u32,
            stages: stages.work.len() as u32,
            stride: stages.stride as u32,
            first: first as u32,
            logits: program.logits as u32,
            scale: stages.scale,
            factor: known.factor as f32,
            pad: [0; 3],
        };
        let products = |site: usize| stages.work[part.stages.clone()].iter().map(|w| w.products(site + 1)).sum::<usize>();
        let macs = 16.0 * (count * part.sites.clone().map(products).sum::<usize>()) as f64;
        rec.launch("sample", &KERNEL, &p)
            .constants(&[("WG", lanes as u32), ("SAMPLES", samples as u32), ("TILE", tile as u32)])
            .read(&stages.table, 12 * stages.work.len())
            .read(&stages.packed, stages.pack.words())
            .update(out.cache, program.cache_words(count))
            .update(out.spins, sites * first..sites * (first + count - 1) + part.sites.end)
            .update(out.log_q, first..first + count)
            .read(&known.fields.table, known.fields.words(part.sites.end))
            .trips(part.trips)
            .flops(2.0 * macs)
            .moved(2.0 * macs)
            .groups(grid(count.div_ceil(samples)));
    }
}
