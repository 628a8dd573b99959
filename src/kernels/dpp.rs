//! `dpp`: exact draws of n free fermions in given plane waves, z ~ |det e^(i k_a·z_i)|² / (n! L^(n dim)).

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Dispatch, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::system::ElectronGas;

use super::pad4;
use super::philox::purpose;

pub static KERNEL: Kernel = Kernel {
    name: "dpp",
    source: include_str!("../../shaders/dpp.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("TRIALS", 8), ("PARTS", 1), ("ROWS", 32)], &[("TRIALS", 8), ("PARTS", 8), ("ROWS", 128)]],
};

/// Most particles: candidates of all of them are kept in workgroup memory.
pub const MAX_PARTICLES: usize = 192;

/// Probability that a walker is not finished by the launches recorded for it.
const UNFINISHED: f64 = 1e-9;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    seed_low: u32,
    seed_high: u32,
    step: u32,
    purpose: u32,
    first: u32,
    walkers: u32,
    n: u32,
    dim: u32,
    ld4: u32,
    begin: u32,
    budget: u32,
    pad: u32,
    length: f32,
    twist: [f32; 3],
}

/// Which draw of which walkers: fixes the random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    pub seed: u64,
    /// Number of the draw in the whole run.
    pub step: u32,
    /// Global number of the first walker.
    pub first: usize,
    pub walkers: usize,
}

/// Where walkers are drawn.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Points, f32 `[walker][n][dim]`, units rs a0.
    pub z: Buffer,
    /// u32 `[walker][4]`: particles placed (n: done), candidates of the present one, all candidates, 0.
    pub progress: Buffer,
    /// Scratch: an orthonormal basis for each walker.
    pub basis: Buffer,
}

impl Outputs {
    /// For up to `walkers` walkers.
    pub fn new(n: usize, dim: usize, walkers: usize) -> Outputs {
        Outputs {
            z: Buffer::new("free fermions", walkers * n * dim),
            progress: Buffer::new("free fermions placed", 4 * walkers),
            basis: Buffer::new("free fermion basis", 2 * walkers * n * pad4(n)),
        }
    }
}

/// The answer to more than [`MAX_PARTICLES`].
pub(crate) fn too_many(n: usize) -> Error {
    Error::User(format!("n = {n}: exact sampling takes at most {MAX_PARTICLES} electrons; use sampler=metropolis"))
}

/// Candidates tried at once, and lanes that share one: a SIMD register on CPU drivers, 64 threads on GPUs.
fn shape(profile: Profile) -> (usize, usize) {
    match profile {
        Profile::Simd => (8, 1),
        Profile::Gpu => (8, 8),
    }
}

/// The function `cost` of the shader.
fn cost(n: usize, i: usize, (trials, parts): (usize, usize)) -> u64 {
    let wg = trials * parts;
    let (rows, pairs) = (n.div_ceil(wg), i.div_ceil(2));
    (16 + n
        + trials
        + parts
        + 2 * wg
        + i.div_ceil(4).div_ceil(parts) * (n + 1)
        + (2 * (pairs + wg - 1) / wg) * (n + 1)
        + 2 * rows * (pairs + 1)
        + 4 * rows) as u64
}

/// Trips before the first round.
fn preparation(n: usize, (trials, parts): (usize, usize)) -> u64 {
    64 + 60 * n.div_ceil(trials * parts) as u64
}

/// Trips that a walker needs with a probability above 1 - [`UNFINISHED`]: candidates of particle i are refused
/// independently with probability i/n, so the rounds R_i are geometric and Chernoff's bound holds for Σ cost_i R_i:
/// t = (ln 1/δ + Σ ln E e^(s cost_i R_i)) / s, for the best s.
fn enough(n: usize, shape: (usize, usize)) -> u64 {
    let rounds: Vec<(f64, f64)> = (0..n).map(|i| (cost(n, i, shape) as f64, (i as f64 / n as f64).powi(shape.0 as i32))).collect();
    // E e^(s c R) = (1 - q) e^(s c) / (1 - q e^(s c)) for s < ln(1/q)/c
    let pole = rounds.iter().map(|(c, q)| -q.ln() / c).fold(f64::INFINITY, f64::min).min(1.0);
    let bound = |s: f64| {
        let ln: f64 = rounds.iter().map(|(c, q)| (1.0 - q).ln() + s * c - (-q * (s * c).exp()).ln_1p()).sum();
        (ln - UNFINISHED.ln()) / s
    };
    (1..200).map(|k| bound(pole * k as f64 / 200.0)).fold(f64::INFINITY, f64::min).ceil() as u64
}

/// Records independent draws for every walker; results in `out`.
///
/// `states`: u32 `[walker][n]`, indices into `orbitals`, which holds [`ElectronGas::momenta_padded`].
///
/// # Errors
/// [`Error::User`] beyond [`MAX_PARTICLES`].
pub fn record(
    rec: &mut Recording,
    profile: Profile,
    gas: &ElectronGas,
    d: Draw,
    states: &Buffer,
    orbitals: &Buffer,
    out: &Outputs,
) -> Result<()> {
    record_parts(rec, profile, gas, d, states, orbitals, out, MAX_TRIPS)
}

/// The same with at most `budget` loop trips a launch.
#[allow(clippy::too_many_arguments)]
pub fn record_parts(
    rec: &mut Recording,
    profile: Profile,
    gas: &ElectronGas,
    d: Draw,
    states: &Buffer,
    orbitals: &Buffer,
    out: &Outputs,
    budget: u64,
) -> Result<()> {
    let (n, dim, shape) = (gas.n, gas.dim, shape(profile));
    if n > MAX_PARTICLES {
        return Err(too_many(n));
    }
    // a launch may stop short by what a round of the last particle costs
    let useful = budget.saturating_sub(preparation(n, shape) + cost(n, n - 1, shape)).max(1);
    let launches = enough(n, shape).div_ceil(useful);
    // multiply-adds of complex numbers: candidates against the columns so far, orthogonalisation
    let (m, harmonic) = (n as f64, (1..=n).map(|i| 1.0 / i as f64).sum::<f64>());
    let flops = d.walkers as f64 * (8.0 * m.powi(3) * (harmonic - 1.0) + 16.0 * m.powi(3) + 45.0 * m * m * harmonic);
    for launch in 0..launches {
        let p = Params {
            seed_low: d.seed as u32,
            seed_high: (d.seed >> 32) as u32,
            step: d.step,
            purpose: purpose::POSITIONS,
            first: d.first as u32,
            walkers: d.walkers as u32,
            n: n as u32,
            dim: dim as u32,
            ld4: (pad4(n) / 2) as u32,
            begin: (launch == 0) as u32,
            budget: budget as u32,
            pad: 0,
            length: gas.length() as f32,
            twist: gas.twist.map(|t| t as f32),
        };
        rec.push(Dispatch {
            name: "free fermions".into(),
            kernel: &KERNEL,
            constants: vec![("TRIALS", shape.0 as u32), ("PARTS", shape.1 as u32), ("ROWS", n.next_multiple_of(32) as u32)],
            params: bytemuck::bytes_of(&p).to_vec(),
            buffers: vec![states.clone(), orbitals.clone(), out.basis.clone(), out.progress.clone(), out.z.clone()],
            groups: grid(d.walkers),
            trips: budget,
            flops: flops / launches as f64,
            bytes: flops / launches as f64,
        });
    }
    Ok(())
}
