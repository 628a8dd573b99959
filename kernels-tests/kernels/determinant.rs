//! The kernels of `determinant` against float64 elimination: sizes at edges of panels, tiles and variants, scales, singular and
//! broken input.

use helmholtz::gpu::{Gpu, Profile, Recording};
use helmholtz::kernels::determinant::{self, COMPLEX, ILL_CONDITIONED, NOT_FINITE, Outputs, REAL, SINGULAR};
use helmholtz::kernels::determinant::{LANE_COMPLEX, LANE_REAL, TILE_COMPLEX, TILE_REAL};
use helmholtz::kernels::pad4;
use helmholtz::reference::determinant as twin;

use crate::harness::{Check, close, devices, mutant_in, padded, random, verify};

const EPS: f64 = f32::EPSILON as f64;

struct Got {
    logdet: Vec<f32>,
    sign: Vec<f32>,
    status: Vec<u32>,
    /// Unpadded inverses, (re, im) interleaved where complex.
    inverse: Vec<f32>,
}

/// Runs `batch` matrices given unpadded, (re, im) interleaved where complex.
fn run(gpu: &Gpu, profile: Profile, is_complex: bool, a: &[f64], m: usize, batch: usize, inverse: bool) -> Result<Got, String> {
    let mut rec = Recording::new();
    let out = if is_complex {
        let flat: Vec<f32> = a.iter().map(|&v| v as f32).collect();
        let matrices = gpu.upload("a", &flat);
        let out = Outputs::complex("test", m, batch, inverse).map_err(|e| e.to_string())?;
        determinant::complex(&mut rec, "complex", profile, &matrices, m, batch, &out);
        out
    } else {
        let mut flat = Vec::new();
        for (b, matrix) in a.chunks(m * m).enumerate() {
            flat.extend(padded(matrix, m));
            flat.resize((b + 1) * pad4(m) * pad4(m), 0.0);
        }
        let matrices = gpu.upload("a", &flat);
        let out = Outputs::real("test", m, batch, inverse).map_err(|e| e.to_string())?;
        determinant::real(&mut rec, "real", profile, &matrices, m, batch, &out);
        out
    };
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let words = |b| gpu.read::<f32>(b).map_err(|e| e.to_string());
    let mut inverses = Vec::new();
    if let Some(buffer) = &out.inverse {
        let stored = words(buffer)?;
        if is_complex {
            inverses = stored;
        } else {
            let ld = pad4(m);
            for (at, &v) in stored.iter().enumerate() {
                let (i, j) = (at / ld % ld, at % ld);
                if i < m && j < m {
                    inverses.push(v);
                } else if v != 0.0 {
                    return Err(format!("padding of the inverse holds {v}"));
                }
            }
        }
    }
    let status = gpu.read(&out.status).map_err(|e| e.to_string())?;
    Ok(Got { logdet: words(&out.logdet)?, sign: words(&out.sign)?, status, inverse: inverses })
}

/// The twin's results of one matrix.
fn twin_of(is_complex: bool, a: &[f64], m: usize) -> (f64, f64) {
    if is_complex { twin::complex(a, m) } else { twin::real(a, m) }
}

/// Largest element of |A X - 1| over the norms: the backward error of an inverse X.
fn residual(a: &[f64], x: &[f32], m: usize, parts: usize) -> f64 {
    let (mut worst, mut norm_a, mut norm_x) = (0.0_f64, 0.0_f64, 0.0_f64);
    for i in 0..m {
        let row = |v: &dyn Fn(usize) -> f64| (0..m * parts).map(|j| v(i * m * parts + j).abs()).sum::<f64>();
        norm_a = norm_a.max(row(&|at| a[at]));
        norm_x = norm_x.max(row(&|at| x[at] as f64));
        for j in 0..m {
            let mut sum = [if i == j { -1.0 } else { 0.0 }, 0.0];
            for k in 0..m {
                let (p, q) = (parts * (i * m + k), parts * (k * m + j));
                sum[0] += a[p] * x[q] as f64;
                if parts == 2 {
                    sum[0] -= a[p + 1] * x[q + 1] as f64;
                    sum[1] += a[p] * x[q + 1] as f64 + a[p + 1] * x[q] as f64;
                }
            }
            worst = worst.max(sum[0].abs()).max(sum[1].abs());
        }
    }
    worst / (norm_a * norm_x)
}

