//! slater, slater_gradient and slater_laplacian against their twins and published values.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::{determinant, pad4, slater, slater_gradient, slater_laplacian};
use helmholtz::reference::complex::{Complex, interleaved};
use helmholtz::reference::slater as twin;
use helmholtz::system::ElectronGas;

use crate::harness::{Check, close, mutant, random, verify};
use crate::published::{Case, rounded, single};
use crate::reference_data::present;

const EPS: f64 = f32::EPSILON as f64;

/// A gas of so many electrons of spin up and down, positions a little outside the box, ascending states without order in the shells.
fn system(case: u64, [up, down]: [usize; 2], dim: usize, walkers: usize) -> (ElectronGas, Vec<f64>, Vec<u32>) {
    let n = up + down;
    let twist = [[0.25, 0.25, 0.0], [0.5, -0.125, 0.0], [0.0, 0.0, 0.0], [0.1, 0.2, -0.4]][case as usize % 4];
    let gas = ElectronGas::of_spins([up, down], dim, 1.0, 0.2, None, Some(&twist[..dim])).unwrap();
    let length = gas.length();
    let z = rounded(&random(case, walkers * n * dim).iter().map(|v| (0.5 + 0.7 * v) * length).collect::<Vec<_>>());
    let m = gas.plane_wave_count();
    // excitations: every walker skips another orbital
    let excited = |end: usize, n: usize, w: usize| (end - n - 1..end).filter(move |s| s - (end - n - 1) != w % (n + 1));
    let lower = |w: usize| if down > 0 { excited(2 * m, down, w + 1).collect() } else { Vec::new() };
    let row = |w: usize| excited(m, up, w).chain(lower(w)).map(|s| s as u32).collect::<Vec<_>>();
    let states = (0..walkers).flat_map(row).collect();
    (gas, z, states)
}

/// Electrons of spin up and down, dimension, walkers.
const SYSTEMS: &[([usize; 2], usize, usize)] = &[
    ([13, 0], 2, 3),
    ([5, 0], 2, 7),
    ([7, 0], 3, 2),
    ([1, 0], 2, 2),
    ([6, 0], 3, 3),
    ([4, 3], 2, 5),
    ([3, 3], 3, 2),
    ([1, 1], 2, 2),
    ([5, 1], 3, 3),
];

fn wave_vectors(gas: &ElectronGas, states: &[u32]) -> Vec<f64> {
    let (all, wave) = (gas.momenta(), 2.0 * std::f64::consts::PI / gas.length());
    states.iter().flat_map(|&s| all[s as usize * gas.dim..][..gas.dim].iter().map(|k| wave * k).collect::<Vec<_>>()).collect()
}

fn fill(gpu: &Gpu) -> Check {
    for (case, &(spins, dim, walkers)) in SYSTEMS.iter().enumerate() {
        let (gas, z, states) = system(case as u64, spins, dim, walkers);
        let n = gas.n;
        let (zb, sb, ob) = (gpu.upload("z", &single(&z)), gpu.upload("states", &states), gpu.upload("orbitals", &gas.momenta_padded()));
        let matrix = Buffer::new("matrix", 2 * walkers * n * n);
        let mut rec = Recording::new();
        slater::record(&mut rec, "fill", slater::Params::new(&gas, walkers), &zb, &sb, &ob, &matrix);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let got: Vec<f32> = gpu.read(&matrix).map_err(|e| e.to_string())?;
        let mut want = Vec::new();
        for w in 0..walkers {
            let k = wave_vectors(&gas, &states[w * n..][..n]);
            want.extend(twin::matrix(&z[w * n * dim..][..n * dim], &k, dim, gas.up));
        }
        // z/L is off by ε, its fraction times |m| ≤ 6 per axis, the products round by ε/2 each: in turns
        let turns = dim as f64 * (6.0 * 1.0 * EPS + 2.0 * EPS);
        close("plane waves", &got, &interleaved(&want), 2.0 * std::f64::consts::PI * turns)?;
    }
    Ok(())
}

