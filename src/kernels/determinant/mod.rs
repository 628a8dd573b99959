//! ln|det|, sign or phase, and inverse of batches of square matrices.
//!
//! CPU drivers give each invocation a matrix (`lu_lane_*`), GPUs each workgroup one in its registers (`lu_tile_*`); what is too
//! large for either is reduced in a buffer by a workgroup (`lu_real`, `lu_complex`).
//!
//! ```
//! use helmholtz::gpu::{Buffer, Profile, Recording};
//! use helmholtz::kernels::determinant::{self, Outputs};
//!
//! // 512 Slater matrices of 29 orbitals: vec2 (re, im), [walker][particle][orbital]
//! let (order, batch) = (29, 512);
//! let slater = Buffer::new("slater", batch * order * order * 2);
//! let out = Outputs::complex("slater", order, batch, true)?;
//! let mut rec = Recording::new();
//! determinant::complex(&mut rec, "slater determinant", Profile::Gpu, &slater, order, batch, &out);
//! // after gpu.run(&rec): out.logdet, out.sign (here the phase), out.status, out.inverse
//! assert_eq!(rec.dispatches().count(), 1);
//! # Ok::<(), helmholtz::Error>(())
//! ```

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Kernel, Launch, MAX_TRIPS, Profile, Recording, grid};

use super::pad4;

mod lane;
mod tile;

pub use lane::{LANE_COMPLEX, LANE_REAL};
pub use tile::{TILE_COMPLEX, TILE_REAL};

const VARIANTS: &[&[(&str, u32)]] = &[&[("WG", 8)], &[("WG", 64)], &[("WG", 128)], &[("WG", 256)]];

/// `shaders/lu_real.wgsl`.
pub static REAL: Kernel = Kernel {
    name: "lu_real",
    source: include_str!("../../../shaders/lu_real.wgsl"),
    shared: &["grid", "logarithm"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

/// `shaders/lu_complex.wgsl`.
pub static COMPLEX: Kernel = Kernel {
    name: "lu_complex",
    source: include_str!("../../../shaders/lu_complex.wgsl"),
    shared: &["complex", "grid", "logarithm"],
    params_bytes: size_of::<Params>(),
    variants: VARIANTS,
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    order: u32,
    ld4: u32,
    inverse: u32,
}

/// Largest order: pivot rows are packed into 10 bits.
pub const MAX_ORDER: usize = 1024;
/// Status bit: a pivot was zero or not finite; logdet is -1e30, sign or phase 0, the inverse 0.
pub const SINGULAR: u32 = 1;
/// Status bit: the pivots differ by more than 1e3; expect errors above 1e-4 in ln|det|.
pub const ILL_CONDITIONED: u32 = 2;
/// Status bit: a pivot was infinite or not a number (then [`SINGULAR`] is set too).
pub const NOT_FINITE: u32 = 4;

/// Where the results go.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// ln|det|, f32 `[batch]`; -1e30 where the matrix is singular or not finite.
    pub logdet: Buffer,
    /// Real: ±1 (0 if singular), f32 `[batch]`. Complex: the phase in (-π, π], f32 `[batch]`.
    pub sign: Buffer,
    /// u32 `[batch]`: [`SINGULAR`] | [`ILL_CONDITIONED`] | [`NOT_FINITE`].
    pub status: Buffer,
    /// The inverses in the layout of the matrices; `None` leaves them out (a third of the work).
    pub inverse: Option<Buffer>,
    /// Scratch that the reduction runs in; may be shared by launches of the same shape.
    pub work: Buffer,
}

impl Outputs {
    /// Buffers for `batch` real matrices of `order`; `name` starts their names.
    pub fn real(name: &str, order: usize, batch: usize, inverse: bool) -> Result<Outputs> {
        let words = batch * pad4(order) * pad4(order);
        Outputs::new(name, order, batch, inverse.then_some(words), 1)
    }

    /// Buffers for `batch` complex matrices of `order`; `name` starts their names.
    pub fn complex(name: &str, order: usize, batch: usize, inverse: bool) -> Result<Outputs> {
        Outputs::new(name, order, batch, inverse.then_some(2 * batch * order * order), 2)
    }

    fn new(name: &str, order: usize, batch: usize, inverse: Option<usize>, parts: usize) -> Result<Outputs> {
        if order == 0 || order > MAX_ORDER {
            return Err(Error::User(format!("{name}: determinant of order {order}; the kernels take 1 to {MAX_ORDER}")));
        }
        let buffer = |what: &str, words| Buffer::new(format!("{name} {what}"), words);
        Ok(Outputs {
            logdet: buffer("ln|det|", batch),
            sign: buffer("sign", batch),
            status: buffer("status", batch),
            inverse: inverse.map(|words| buffer("inverse", words)),
            work: buffer("elimination", batch * lane::work_words(order, parts)),
        })
    }

    /// The same results without the inverse, sharing every buffer: for Metropolis steps.
    pub fn without_inverse(&self) -> Outputs {
        Outputs { inverse: None, ..self.clone() }
    }
}

/// Records ln|det|, sign and (if asked for) inverse of `batch` real matrices `[batch][ld][ld]`,
/// ld = `pad4(order)`, padding zero. The matrices are kept.
pub fn real(rec: &mut Recording, name: &str, profile: Profile, matrices: &Buffer, order: usize, batch: usize, out: &Outputs) {
    Problem { matrices, order, batch, parts: 1, out }.record(rec, name, profile);
}

/// Records ln|det|, phase and (if asked for) inverse of `batch` complex matrices `[batch][order][order]`
/// of (re, im) without padding. The matrices are kept.
pub fn complex(rec: &mut Recording, name: &str, profile: Profile, matrices: &Buffer, order: usize, batch: usize, out: &Outputs) {
    Problem { matrices, order, batch, parts: 2, out }.record(rec, name, profile);
}

/// Upper bound of the loop trips of one invocation of a workgroup of `wg`.
fn trips(order: usize, wg: usize, inverse: bool) -> u64 {
    let (m, ld4) = (order, pad4(order) / 4);
    let share = |n: usize| n.div_ceil(wg) as u64;
    let mut total = 5 * share(4 * ld4 * ld4) + 3 * share(m * m) + 2 * m as u64;
    for panel in 0..ld4 {
        let rows = if inverse { m } else { m - 4 * panel };
        let below = if inverse { m } else { m.saturating_sub(4 * panel + 4) };
        let columns = if inverse { ld4 } else { ld4 - panel - 1 };
        total += 6 + 5 * share(rows) + 10 * share(columns);
        if let Some(split) = wg.checked_div(columns) {
            let split = split.max(1);
            total += share(columns * split) * (1 + below.div_ceil(split) as u64);
        }
        if inverse {
            total += 5 * share(ld4);
        }
    }
    total
}

/// Threads a matrix: one SIMD register on CPU drivers, about a column each on GPUs; more if the
/// loops would grow too long.
fn threads(profile: Profile, order: usize, inverse: bool) -> usize {
    let mut wg = match profile {
        Profile::Simd => 8,
        Profile::Gpu if order <= 32 => 64,
        Profile::Gpu if order <= 64 => 128,
        Profile::Gpu => 256,
    };
    while wg < 256 && trips(order, wg, inverse) > MAX_TRIPS {
        wg = if wg == 8 { 64 } else { 2 * wg };
    }
    wg
}

/// A batch to reduce.
struct Problem<'a> {
    matrices: &'a Buffer,
    order: usize,
    batch: usize,
    /// 1 real, 2 complex.
    parts: usize,
    out: &'a Outputs,
}

