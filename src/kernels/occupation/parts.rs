//! Host sides of the small kernels of the occupation model, one a shader.

use crate::gpu::{Buffer, Kernel, Recording, grid};
use crate::kernels::WG;

macro_rules! kernel {
    ($name:literal, $shared:expr, $params:ty, $variants:expr) => {
        Kernel {
            name: $name,
            source: include_str!(concat!("../../../shaders/", $name, ".wgsl")),
            shared: $shared,
            params_bytes: size_of::<$params>(),
            variants: $variants,
        }
    };
}

/// `shaders/occupation_embed.wgsl`.
pub static EMBED: Kernel = kernel!("occupation_embed", &["grid"], EmbedParams, &[&[("WG", 64)]]);
/// `shaders/occupation_activate.wgsl`.
pub static ACTIVATE: Kernel = kernel!("occupation_activate", &["grid", "special"], [u32; 4], &[&[("WG", 64)]]);
/// `shaders/occupation_attention.wgsl`.
pub static ATTENTION: Kernel = kernel!(
    "occupation_attention",
    &["grid"],
    AttentionParams,
    &[
        &[("WG", 64), ("MODE", 0), ("ALIGNED", 1)],
        &[("WG", 64), ("MODE", 1), ("ALIGNED", 1)],
        &[("WG", 64), ("MODE", 0), ("ALIGNED", 0)],
        &[("WG", 64), ("MODE", 1), ("ALIGNED", 0)],
    ]
);
/// `shaders/occupation_mix.wgsl`.
pub static MIX: Kernel =
    kernel!("occupation_mix", &["grid"], AttentionParams, &[&[("WG", 64), ("ALIGNED", 1)], &[("WG", 64), ("ALIGNED", 0)]]);
/// `shaders/occupation_logits.wgsl`.
pub static LOGITS: Kernel = kernel!("occupation_logits", &["grid", "special"], LogitsParams, &[&[("WG", 64)]]);
/// `shaders/occupation_total.wgsl`.
pub static TOTAL: Kernel = kernel!("occupation_total", &["grid"], [u32; 4], &[&[("WG", 64)]]);

/// Rows of the states, and the number of orbitals that bounds what stands in them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct EmbedParams {
    pub count: u32,
    pub tokens: u32,
    pub n: u32,
    pub first: u32,
    pub orbitals: u32,
    pub pad: [u32; 3],
}

/// Shapes of one layer's attention; see `occupation_attention.wgsl` and `occupation_mix.wgsl`, where
/// `scale` is a word of padding and `flags` counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct AttentionParams {
    pub count: u32,
    pub tokens: u32,
    pub heads: u32,
    pub size: u32,
    pub ld4: u32,
    pub extra: u32,
    pub pad: [u32; 2],
}