/// Device results of both derivative kernels from exact M and M⁻¹ rounded to f32, and from a given J.
fn derivatives(gpu: &Gpu) -> Check {
    for (case, &(spins, dim, walkers)) in SYSTEMS.iter().chain(&[([31, 0], 2, 1), ([17, 12], 2, 1)]).enumerate() {
        let (gas, z, states) = system(case as u64, spins, dim, walkers);
        let n = gas.n;
        let size = n * dim;
        let (mut m, mut inverse, mut current, mut gradient) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut jacobians, mut traces) = (Vec::new(), Vec::new());
        let round =
            |list: Vec<Complex>| -> Vec<Complex> { list.iter().map(|c| Complex::new(c.re as f32 as f64, c.im as f32 as f64)).collect() };
        let (mut largest, mut weight) = (0.0_f64, 0.0_f64);
        for w in 0..walkers {
            let k = wave_vectors(&gas, &states[w * n..][..n]);
            let matrix = round(twin::matrix(&z[w * size..][..size], &k, dim, gas.up));
            let b = round(twin::ln_det_inverse(&matrix, n).1);
            let (c, g) = twin::current(&matrix, &b, &k, dim);
            let mut jacobian = random(100 + case as u64 * 20 + w as u64, size * size);
            for p in 0..size {
                jacobian[p * size + p] += 1.0;
            }
            let jacobian = rounded(&jacobian);
            let hessian = twin::hessian(&matrix, &b, &k, dim);
            traces.push(twin::trace(&hessian, &jacobian, size));
            for i in 0..n {
                for j in 0..n {
                    let terms: f64 = (0..n)
                        .map(|a| {
                            (matrix[i * n + a] * b[a * n + j]).norm2().sqrt()
                                * k[a * dim..][..dim].iter().fold(0.0_f64, |m, v| m.max(v.abs()))
                        })
                        .sum();
                    largest = largest.max(terms);
                }
            }
            // size of all the terms of the trace
            let row = |p: usize| jacobian[p * size..][..size].iter().map(|v| v * v).sum::<f64>().sqrt();
            let size_of = |p: usize, q: usize| -> f64 {
                let (i, j) = (p / dim, q / dim);
                let own =
                    |a: usize| (matrix[i * n + a] * b[a * n + i]).norm2().sqrt() * (k[a * dim + p % dim] * k[a * dim + q % dim]).abs();
                (c[p * n + j] * c[q * n + i]).norm2().sqrt() + if i == j { (0..n).map(own).sum() } else { 0.0 }
            };
            let all: f64 = (0..size * size).map(|pq| size_of(pq / size, pq % size) * row(pq / size) * row(pq % size)).sum();
            weight = weight.max(all);
            m.extend(matrix);
            inverse.extend(b);
            current.extend(c);
            gradient.extend(g);
            jacobians.push(jacobian);
        }
        let ld = pad4(size);
        let mut padded = vec![0.0f32; walkers * ld * ld];
        for (w, jacobian) in jacobians.iter().enumerate() {
            for p in 0..size {
                for q in 0..size {
                    padded[(w * ld + p) * ld + q] = jacobian[p * size + q] as f32;
                }
            }
        }
        let (mb, ib) = (gpu.upload("matrix", &single(&interleaved(&m))), gpu.upload("inverse", &single(&interleaved(&inverse))));
        let (sb, ob) = (gpu.upload("states", &states), gpu.upload("orbitals", &gas.momenta_padded()));
        let jb = gpu.upload("jacobian", &padded);
        let (cb, gb) =
            (Buffer::new("current", slater_gradient::current_words(walkers, n, dim)), Buffer::new("gradient", 2 * walkers * size));
        let tb = Buffer::new("trace", 2 * walkers);
        let mut rec = Recording::new();
        let (p, waves) =
            (slater_gradient::Params::new(&gas, walkers), slater_gradient::Waves { matrix: &mb, inverse: &ib, states: &sb, orbitals: &ob });
        slater_gradient::record(&mut rec, "gradient", p, waves, &cb, &gb);
        slater_laplacian::record(&mut rec, "laplacian", p, waves, &cb, &jb, &tb);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
        let scale = |list: &[Complex]| list.iter().fold(1e-30_f64, |m, c| m.max(c.re.abs()).max(c.im.abs()));
        // n products of absolute sum `largest`: n ε of it at worst, 4 √n ε in practice
        let bound = 4.0 * (n as f64).sqrt() * EPS * largest;
        close("current", &read(&cb)?, &interleaved(&current), bound / scale(&current))?;
        close("gradient", &read(&gb)?, &interleaved(&gradient), bound / scale(&gradient))?;
        // the Hessian's factors are each off by about ε √n; its terms add up to at most `weight`
        let bound = 4.0 * (n as f64).sqrt() * EPS * weight;
        close("trace", &read(&tb)?, &interleaved(&traces), bound / scale(&traces))?;
    }
    Ok(())
}