impl Problem<'_> {
    /// Words of the matrices, and of the inverses.
    fn words(&self) -> usize {
        let row = if self.parts == 1 { pad4(self.order) } else { self.order };
        self.batch * self.parts * row * row
    }

    /// Describes a launch of a kernel: its bindings, the same for all of them but for the scratch (`work` words, if any), and its work.
    fn launch<'r, P: bytemuck::Pod>(
        &self,
        rec: &'r mut Recording,
        name: &str,
        kernel: &'static Kernel,
        params: &P,
        work: usize,
    ) -> Launch<'r> {
        let (out, batch, words) = (self.out, self.batch, self.words());
        let launch = rec.launch(name, kernel, params).read(self.matrices, words);
        let launch = if work > 0 { launch.update(&out.work, work) } else { launch };
        let launch = launch.write(&out.logdet, batch).write(&out.sign, batch).write(&out.status, batch).flops(self.flops());
        // matrices are read once and inverses written once; the scratch is small
        match &out.inverse {
            Some(inverse) => launch.write(inverse, words).moved(8.0 * words as f64),
            None => launch.write(&Buffer::new("no inverse", 4), 4).moved(4.0 * words as f64),
        }
    }

    /// 2/3 m^3 operations for the factors, 2 m^3 with the inverse; a complex product is four real ones.
    fn flops(&self) -> f64 {
        let (m, parts) = (self.order as f64, self.parts as f64);
        self.batch as f64 * parts * parts * m * m * m * if self.out.inverse.is_some() { 2.0 } else { 2.0 / 3.0 }
    }

    fn record(&self, rec: &mut Recording, name: &str, profile: Profile) {
        match profile {
            Profile::Simd if lane::fits(self.order, self.parts, self.out.inverse.is_some()) => lane::record(rec, name, self),
            Profile::Gpu if tile::fits(self.order) => tile::record(rec, name, self),
            _ => self.record_in_storage(rec, name, profile),
        }
    }

    fn record_in_storage(&self, rec: &mut Recording, name: &str, profile: Profile) {
        let inverse = self.out.inverse.is_some();
        let wg = threads(profile, self.order, inverse);
        let ld4 = (pad4(self.order) / 4) as u32;
        let params = Params { batch: self.batch as u32, order: self.order as u32, ld4, inverse: inverse as u32 };
        let kernel = if self.parts == 1 { &REAL } else { &COMPLEX };
        self.launch(rec, name, kernel, &params, 16 * self.parts * self.batch * (ld4 * ld4) as usize)
            .constants(&[("WG", wg as u32)])
            .trips(trips(self.order, wg, inverse))
            .groups(grid(self.batch));
    }
}
