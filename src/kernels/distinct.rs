//! `distinct_*`: the distinct states among the walkers of a batch, and sums over the walkers of each.
//!
//! Walkers in equal states have equal scores s = d ln p(K): with c walkers in a state, Σ_w weight_w s_w and Σ_w s_w s_wᵀ
//! need the score of each distinct state once, as the row √c s with the weight Σ weight/√c.

use crate::error::Result;
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Recording, grid};

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

pub static HASH: Kernel = kernel!("distinct_hash", [u32; 4], &["grid"], WG);
pub static MATCH: Kernel = kernel!("distinct_match", [u32; 4], &["grid"], WG);
pub static ROWS: Kernel = kernel!("distinct_rows", [u32; 4], &[], ONE_GROUP);
pub static GATHER: Kernel = kernel!("distinct_gather", [u32; 4], &["grid"], WG);
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

fn dispatch(name: &str, kernel: &'static Kernel, params: [u32; 4], buffers: &[&Buffer], groups: [u32; 3], trips: usize) -> Dispatch {
    Dispatch {
        name: name.into(),
        kernel,
        constants: kernel.variants[0].to_vec(),
        params: bytemuck::cast_slice(&params).to_vec(),
        buffers: buffers.iter().map(|b| (*b).clone()).collect(),
        groups,
        trips: trips as u64,
        flops: 0.0,
        bytes: 0.0,
    }
}

impl DistinctStates {
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

    /// Name and bytes of every array, for the memory bill.
    pub fn bill(&self) -> Vec<(String, u64)> {
        let own = [&self.hash, &self.first, &self.place, &self.total, &self.states, &self.factors, &self.weights, &self.list];
        own.map(|b| (b.name().to_string(), b.bytes())).to_vec()
    }

    /// Records the distinct ones of `states` (u32 \[walker\]\[n\]) with their factors.
    pub fn record(&self, rec: &mut Recording, states: &Buffer) {
        let (walkers, n) = (self.walkers as u32, self.n as u32);
        let each = grid(self.walkers.div_ceil(WG as usize));
        let words = (4 * self.walkers * self.n) as f64;
        let hash = dispatch("hashes of states", &HASH, [walkers, n, 0, 0], &[states, &self.hash], each, self.n);
        rec.push(Dispatch { bytes: words, ..hash });
        self.record_matches(rec, states, &self.hash, SPAN);
        let share = self.walkers.div_ceil(ONE_GROUP as usize);
        let buffers = [&self.first, &self.place, &self.list, &self.total];
        let rows = dispatch("rows of distinct states", &ROWS, [walkers, 0, 0, 0], &buffers, [1, 1, 1], 4 * share + 8);
        rec.push(Dispatch { bytes: 24.0 * self.walkers as f64, ..rows });
        let groups = grid((self.walkers * self.n).div_ceil(WG as usize));
        let gather = dispatch("distinct states", &GATHER, [walkers, n, 0, 0], &[states, &self.list, &self.states], groups, 0);
        rec.push(Dispatch { bytes: 2.0 * words, ..gather });
        self.sum(rec, "factors of distinct states", self.walkers, None);
    }

    /// Records the search for walkers in equal states by their hashes, `span` earlier walkers a pass.
    pub fn record_matches(&self, rec: &mut Recording, states: &Buffer, hash: &Buffer, span: usize) {
        for start in (0..self.walkers).step_by(span) {
            let end = (start + span).min(self.walkers);
            let params = [self.walkers, self.n, start, end].map(|v| v as u32);
            let trips = (end - start) + (end - start).div_ceil(WG as usize) + (1 + FALSE_MATCHES) * self.n;
            let groups = grid(self.walkers.div_ceil(WG as usize));
            let pass = dispatch("equal states", &MATCH, params, &[states, hash, &self.first], groups, trips);
            rec.push(Dispatch { bytes: 8.0 * (self.walkers.div_ceil(WG as usize) * (end - start)) as f64 / 2.0, ..pass });
        }
    }

    /// Records the weights of the first `rows` rows from those of the walkers, `stride` words apart.
    pub fn record_weights(&self, rec: &mut Recording, rows: usize, weights: &Buffer, stride: usize) {
        self.sum(rec, "weights of distinct states", rows, Some((weights, stride)));
    }

    /// Sums of weights and their stride; without them, the factors.
    fn sum(&self, rec: &mut Recording, name: &str, rows: usize, weights: Option<(&Buffer, usize)>) {
        let mode = weights.is_some() as u32;
        let (weights, stride) = weights.unwrap_or((&self.total, 0));
        let (factors, out) = if mode == 0 { (&self.total, &self.factors) } else { (&self.factors, &self.weights) };
        let params = [self.walkers as u32, rows as u32, stride as u32, mode];
        let buffers = [&self.place, &self.total, weights, factors, out];
        let trips = self.walkers.div_ceil(WG as usize) + 6;
        rec.push(Dispatch { bytes: 4.0 * (rows * self.walkers) as f64, ..dispatch(name, &SUM, params, &buffers, grid(rows), trips) });
    }

    /// Reads the number of distinct states.
    pub fn count(&self, gpu: &Gpu) -> Result<usize> {
        Ok(gpu.read_words::<u32>(&self.total, 1)?[0] as usize)
    }
}
