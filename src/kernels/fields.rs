//! `fields`: what is known of the logits of spins that are drawn one after another.
//!
//! In e^(-βE)/Z the logit of q(s_i | s_1 .. s_(i-1)) is 2β (h_i + Σ_(j<i) J_ij s_j) and what the spins after i make of s_i: a
//! network has only the latter to learn, which is of second order in β and nothing for the last spin (Biazzo, Commun. Phys. 6,
//! 296 (2023), doi 10.1038/s42005-023-01416-5).
//!
//! Twin: `reference::made`, `Known`.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;
use super::bernoulli::Spins;

/// `shaders/fields.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "fields",
    source: include_str!("../../shaders/fields.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64), ("TILE", 4)]],
};

/// Samples of an invocation.
const TILE: usize = 4;

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    sites: u32,
    ld: u32,
    step: u32,
    first: u32,
    factor: f32,
    sign: f32,
    pad: u32,
}

/// J_ij of all pairs j < i, and h_i.
#[derive(Clone, Debug)]
pub struct Fields {
    sites: usize,
    /// First entry of each site, and of one more.
    starts: Vec<usize>,
    none: bool,
    /// As the shader has it.
    pub table: Buffer,
}

impl Fields {
    /// Those of bonds (i, j, J_ij) between different ones of so many sites, each once and in any order, and of fields h (n, or
    /// none).
    pub fn new(sites: usize, bonds: impl IntoIterator<Item = (usize, usize, f64)>, fields: &[f64]) -> Fields {
        let mut entries: Vec<Vec<(usize, f64)>> = vec![Vec::new(); sites];
        for (i, j, coupling) in bonds {
            entries[i.max(j)].push((i.min(j), coupling));
        }
        entries.iter_mut().for_each(|e| e.sort_by_key(|(j, _)| *j));
        Fields::of(&entries, |i| fields.get(i).copied().unwrap_or(0.0))
    }

    /// None, of so many sites.
    pub fn none(sites: usize) -> Fields {
        Fields::of(&vec![Vec::new(); sites], |_| 0.0)
    }

    /// Entries (j, J_ij) of each site.
    pub(super) fn of(entries: &[Vec<(usize, f64)>], field: impl Fn(usize) -> f64) -> Fields {
        let sites = entries.len();
        let mut starts = vec![sites + 1];
        entries.iter().for_each(|e| starts.push(starts[starts.len() - 1] + e.len()));
        let bits = |v: f64| (v as f32).to_bits();
        let mut words: Vec<u32> = (0..=sites).flat_map(|i| [starts[i] as u32, if i < sites { bits(field(i)) } else { 0 }]).collect();
        words.extend(entries.iter().flatten().flat_map(|(j, v)| [*j as u32, bits(*v)]));
        let none = starts[sites] == starts[0] && (0..sites).all(|i| field(i) == 0.0);
        Fields { sites, starts, none, table: Buffer::filled("couplings to spins before", words.len(), move || words) }
    }

    /// Number of spins.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// Entries of a site.
    pub(super) fn entries(&self, site: usize) -> usize {
        self.starts[site + 1] - self.starts[site]
    }

    /// Words of the table that sites before `end` read.
    pub(super) fn words(&self, end: usize) -> usize {
        2 * self.starts[end].max(end + 1)
    }

    /// Records `factor` times the fields that spins make, added to their logits, rows as [`super::bernoulli::record`] has them.
    pub fn record(&self, rec: &mut Recording, spins: Spins, factor: f64, logits: &Buffer) {
        let (n, count) = (self.sites, spins.count);
        if self.none || count == 0 {
            return;
        }
        let [ld, step] = spins.row();
        let entries = self.starts[n] - self.starts[0];
        let p = Params {
            count: count as u32,
            sites: n as u32,
            ld: ld as u32,
            step: step as u32,
            first: spins.first as u32,
            factor: factor as f32,
            sign: spins.sign,
            pad: 0,
        };
        rec.launch("fields", &KERNEL, &p)
            .constants(&[("WG", WG), ("TILE", TILE as u32)])
            .read(spins.buffer, spins.words())
            .read(&self.table, self.words(n))
            .update(logits, (count - 1) * ld + (n - 1) * step + 1)
            .trips((0..n).map(|i| self.entries(i)).max().unwrap_or(0) as u64)
            .flops(2.0 * (count * (entries + n)) as f64)
            .moved(4.0 * (count * (entries + 2 * n)) as f64)
            .groups(grid((n * count.div_ceil(TILE)).div_ceil(WG as usize)));
    }
}

/// Fields in the draws of a sampler: `factor` of them, 2β.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The fields.
    pub fields: &'a Fields,
    /// Their factor.
    pub factor: f64,
}