/// Compares determinants and inverses. d ln det = tr(A^-1 dA) with |dA| <= c ε |A|: the error of ln|det|
/// is below c ε m cond; the relative residual of the inverse below c m ε. `cond` bounds the
/// condition number of the matrices made here.
#[allow(clippy::too_many_arguments)]
fn compare(gpu: &Gpu, profile: Profile, what: &str, is_complex: bool, a: &[f64], m: usize, batch: usize, cond: f64) -> Check {
    let parts = 1 + is_complex as usize;
    let size = m * m * parts;
    let got = run(gpu, profile, is_complex, a, m, batch, true)?;
    let lean = run(gpu, profile, is_complex, a, m, batch, false)?;
    for (b, matrix) in a.chunks(size).enumerate() {
        let (logdet, sign) = twin_of(is_complex, matrix, m);
        let tolerance = EPS * (2.0 * m as f64 * cond.sqrt() + 2.0 * logdet.abs() + 4.0);
        for (path, g) in [("with inverse", &got), ("determinant alone", &lean)] {
            let name = format!("{what}, order {m}, matrix {b}, {path}");
            let off = (g.logdet[b] as f64 - logdet).abs();
            if !(off <= tolerance) {
                return Err(format!("{name}: ln|det| {} want {logdet}; tolerance {tolerance:.1e}", g.logdet[b]));
            }
            let turn = g.sign[b] as f64 - sign;
            let off = if is_complex { turn.sin().abs() + (1.0 - turn.cos()) } else { turn.abs() };
            if !(off <= tolerance) {
                return Err(format!("{name}: sign or phase {} want {sign}; tolerance {tolerance:.1e}", g.sign[b]));
            }
            if g.status[b] & (SINGULAR | NOT_FINITE) != 0 {
                return Err(format!("{name}: status {}", g.status[b]));
            }
        }
        let off = residual(matrix, &got.inverse[b * size..][..size], m, parts);
        if !(off <= 2.0 * m as f64 * EPS) {
            return Err(format!("{what}, order {m}, matrix {b}: residual of the inverse {off:.2e}"));
        }
    }
    Ok(())
}

/// Uniform random matrices, cond about 10 m (99 %: 1000 m).
fn random_matrices(gpu: &Gpu, profile: Profile, is_complex: bool, orders: &[usize]) -> Check {
    let parts = 1 + is_complex as usize;
    for &m in orders {
        // beyond 8 matrices a second workgroup starts on CPU drivers
        let batch = if m > 100 { 2 } else { 9 };
        compare(gpu, profile, "random", is_complex, &random(m as u64, batch * m * m * parts), m, batch, 1e3 * m as f64)?;
    }
    Ok(())
}

const SMALL: [usize; 9] = [1, 2, 3, 4, 5, 8, 13, 26, 29];

/// Scales of 1e±25: the determinant of order 26 leaves the range of f32 by far, its logarithm does not.
fn scales(gpu: &Gpu, is_complex: bool) -> Check {
    let (m, parts) = (26, 1 + is_complex as usize);
    let size = m * m * parts;
    let mut a = random(3, 3 * size);
    for (b, factor) in [1e25, 1e-25, 1.0].iter().enumerate() {
        for v in &mut a[b * size..][..size] {
            *v = (*v * factor) as f32 as f64;
        }
    }
    compare(gpu, gpu.profile, "scaled", is_complex, &a, m, 3, 1e4)
}