impl AttentionParams {
    /// Words of the rows (walker, token), and of the squares (token, token) of every walker and head.
    fn words(&self) -> (usize, usize) {
        let [count, tokens, heads, ld4] = [self.count, self.tokens, self.heads, self.ld4].map(|v| v as usize);
        (4 * count * tokens * ld4, count * heads * tokens * tokens)
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct LogitsParams {
    pub count: u32,
    pub n: u32,
    pub orbitals: u32,
    pub ld: u32,
    pub first: u32,
    pub first_factor: u32,
    pub flags: u32,
    pub factor_step: u32,
}

/// Flag of [`logits`]: leave the gradient by the logits in their place.
pub(super) const GRADIENT: u32 = 1;

/// u = momenta of the first `tokens` orbitals of each state (row `first` on).
pub(super) fn embed(rec: &mut Recording, p: EmbedParams, states: &Buffer, orbitals: &Buffer, u: &Buffer) {
    let [count, tokens, n, first] = [p.count, p.tokens, p.n, p.first].map(|v| v as usize);
    rec.launch("embed", &EMBED, &p)
        .constants(&[("WG", WG)])
        .read(states, n * first..n * (first + count) + tokens - n)
        .read(orbitals, 4 * p.orbitals as usize)
        .write(u, 4 * count * tokens)
        .moved(36.0 * (count * tokens) as f64)
        .groups(threads(count * tokens));
}

/// y = tanh(x) on `count4` vec4.
pub(crate) fn activate(rec: &mut Recording, name: &str, count4: usize, x: &Buffer, y: &Buffer) {
    rec.launch(name, &ACTIVATE, &[count4 as u32, 0, 0, 0])
        .constants(&[("WG", WG)])
        .read(x, 4 * count4)
        .write(y, 4 * count4)
        .flops(80.0 * count4 as f64)
        .groups(threads(count4));
}

/// y *= 1 - x^2 on `count4` vec4; x holds the tanh.
pub(crate) fn activate_vjp(rec: &mut Recording, name: &str, count4: usize, x: &Buffer, y: &Buffer) {
    rec.launch(name, &ACTIVATE, &[count4 as u32, 1, 0, 0])
        .constants(&[("WG", WG)])
        .read(x, 4 * count4)
        .update(y, 4 * count4)
        .flops(12.0 * count4 as f64)
        .groups(threads(count4));
}

/// Whether heads begin at multiples of 4 columns.
fn aligned(p: &AttentionParams) -> (&'static str, u32) {
    ("ALIGNED", p.size.is_multiple_of(4) as u32)
}

/// Attention weights (`vjp` false) or the gradient by the dot products (true); buffers q, k, weights, a.
pub(super) fn attention(rec: &mut Recording, name: &str, vjp: bool, p: AttentionParams, [q, k, weights, a]: [&Buffer; 4]) {
    let scale = 1.0 / (p.size as f32).sqrt();
    let p = AttentionParams { extra: scale.to_bits(), ..p };
    let (rows, squares) = p.words();
    let pairs = 0.5 * (p.count * p.heads) as f64 * (p.tokens as f64).powi(2);
    rec.launch(name, &ATTENTION, &p)
        .constants(&[("WG", WG), ("MODE", vjp as u32), aligned(&p)])
        .read(q, rows)
        .read(k, rows)
        .read(weights, if vjp { squares } else { 4 })
        .write(a, squares)
        .trips((p.tokens * (p.size / 4 + 5)) as u64)
        .flops(pairs * (2.0 * p.size as f64 + 20.0))
        .moved(4.0 * pairs * (2.0 * p.size as f64 + 4.0))
        .groups(threads((p.count * p.heads * p.tokens) as usize));
}

/// y = a x, or its transpose, head by head.
pub(super) fn mix(rec: &mut Recording, name: &str, transposed: bool, p: AttentionParams, a: &Buffer, x: &Buffer, y: &Buffer) {
    let p = AttentionParams { extra: transposed as u32, ..p };
    let (rows, squares) = p.words();
    let pairs = 0.5 * 4.0 * (p.count * p.ld4) as f64 * (p.tokens as f64).powi(2);
    rec.launch(name, &MIX, &p)
        .constants(&[("WG", WG), aligned(&p)])
        .read(a, squares)
        .read(x, rows)
        .write(y, rows)
        .trips(p.tokens as u64)
        .flops(2.0 * pairs)
        .moved(8.0 * pairs)
        .groups(threads(rows / 4));
}

/// Conditional log-probabilities by row; buffers states, bias, factors, logits, rows.
pub(super) fn logits(rec: &mut Recording, p: LogitsParams, [states, bias, factors, logits, rows]: [&Buffer; 5]) {
    let [count, n, ld, first, factor, step] = [p.count, p.n, p.ld, p.first, p.first_factor, p.factor_step].map(|v| v as usize);
    let words = count * n * ld;
    // windows end before the padding of a row, which only gradients are written to
    let padding = ld - p.orbitals as usize;
    let gradient = p.flags & GRADIENT != 0;
    rec.launch("logits", &LOGITS, &p)
        .constants(&[("WG", WG)])
        .read(states, n * first..n * (first + count))
        .read(bias, n * ld - padding)
        .read(factors, if gradient { factor..factor + step * count.saturating_sub(1) + 1 } else { 0..4 })
        .update(logits, if gradient { words } else { words.saturating_sub(padding) })
        .write(rows, count * n)
        .trips(3 * ld as u64)
        .flops(30.0 * words as f64)
        .groups(threads(count * n));
}

/// logp\[first + w\] = sum of the n rows of walker w < count.
pub(super) fn total(rec: &mut Recording, count: usize, n: usize, first: usize, rows: &Buffer, logp: &Buffer) {
    rec.launch("total", &TOTAL, &[count as u32, n as u32, first as u32, 0])
        .constants(&[("WG", WG)])
        .read(rows, count * n)
        .write(logp, first..first + count)
        .trips(n as u64)
        .flops((count * n) as f64)
        .groups(threads(count));
}

/// Workgroups for so many invocations.
fn threads(count: usize) -> [u32; 3] {
    grid(count.div_ceil(WG as usize))
}
