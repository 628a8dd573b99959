//! The flow of electrons in a trap and its derivatives: `trap_flow`, `trap_energy`, `trap_scores` by a workgroup for each
//! walker, `trap_flow_lane`, `trap_energy_lane`, `trap_scores_lane` by an invocation.

use crate::gpu::{Buffer, Kernel, Launch, Profile, Recording, grid};
use crate::kernels::pad4;

use super::{Occupied, RECORD, Shape};

/// Walkers of a workgroup whose invocations own one each: a row of lanes of a CPU driver.
const LANES: usize = 8;

const GROUP: &[&[(&str, u32)]] = &[
    &[("WG", 8), ("N", 1), ("PAIRS", 0), ("UNITS", 3)],
    &[("WG", 8), ("N", 3), ("PAIRS", 3), ("UNITS", 50)],
    &[("WG", 32), ("N", 6), ("PAIRS", 15), ("UNITS", 50)],
];

const LANE: &[&[(&str, u32)]] = &[
    &[("WG", 8), ("N", 1), ("PAIRS", 0), ("TERMS", 1), ("UNITS", 3), ("QUADS", 1)],
    &[("WG", 8), ("N", 3), ("PAIRS", 3), ("TERMS", 6), ("UNITS", 50), ("QUADS", 13)],
    &[("WG", 8), ("N", 6), ("PAIRS", 15), ("TERMS", 21), ("UNITS", 5), ("QUADS", 2)],
];

/// `shaders/trap_flow.wgsl`.
pub static FLOW: Kernel = Kernel {
    name: "trap_flow",
    source: include_str!("../../../shaders/trap_flow.wgsl"),
    shared: &["grid", "special", "trap", "runge_kutta"],
    params_bytes: size_of::<Params>(),
    variants: GROUP,
};

/// `shaders/trap_energy.wgsl`.
pub static ENERGY: Kernel = Kernel {
    name: "trap_energy",
    source: include_str!("../../../shaders/trap_energy.wgsl"),
    shared: &["grid", "special", "trap", "runge_kutta"],
    params_bytes: size_of::<Params>(),
    variants: GROUP,
};

/// `shaders/trap_scores.wgsl`.
pub static SCORES: Kernel = Kernel {
    name: "trap_scores",
    source: include_str!("../../../shaders/trap_scores.wgsl"),
    shared: &["grid", "special", "trap", "runge_kutta"],
    params_bytes: size_of::<Params>(),
    variants: GROUP,
};

/// `shaders/trap_flow_lane.wgsl`.
pub static FLOW_LANE: Kernel = Kernel {
    name: "trap_flow_lane",
    source: include_str!("../../../shaders/trap_flow_lane.wgsl"),
    shared: &["grid", "trap_lane", "trap_radials", "runge_kutta"],
    params_bytes: size_of::<Params>(),
    variants: LANE,
};

/// `shaders/trap_energy_lane.wgsl`.
pub static ENERGY_LANE: Kernel = Kernel {
    name: "trap_energy_lane",
    source: include_str!("../../../shaders/trap_energy_lane.wgsl"),
    shared: &["grid", "special", "trap_lane", "trap_radials", "runge_kutta"],
    params_bytes: size_of::<Params>(),
    variants: LANE,
};

/// `shaders/trap_scores_lane.wgsl`.
pub static SCORES_LANE: Kernel = Kernel {
    name: "trap_scores_lane",
    source: include_str!("../../../shaders/trap_scores_lane.wgsl"),
    shared: &["grid", "special", "trap_lane", "runge_kutta"],
    params_bytes: size_of::<Params>(),
    variants: LANE,
};

/// Two counts and a third; each kernel's header names them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    second: u32,
    third: u32,
    pad: u32,
}

/// Begins a launch of the kernel by workgroup or by invocation, with its constants.
fn launch<'r>(
    rec: &'r mut Recording,
    profile: Profile,
    s: Shape,
    name: &str,
    [group, lane]: [&'static Kernel; 2],
    third: usize,
) -> Launch<'r> {
    let p = Params { count: s.walkers as u32, second: s.steps as u32, third: third as u32, pad: 0 };
    let number = |v: usize| v as u32;
    let sizes = [("N", number(s.n)), ("PAIRS", number(s.pairs())), ("UNITS", number(s.units))];
    if s.by_lane(profile) {
        let own = [("WG", number(LANES)), ("TERMS", number(s.terms())), ("QUADS", number(s.units.div_ceil(4)))];
        rec.launch(name, lane, &p).constants(&sizes).constants(&own)
    } else {
        rec.launch(name, group, &p).constants(&sizes).constants(&[("WG", number(s.lanes(profile)))])
    }
}

fn groups(profile: Profile, s: Shape) -> [u32; 3] {
    grid(if s.by_lane(profile) { s.walkers.div_ceil(LANES) } else { s.walkers })
}

/// Records x of z: forward along the flow. `weights`: see [`super::record_pack`]; `z`, `x`: f32 `[walker][n][2]`.
pub fn record_flow(rec: &mut Recording, profile: Profile, s: Shape, weights: &Buffer, z: &Buffer, x: &Buffer) {
    launch(rec, profile, s, "flow", [&FLOW, &FLOW_LANE], 0)
        .read(weights, s.weight_words())
        .read(z, 2 * s.walkers * s.n)
        .write(x, 2 * s.walkers * s.n)
        .trips(s.flow_trips(profile))
        .flops(s.term_flops() + (s.walkers * 4 * s.steps * s.n * s.n) as f64 * 8.0)
        .groups(groups(profile, s));
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
    weights: &Buffer,
    x: &Buffer,
    z: &Buffer,
    occupied: Occupied,
    out: &Outputs,
) {
    let n = s.n as f64;
    let directions = (s.walkers * 4 * s.steps) as f64 * 2.0 * n * (60.0 * s.terms() as f64 + 24.0 * n);
    launch(rec, profile, s, "local energy", [&ENERGY, &ENERGY_LANE], occupied.states)
        .read(weights, s.weight_words())
        .read(x, 2 * s.walkers * s.n)
        .read(z, 2 * s.walkers * s.n)
        .read(occupied.index, s.walkers)
        .read(occupied.table, occupied.states * s.n)
        .write(&out.stages, s.stage_words())
        .write(&out.slope, 2 * s.walkers * s.n)
        .write(&out.records, RECORD * s.walkers)
        .trips(s.energy_trips(profile))
        .flops(s.term_flops() + directions + s.walkers as f64 * 60.0 * n.powi(3))
        .groups(groups(profile, s));
}

/// Records the scores of the flow, f32 `[walker][pad4(parameters)]`, from what [`record_energy`] has left.
pub fn record_scores(rec: &mut Recording, profile: Profile, s: Shape, weights: &Buffer, from: &Outputs, scores: &Buffer) {
    let ld = pad4(s.parameters());
    let units = (s.walkers * 4 * s.steps) as f64 * s.terms() as f64 * 35.0 * s.units as f64;
    launch(rec, profile, s, "flow scores", [&SCORES, &SCORES_LANE], ld)
        .read(weights, s.weight_words())
        .read(&from.stages, s.stage_words())
        .read(&from.slope, 2 * s.walkers * s.n)
        .read(&from.records, RECORD * s.walkers)
        .write(scores, s.walkers * ld)
        .trips(s.scores_trips(profile))
        .flops(s.term_flops() + units)
        .groups(groups(profile, s));
}
