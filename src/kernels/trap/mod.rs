//! Electrons in a two-dimensional trap: where they are drawn, the flow that carries them, what they are worth. See the headers
//! of `trap_*`.
//!
//! On CPU drivers an invocation owns a walker (`trap_*_lane`), as its lanes share the loads of weights then; elsewhere, and
//! where the arrays of a walker are too long for one, a workgroup does.
//!
//! Records of a walker: f32 `[walker][8]`: K, |∇ ln p|²/8, Σ r²/2, Σ 1/r_ij, ln|Φ|, δ, ln|det ∂z/∂x|, max |z(x) - z|².

mod draws;
mod flow;

pub use draws::{DRAW, STATES, cumulative, quantile_table, record_draw, record_states};
pub use flow::{ENERGY, ENERGY_LANE, FLOW, FLOW_LANE, Outputs, SCORES, SCORES_LANE, record_energy, record_flow, record_scores};

use super::{ENTRY, pack};
use crate::error::{Error, Result};
use crate::gpu::{Buffer, MAX_TRIPS, Profile, Recording};
use crate::system::oscillator::{Dot, MOST_ELECTRONS};

/// Words of a walker's record.
pub const RECORD: usize = 8;
/// Electrons of a walker that one invocation carries: the time to compile its arrays grows with their number to the fourth power.
pub const MOST_A_LANE: usize = 6;

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
    /// Whether an invocation owns a walker, not a workgroup.
    pub fn by_lane(&self, profile: Profile) -> bool {
        profile == Profile::Simd && self.n <= MOST_A_LANE
    }

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

    /// Words of the parameters as kernels read them: see [`record_pack`].
    pub fn weight_words(&self) -> usize {
        layout(self.units).words()
    }

    /// Words of the positions of all stages.
    pub fn stage_words(&self) -> usize {
        self.walkers * 4 * self.steps * 2 * self.n
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

    /// Loop trips of `prepare`.
    fn prepared(&self, lanes: usize) -> usize {
        self.terms().div_ceil(lanes) * (self.units + self.n + 2 * ENTRY)
    }

    fn loaded(&self, lanes: usize) -> usize {
        self.weight_words().div_ceil(lanes) + ENTRY
    }

    /// A loop over electrons and, in it, one over those behind each.
    fn triangle(&self) -> usize {
        self.terms() + (self.n + 1) * ENTRY
    }

    /// Logistic functions of all terms, four at a time.
    fn functions(&self) -> usize {
        2 * (self.units.div_ceil(4) + ENTRY)
    }

    fn flow_trips(&self, profile: Profile) -> u64 {
        let (lanes, n) = (self.lanes(profile), self.n);
        let trips = if self.by_lane(profile) {
            self.steps * (4 * (2 * self.triangle() + self.functions() + 2 * (n + ENTRY) + 1) + 2 * (n + ENTRY) + 1 + ENTRY)
                + 2 * (n + ENTRY)
        } else {
            self.loaded(lanes) + 4 * self.steps * (self.prepared(lanes) + n + 3 * ENTRY) + self.steps * ENTRY
        };
        trips as u64
    }

    fn energy_trips(&self, profile: Profile) -> u64 {
        let (lanes, n) = (self.lanes(profile), self.n);
        let trips = if self.by_lane(profile) {
            let (w, square) = (2 * n, n * n);
            let directions = self.triangle() + self.terms() * (n + ENTRY);
            let stage = self.triangle() + self.functions() + directions + 2 * (square + ENTRY) + n + ENTRY + 1;
            let step = 4 * stage + 2 * (n + ENTRY) + 2 * (square + ENTRY) + ENTRY + 1;
            // columns, rows and the search of a pivot
            let elimination = |rows: usize| rows * (rows * (w + 2 + ENTRY) + w + 3 * ENTRY);
            let rest = elimination(w) + elimination(n) + square * (2 * n + 2 * ENTRY + 6) + n * (8 * ENTRY + 6) + 8 * ENTRY;
            self.steps * step + rest
        } else {
            let stage = self.prepared(lanes) + self.terms().div_ceil(lanes) + n * (n + 1) / 2 + n * ENTRY + 9 * n + 6 * ENTRY;
            let step = 4 * stage + 8 * n + 3 * ENTRY;
            // both eliminations, orbitals, what is left
            let rest =
                2 * n * (4 * n + 3 * ENTRY + 2) + n * (2 * n + 3 * ENTRY + 2) + (n * n).div_ceil(lanes) * (n + 16) + 40 * n + n * n + lanes;
            self.loaded(lanes) + self.steps * step + rest + 20 * ENTRY
        };
        trips as u64
    }

    fn scores_trips(&self, profile: Profile) -> u64 {
        let (lanes, n) = (self.lanes(profile), self.n);
        let trips = if self.by_lane(profile) {
            let stage = 2 * self.triangle() + self.functions() + 3 * (n + ENTRY) + 1;
            self.steps * (4 * stage + 2 * (n + ENTRY) + ENTRY + 1) + n + 6 * (self.units + ENTRY + 1) + 4 + 4 * ENTRY
        } else {
            let own = (2 * self.units).div_ceil(lanes);
            let worth = self.terms().div_ceil(lanes) * (2 * n + 2 * ENTRY);
            let stage = self.prepared(lanes) + worth + n + own * (self.pairs().max(n) + ENTRY) + 4 * ENTRY;
            self.loaded(lanes) + self.steps * (4 * stage + ENTRY) + 2 * own + 8 + 4 * ENTRY
        };
        trips as u64
    }

    /// Operations of the terms of all stages.
    fn term_flops(&self) -> f64 {
        (self.walkers * 4 * self.steps) as f64 * self.terms() as f64 * (25.0 * self.units as f64 + 40.0)
    }
}

/// Where the packed parameters come from: rows of b, W1, W2 of η, then of μ, each padded to whole vec4.
fn layout(units: usize) -> pack::Layout {
    let mut layout = pack::Layout::default();
    (0..6).for_each(|row| _ = layout.vector(row * units, units));
    layout
}

/// The table of [`record_pack`].
pub fn weight_map(units: usize) -> Buffer {
    Buffer::filled("flow map", layout(units).words(), move || layout(units).map())
}

/// Records that the kernels see the parameters `theta`, f32 `[6 units]`, as `weights`: once after each update.
pub fn record_pack(rec: &mut Recording, s: Shape, theta: &Buffer, map: &Buffer, weights: &Buffer) {
    pack::record(rec, "flow weights", s.weight_words(), (theta, s.parameters()), map, weights);
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
