//! philox: known answers, agreement with the twin, and the distributions.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::philox::{self, Kind, Stream};
use helmholtz::reference::philox as twin;

use crate::harness::{Check, mutant, verify};

fn fill<T: bytemuck::Pod>(gpu: &Gpu, kind: Kind, at: Stream, walkers: usize, blocks: usize) -> Result<Vec<T>, String> {
    let y = Buffer::new("random", 4 * walkers * blocks);
    let mut rec = Recording::new();
    philox::record(&mut rec, "fill", kind, at, walkers, blocks, &y);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    gpu.read(&y).map_err(|e| e.to_string())
}

/// Vectors published with Random123.
pub(crate) fn known(gpu: &Gpu) -> Check {
    let zero = Stream { seed: 0, step: 0, purpose: 0, first_walker: 0 };
    let got: Vec<u32> = fill(gpu, Kind::Bits, zero, 1, 1)?;
    if got != [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8] {
        return Err(format!("zero counter and key: {got:08x?}"));
    }
    Ok(())
}

fn agrees(gpu: &Gpu) -> Check {
    let at = Stream { seed: 0xfedc_ba98_7654_3210, step: 77, purpose: 3, first_walker: 4_000_000_000 };
    let (walkers, blocks) = (37, 5);
    let bits: Vec<u32> = fill(gpu, Kind::Bits, at, walkers, blocks)?;
    let uniform: Vec<f32> = fill(gpu, Kind::Uniform, at, walkers, blocks)?;
    let normal: Vec<f32> = fill(gpu, Kind::Normal, at, walkers, blocks)?;
    for block in 0..walkers * blocks {
        let counter = [(block % blocks) as u32, at.first_walker + (block / blocks) as u32, at.step, at.purpose];
        let want = twin::philox([at.seed as u32, (at.seed >> 32) as u32], counter);
        if bits[4 * block..][..4] != want {
            return Err(format!("block {block}: got {:08x?}, want {want:08x?}", &bits[4 * block..][..4]));
        }
        let (u, z) = (twin::uniform4(want), twin::normal4(want));
        for c in 0..4 {
            if uniform[4 * block + c] as f64 != u[c] {
                return Err(format!("uniform of block {block}: {} instead of {}", uniform[4 * block + c], u[c]));
            }
            // sqrt(-2 ln u): WGSL's log has an absolute error of 2^-21 next to u = 1, where the root
            // magnifies it to sqrt(2^-20) in the worst case and to 2^-20 / z elsewhere
            let r = z[c & 2].hypot(z[(c & 2) + 1]);
            let allowed = 4e-6 / r + 2e-6;
            if !((normal[4 * block + c] as f64 - z[c]).abs() <= allowed) {
                return Err(format!("normal of block {block}: {} instead of {}", normal[4 * block + c], z[c]));
            }
        }
    }
    Ok(())
}

/// Largest distance of the empirical distribution from `cdf`, times the root of the count.
fn kolmogorov(mut x: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    x.sort_by(f64::total_cmp);
    let n = x.len() as f64;
    let distance = x.iter().enumerate().map(|(i, &v)| (cdf(v) - i as f64 / n).abs().max((cdf(v) - (i + 1) as f64 / n).abs()));
    distance.fold(0.0, f64::max) * n.sqrt()
}

/// Fixed seed, so nothing here is left to chance; the limits are those of 1 in 1e5 (KS 2.5) and 4 sigma.
fn distributions(gpu: &Gpu) -> Check {
    let at = Stream { seed: 2026, step: 1, purpose: 2, first_walker: 0 };
    let (walkers, blocks) = (1000, 16);
    let count = (4 * walkers * blocks) as f64;
    let u: Vec<f32> = fill(gpu, Kind::Uniform, at, walkers, blocks)?;
    let z: Vec<f32> = fill(gpu, Kind::Normal, at, walkers, blocks)?;
    if u.iter().any(|&v| v <= 0.0 || v >= 1.0) {
        return Err("a uniform number on the edge of (0, 1)".into());
    }
    let wide = |x: &[f32]| x.iter().map(|&v| v as f64).collect::<Vec<f64>>();
    let ks = kolmogorov(wide(&u), |v| v);
    let kz = kolmogorov(wide(&z), |v| 0.5 * helmholtz::reference::special::erfc(-v / 2f64.sqrt()));
    let moment = |k: i32| wide(&z).iter().map(|v| v.powi(k)).sum::<f64>() / count;
    // moments 0, 1, 0, 3 with variances 1, 2, 15, 96 a number
    let sigmas = [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)].map(|(k, m, v)| (moment(k) - m) / (v / count).sqrt());
    // neighbours, the four of a block and the same place of the next walker are uncorrelated
    let lag = |d: usize| wide(&z).windows(d + 1).map(|w| w[0] * w[d]).sum::<f64>() / count.sqrt();
    let lags = [1, 2, 3, 4, 4 * blocks].map(lag);
    println!("KS {ks:.2} {kz:.2}, moments {sigmas:.2?}, lags {lags:.2?} sigma");
    if ks > 2.5 || kz > 2.5 || sigmas.iter().chain(&lags).any(|s| s.abs() > 4.0) {
        return Err(format!("KS {ks} {kz}, moments {sigmas:?}, lags {lags:?} sigma"));
    }
    Ok(())
}

#[test]
fn philox_agrees_with_its_twin() {
    verify(known);
    verify(agrees);
    let all = twin::philox([u32::MAX; 2], [u32::MAX; 4]);
    assert_eq!(all, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
}

#[test]
fn numbers_are_uniform_and_normal() {
    verify(distributions);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&philox::KERNEL, "p.first_walker + id", "id", agrees);
    mutant(&philox::KERNEL, "p.step, p.purpose", "p.purpose, p.step", agrees);
    mutant(&philox::KERNEL, "bitcast<vec4<u32>>(normal4(bits))", "bitcast<vec4<u32>>(1.05 * normal4(bits))", distributions);
}
