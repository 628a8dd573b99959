//! The action of the continuous dual of the Ising model: Hartley transforms by products, `dual_modes` between them,
//! `dual_action` behind.

use crate::gpu::{Buffer, Gpu, Kernel, Recording, grid};
use crate::kernels::{WG, linear};
use crate::system::DualIsing;

/// `shaders/dual_modes.wgsl`.
pub static MODES: Kernel = Kernel {
    name: "dual_modes",
    source: include_str!("../../../shaders/dual_modes.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", WG), ("SLOPE", 0)], &[("WG", WG), ("SLOPE", 1)]],
};

/// `shaders/dual_action.wgsl`.
pub static ACTION: Kernel = Kernel {
    name: "dual_action",
    source: include_str!("../../../shaders/dual_action.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", WG)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    blocks: u32,
    constant: f32,
    pad: u32,
}

/// Fields x = M y of batches of y, U(x) - ln|det M|, its gradient by y, and ⟨m²⟩; M = √K' or 1.
pub struct Action {
    side: usize,
    samples: usize,
    white: bool,
    /// -ln|det M| at the present temperature.
    constant: f64,
    basis: Buffer,
    table: Buffer,
    rows: Buffer,
    modes: Buffer,
    /// x, f32 `[sample][site]`.
    pub x: Buffer,
    /// dU/dy, f32 `[sample][site]`.
    pub force: Buffer,
    /// U - ln|det M|, f32 `[sample]`.
    pub energy: Buffer,
    /// N √(m²), f32 `[sample]`.
    pub magnetisation: Buffer,
}

/// By mode, μ of M, then μ²/λ.
fn table(dual: DualIsing, white: bool) -> Vec<f32> {
    let values = dual.eigenvalues();
    let of = |f: fn(f64) -> f64| values.iter().map(|l| f(*l) as f32).collect::<Vec<_>>();
    if white { [of(f64::sqrt), of(|_| 1.0)].concat() } else { [of(|_| 1.0), of(f64::recip)].concat() }
}

fn constant(dual: DualIsing, white: bool) -> f64 {
    if white { -0.5 * dual.ln_det() } else { 0.0 }
}

impl Action {
    /// For batches of `samples`; `white`: M = √K', so that y given the spins are white noise about their mean.
    pub fn new(dual: DualIsing, white: bool, samples: usize) -> Action {
        let (side, words) = (dual.side, samples * dual.sites());
        Action {
            side,
            samples,
            white,
            constant: constant(dual, white),
            basis: Buffer::filled("Hartley basis", side * side, move || dual.hartley().iter().map(|v| *v as f32).collect()),
            table: Buffer::filled("eigenvalues", 2 * side * side, move || table(dual, white)),
            rows: Buffer::new("transformed rows", words),
            modes: Buffer::new("amplitudes of modes", words),
            x: Buffer::result("fields", words),
            force: Buffer::result("forces", words),
            energy: Buffer::result("actions", samples),
            magnetisation: Buffer::result("magnetisations", samples),
        }
    }

    /// Goes on at the temperature of `dual`, a model of the same lattice.
    pub fn temper(&mut self, gpu: &Gpu, dual: DualIsing) {
        self.constant = constant(dual, self.white);
        gpu.write(&self.table, &table(dual, self.white));
    }

    /// -ln|det M|.
    pub fn constant(&self) -> f64 {
        self.constant
    }

    /// Records them for y, f32 `[sample][site]`.
    pub fn record(&self, rec: &mut Recording, y: &Buffer) {
        let (count, blocks, sites) = (self.samples, self.side * self.side / 4, self.side * self.side);
        let p = Params { count: count as u32, blocks: blocks as u32, constant: self.constant as f32, pad: 0 };
        let modes = |rec: &mut Recording, slope: u32| {
            rec.launch("modes", &MODES, &p)
                .constants(&[("WG", WG), ("SLOPE", slope)])
                .read(&self.table, 2 * sites)
                .read(&self.modes, count * sites)
                .update(&self.force, count * sites)
                .flops((count * sites) as f64 * (1.0 + 2.0 * slope as f64))
                .groups(grid((count * blocks).div_ceil(WG as usize)));
        };
        self.transform(rec, "to modes", y, &self.modes);
        modes(rec, 0);
        self.transform(rec, "to fields", &self.force, &self.x);
        rec.launch("action", &ACTION, &p)
            .constants(&[("WG", WG)])
            .read(&self.table, 2 * sites)
            .read(&self.modes, count * sites)
            .read(&self.x, count * sites)
            .write(&self.force, count * sites)
            .write(&self.energy, count)
            .write(&self.magnetisation, count)
            .trips(blocks.div_ceil(WG as usize) as u64 + 1 + WG.ilog2() as u64)
            .flops(40.0 * (count * sites) as f64)
            .groups(grid(count));
        self.transform(rec, "slopes to modes", &self.force, &self.force);
        modes(rec, 1);
        self.transform(rec, "forces", &self.force, &self.force);
    }

    /// H X H of each sample.
    fn transform(&self, rec: &mut Recording, name: &str, x: &Buffer, y: &Buffer) {
        let (side, four) = (self.side, self.side / 4);
        let along = linear::Params::new(self.samples * side, four, four, 0);
        linear::record(rec, &format!("{name}, rows"), along, x, &self.basis, &self.rows);
        let down = linear::Params {
            batches: self.samples as u32,
            w_stride: (side * four) as u32,
            y_stride: (side * four) as u32,
            ..linear::Params::new(side, four, four, 0)
        };
        linear::record(rec, &format!("{name}, columns"), down, &self.basis, &self.rows, y);
    }
}
