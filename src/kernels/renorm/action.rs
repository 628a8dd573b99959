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
    variants: &[&[("WG", WG)]],
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
    pad: [u32; 2],
}

/// U, dU/dx and ⟨m²⟩ of batches of fields.
pub struct Action {
    side: usize,
    samples: usize,
    basis: Buffer,
    inverse: Buffer,
    rows: Buffer,
    /// dU/dx, f32 `[sample][site]`.
    pub force: Buffer,
    /// U, f32 `[sample]`.
    pub energy: Buffer,
    /// N √(m²), f32 `[sample]`.
    pub magnetisation: Buffer,
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// Eigenvalues of K'⁻¹.
fn modes(dual: DualIsing) -> Vec<f32> {
    narrow(&dual.eigenvalues().iter().map(|l| 1.0 / l).collect::<Vec<_>>())
}

impl Action {
    /// For batches of `samples`.
    pub fn new(dual: DualIsing, samples: usize) -> Action {
        let (side, words) = (dual.side, samples * dual.sites());
        Action {
            side,
            samples,
            basis: Buffer::filled("Hartley basis", side * side, move || narrow(&dual.hartley())),
            inverse: Buffer::filled("eigenvalues", side * side, move || modes(dual)),
            rows: Buffer::new("transformed rows", words),
            force: Buffer::result("forces", words),
            energy: Buffer::result("actions", samples),
            magnetisation: Buffer::result("magnetisations", samples),
        }
    }

    /// Goes on at the temperature of `dual`, a model of the same lattice.
    pub fn temper(&self, gpu: &Gpu, dual: DualIsing) {
        gpu.write(&self.inverse, &modes(dual));
    }

    /// Records them for x, f32 `[sample][site]`.
    pub fn record(&self, rec: &mut Recording, x: &Buffer) {
        let (count, blocks, sites) = (self.samples, self.side * self.side / 4, self.side * self.side);
        let p = Params { count: count as u32, blocks: blocks as u32, pad: [0; 2] };
        self.transform(rec, "to modes", x);
        rec.launch("modes", &MODES, &p)
            .constants(&[("WG", WG)])
            .read(&self.inverse, sites)
            .update(&self.force, count * sites)
            .flops((count * sites) as f64)
            .groups(grid((count * blocks).div_ceil(WG as usize)));
        self.transform(rec, "from modes", &self.force);
        rec.launch("action", &ACTION, &p)
            .constants(&[("WG", WG)])
            .read(x, count * sites)
            .update(&self.force, count * sites)
            .write(&self.energy, count)
            .write(&self.magnetisation, count)
            .trips(blocks.div_ceil(WG as usize) as u64 + 1 + WG.ilog2() as u64)
            .flops(40.0 * (count * sites) as f64)
            .groups(grid(count));
    }

    /// H X H of each sample, into `force`.
    fn transform(&self, rec: &mut Recording, name: &str, x: &Buffer) {
        let (side, four) = (self.side, self.side / 4);
        let along = linear::Params::new(self.samples * side, four, four, 0);
        linear::record(rec, &format!("{name}, rows"), along, x, &self.basis, &self.rows);
        let down = linear::Params {
            batches: self.samples as u32,
            w_stride: (side * four) as u32,
            y_stride: (side * four) as u32,
            ..linear::Params::new(side, four, four, 0)
        };
        linear::record(rec, &format!("{name}, columns"), down, &self.basis, &self.rows, &self.force);
    }
}