/// Plane waves exp(2πi g.x) of 29 points: a Vandermonde-like matrix as in a Slater determinant.
fn plane_waves(gpu: &Gpu) -> Check {
    let waves: Vec<(i32, i32)> = (-3..=3).flat_map(|x| (-3..=3).map(move |y| (x, y))).filter(|(x, y)| x * x + y * y <= 9).collect();
    let (m, batch) = (waves.len(), 4);
    let x = random(5, batch * m * 2);
    let mut a = Vec::new();
    for b in 0..batch {
        for i in 0..m {
            for &(gx, gy) in &waves {
                let t = std::f64::consts::PI * (gx as f64 * x[2 * (b * m + i)] + gy as f64 * x[2 * (b * m + i) + 1]);
                a.extend([t.cos() as f32 as f64, t.sin() as f32 as f64]);
            }
        }
    }
    // pivot ratios reach 1e3 at uniformly random points
    compare(gpu, gpu.profile, "plane waves", true, &a, m, batch, 1e6)
}

/// A zero matrix, equal rows, a NaN and an infinity beside healthy matrices, which must not notice.
fn broken_input(gpu: &Gpu, is_complex: bool) -> Check {
    let (m, parts, batch) = (7, 1 + is_complex as usize, 6);
    let size = m * m * parts;
    let mut a = random(11, batch * size);
    a[..size].fill(0.0);
    // exact elimination: rows of small integers, two of them equal
    for (i, v) in a[2 * size..3 * size].iter_mut().enumerate() {
        *v = if i / (m * parts) == i % (m * parts) / parts && i % parts == 0 { 1.0 } else { 0.0 };
    }
    for j in 0..m * parts {
        a[2 * size + 5 * m * parts + j] = a[2 * size + 2 * m * parts + j];
    }
    a[3 * size + 3 * parts] = f64::NAN;
    a[5 * size - 1] = f64::INFINITY;
    let want = [SINGULAR, 0, SINGULAR, SINGULAR | NOT_FINITE, SINGULAR | NOT_FINITE, 0];
    for inverse in [false, true] {
        let got = run(gpu, gpu.profile, is_complex, &a, m, batch, inverse)?;
        for b in 0..batch {
            if got.status[b] & (SINGULAR | NOT_FINITE) != want[b] {
                return Err(format!("matrix {b}: status {}, want {}", got.status[b], want[b]));
            }
            if want[b] != 0 {
                if got.logdet[b] != -1e30 || got.sign[b] != 0.0 || (inverse && got.inverse[b * size..][..size].iter().any(|&v| v != 0.0)) {
                    return Err(format!("matrix {b}: ln|det| {} sign {}", got.logdet[b], got.sign[b]));
                }
            } else {
                let (logdet, _) = twin_of(is_complex, &a[b * size..][..size], m);
                close("healthy neighbour", &got.logdet[b..=b], &[logdet], 1e-4)?;
            }
        }
    }
    Ok(())
}

/// diag(1, 1e-4): healthy, but flagged. A permutation: sign by its parity.
fn flags(gpu: &Gpu) -> Check {
    let got = run(gpu, gpu.profile, false, &[1.0, 0.0, 0.0, 1e-4, 0.0, 1.0, 1.0, 0.0], 2, 2, false)?;
    if got.status[..2] != [ILL_CONDITIONED, 0] || got.sign[..2] != [1.0, -1.0] {
        return Err(format!("status {:?}, sign {:?}", got.status, got.sign));
    }
    Ok(())
}

#[test]
fn determinants_of_random_matrices() {
    let random = |is_complex, orders: &[usize]| verify(|gpu| random_matrices(gpu, gpu.profile, is_complex, orders));
    random(false, &SMALL);
    random(true, &SMALL);
    // variants of more blocks take a driver's compiler ever longer: one here, larger ones with 57 electrons
    random(false, &[57, 64]);
    random(true, &[57, 64]);
    // orders beyond registers and private memory are reduced in storage, each profile with its own workgroup
    for is_complex in [false, true] {
        let [simd, wide] = devices();
        random_matrices(simd, simd.profile, is_complex, &[209]).unwrap();
        random_matrices(wide, wide.profile, is_complex, &[132]).unwrap();
    }
}

