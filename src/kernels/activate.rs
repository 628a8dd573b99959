//! `activate`: tanh, and its reverse mode.
//!
//! Twin: `f64::tanh` in those of the networks.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;

/// `shaders/activate.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "activate",
    source: include_str!("../../shaders/activate.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<[u32; 4]>(),
    variants: &[&[("WG", 64)]],
};

/// Records y = tanh(x) on `count4` vec4.
pub fn record(rec: &mut Recording, name: &str, count4: usize, x: &Buffer, y: &Buffer) {
    rec.launch(name, &KERNEL, &[count4 as u32, 0, 0, 0])
        .constants(&[("WG", WG)])
        .read(x, 4 * count4)
        .write(y, 4 * count4)
        .flops(80.0 * count4 as f64)
        .groups(grid(count4.div_ceil(WG as usize)));
}

/// Records d *= 1 - y^2 on `count4` vec4: `y` holds the tanh, `d` the gradient by it, which becomes that by its argument.
pub fn record_vjp(rec: &mut Recording, name: &str, count4: usize, y: &Buffer, d: &Buffer) {
    rec.launch(name, &KERNEL, &[count4 as u32, 1, 0, 0])
        .constants(&[("WG", WG)])
        .read(y, 4 * count4)
        .update(d, 4 * count4)
        .flops(12.0 * count4 as f64)
        .groups(grid(count4.div_ceil(WG as usize)));
}
