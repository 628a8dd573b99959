//! roof_fma and roof_copy against their twins; a measured roof is above what a real kernel reaches.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::{linear, roof};
use helmholtz::reference::roof as twin;

use crate::harness::{Check, close, devices, mutant, random, verify};

/// Each step rounds twice, and errors shrink with x <= 0.9 from step to step: at most 2 ε / (1 - x) = 20 ε of
/// a value of at most 8; the sum of eight adds 3 ε.
fn chains(gpu: &Gpu) -> Check {
    let (threads, count) = (131, 37);
    let x: Vec<f64> = random(5, threads).iter().map(|v| (0.1 + 0.8 * v.abs()) as f32 as f64).collect();
    let xb = gpu.upload("x", &x.iter().map(|&v| v as f32).collect::<Vec<_>>());
    let y = Buffer::new("y", 4 * threads);
    let mut rec = Recording::new();
    roof::record_fma(&mut rec, threads, count, &xb, &y);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let want: Vec<f64> = x.iter().flat_map(|&x| twin::roof_fma(x, count)).collect();
    close("multiply-adds", &gpu.read(&y).map_err(|e| e.to_string())?, &want, 23.0 * f32::EPSILON as f64)
}

fn copied(gpu: &Gpu) -> Check {
    let count = 777;
    let x: Vec<f32> = random(6, 4 * count).iter().map(|&v| v as f32).collect();
    let (xb, y) = (gpu.upload("x", &x), Buffer::new("y", 4 * count));
    let mut rec = Recording::new();
    roof::record_copy(&mut rec, count, &xb, &y);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let got: Vec<f32> = gpu.read(&y).map_err(|e| e.to_string())?;
    if got == twin::roof_copy(&x) { Ok(()) } else { Err("the copy differs".into()) }
}

#[test]
fn roof_kernels_agree_with_their_twins() {
    verify(chains);
    verify(copied);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&roof::FMA, "v5 = v5 * b + c", "v5 = v5 * b", chains);
    mutant(&roof::COPY, "id < p.count", "id + 1u < p.count", copied);
}

/// A matrix product cannot beat the roof; noise on a busy machine is allowed a factor of two.
#[test]
fn no_kernel_is_faster_than_the_roof() {
    let gpu = devices()[0];
    let found = roof::measure(gpu, 3).unwrap();
    println!("{found:?}");
    assert!(found.flops_per_s > 1e8 && found.bytes_per_s > 1e8, "{found:?}");
    let (rows, k) = (512, 64);
    let (x, w) = (gpu.upload("x", &vec![0.5f32; rows * k]), gpu.upload("w", &vec![0.5f32; k * k]));
    let y = Buffer::new("y", rows * k);
    let mut rec = Recording::new();
    for _ in 0..4 {
        linear::record(&mut rec, "product", linear::Params::new(rows, k / 4, k / 4, 0), &x, &w, &y);
    }
    for t in gpu.run_timed(&rec).unwrap() {
        assert!(t.flops / t.seconds < 2.0 * found.flops_per_s, "{t:?} with {found:?}");
    }
}
