//! `dpp`: exact draws of n free fermions in given plane waves, z ~ |det e^(i k_a·z_i)|² / (n! L^(n dim)), of each spin for itself.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::system::ElectronGas;

use super::pad4;
use super::philox::{Address, Stream};

/// `shaders/dpp.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "dpp",
    source: include_str!("../../shaders/dpp.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("TRIALS", 8), ("HALF", 4), ("WG", 8), ("PAIRS", 4), ("LINES", 4), ("ROWS", 32)],
        &[("TRIALS", 8), ("HALF", 4), ("WG", 64), ("PAIRS", 1), ("LINES", 1), ("ROWS", 192)],
    ],
};

/// Most particles: candidates of all of them are kept in workgroup memory.
pub const MAX_PARTICLES: usize = 192;

/// Probability that a walker is not finished by the launches recorded for it.
const UNFINISHED: f64 = 1e-9;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    at: Address,
    walkers: u32,
    n: u32,
    dim: u32,
    ld4: u32,
    begin: u32,
    budget: u32,
    orbitals: u32,
    length: f32,
    twist: [f32; 3],
    up: u32,
    pad: [u32; 3],
}

/// Walkers to draw and their random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Their random numbers.
    pub at: Stream,
    /// How many.
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
            z: Buffer::result("free fermions", walkers * n * dim),
            progress: Buffer::result("free fermions placed", 4 * walkers),
            basis: Buffer::new("free fermion basis", basis_words(n, walkers, MOST_PAIRS)),
        }
    }
}

/// The answer to more than [`MAX_PARTICLES`].
pub(crate) fn too_many(n: usize) -> Error {
    Error::User(format!("n = {n}: exact sampling takes at most {MAX_PARTICLES} electrons; use sampler=metropolis"))
}

/// How a workgroup shares the work of a walker.
#[derive(Clone, Copy)]
struct Shape {
    /// Lanes: a SIMD register on CPU drivers, 64 threads on GPUs.
    lanes: usize,
    /// Pairs of columns and rows of the basis that a lane holds at once: many where loads are what costs.
    pairs: usize,
    lines: usize,
}

/// Most pairs of columns a lane holds.
const MOST_PAIRS: usize = 4;

/// Words of the basis: lanes read whole groups of `pairs` column pairs, also past the last.
fn basis_words(n: usize, walkers: usize, pairs: usize) -> usize {
    let (rows, ld4) = (walkers * n, pad4(n) / 2);
    let last = (n.saturating_sub(2) / 2 / pairs + 1) * pairs;
    4 * (rows * ld4).max(rows.saturating_sub(1) * ld4 + last)
}

/// Candidates tried at once.
const TRIALS: usize = 8;

fn shape(profile: Profile) -> Shape {
    match profile {
        Profile::Simd => Shape { lanes: 8, pairs: MOST_PAIRS, lines: 4 },
        Profile::Gpu => Shape { lanes: 64, pairs: 1, lines: 1 },
    }
}

/// The function `cost` of the shader.
fn cost(n: usize, i: usize, s: Shape) -> u64 {
    let pairs = i.div_ceil(2);
    let columns = pairs.div_ceil(s.pairs * s.lanes) * (n + 1);
    let rows = n.div_ceil(s.lines * s.lanes) * (pairs + 1);
    (32 + 3 * TRIALS + 2 * s.lanes + 4 * n.div_ceil(s.lanes) + 3 * columns + 2 * rows) as u64
}

/// Trips before the first round.
fn preparation(n: usize, s: Shape) -> u64 {
    64 + 60 * n.div_ceil(s.lanes) as u64
}

/// Trips that a walker needs with a probability above 1 - [`UNFINISHED`]: candidates of particle i of n of its spin are refused
/// independently with probability i/n, so the rounds R_i are geometric and Chernoff's bound holds for Σ cost_i R_i:
/// t = (ln 1/δ + Σ ln E e^(s cost_i R_i)) / s, for the best s.
fn enough(n: usize, up: usize, shape: Shape) -> u64 {
    let refused = |i: usize| if i < up { i as f64 / up as f64 } else { (i - up) as f64 / (n - up) as f64 };
    let rounds: Vec<(f64, f64)> = (0..n).map(|i| (cost(n, i, shape) as f64, refused(i).powi(TRIALS as i32))).collect();
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
    let launches = enough(n, gas.up, shape).div_ceil(useful);
    // multiply-adds of complex numbers: candidates against the columns so far, orthogonalisation
    let (m, harmonic) = (n as f64, (1..=n).map(|i| 1.0 / i as f64).sum::<f64>());
    let flops = d.walkers as f64 * (8.0 * m.powi(3) * (harmonic - 1.0) + 16.0 * m.powi(3) + 45.0 * m * m * harmonic);
    for launch in 0..launches {
        let p = Params {
            at: d.at.address(),
            walkers: d.walkers as u32,
            n: n as u32,
            dim: dim as u32,
            ld4: (pad4(n) / 2) as u32,
            begin: (launch == 0) as u32,
            budget: budget as u32,
            orbitals: gas.orbital_count() as u32,
            length: gas.length() as f32,
            twist: gas.twist.map(|t| t as f32),
            up: gas.up as u32,
            pad: [0; 3],
        };
        rec.launch("free fermions", &KERNEL, &p)
            .constants(&[
                ("TRIALS", TRIALS as u32),
                ("HALF", TRIALS as u32 / 2),
                ("WG", shape.lanes as u32),
                ("PAIRS", shape.pairs as u32),
                ("LINES", shape.lines as u32),
                ("ROWS", n.next_multiple_of(32) as u32),
            ])
            .read(states, d.walkers * n)
            .read(orbitals, 4 * gas.orbital_count())
            .update(&out.basis, basis_words(n, d.walkers, shape.pairs))
            .update(&out.progress, 4 * d.walkers)
            .update(&out.z, d.walkers * n * dim)
            .trips(budget)
            .flops(flops / launches as f64)
            .moved(flops / launches as f64)
            .groups(grid(d.walkers));
    }
    Ok(())
}