/// Orders at the edges of the variants that live in registers, and the first beyond them.
#[test]
fn determinants_at_the_edges_of_register_tiles() {
    for is_complex in [false, true] {
        let [_, gpu] = devices();
        random_matrices(gpu, gpu.profile, is_complex, &[31, 32, 33, 63, 127, 128, 129]).unwrap();
    }
}

#[test]
fn determinants_of_plane_waves_and_extreme_scales() {
    verify(plane_waves);
    verify(|gpu| scales(gpu, false));
    verify(|gpu| scales(gpu, true));
    verify(flags);
}

#[test]
fn determinants_of_singular_and_broken_matrices() {
    verify(|gpu| broken_input(gpu, false));
    verify(|gpu| broken_input(gpu, true));
    assert!(Outputs::real("huge", 1025, 1, false).is_err());
}

pub(crate) fn small_real(gpu: &Gpu) -> Check {
    random_matrices(gpu, gpu.profile, false, &SMALL)
}

pub(crate) fn small_complex(gpu: &Gpu) -> Check {
    random_matrices(gpu, gpu.profile, true, &SMALL)
}

#[test]
fn broken_eliminations_are_noticed() {
    mutant_in(Profile::Simd, &REAL, "f.w * a3", "f.w * a2", |gpu| random_matrices(gpu, Profile::Simd, false, &[209]));
    let storage = |gpu: &Gpu| random_matrices(gpu, Profile::Gpu, false, &[129, 130, 131]);
    mutant_in(Profile::Gpu, &REAL, "if (r != k) { mantissa = -mantissa; }", "", storage);
    mutant_in(Profile::Gpu, &REAL, "f.w * a3", "f.w * a2", storage);
    mutant_in(Profile::Gpu, &REAL, "if (i > k) { best", "if (false) { best", storage);
    mutant_in(Profile::Gpu, &REAL, "exponent += e + f", "exponent += e", storage);
    mutant_in(Profile::Simd, &LANE_REAL, "if (winner != place) { mantissa = -mantissa; }", "", small_real);
    mutant_in(Profile::Simd, &LANE_REAL, "let columns = order[quad];", "let columns = 4u * quad + FOUR;", small_real);
    mutant_in(Profile::Gpu, &TILE_REAL, "origin[k] = r;", "origin[k] = k;", small_real);
    mutant_in(Profile::Gpu, &TILE_REAL, "taken |= bit;", "", small_real);
    mutant_in(Profile::Gpu, &TILE_REAL, "let f = exponent_of(mantissa);", "let f = 0;", small_real);
}

#[test]
fn broken_complex_eliminations_are_noticed() {
    mutant_in(Profile::Simd, &COMPLEX, "g.z * b2", "g.z * a2", |gpu| random_matrices(gpu, Profile::Simd, true, &[209]));
    let storage = |gpu: &Gpu| random_matrices(gpu, Profile::Gpu, true, &[129, 130, 131]);
    mutant_in(Profile::Gpu, &COMPLEX, "if (r != k) { mantissa = -mantissa; }", "", storage);
    mutant_in(Profile::Gpu, &COMPLEX, "g.z * b2", "g.z * a2", storage);
    mutant_in(Profile::Gpu, &COMPLEX, "vec2<f32>(scaled.x, -scaled.y)", "scaled", storage);
    mutant_in(Profile::Gpu, &COMPLEX, "let j = source_column[e % m];", "let j = e % m;", storage);
    mutant_in(Profile::Simd, &LANE_COMPLEX, "solve || 2u * i + 1u < c", "true", small_complex);
    mutant_in(Profile::Simd, &LANE_COMPLEX, "let columns = order[c];", "let columns = 4u * c + FOUR;", small_complex);
    mutant_in(Profile::Gpu, &TILE_COMPLEX, "origin[k] = r;", "origin[k] = k;", small_complex);
    mutant_in(Profile::Gpu, &TILE_COMPLEX, "taken |= bit;", "", small_complex);
    mutant_in(Profile::Gpu, &TILE_COMPLEX, "vec2<f32>(scaled.x, -scaled.y)", "scaled", small_complex);
}
