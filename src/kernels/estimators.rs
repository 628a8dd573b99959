//! `energies`, `moments`, `means`, `baseline`, `weights`: from local energies to batch averages and gradient weights.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;

/// Threads of the one workgroup of `baseline`.
const ONE_GROUP: u32 = 256;

const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", 64)]];
const SUMS: &[(&str, u32)] = &[("WG", WG), ("COLUMNS", COLUMNS as u32)];

/// `shaders/energies.wgsl`.
pub static ENERGIES: Kernel = Kernel {
    name: "energies",
    source: include_str!("../../shaders/energies.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<EnergyParams>(),
    variants: VARIANTS,
};

/// `shaders/moments.wgsl`.
pub static MOMENTS: Kernel = Kernel {
    name: "moments",
    source: include_str!("../../shaders/moments.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[SUMS],
};

/// `shaders/means.wgsl`.
pub static MEANS: Kernel = Kernel {
    name: "means",
    source: include_str!("../../shaders/means.wgsl"),
    shared: &["special"],
    params_bytes: size_of::<Params>(),
    variants: &[SUMS],
};

/// `shaders/baseline.wgsl`.
pub static BASELINE: Kernel = Kernel {
    name: "baseline",
    source: include_str!("../../shaders/baseline.wgsl"),
    shared: &["special"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", ONE_GROUP)]],
};

/// `shaders/weights.wgsl`.
pub static WEIGHTS: Kernel = Kernel {
    name: "weights",
    source: include_str!("../../shaders/weights.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

/// A count or two and a number; each kernel's header names them.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub count: u32,
    /// f32 or u32 bits.
    pub second: u32,
    pub pad: [u32; 2],
}

/// Parameters of `energies`.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct EnergyParams {
    pub walkers: u32,
    /// 1/β, Ry/rs².
    pub temperature: f32,
    pub not_a_number: u32,
    pub first: u32,
    pub probability_first: u32,
    pub pad: [u32; 3],
}

/// A chunk of the batch: what its walkers' records are made of.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    /// Place of its first walker in the batch.
    pub first: usize,
    /// How many.
    pub walkers: usize,
    /// vec4 \[walkers\] ([`super::local_energy`]).
    pub kinetic: &'a Buffer,
    /// f32 \[walkers\] ([`super::ewald`]).
    pub potential: &'a Buffer,
    /// ln|Ψ|, f32 \[walkers\]: not finite or below -1e29 where a determinant failed.
    pub log_amplitude: &'a Buffer,
    /// ln p(K), f32; this chunk's from word `probability_first`.
    pub log_probability: &'a Buffer,
    /// Place of the first walker in it.
    pub probability_first: usize,
}

crate::config::choice!(
    /// What is subtracted from the local energies in the gradient of the flow.
    ///
    /// Any function of the state K leaves the gradient's mean as it is, because E\[Re d ln Ψ\] over |Ψ_K|² vanishes for each
    /// K (that the function is made from the same batch costs 2/B of the gradient, as the mean costs 1/B).
    Baseline, "energy or mean":
        /// c0 + c1 Σ k², least squares over the batch.
        #[default]
        Energy = "energy",
        /// The mean of the batch, as published.
        Mean = "mean");

/// Numbers of a row of sums; see the header of `moments`.
pub const COLUMNS: usize = 25;
/// Words of a walker's record.
const RECORD: usize = 8;
/// Walkers that one workgroup adds.
pub const SPAN: usize = 1024;
/// Half width of the clipping window in mean absolute deviations, as published.
pub const CLIP: f64 = 5.0;

/// Buffers of a batch.
#[derive(Clone, Debug)]
pub struct Estimators {
    /// Of the batch.
    pub walkers: usize,
    /// vec4 x 2 \[w\]: (Re K, Im K, V, ln p), (Re E, Im E, F, mixed K).
    pub records: Buffer,
    /// Means, f32 \[[`COLUMNS`]\], rounded: the centre of the second sums.
    pub centre: Buffer,
    /// Means of deviations from the centre, f32 \[[`COLUMNS`]\].
    pub deviation: Buffer,
    /// (c1, mean |E - b|) of the baseline b = mean E + c1 (Σ k² - its mean), f32 \[4\].
    pub line: Buffer,
    /// Sums about the centre a workgroup, f32 \[group\]\[[`COLUMNS`]\]: what the host finishes in float64.
    pub partial: Buffer,
    /// vec4 \[w\]: weights of d ln p, Re d ln Ψ, Im d ln Ψ, and 1 for walkers that count.
    pub weights: Buffer,
    /// vec2 \[w\]: weights of Re d ln Ψ and Im d ln Ψ.
    pub flow_weights: Buffer,
    zero: Buffer,
}

impl Estimators {
    /// For a batch of `walkers`.
    pub fn new(walkers: usize) -> Self {
        Estimators {
            walkers,
            records: Buffer::result("energy records", RECORD * walkers),
            centre: Buffer::result("energy means", COLUMNS),
            deviation: Buffer::result("energy deviations", COLUMNS),
            line: Buffer::result("energy baseline", 4),
            partial: Buffer::result("energy sums", walkers.div_ceil(SPAN) * COLUMNS),
            weights: Buffer::result("gradient weights", 4 * walkers),
            flow_weights: Buffer::result("flow gradient weights", 2 * walkers),
            zero: Buffer::new("zero", COLUMNS),
        }
    }

    /// Records the energy records of a chunk; `beta` in (Ry/rs²)⁻¹.
    pub fn record_energies(&self, rec: &mut Recording, chunk: Chunk, beta: f64) {
        let params = EnergyParams {
            walkers: chunk.walkers as u32,
            temperature: (1.0 / beta) as f32,
            not_a_number: f32::NAN.to_bits(),
            first: chunk.first as u32,
            probability_first: chunk.probability_first as u32,
            pad: [0; 3],
        };
        let Chunk { first, walkers, probability_first, .. } = chunk;
        rec.launch("local energies", &ENERGIES, &params)
            .constants(&[("WG", WG)])
            .read(chunk.kinetic, 4 * walkers)
            .read(chunk.potential, walkers)
            .read(chunk.log_probability, probability_first..probability_first + walkers)
            .read(chunk.log_amplitude, walkers)
            .write(&self.records, RECORD * first..RECORD * (first + walkers))
            .flops(3.0 * walkers as f64)
            .groups(grid(walkers.div_ceil(WG as usize)));
    }

    /// Records means, deviations and weights of the whole batch, after the records of all its chunks; `ideal` is that
    /// of [`super::occupied::record`], `clip` usually [`CLIP`].
    pub fn record_averages(&self, rec: &mut Recording, ideal: &Buffer, baseline: Baseline, clip: f64) {
        rec.clear(&self.zero);
        self.sums(rec, "means", ideal, &self.zero, &self.centre);
        self.sums(rec, "deviations", ideal, &self.centre, &self.deviation);
        let fit = (baseline == Baseline::Energy) as u32;
        let params = Params { count: self.walkers as u32, second: fit, ..Default::default() };
        rec.launch("baseline", &BASELINE, &params)
            .constants(&[("WG", ONE_GROUP)])
            .read(&self.records, RECORD * self.walkers)
            .read(ideal, 4 * self.walkers)
            .read(&self.centre, COLUMNS)
            .read(&self.deviation, COLUMNS)
            .write(&self.line, 4)
            .trips(self.walkers.div_ceil(ONE_GROUP as usize) as u64 + 8)
            .flops(10.0 * self.walkers as f64)
            .groups([1, 1, 1]);
        self.record_weights(rec, ideal, clip);
    }

    /// Records the weights alone, from the present centre, deviations and line (which the caller may have replaced by
    /// those of a larger batch).
    pub fn record_weights(&self, rec: &mut Recording, ideal: &Buffer, clip: f64) {
        let params = Params { count: self.walkers as u32, second: (clip as f32).to_bits(), ..Default::default() };
        rec.launch("gradient weights", &WEIGHTS, &params)
            .constants(&[("WG", WG)])
            .read(&self.records, RECORD * self.walkers)
            .read(ideal, 4 * self.walkers)
            .read(&self.centre, COLUMNS)
            .read(&self.deviation, COLUMNS)
            .read(&self.line, 2)
            .write(&self.weights, 4 * self.walkers)
            .write(&self.flow_weights, 2 * self.walkers)
            .flops(15.0 * self.walkers as f64)
            .groups(grid(self.walkers.div_ceil(WG as usize)));
    }

    fn sums(&self, rec: &mut Recording, name: &str, ideal: &Buffer, centre: &Buffer, mean: &Buffer) {
        let groups = self.walkers.div_ceil(SPAN);
        let params = Params { count: self.walkers as u32, second: SPAN as u32, ..Default::default() };
        rec.launch(name, &MOMENTS, &params)
            .constants(SUMS)
            .read(&self.records, RECORD * self.walkers)
            .read(ideal, 4 * self.walkers)
            .read(centre, COLUMNS)
            .write(&self.partial, COLUMNS * groups)
            .trips(SPAN as u64 / WG as u64 + WG as u64 + 6)
            .flops(47.0 * self.walkers as f64)
            .groups(grid(groups));
        rec.launch(format!("{name}, total"), &MEANS, &Params { count: groups as u32, ..Default::default() })
            .constants(SUMS)
            .read(&self.partial, COLUMNS * groups)
            .write(mean, COLUMNS)
            .trips(groups as u64 + 1)
            .flops((COLUMNS * groups) as f64)
            .groups([1, 1, 1]);
    }
}
