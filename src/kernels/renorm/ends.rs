//! Where samples of the flow begin, and what becomes of them at the end: `renorm_base`, `renorm_join`, `renorm_mix`.

use crate::gpu::{Buffer, Kernel, Recording, grid};
use crate::kernels::WG;
use crate::kernels::philox::{Address, Stream};

/// `shaders/renorm_base.wgsl`.
pub static BASE: Kernel = Kernel {
    name: "renorm_base",
    source: include_str!("../../../shaders/renorm_base.wgsl"),
    shared: &["grid", "special", "philox"],
    params_bytes: size_of::<BaseParams>(),
    variants: &[&[("WG", WG), ("DRAW", 0)], &[("WG", WG), ("DRAW", 1)]],
};

/// `shaders/renorm_join.wgsl`.
pub static JOIN: Kernel = Kernel {
    name: "renorm_join",
    source: include_str!("../../../shaders/renorm_join.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<JoinParams>(),
    variants: &[&[("WG", WG), ("Z2", 0)], &[("WG", WG), ("Z2", 1)]],
};

/// `shaders/renorm_mix.wgsl`.
pub static MIX: Kernel = Kernel {
    name: "renorm_mix",
    source: include_str!("../../../shaders/renorm_mix.wgsl"),
    shared: &["grid", "special"],
    params_bytes: size_of::<MixParams>(),
    variants: &[
        &[("WG", WG), ("Z2", 0), ("TOTAL", 0)],
        &[("WG", WG), ("Z2", 1), ("TOTAL", 0)],
        &[("WG", WG), ("Z2", 0), ("TOTAL", 1)],
        &[("WG", WG), ("Z2", 1), ("TOTAL", 1)],
    ],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct BaseParams {
    at: Address,
    count: u32,
    blocks: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct JoinParams {
    count: u32,
    patches: u32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct MixParams {
    count: u32,
    blocks: u32,
    scale: f32,
    pad: u32,
}

/// Trips of a tree over a workgroup and of what its lanes take by turns.
fn tree(turns: usize) -> u64 {
    (turns.div_ceil(WG as usize) + 1 + WG.ilog2() as usize) as u64
}

/// Records `count` latent variables z of `sites` (a multiple of 4) standard normal numbers each, f32 `[sample][site]`; -z into
/// `g` and ln N(z) into `normal`, f32 `[sample]`.
pub fn draw(rec: &mut Recording, at: Stream, count: usize, sites: usize, z: &Buffer, g: &Buffer, normal: &Buffer) {
    record_base(rec, Some(at), count, sites, z, g, normal);
}

/// The same of z that are there.
pub fn base(rec: &mut Recording, count: usize, sites: usize, z: &Buffer, g: &Buffer, normal: &Buffer) {
    record_base(rec, None, count, sites, z, g, normal);
}

fn record_base(rec: &mut Recording, at: Option<Stream>, count: usize, sites: usize, z: &Buffer, g: &Buffer, normal: &Buffer) {
    let (blocks, words) = (sites / 4, count * sites);
    let address = at.map_or(Address::default(), Stream::address);
    let p = BaseParams { at: address, count: count as u32, blocks: blocks as u32, pad: 0 };
    let name = if at.is_some() { "latent variables" } else { "ln N" };
    let launch = rec.launch(name, &BASE, &p).constants(&[("WG", WG), ("DRAW", at.is_some() as u32)]);
    launch
        .update(z, words)
        .write(g, words)
        .write(normal, count)
        .trips(11 * blocks.div_ceil(WG as usize) as u64 + 12 + WG.ilog2() as u64)
        .flops(60.0 * words as f64)
        .groups(grid(count));
}

/// ln N of latent variables, f32 `[sample]`, and sums of s, f32 `[sample][sites/4]`.
#[derive(Clone, Copy)]
pub struct Logs<'b> {
    /// ln N(z).
    pub normal: &'b Buffer,
    /// A number a patch of the finest level.
    pub log_det: &'b Buffer,
}

/// Records ln q and the share of the flow's own sign in it, f32 `[sample]`, from those of x and of -x; without the latter ln q is
/// that of the flow.
pub fn join(rec: &mut Recording, count: usize, sites: usize, plus: Logs, minus: Option<Logs>, log_q: &Buffer, share: &Buffer) {
    let (patches, z2) = (sites / 4, minus.is_some());
    let unused = [Buffer::new("unused", 4), Buffer::new("unused", 4)];
    let (normal, log_det) = minus.map_or((&unused[0], &unused[1]), |m| (m.normal, m.log_det));
    rec.launch("ln q", &JOIN, &JoinParams { count: count as u32, patches: patches as u32, pad: [0; 2] })
        .constants(&[("WG", WG), ("Z2", z2 as u32)])
        .read(plus.normal, count)
        .read(plus.log_det, count * patches)
        .read(normal, if z2 { count } else { 4 })
        .read(log_det, if z2 { count * patches } else { 4 })
        .write(log_q, count)
        .write(share, count)
        .trips(tree(patches))
        .flops((2 * count * patches) as f64)
        .groups(grid(count));
}

/// What [`mix`] works on; see the shader's header.
#[derive(Clone, Copy)]
#[allow(missing_docs)] // as there
pub struct Mixed<'b> {
    pub g: &'b Buffer,
    pub share: &'b Buffer,
    pub log_q: &'b Buffer,
    pub energy: &'b Buffer,
    pub force: &'b Buffer,
    pub back: &'b Buffer,
    pub lambda: &'b Buffer,
    pub minus_lambda: &'b Buffer,
}

/// Records the cotangents, times `scale`, of the gradient along the path, or with `total` of the whole derivative.
pub fn mix(rec: &mut Recording, z2: bool, total: bool, count: usize, sites: usize, scale: f64, of: Mixed) {
    let (blocks, words) = (sites / 4, count * sites);
    // nothing of -x is touched without it
    let back = if z2 { words } else { 4 };
    rec.launch("cotangents", &MIX, &MixParams { count: count as u32, blocks: blocks as u32, scale: scale as f32, pad: 0 })
        .constants(&[("WG", WG), ("Z2", z2 as u32), ("TOTAL", total as u32)])
        .read(of.g, words)
        .read(of.share, count)
        .read(of.log_q, count)
        .read(of.energy, count)
        .update(of.force, words)
        .update(of.back, back)
        .write(of.lambda, count)
        .write(of.minus_lambda, count)
        .flops(6.0 * words as f64)
        .groups(grid((count * blocks).div_ceil(WG as usize)));
}
