//! `roof_fma`, `roof_copy`: what a device can do at best: operations and bytes per second that every
//! other kernel is measured against (Williams, Waterman, Patterson, CACM 52, 65 (2009)).

use crate::error::Result;
use crate::gpu::{Buffer, DeviceType, Gpu, Kernel, Recording, grid};

use super::WG;

/// `shaders/roof_fma.wgsl`.
pub static FMA: Kernel = Kernel {
    name: "roof_fma",
    source: include_str!("../../shaders/roof_fma.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

/// `shaders/roof_copy.wgsl`.
pub static COPY: Kernel = Kernel {
    name: "roof_copy",
    source: include_str!("../../shaders/roof_copy.wgsl"),
    shared: &["grid"],
    params_bytes: size_of::<Params>(),
    variants: &[&[("WG", 64)]],
};

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    items: u32,
    count: u32,
    pad: [u32; 2],
}

/// Best rates that a device showed.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Roof {
    /// Single-precision operations per second; a multiply-add counts as two.
    pub flops_per_s: f64,
    /// Bytes read and written per second, arrays far larger than the caches.
    pub bytes_per_s: f64,
}

/// Records `count` multiply-adds on 32 chains a thread; `x` f32 `[threads]` in (0, 1), `y` vec4 `[threads]`.
pub fn record_fma(rec: &mut Recording, threads: usize, count: usize, x: &Buffer, y: &Buffer) {
    rec.launch("multiply-adds", &FMA, &Params { items: threads as u32, count: count as u32, pad: [0; 2] })
        .constants(&[("WG", WG)])
        .read(x, threads)
        .write(y, 4 * threads)
        .trips(count as u64)
        .flops(64.0 * threads as f64 * count as f64)
        .groups(grid(threads.div_ceil(WG as usize)));
}

/// Records a copy of `count` vec4 from `x` to `y`.
pub fn record_copy(rec: &mut Recording, count: usize, x: &Buffer, y: &Buffer) {
    rec.launch("copy", &COPY, &Params { items: count as u32, ..Default::default() })
        .constants(&[("WG", WG)])
        .read(x, 4 * count)
        .write(y, 4 * count)
        .groups(grid(count.div_ceil(WG as usize)));
}

/// Measures the roof of a device: the best of `tries` launches of each kernel (some 0.1 s on a CPU driver).
pub fn measure(gpu: &Gpu, tries: usize) -> Result<Roof> {
    let cpu = gpu.info.device_type == DeviceType::Cpu;
    let (threads, count) = if cpu { (1 << 12, 1 << 10) } else { (1 << 19, 1 << 12) };
    let moved = (if cpu { 1 << 22 } else { 1 << 26 }).min(gpu.max_words() / 4);
    let x = gpu.upload("roof x", &vec![0.5f32; threads]);
    let (y, source, target) =
        (Buffer::new("roof y", 4 * threads), Buffer::new("roof source", 4 * moved), Buffer::new("roof target", 4 * moved));
    let mut rec = Recording::new();
    rec.clear(&source);
    // the first launch of each compiles it and touches its memory
    for _ in 0..=tries.max(1) {
        record_fma(&mut rec, threads, count, &x, &y);
        record_copy(&mut rec, moved, &source, &target);
    }
    let times = gpu.run_timed(&rec)?;
    let best = |kernel: &Kernel| {
        let rate = |t: &crate::gpu::Timed| t.flops.max(t.bytes) / t.seconds.max(1e-9);
        times.iter().filter(|t| t.kernel == kernel.name).skip(1).map(rate).fold(0.0, f64::max)
    };
    Ok(Roof { flops_per_s: best(&FMA), bytes_per_s: best(&COPY) })
}
