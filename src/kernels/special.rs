//! `special`: elementary functions on a buffer, with the stated accuracy on every driver.

use crate::gpu::{Buffer, Kernel, Recording, grid};

use super::WG;

/// `shaders/special.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "special",
    source: include_str!("../../shaders/special.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<Params>(),
    variants: &[
        &[("WG", 64), ("FUNCTION", 0), ("WIDTH", 2)],
        &[("WG", 64), ("FUNCTION", 1), ("WIDTH", 1)],
        &[("WG", 64), ("FUNCTION", 7), ("WIDTH", 4)],
    ],
};

/// Numbers of a launch.
#[allow(missing_docs)] // the shader says what they are
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    pub count: u32,
    pub pad: [u32; 3],
}

/// The functions; errors stand in `shaders/shared/special.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// (sin, cos) of 2 pi t
    SinCos2Pi,
    /// Complementary error function.
    Erfc,
    /// Hyperbolic tangent.
    Tanh,
    /// exp(x) - 1
    Expm1,
    /// ln(1 + x)
    Log1p,
    /// ln(1 + exp(x))
    Softplus,
    /// -ln(1 + exp(-x))
    LogSigmoid,
    /// softplus and its first three derivatives
    SoftplusJet,
    /// 1 for finite numbers, 0 otherwise
    Finite,
}

impl Function {
    /// Values a result.
    pub fn width(self) -> usize {
        match self {
            Function::SinCos2Pi => 2,
            Function::SoftplusJet => 4,
            _ => 1,
        }
    }
}

/// Records y = f(x) for the first `count` words of `x`; `y` holds `count` x `f.width()` words.
pub fn record(rec: &mut Recording, name: &str, f: Function, count: usize, x: &Buffer, y: &Buffer) {
    rec.launch(name, &KERNEL, &Params { count: count as u32, pad: [0; 3] })
        .constants(&[("WG", WG), ("FUNCTION", f as u32), ("WIDTH", f.width() as u32)])
        .read(x, count)
        .write(y, count * f.width())
        .trips(4)
        .flops(30.0 * count as f64)
        .groups(grid(count.div_ceil(WG as usize)));
}