/// ln Φ of the published configurations, and its gradient through the published Jacobian.
fn published(gpu: &Gpu) -> Check {
    for name in present(&["n29_d2_rs10", "n29_d2_rs1_legacy", "n7_d3_random"]) {
        let case = Case::load(name);
        let gas = case.gas();
        let (n, dim, states) = (gas.n, gas.dim, case.states());
        let (walkers, size) = (states.len() / n, n * dim);
        let (zb, sb, ob) =
            (gpu.upload("z", &single(case.array("z"))), gpu.upload("states", &states), gpu.upload("orbitals", &gas.momenta_padded()));
        let matrix = Buffer::new("matrix", 2 * walkers * n * n);
        let out = determinant::Outputs::complex("slater", n, walkers, true).map_err(|e| e.to_string())?;
        let (cb, gb) =
            (Buffer::new("current", slater_gradient::current_words(walkers, n, dim)), Buffer::new("gradient", 2 * walkers * size));
        let mut rec = Recording::new();
        slater::record(&mut rec, "fill", slater::Params::new(&gas, walkers), &zb, &sb, &ob, &matrix);
        determinant::complex(&mut rec, "determinant", gpu.profile, &matrix, n, walkers, &out);
        let inverse = out.inverse.clone().ok_or("no inverse")?;
        let waves = slater_gradient::Waves { matrix: &matrix, inverse: &inverse, states: &sb, orbitals: &ob };
        slater_gradient::record(&mut rec, "gradient", slater_gradient::Params::new(&gas, walkers), waves, &cb, &gb);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
        let (modulus, phase, gradient) = (read(&out.logdet)?, read(&out.sign)?, read(&gb)?);
        let (re, im) = (case.array("logphi.re"), case.array("logphi.im"));
        for w in 0..walkers {
            // 29 pivots, each off by some ε times its growth; 1e-4 is the bound stated for good pivots
            let error = (modulus[w] as f64 + gas.ln_norm() - re[w]).abs();
            let turn = (phase[w] as f64 - im[w]) / (2.0 * std::f64::consts::PI);
            if error.is_nan() || error > 1e-4 || (turn - turn.round()).abs() > 1e-4 {
                return Err(format!("{name}: ln|Phi| of walker {w} is off by {error:.1e}, its phase by {:.1e} turns", turn - turn.round()));
            }
        }
        let jac = case.array("jac");
        for w in 0..2 {
            let s: Vec<Complex> = gradient[2 * w * size..][..2 * size].chunks(2).map(|c| Complex::new(c[0] as f64, c[1] as f64)).collect();
            let got: Vec<Complex> = (0..size).map(|b| (0..size).map(|p| s[p].scale(jac[(w * size + p) * size + b])).sum()).collect();
            let want: Vec<Complex> = (w * size..(w + 1) * size)
                .map(|b| {
                    let own = case.array("grad_half_logdetjac")[b];
                    Complex::new(case.array("grad_logpsi.re")[b] - own, case.array("grad_logpsi.im")[b])
                })
                .collect();
            let got: Vec<f32> = interleaved(&got).iter().map(|&v| v as f32).collect();
            // the inverse of a matrix of condition 10 to 100 in f32
            close("gradient of ln Phi", &got, &interleaved(&want), 100.0 * EPS)?;
        }
    }
    Ok(())
}

#[test]
fn plane_waves_agree_with_the_twin() {
    verify(fill);
}

#[test]
fn derivatives_agree_with_the_twin() {
    verify(derivatives);
}

#[test]
fn determinants_are_the_published_ones() {
    verify(published);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&slater::KERNEL, "t * u;", "t * (u - round(u));", fill);
    mutant(&slater::KERNEL, "states[w * p.n + id % p.n]", "states[w * p.n + row % p.n]", fill);
    mutant(&slater::KERNEL, "(id % p.n < p.up)", "(id % p.n <= p.up)", fill);
    mutant(&slater_gradient::KERNEL, "s12 = add(s12, k, v, c2)", "s12 = add(s12, k, u, c2)", derivatives);
    mutant(&slater_gradient::KERNEL, "p.wave * vec2<f32>(-s.im[c]", "p.wave * vec2<f32>(s.im[c]", derivatives);
    mutant(&slater_laplacian::KERNEL, "select(2.0, 1.0, s == 0u)", "select(2.0, 2.0, s == 0u)", derivatives);
    mutant(&slater_laplacian::KERNEL, "k.xxy * k.yzz", "k.xxy * k.zzz", derivatives);
}
