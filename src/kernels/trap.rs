//! `trap_*`, `softmax_scores`: electrons in a two-dimensional trap, a workgroup for each walker; see the headers of the shaders.
//!
//! Records of a walker: f32 `[walker][8]`: K, |∇ ln p|²/8, Σ r²/2, Σ 1/r_ij, ln|Φ|, δ, ln|det ∂z/∂x|, max |z(x) - z|².

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, MAX_TRIPS, Profile, Recording, grid};
use crate::system::oscillator::{Dot, MOST_ELECTRONS, SHELLS, quantiles};

use super::philox::{Address, Stream};
use super::{ENTRY, WG, pad4};

const WALKER: &[&[(&str, u32)]] = &[
    &[("WG", 8), ("N", 1), ("PAIRS", 0), ("UNITS", 3)],
    &[("WG", 8), ("N", 3), ("PAIRS", 3), ("UNITS", 50)],
    &[("WG", 32), ("N", 6), ("PAIRS", 15), ("UNITS", 50)],
];

/// `shaders/trap_flow.wgsl`.
pub static FLOW: Kernel = Kernel {
    name: "trap_flow",
    source: include_str!("../../shaders/trap_flow.wgsl"),
    shared: &["grid", "special", "trap"],
    params_bytes: size_of::<Params>(),
    variants: WALKER,
};

/// `shaders/trap_energy.wgsl`.
pub static ENERGY: Kernel = Kernel {
    name: "trap_energy",
    source: include_str!("../../shaders/trap_energy.wgsl"),
    shared: &["grid", "special", "trap"],
    params_bytes: size_of::<Params>(),
    variants: WALKER,
};

/// `shaders/trap_scores.wgsl`.
pub static SCORES: Kernel = Kernel {
    name: "trap_scores",
    source: include_str!("../../shaders/trap_scores.wgsl"),
    shared: &["grid", "special", "trap"],
    params_bytes: size_of::<Params>(),
    variants: WALKER,
};

