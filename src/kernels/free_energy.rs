//! `free_energy`, `free_energy_factors`, `importance`: from ln q, E and M of samples drawn from q to the sums behind the
//! variational free energy βF = ⟨R⟩ ≥ -ln Z, R = ln q + βE, to the factors of its gradient, and to importance weights.
//!
//! [`crate::estimate::free_energy`] finishes the sums in float64.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::{WG, estimators};

const SUMS: &[(&str, u32)] = &[("WG", WG), ("COLUMNS", COLUMNS as u32)];

/// `shaders/free_energy.wgsl`.
pub static MOMENTS: Kernel = Kernel {
    name: "free_energy",
    source: include_str!("../../shaders/free_energy.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[SUMS],
};

/// `shaders/free_energy_factors.wgsl`.
pub static FACTORS: Kernel = Kernel {
    name: "free_energy_factors",
    source: include_str!("../../shaders/free_energy_factors.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<FactorParams>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/importance.wgsl`.
pub static IMPORTANCE: Kernel = Kernel {
    name: "importance",
    source: include_str!("../../shaders/importance.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[SUMS],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    span: u32,
    beta: f32,
    per_site: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct FactorParams {
    count: u32,
    beta: f32,
    scale: f32,
    pad: u32,
}

/// Numbers of a row of sums; the headers of the kernels name them.
pub const COLUMNS: usize = 20;
/// Samples that one workgroup adds.
pub const SPAN: usize = 1024;

/// Buffers of a batch of samples.
#[derive(Clone, Debug)]
pub struct FreeEnergy {
    samples: usize,
    sites: usize,
    /// Means, f32 \[20\], rounded: the centre of the second sums and of those of weights.
    pub centre: Buffer,
    /// Means of deviations from the centre, f32 \[20\].
    pub deviation: Buffer,
    /// Sums about the centre a workgroup, f32 \[group\]\[20\].
    pub partial: Buffer,
    /// Weighted sums a workgroup, f32 \[group\]\[20\].
    pub weighted: Buffer,
    /// Factors of the gradients of ln q, f32 `[sample]`.
    pub factors: Buffer,
    zero: Buffer,
}

/// What the sums are made of, f32 `[sample]`.
#[derive(Clone, Copy)]
pub struct Samples<'b> {
    /// ln q, normalised.
    pub log_q: &'b Buffer,
    /// E.
    pub energy: &'b Buffer,
    /// M = Σ s.
    pub magnetisation: &'b Buffer,
}

impl FreeEnergy {
    /// For batches of `samples` of `sites` spins.
    pub fn new(samples: usize, sites: usize) -> Self {
        let rows = samples.div_ceil(SPAN) * COLUMNS;
        FreeEnergy {
            samples,
            sites,
            centre: Buffer::result("free energy means", COLUMNS),
            deviation: Buffer::result("free energy deviations", COLUMNS),
            partial: Buffer::result("free energy sums", rows),
            weighted: Buffer::result("weighted sums", rows),
            factors: Buffer::result("gradient factors", samples),
            zero: Buffer::new("zero", COLUMNS),
        }
    }

    /// Records the means of all samples, then the sums about them. `beta` in inverse units of E.
    pub fn record_averages(&self, rec: &mut Recording, samples: Samples, beta: f64) {
        rec.clear(&self.zero);
        self.sums(rec, "free energy", samples, beta, &self.zero, &self.centre);
        self.sums(rec, "free energy, deviations", samples, beta, &self.centre, &self.deviation);
    }

    /// Records `scale` (R - mean of R over the other samples) after the averages; `scale` is usually 1/B. 0 for samples that
    /// do not count.
    pub fn record_factors(&self, rec: &mut Recording, samples: Samples, beta: f64, scale: f64) {
        let count = self.samples;
        let p = FactorParams { count: count as u32, beta: beta as f32, scale: scale as f32, pad: 0 };
        rec.launch("gradient factors", &FACTORS, &p)
            .constants(&[("WG", WG)])
            .read(samples.log_q, count)
            .read(samples.energy, count)
            .read(samples.magnetisation, count)
            .read(&self.centre, 2)
            .read(&self.deviation, 2)
            .write(&self.factors, count)
            .flops(6.0 * count as f64)
            .groups(grid(count.div_ceil(WG as usize)));
    }

    /// Records the weighted sums, after the averages.
    pub fn record_importance(&self, rec: &mut Recording, samples: Samples, beta: f64) {
        let (count, groups) = (self.samples, self.samples.div_ceil(SPAN));
        rec.launch("importance weights", &IMPORTANCE, &self.params(beta))
            .constants(SUMS)
            .read(samples.log_q, count)
            .read(samples.energy, count)
            .read(samples.magnetisation, count)
            .read(&self.centre, 7)
            .write(&self.weighted, COLUMNS * groups)
            .trips(2 * (SPAN as u64 / WG as u64 + WG as u64) + 4)
            .flops(50.0 * count as f64)
            .groups(grid(groups));
    }

    fn params(&self, beta: f64) -> Params {
        Params { count: self.samples as u32, span: SPAN as u32, beta: beta as f32, per_site: (1.0 / self.sites as f64) as f32 }
    }

    fn sums(&self, rec: &mut Recording, name: &str, samples: Samples, beta: f64, centre: &Buffer, mean: &Buffer) {
        let (count, groups) = (self.samples, self.samples.div_ceil(SPAN));
        rec.launch(name, &MOMENTS, &self.params(beta))
            .constants(SUMS)
            .read(samples.log_q, count)
            .read(samples.energy, count)
            .read(samples.magnetisation, count)
            .read(centre, 18)
            .write(&self.partial, COLUMNS * groups)
            .trips(SPAN as u64 / WG as u64 + WG as u64 + 4)
            .flops(40.0 * count as f64)
            .groups(grid(groups));
        rec.launch(format!("{name}, total"), &estimators::MEANS, &estimators::Params { count: groups as u32, ..Default::default() })
            .constants(SUMS)
            .read(&self.partial, COLUMNS * groups)
            .write(mean, COLUMNS)
            .trips(groups as u64 + 1)
            .flops((COLUMNS * groups) as f64)
            .groups([1, 1, 1]);
    }
}
