//! `krylov`: vector steps of preconditioned conjugate gradients and the capped parameter update.
//!
//! Twin: `reference::optimize`.

use crate::gpu::{Buffer, Kernel, Profile, Recording};

use super::cholesky::STATE_WORDS;
use super::scores::single;

/// `shaders/krylov.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "krylov",
    source: include_str!("../../shaders/krylov.wgsl"),
    shared: &["double_single", "solver_state"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64), ("PHASE", 0)], &[("WG", 64), ("PHASE", 1)], &[("WG", 256), ("PHASE", 2)], &[("WG", 256), ("PHASE", 3)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    words: u32,
    zero: u32,
    first: u32,
    pad0: u32,
    damping: f32,
    tolerance: f32,
    max_norm: f32,
    pad: u32,
}

/// The vectors of the iteration, double-single `[ld]`, and what they belong to.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// Of the solver, [`STATE_WORDS`].
    pub state: Buffer,
    /// d of (F + damping) d = g.
    pub solution: Buffer,
    /// r = g - (F + damping) d.
    pub residual: Buffer,
    /// z, r times the inverse of the preconditioner.
    pub preconditioned: Buffer,
    /// w, along which the next step goes.
    pub direction: Buffer,
    /// q = (F + damping) w.
    pub image: Buffer,
}

/// A step of the iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// d = 0, r = g.
    Start,
    /// w = z.
    FirstDirection,
    /// w conjugate to the one before, unless d is good enough.
    Direction,
    /// d and r along w.
    Step,
    /// Parameters less d, cut to the largest step.
    Finish,
}

/// What the steps need to know.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Length of the vectors.
    pub parameters: usize,
    /// Added to the diagonal of F.
    pub damping: f64,
    /// Of d, relative, in the norm of F + damping.
    pub tolerance: f64,
    /// Largest g·d of a step.
    pub max_norm: f64,
}

/// Records one step; `gradient` and `parameters` f32 `[parameters]`.
pub fn record(rec: &mut Recording, profile: Profile, phase: Phase, s: Settings, v: &Vectors, gradient: &Buffer, parameters: &Buffer) {
    let wg = single(profile);
    let (number, name) = match phase {
        Phase::Start => (0, "start"),
        Phase::FirstDirection | Phase::Direction => (1, "direction"),
        Phase::Step => (2, "step"),
        Phase::Finish => (3, "update"),
    };
    let p = Params {
        words: s.parameters as u32,
        zero: 0,
        first: (phase == Phase::FirstDirection) as u32,
        pad0: 0,
        damping: s.damping as f32,
        tolerance: s.tolerance as f32,
        max_norm: s.max_norm as f32,
        pad: 0,
    };
    let (words, pairs) = (s.parameters, 2 * s.parameters);
    // a phase does not touch every vector, but binds all of them
    let used = |phases: &[Phase], words: usize| if phases.contains(&phase) { words } else { 4 };
    use Phase::{Direction, Finish, FirstDirection, Start, Step};
    rec.launch(format!("conjugate gradients {name}"), &KERNEL, &p)
        .constants(&[("WG", wg as u32), ("PHASE", number)])
        .update(&v.state, STATE_WORDS)
        .read(gradient, used(&[Start, Step], words))
        .update(&v.solution, used(&[Start, Step, Finish], pairs))
        .update(&v.residual, used(&[Start, FirstDirection, Direction, Step], pairs))
        .read(&v.preconditioned, used(&[FirstDirection, Direction], pairs))
        .update(&v.direction, used(&[Start, FirstDirection, Direction, Step], pairs))
        .read(&v.image, used(&[Direction, Step], pairs))
        .update(parameters, used(&[Finish], words))
        .trips(2 * s.parameters.div_ceil(wg) as u64 + 40)
        .flops(100.0 * s.parameters as f64)
        .groups([1, 1, 1]);
}
