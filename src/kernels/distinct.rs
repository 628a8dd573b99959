//! `distinct_*`: the distinct states among the walkers of a batch, and sums over the walkers of each.
//!
//! Walkers in equal states have equal scores s = d ln p(K): with c walkers in a state, Σ_w weight_w s_w and Σ_w s_w s_wᵀ
//! need the score of each distinct state once, as the row √c s with the weight Σ weight/√c.

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recording, grid};

use super::WG;

macro_rules! kernel {
    ($name:literal, $params:ty, $shared:expr, $wg:expr) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            shared: $shared,
            params_bytes: size_of::<$params>(),
            variants: &[&[("WG", $wg)]],
        }
    };
}

/// `shaders/distinct_hash.wgsl`.
pub static HASH: Kernel = kernel!("distinct_hash", [u32; 4], &["grid"], WG);
/// `shaders/distinct_match.wgsl`.
pub static MATCH: Kernel = kernel!("distinct_match", [u32; 4], &["grid"], WG);
/// `shaders/distinct_rows.wgsl`.
pub static ROWS: Kernel = kernel!("distinct_rows", [u32; 4], &[], ONE_GROUP);
/// `shaders/distinct_gather.wgsl`.
pub static GATHER: Kernel = kernel!("distinct_gather", [u32; 4], &["grid"], WG);
/// `shaders/distinct_sum.wgsl`.
pub static SUM: Kernel = kernel!("distinct_sum", [u32; 4], &["grid"], WG);

/// Threads of the one workgroup of `distinct_rows`.
const ONE_GROUP: u32 = 256;
/// Earlier walkers that one pass of `distinct_match` looks at.
pub const SPAN: usize = 32_768;
/// False matches of 64 bits in one pass that its trips allow for: one in 10⁵ walkers is a matter of 1e-10.
const FALSE_MATCHES: usize = 15;

/// Distinct states of a batch.
#[derive(Clone, Debug)]
pub struct DistinctStates {
    /// Most walkers of a batch.
    pub walkers: usize,
    /// Electrons: orbitals of a state.
    pub n: usize,
    /// `vec2<u32>` \[walker\].
    pub hash: Buffer,
    /// First walker in the same state, u32 \[walker\].
    pub first: Buffer,
    /// Row of a walker's state, u32 \[walker\].
    pub place: Buffer,
    /// Number of rows, u32 \[4\].
    pub total: Buffer,
    /// The distinct states in the order of their first walkers, u32 \[walkers\]\[n\]; rows past the last repeat the first.
    pub states: Buffer,
    /// √c, f32 \[walkers\]; 0 past the last row.
    pub factors: Buffer,
    /// Σ weight/√c, f32 \[walkers\].
    pub weights: Buffer,
    list: Buffer,
}

impl DistinctStates {
    /// For `walkers` states of `n` orbitals.
    pub fn new(walkers: usize, n: usize) -> Self {
        DistinctStates {
            walkers,
            n,
            hash: Buffer::new("hashes of states", 2 * walkers),
            first: Buffer::new("first walkers in a state", walkers),
            place: Buffer::new("rows of walkers", walkers),
            total: Buffer::new("number of distinct states", 4),
            states: Buffer::new("distinct states", walkers * n),
            factors: Buffer::new("factors of distinct states", walkers),
            weights: Buffer::new("weights of distinct states", walkers),
            list: Buffer::new("list of distinct states", walkers),
        }
    }

    /// Records the distinct ones of `states` (u32 \[walker\]\[n\]) with their factors.
    pub fn record(&self, rec: &mut Recording, states: &Buffer) {
        let (walkers, n) = (self.walkers as u32, self.n as u32);
        let words = self.walkers * self.n;
        rec.launch("hashes of states", &HASH, &[walkers, n, 0, 0])
            .constants(&[("WG", WG)])
            .read(states, words)
            .write(&self.hash, 2 * self.walkers)
            .trips(n as u64)
            .groups(grid(self.walkers.div_ceil(WG as usize)));
        self.record_matches(rec, states, &self.hash, SPAN);
        rec.launch("rows of distinct states", &ROWS, &[walkers, 0, 0, 0])
            .constants(&[("WG", ONE_GROUP)])
            .read(&self.first, self.walkers)
            .write(&self.place, self.walkers)
            .write(&self.list, self.walkers)
            .write(&self.total, 4)
            .trips(4 * walkers.div_ceil(ONE_GROUP) as u64 + 8)
            .groups([1, 1, 1]);
        rec.launch("distinct states", &GATHER, &[walkers, n, 0, 0])
            .constants(&[("WG", WG)])
            .read(states, words)
            .read(&self.list, self.walkers)
            .write(&self.states, words)
            .groups(grid(words.div_ceil(WG as usize)));
        self.sum(rec, "factors of distinct states", self.walkers, None);
    }

    /// Records the search for walkers in equal states by their hashes, `span` earlier walkers a pass.
    pub fn record_matches(&self, rec: &mut Recording, states: &Buffer, hash: &Buffer, span: usize) {
        for start in (0..self.walkers).step_by(span) {
            let end = (start + span).min(self.walkers);
            let params = [self.walkers, self.n, start, end].map(|v| v as u32);
            let trips = (end - start) + (end - start).div_ceil(WG as usize) + (1 + FALSE_MATCHES) * self.n;
            let pass = rec
                .launch("equal states", &MATCH, &params)
                .constants(&[("WG", WG)])
                .read(states, self.walkers * self.n)
                .read(hash, 2 * self.walkers);
            // later passes keep what earlier ones have found
            let pass = if start == 0 { pass.write(&self.first, self.walkers) } else { pass.update(&self.first, self.walkers) };
            let groups = self.walkers.div_ceil(WG as usize);
            // half of the walkers come before
            pass.trips(trips as u64).moved(4.0 * (groups * (end - start)) as f64).groups(grid(groups));
        }
    }

    /// Records the weights of the first `rows` rows from those of the walkers, `stride` words apart.
    pub fn record_weights(&self, rec: &mut Recording, rows: usize, weights: &Buffer, stride: usize) {
        self.sum(rec, "weights of distinct states", rows, Some((weights, stride)));
    }

    /// Sums of weights and their stride; without them, the factors.
    fn sum(&self, rec: &mut Recording, name: &str, rows: usize, weights: Option<(&Buffer, usize)>) {
        let stride = weights.map_or(0, |(_, stride)| stride);
        let params = [self.walkers, rows, stride, weights.is_some() as usize].map(|v| v as u32);
        let sum = rec.launch(name, &SUM, &params).constants(&[("WG", WG)]).read(&self.place, self.walkers).read(&self.total, 1);
        let sum = match weights {
            None => sum.read(&self.total, 4).read(&self.total, 4).write(&self.factors, rows),
            Some((weights, _)) => {
                sum.read(weights, stride * self.walkers.saturating_sub(1) + 1).read(&self.factors, rows).write(&self.weights, rows)
            }
        };
        sum.trips(self.walkers.div_ceil(WG as usize) as u64 + 6).moved(4.0 * (rows * self.walkers) as f64).groups(grid(rows));
    }

    /// Reads the number of distinct states.
    pub fn count(&self, gpu: &Gpu) -> Result<usize> {
        Ok(gpu.read_words::<u32>(&self.total, 1)?[0] as usize)
    }
}
