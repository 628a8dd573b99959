//! Which determinant a walker is in, and where its electrons are drawn: `trap_states`, `trap_draw`.

use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};
use crate::kernels::philox::{Address, Stream};
use crate::kernels::{ENTRY, WG};
use crate::system::oscillator::{SHELLS, quantiles};

use super::Occupied;

/// `shaders/trap_states.wgsl`.
pub static STATES: Kernel = Kernel {
    name: "trap_states",
    source: include_str!("../../../shaders/trap_states.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<StateParams>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/trap_draw.wgsl`.
pub static DRAW: Kernel = Kernel {
    name: "trap_draw",
    source: include_str!("../../../shaders/trap_draw.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<DrawParams>(),
    variants: &[&[("WG", 8), ("N", 3), ("NEWTON", 12)], &[("WG", 64), ("N", 6), ("NEWTON", 12)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct StateParams {
    at: Address,
    walkers: u32,
    states: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct DrawParams {
    at: Address,
    walkers: u32,
    states: u32,
    cells: u32,
    most: u32,
    not_a_number: u32,
    pad: [u32; 2],
}

/// Cells of the table of a density from 0 to 1/2.
const CELLS: usize = 128;
/// Steps of Newton's method, or halvings, of a coordinate.
const NEWTON: usize = 12;
/// Probability that a walker is not drawn by the candidates it has.
const UNFINISHED: f64 = 1e-9;

/// Cumulative probabilities in units of 2⁻³², from float64 ones that add to 1: what `trap_states` compares random bits with.
pub fn cumulative(p: &[f64]) -> Vec<u32> {
    let mut sum = 0.0;
    let mut table: Vec<u32> = p
        .iter()
        .map(|p| {
            sum += p;
            (sum * 2f64.powi(32)).round().min(f64::from(u32::MAX)) as u32
        })
        .collect();
    // rounding of the sum gives no state that has no probability
    let last = p.iter().rposition(|p| *p > 0.0).unwrap_or(0);
    table[last..].fill(u32::MAX);
    table
}

/// Records a determinant for each walker into `index`, u32 `[walker]`; `cumulative` of each state: see [`cumulative`].
pub fn record_states(rec: &mut Recording, at: Stream, walkers: usize, states: usize, cumulative: &Buffer, index: &Buffer) {
    let p = StateParams { at: at.address(), walkers: walkers as u32, states: states as u32, pad: 0 };
    rec.launch("states", &STATES, &p)
        .constants(&[("WG", WG)])
        .read(cumulative, states)
        .write(index, walkers)
        .trips(states.ilog2() as u64 + 2)
        .groups(grid(walkers.div_ceil(WG as usize)));
}

/// The table of [`record_draw`].
pub fn quantile_table() -> Buffer {
    Buffer::filled("quantiles", SHELLS * (CELLS + 1), || quantiles(CELLS))
}

/// Candidates that a walker needs with a probability above 1 - [`UNFINISHED`]: those of electron i are refused independently
/// with probability i/n, so that Chernoff's bound of a sum of geometric numbers holds.
fn enough(n: usize) -> usize {
    let refused: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
    let pole = -refused[n - 1].max(1e-9).ln();
    let bound = |s: f64| {
        let ln: f64 = refused.iter().map(|q| (1.0 - q).ln() + s - (-q * s.exp()).ln_1p()).sum();
        (ln - UNFINISHED.ln()) / s
    };
    let best = (1..400).map(|k| bound(pole * k as f64 / 400.0)).fold(f64::INFINITY, f64::min);
    best.ceil() as usize
}

/// Records exact draws of each walker's determinant: `z` f32 `[walker][n][2]`, `tries` u32 `[walker]` its candidates.
#[allow(clippy::too_many_arguments)]
pub fn record_draw(
    rec: &mut Recording,
    profile: Profile,
    at: Stream,
    walkers: usize,
    n: usize,
    occupied: Occupied,
    table: &Buffer,
    z: &Buffer,
    tries: &Buffer,
) {
    let most = enough(n);
    let p = DrawParams {
        at: at.address(),
        walkers: walkers as u32,
        states: occupied.states as u32,
        cells: CELLS as u32,
        most: most as u32,
        not_a_number: f32::NAN.to_bits(),
        pad: [0; 2],
    };
    let lanes = if profile == Profile::Simd { 8 } else { WG as usize };
    let harmonic: f64 = (1..=n).map(|i| 1.0 / i as f64).sum();
    let candidate = (2 * NEWTON * 80 + 60) as f64 + (4 * n * n) as f64;
    rec.launch("free electrons", &DRAW, &p)
        .constants(&[("WG", lanes as u32), ("N", n as u32), ("NEWTON", NEWTON as u32)])
        .read(occupied.index, walkers)
        .read(occupied.table, occupied.states * n)
        .read(table, SHELLS * (CELLS + 1))
        .write(z, 2 * walkers * n)
        .write(tries, walkers)
        .trips((most * (2 * (NEWTON + ENTRY) + 12 + 2 * (n + ENTRY)) + n + 4 * ENTRY) as u64)
        .flops(walkers as f64 * n as f64 * harmonic * candidate)
        .groups(grid(walkers.div_ceil(lanes)));
}