/// `shaders/trap_states.wgsl`.
pub static STATES: Kernel = Kernel {
    name: "trap_states",
    source: include_str!("../../shaders/trap_states.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<StateParams>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/trap_draw.wgsl`.
pub static DRAW: Kernel = Kernel {
    name: "trap_draw",
    source: include_str!("../../shaders/trap_draw.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<DrawParams>(),
    variants: &[&[("WG", 8), ("N", 3), ("NEWTON", 12)], &[("WG", 64), ("N", 6), ("NEWTON", 12)]],
};

/// `shaders/softmax_scores.wgsl`.
pub static SOFTMAX: Kernel = Kernel {
    name: "softmax_scores",
    source: include_str!("../../shaders/softmax_scores.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// Two counts and two numbers; each kernel's header names them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    second: u32,
    third: u32,
    pad: u32,
}

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
/// Words of a walker's record.
pub const RECORD: usize = 8;

/// Sizes of walkers and of the flow that moves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Electrons, to [`MOST_ELECTRONS`].
    pub n: usize,
    /// Logistic functions of η, and of μ.
    pub units: usize,
    /// Steps of the integrator.
    pub steps: usize,
    /// Walkers.
    pub walkers: usize,
}

impl Shape {
    fn lanes(&self, profile: Profile) -> usize {
        (2 * self.n).next_multiple_of(if profile == Profile::Simd { 8 } else { 32 })
    }

    fn pairs(&self) -> usize {
        self.n * (self.n - 1) / 2
    }

    fn terms(&self) -> usize {
        self.pairs() + self.n
    }

    /// Numbers of all parameters.
    pub fn parameters(&self) -> usize {
        6 * self.units
    }

    /// Words of the positions of all stages.
    pub fn stage_words(&self) -> usize {
        self.walkers * 4 * self.steps * 2 * self.n
    }

    fn constants(&self, profile: Profile) -> [(&'static str, u32); 4] {
        let number = |v: usize| v as u32;
        [("WG", number(self.lanes(profile))), ("N", number(self.n)), ("PAIRS", number(self.pairs())), ("UNITS", number(self.units))]
    }

    /// Loop trips of `prepare`.
    fn prepared(&self, lanes: usize) -> usize {
        self.terms().div_ceil(lanes) * (self.units + self.n + 2 * ENTRY)
    }

    fn loaded(&self, lanes: usize) -> usize {
        self.parameters().div_ceil(lanes) + ENTRY
    }

    /// Why the kernels do not take it, if they do not.
    ///
    /// # Errors
    /// [`Error::User`] with the largest number of steps, or of electrons.
    pub fn check(&self) -> Result<()> {
        if !(1..=MOST_ELECTRONS).contains(&self.n) {
            return Err(Error::User(format!("n = {}: the kernels of the trap take 1 to {MOST_ELECTRONS} electrons", self.n)));
        }
        let longest = |steps: usize| {
            let s = Shape { steps, ..*self };
            let all = [Profile::Simd, Profile::Gpu].map(|p| [s.flow_trips(p), s.energy_trips(p), s.scores_trips(p)]);
            all.into_iter().flatten().max().unwrap_or(0)
        };
        if longest(self.steps) > MAX_TRIPS {
            let most = (1..self.steps).rev().find(|s| longest(*s) <= MAX_TRIPS).unwrap_or(0);
            return Err(Error::User(format!("n_steps = {}: at most {most} for n = {} and units = {}", self.steps, self.n, self.units)));
        }
        Ok(())
    }

    fn flow_trips(&self, profile: Profile) -> u64 {
        let lanes = self.lanes(profile);
        (self.loaded(lanes) + 4 * self.steps * (self.prepared(lanes) + self.n + 3 * ENTRY) + self.steps * ENTRY) as u64
    }

    fn energy_trips(&self, profile: Profile) -> u64 {
        let (lanes, n) = (self.lanes(profile), self.n);
        let stage = self.prepared(lanes) + self.terms().div_ceil(lanes) + n * (n + 1) / 2 + n * ENTRY + 9 * n + 6 * ENTRY;
        let step = 4 * stage + 8 * n + 3 * ENTRY;
        // both eliminations, orbitals, what is left
        let rest =
            2 * n * (4 * n + 3 * ENTRY + 2) + n * (2 * n + 3 * ENTRY + 2) + (n * n).div_ceil(lanes) * (n + 16) + 40 * n + n * n + lanes;
        (self.loaded(lanes) + self.steps * step + rest + 20 * ENTRY) as u64
    }

    fn scores_trips(&self, profile: Profile) -> u64 {
        let (lanes, n) = (self.lanes(profile), self.n);
        let own = (2 * self.units).div_ceil(lanes);
        let stage =
            self.prepared(lanes) + self.terms().div_ceil(lanes) * (2 * n + 2 * ENTRY) + n + own * (self.pairs().max(n) + ENTRY) + 4 * ENTRY;
        (self.loaded(lanes) + self.steps * (4 * stage + ENTRY) + 2 * own + 8 + 4 * ENTRY) as u64
    }

    /// Operations of the terms of all stages.
    fn term_flops(&self) -> f64 {
        (self.walkers * 4 * self.steps) as f64 * self.terms() as f64 * (25.0 * self.units as f64 + 40.0)
    }
}

/// Records x of z: forward along the flow. `theta`: its parameters; `z`, `x`: f32 `[walker][n][2]`.
pub fn record_flow(rec: &mut Recording, profile: Profile, s: Shape, theta: &Buffer, z: &Buffer, x: &Buffer) {
    let p = Params { count: s.walkers as u32, second: s.steps as u32, ..Params::default() };
    rec.launch("flow", &FLOW, &p)
        .constants(&s.constants(profile))
        .read(theta, s.parameters())
        .read(z, 2 * s.walkers * s.n)
        .write(x, 2 * s.walkers * s.n)
        .trips(s.flow_trips(profile))
        .flops(s.term_flops() + (s.walkers * 4 * s.steps * s.n * s.n) as f64 * 8.0)
        .groups(grid(s.walkers));
}

/// Determinants and which of them each walker is in.
#[derive(Clone, Copy)]
pub struct Occupied<'a> {
    /// u32 `[state][n]`: nx + 256 ny; see [`occupied`].
    pub table: &'a Buffer,
    /// How many states.
    pub states: usize,
    /// u32 `[walker]`.
    pub index: &'a Buffer,
}

/// The table of a dot's determinants.
pub fn occupied(dot: &Dot) -> Vec<u32> {
    let code = |j: &usize| (dot.orbitals[*j].nx + 256 * dot.orbitals[*j].ny) as u32;
    dot.states.iter().flatten().map(code).collect()
}

/// What [`record_energy`] makes.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// f32 `[walker][4 steps][n][2]`: positions of all stages.
    pub stages: Buffer,
    /// f32 `[walker][n][2]`: gradient of ln|Φ| by z.
    pub slope: Buffer,
    /// f32 `[walker][8]`.
    pub records: Buffer,
}

impl Outputs {
    /// For these walkers.
    pub fn new(s: Shape) -> Outputs {
        Outputs {
            stages: Buffer::result("stages", s.stage_words()),
            slope: Buffer::result("slope of ln Phi", 2 * s.walkers * s.n),
            records: Buffer::result("records", RECORD * s.walkers),
        }
    }
}

/// Records local energies of x (f32 `[walker][n][2]`), which came from `z`.
#[allow(clippy::too_many_arguments)]
pub fn record_energy(
    rec: &mut Recording,
    profile: Profile,
    s: Shape,
    theta: &Buffer,
    x: &Buffer,
    z: &Buffer,
    occupied: Occupied,
    out: &Outputs,
) {
    let p = Params { count: s.walkers as u32, second: s.steps as u32, third: occupied.states as u32, pad: 0 };
    let n = s.n as f64;
    let directions = (s.walkers * 4 * s.steps) as f64 * 2.0 * n * (60.0 * s.terms() as f64 + 24.0 * n);
    rec.launch("local energy", &ENERGY, &p)
        .constants(&s.constants(profile))
        .read(theta, s.parameters())
        .read(x, 2 * s.walkers * s.n)
        .read(z, 2 * s.walkers * s.n)
        .read(occupied.index, s.walkers)
        .read(occupied.table, occupied.states * s.n)
        .write(&out.stages, s.stage_words())
        .write(&out.slope, 2 * s.walkers * s.n)
        .write(&out.records, RECORD * s.walkers)
        .trips(s.energy_trips(profile))
        .flops(s.term_flops() + directions + s.walkers as f64 * 60.0 * n.powi(3))
        .groups(grid(s.walkers));
}

/// Records the scores of the flow, f32 `[walker][pad4(parameters)]`, from what [`record_energy`] has left.
pub fn record_scores(rec: &mut Recording, profile: Profile, s: Shape, theta: &Buffer, from: &Outputs, scores: &Buffer) {
    let ld = pad4(s.parameters());
    let p = Params { count: s.walkers as u32, second: s.steps as u32, third: ld as u32, pad: 0 };
    let units = (s.walkers * 4 * s.steps) as f64 * s.terms() as f64 * 35.0 * s.units as f64;
    rec.launch("flow scores", &SCORES, &p)
        .constants(&s.constants(profile))
        .read(theta, s.parameters())
        .read(&from.stages, s.stage_words())
        .read(&from.slope, 2 * s.walkers * s.n)
        .read(&from.records, RECORD * s.walkers)
        .write(scores, s.walkers * ld)
        .trips(s.scores_trips(profile))
        .flops(s.term_flops() + units)
        .groups(grid(s.walkers));
}

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

/// Records the scores of p = softmax(w), f32 `[row][pad4(states)]`, of the states in `rows`: u32 `[row][2]`, the state and the
/// bits of its factor.
pub fn record_softmax(rec: &mut Recording, count: usize, states: usize, p: &Buffer, rows: &Buffer, scores: &Buffer) {
    let params = Params { count: count as u32, second: states as u32, third: pad4(states) as u32, pad: 0 };
    rec.launch("scores of the states", &SOFTMAX, &params)
        .constants(&[("WG", WG)])
        .read(p, states)
        .read(rows, 2 * count)
        .write(scores, count * pad4(states))
        .flops(2.0 * (count * states) as f64)
        .groups(grid((count * pad4(states)).div_ceil(WG as usize)));
}
