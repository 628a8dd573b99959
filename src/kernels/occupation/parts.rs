//! Host sides of the small kernels of the occupation model, one a shader.

use crate::gpu::{Buffer, Dispatch, Kernel, Recording, grid};
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

pub static EMBED: Kernel = kernel!("occupation_embed", &["grid"], [u32; 4], &[&[("WG", 64)]]);
pub static ACTIVATE: Kernel = kernel!("occupation_activate", &["grid", "special"], [u32; 4], &[&[("WG", 64)]]);
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
pub static MIX: Kernel =
    kernel!("occupation_mix", &["grid"], AttentionParams, &[&[("WG", 64), ("ALIGNED", 1)], &[("WG", 64), ("ALIGNED", 0)]]);
pub static LOGITS: Kernel = kernel!("occupation_logits", &["grid", "special"], LogitsParams, &[&[("WG", 64)]]);
pub static TOTAL: Kernel = kernel!("occupation_total", &["grid"], [u32; 4], &[&[("WG", 64)]]);

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

struct Work {
    threads: usize,
    trips: usize,
    flops: f64,
    bytes: f64,
}

fn push(
    rec: &mut Recording,
    name: &str,
    kernel: &'static Kernel,
    more: &[(&'static str, u32)],
    params: &[u8],
    buffers: &[&Buffer],
    work: Work,
) {
    let mut constants = vec![("WG", WG)];
    constants.extend(more);
    rec.push(Dispatch {
        name: name.into(),
        kernel,
        constants,
        params: params.to_vec(),
        buffers: buffers.iter().map(|&b| b.clone()).collect(),
        groups: grid(work.threads.div_ceil(WG as usize)),
        trips: work.trips as u64,
        flops: work.flops,
        bytes: work.bytes,
    });
}

/// u = momenta of the first `tokens` orbitals of each state (row `first` on).
pub(super) fn embed(rec: &mut Recording, p: [usize; 4], states: &Buffer, orbitals: &Buffer, u: &Buffer) {
    let threads = p[0] * p[1];
    let work = Work { threads, trips: 0, flops: 0.0, bytes: 36.0 * threads as f64 };
    push(rec, "embed", &EMBED, &[], bytemuck::bytes_of(&p.map(|v| v as u32)), &[states, orbitals, u], work);
}

/// y = tanh(x) on `count4` vec4.
pub(super) fn activate(rec: &mut Recording, name: &str, count4: usize, x: &Buffer, y: &Buffer) {
    let work = Work { threads: count4, trips: 0, flops: 80.0 * count4 as f64, bytes: 32.0 * count4 as f64 };
    push(rec, name, &ACTIVATE, &[], bytemuck::bytes_of(&[count4 as u32, 0, 0, 0]), &[x, y], work);
}

/// y *= 1 - x^2 on `count4` vec4; x holds the tanh.
pub(super) fn activate_vjp(rec: &mut Recording, name: &str, count4: usize, x: &Buffer, y: &Buffer) {
    let work = Work { threads: count4, trips: 0, flops: 12.0 * count4 as f64, bytes: 48.0 * count4 as f64 };
    push(rec, name, &ACTIVATE, &[], bytemuck::bytes_of(&[count4 as u32, 1, 0, 0]), &[x, y], work);
}

/// Whether heads begin at multiples of 4 columns.
fn aligned(p: &AttentionParams) -> (&'static str, u32) {
    ("ALIGNED", p.size.is_multiple_of(4) as u32)
}

/// Attention weights (`vjp` false) or the gradient by the dot products (true); buffers q, k, weights, a.
pub(super) fn attention(rec: &mut Recording, name: &str, vjp: bool, p: AttentionParams, buffers: [&Buffer; 4]) {
    let scale = 1.0 / (p.size as f32).sqrt();
    let p = AttentionParams { extra: scale.to_bits(), ..p };
    let pairs = 0.5 * (p.count * p.heads) as f64 * (p.tokens as f64).powi(2);
    let work = Work {
        threads: (p.count * p.heads * p.tokens) as usize,
        trips: (p.tokens * (p.size / 4 + 5)) as usize,
        flops: pairs * (2.0 * p.size as f64 + 20.0),
        bytes: 4.0 * pairs * (2.0 * p.size as f64 + 4.0),
    };
    push(rec, name, &ATTENTION, &[("MODE", vjp as u32), aligned(&p)], bytemuck::bytes_of(&p), &buffers, work);
}

/// y = a x, or its transpose, head by head.
pub(super) fn mix(rec: &mut Recording, name: &str, transposed: bool, p: AttentionParams, a: &Buffer, x: &Buffer, y: &Buffer) {
    let p = AttentionParams { extra: transposed as u32, ..p };
    let pairs = 0.5 * 4.0 * (p.count * p.ld4) as f64 * (p.tokens as f64).powi(2);
    let work = Work { threads: (p.count * p.tokens * p.ld4) as usize, trips: p.tokens as usize, flops: 2.0 * pairs, bytes: 8.0 * pairs };
    push(rec, name, &MIX, &[aligned(&p)], bytemuck::bytes_of(&p), &[a, x, y], work);
}

/// Conditional log-probabilities by row; buffers states, bias, factors, logits, rows.
pub(super) fn logits(rec: &mut Recording, p: LogitsParams, buffers: [&Buffer; 5]) {
    let words = (p.count * p.n) as f64 * p.ld as f64;
    let work = Work { threads: (p.count * p.n) as usize, trips: 3 * p.ld as usize, flops: 30.0 * words, bytes: 16.0 * words };
    push(rec, "logits", &LOGITS, &[], bytemuck::bytes_of(&p), &buffers, work);
}

/// logp\[first + w\] = sum of the n rows of walker w < count.
pub(super) fn total(rec: &mut Recording, count: usize, n: usize, first: usize, rows: &Buffer, logp: &Buffer) {
    let words = (count * n) as f64;
    let work = Work { threads: count, trips: n, flops: words, bytes: 4.0 * words };
    push(rec, "total", &TOTAL, &[], bytemuck::bytes_of(&[count as u32, n as u32, first as u32, 0]), &[rows, logp], work);
}
