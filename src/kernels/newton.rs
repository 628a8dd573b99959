//! `newton`, `leave_out`: damped Newton iterations for z(x) = ζ, walker by walker.

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, Profile, Recording, grid};

use super::{WG, pad4};

/// `shaders/newton.wgsl`.
pub static NEWTON: Kernel = Kernel {
    name: "newton",
    source: include_str!("../../shaders/newton.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 8)], &[("WG", 64)]],
};

/// `shaders/leave_out.wgsl`.
pub static LEAVE_OUT: Kernel = Kernel {
    name: "leave_out",
    source: include_str!("../../shaders/leave_out.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<LeaveOutParams>(),
    variants: &[&[("WG", 64)]],
};

/// Most coordinates of a walker: the residual is kept in workgroup memory.
pub const MAX_COORDINATES: usize = 1024;
/// Status bit: the residual did not fall below the tolerance.
pub const NOT_CONVERGED: u32 = 2;
/// Status bit: det J is not positive at the solution.
pub const NOT_POSITIVE: u32 = 4;

/// What a launch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// x = 2 ζ - z(ζ); `z` was computed at ζ.
    Start = 0,
    /// One step from z and J⁻¹ at x.
    Step = 1,
    /// Folds x into the box and settles the status.
    Finish = 2,
}

/// Shapes and tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Of the chunk.
    pub walkers: usize,
    /// n dim.
    pub size: usize,
    /// Side of the box, units of x.
    pub length: f64,
    /// Largest residual max |z(x) - ζ| of a solution, units of x.
    pub tolerance: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    walkers: u32,
    size: u32,
    ld4: u32,
    phase: u32,
    length: f32,
    inverse_length: f32,
    tolerance: f32,
    pad: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct LeaveOutParams {
    walkers: u32,
    particles: u32,
    pad: [u32; 2],
}

/// What the iteration keeps for each walker.
#[derive(Clone, Debug)]
pub struct Iteration {
    /// Base point and step, f32 `[walker][2][size]`.
    pub line: Buffer,
    /// f32 `[walker][4]`: smallest residual; damping factor; after convergence the largest |entry of J⁻¹|; iterations.
    pub state: Buffer,
    /// u32 `[walker]`: 0 going on, 1 converged; after [`Phase::Finish`] 0 usable or [`NOT_CONVERGED`], [`NOT_POSITIVE`].
    pub status: Buffer,
}

impl Iteration {
    /// For up to `walkers` walkers of `size` coordinates.
    ///
    /// # Errors
    /// [`Error::User`] beyond [`MAX_COORDINATES`].
    pub fn new(walkers: usize, size: usize) -> Result<Iteration> {
        if size > MAX_COORDINATES {
            return Err(Error::User(format!("{size} coordinates: exact sampling takes at most {MAX_COORDINATES}; use sampler=metropolis")));
        }
        Ok(Iteration {
            line: Buffer::new("newton steps", 2 * walkers * size),
            state: Buffer::new("newton", 4 * walkers),
            status: Buffer::new("newton status", walkers),
        })
    }
}

/// The flow at x, and what is solved for.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// z(x), f32 `[walker][size]`.
    pub z: &'a Buffer,
    /// f32 `[walker][size]`.
    pub zeta: &'a Buffer,
    /// J⁻¹ at x, f32 `[walker][ld][ld]`, ld = pad4(size), padding 0.
    pub inverse: &'a Buffer,
    /// Sign of det J at x, f32 `[walker]`.
    pub sign: &'a Buffer,
}

/// Records a phase; changes `x` (f32 `[walker][size]`) and the iteration's buffers.
pub fn record(rec: &mut Recording, profile: Profile, phase: Phase, s: Settings, inputs: Inputs, x: &Buffer, it: &Iteration) {
    let wg = match profile {
        Profile::Simd => 8,
        Profile::Gpu => 64,
    };
    let ld4 = pad4(s.size) / 4;
    let params = Params {
        walkers: s.walkers as u32,
        size: s.size as u32,
        ld4: ld4 as u32,
        phase: phase as u32,
        length: s.length as f32,
        inverse_length: (1.0 / s.length) as f32,
        tolerance: s.tolerance as f32,
        pad: 0.0,
    };
    let work = if phase == Phase::Step { s.walkers * s.size * s.size } else { s.walkers * s.size };
    let (walkers, size) = (s.walkers, s.size);
    rec.launch("newton", &NEWTON, &params)
        .constants(&[("WG", wg)])
        .read(inputs.z, walkers * size)
        .read(inputs.zeta, walkers * size)
        .read(inputs.inverse, walkers * 16 * ld4 * ld4)
        .read(inputs.sign, walkers)
        .update(x, walkers * size)
        .update(&it.line, 2 * walkers * size)
        .update(&it.state, 4 * walkers)
        .update(&it.status, walkers)
        .trips((size.div_ceil(wg as usize) * (ld4 + 4)) as u64 + 2 * wg as u64 + 8)
        .flops(3.0 * work as f64)
        .groups(grid(walkers));
}

/// Records ln|Ψ| = -1e30 (f32 `[walker]`) for walkers that are not usable; `progress` of `dpp`.
pub fn record_leave_out(rec: &mut Recording, walkers: usize, particles: usize, status: &Buffer, progress: &Buffer, log_psi: &Buffer) {
    let params = LeaveOutParams { walkers: walkers as u32, particles: particles as u32, pad: [0; 2] };
    rec.launch("leave out", &LEAVE_OUT, &params)
        .constants(&[("WG", WG)])
        .read(status, walkers)
        .read(progress, 4 * walkers)
        .update(log_psi, walkers)
        .flops(walkers as f64)
        .groups(grid(walkers.div_ceil(WG as usize)));
}
