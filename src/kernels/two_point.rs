//! `weighted_rows`: two-point functions ⟨s_i s_j⟩ of e^{-βE}/Z from samples of q with importance weights, as a product Sᵀ W S of
//! rows.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::bernoulli::{self, Spins};
use super::free_energy::{COLUMNS, SPAN, Samples};
use super::{Chunk, WG, outer, pad4};

/// `shaders/weighted_rows.wgsl`.
pub static ROWS: Kernel = Kernel {
    name: "weighted_rows",
    source: include_str!("../../shaders/weighted_rows.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", WG)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    sites: u32,
    ld: u32,
    first: u32,
    spans: u32,
    beta: f32,
    pad: [u32; 2],
}

/// Most spins: n² sums are read back.
pub const MOST: usize = 1024;
/// Words of all partial sums, more of which keep more of a device at work.
const WORDS: usize = 1 << 16;

/// Sums of products of spins of a batch of samples.
pub struct TwoPoint {
    samples: usize,
    sites: usize,
    chunks: Vec<Chunk>,
    parts: usize,
    rows: Buffer,
    /// Rows times weights, f32 `[row][pad4(n)]` of a chunk.
    pub weighted: Buffer,
    /// Σ w s_i s_j, f32 \[part\]\[n\]\[n\]: what [`TwoPoint::finish`] takes.
    pub products: Buffer,
}

impl TwoPoint {
    /// For batches of `samples` of `sites` spins in chunks of at most `chunk`.
    pub fn new(samples: usize, sites: usize, chunk: usize) -> TwoPoint {
        let (chunk, ld) = (chunk.clamp(1, samples.max(1)), pad4(sites));
        // of every chunk, the last one too
        let shares = |parts: usize| chunk.is_multiple_of(parts) && (samples % chunk).is_multiple_of(parts);
        let parts = (1..=64).rev().find(|p| shares(*p) && p * sites * sites <= WORDS).unwrap_or(1);
        TwoPoint {
            samples,
            sites,
            chunks: (0..samples).step_by(chunk).map(|first| Chunk { first, count: chunk.min(samples - first) }).collect(),
            parts,
            rows: Buffer::new("spin rows of products", chunk * ld),
            weighted: Buffer::new("weighted spin rows", chunk * ld),
            products: Buffer::result("sums of products", parts * sites * sites),
        }
    }

    /// Records the sums over all samples, `importance` the weighted sums of
    /// [`super::free_energy::FreeEnergy::record_importance`]; `beta` in inverse units of E.
    pub fn record(&self, rec: &mut Recording, spins: &Buffer, samples: Samples, importance: &Buffer, beta: f64) {
        let (n, ld, spans) = (self.sites, pad4(self.sites), self.samples.div_ceil(SPAN));
        for (k, Chunk { first, count }) in self.chunks.iter().copied().enumerate() {
            bernoulli::record_rows(
                rec,
                Spins { buffer: spins, sites: n, first, count, sign: 1.0, rows: bernoulli::Rows::Sample },
                &self.rows,
            );
            let [count_, sites, ld_, first_, spans_] = [count, n, ld, first, spans].map(|v| v as u32);
            let p = Params { count: count_, sites, ld: ld_, first: first_, spans: spans_, beta: beta as f32, pad: [0; 2] };
            rec.launch("weighted spins", &ROWS, &p)
                .constants(&[("WG", WG)])
                .read(spins, n * first..n * (first + count))
                .read(samples.log_q, first..first + count)
                .read(samples.energy, first..first + count)
                .read(importance, COLUMNS * (spans - 1) + 17)
                .write(&self.weighted, count * ld)
                .trips((spans + ld) as u64)
                .flops((count * (ld + 20)) as f64)
                .groups(grid(count.div_ceil(WG as usize)));
            let (each, ld4) = ((count / self.parts) as u32, ld_ / 4);
            let product = outer::Params {
                batches: self.parts as u32,
                outer: each,
                inner: 1,
                rows_out: sites,
                cols: sites,
                x_stride: each * ld4,
                x_outer: ld4,
                y_stride: each * ld4,
                y_outer: ld4,
                g_stride: sites * sites,
                flags: if k > 0 { outer::ACCUMULATE } else { 0 },
                ..outer::Params::default()
            };
            outer::record(rec, "products of spins", product, &self.rows, &self.weighted, &self.products);
        }
    }

    /// C_ij = ⟨s_i s_j⟩, n x n, from the sums; NaN if no sample counts.
    pub fn finish(&self, products: &[f32]) -> Vec<f64> {
        let size = self.sites * self.sites;
        let sum = |at: usize| (0..self.parts).map(|p| products[p * size + at] as f64).sum::<f64>();
        let weight = sum(0);
        // the same both ways
        (0..size).map(|at| 0.5 * (sum(at) + sum(at % self.sites * self.sites + at / self.sites)) / weight).collect()
    }
}
