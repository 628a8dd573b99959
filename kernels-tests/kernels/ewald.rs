//! ewald against the pair-by-pair sum and against published potentials.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::ewald;
use helmholtz::reference::ewald as twin;
use helmholtz::system::{Ewald, ewald::DEVICE, ewald::FINE};

use crate::harness::{Check, close, mutant, random, verify};
use crate::published::{Case, rounded, single};
use crate::reference_data::present;

fn device(gpu: &Gpu, tables: &Ewald, x: &[f64], n: usize, rs: f64, length: f64) -> Result<Vec<f32>, String> {
    let walkers = x.len() / (n * tables.dim);
    let (xb, table) = (gpu.upload("x", &single(x)), gpu.upload("table", &tables.table()));
    let potential = Buffer::new("potential", walkers);
    let mut rec = Recording::new();
    ewald::record(&mut rec, "potential", ewald::Params::new(tables, walkers, n, rs, length), &xb, &table, &potential);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    gpu.read_words(&potential, walkers).map_err(|e| e.to_string())
}

/// Positions up to 1.5 boxes off round by 0.75 ε of the box, which moves V by the force, up to ten times V per
/// box and electron here; the sums of 40 or fewer electrons and their squares add about 10 ε: 32 ε of the
/// largest |V| in all.
const BOUND: f64 = 32.0 * f32::EPSILON as f64;

fn uniform(gpu: &Gpu) -> Check {
    for (case, &(walkers, n, dim, (kappa, gmax))) in
        [(5, 13, 2, DEVICE), (3, 1, 2, DEVICE), (2, 40, 2, FINE), (3, 6, 3, DEVICE), (1, 9, 3, FINE), (70, 2, 3, (5.0, 4))]
            .iter()
            .enumerate()
    {
        let length = 3.7;
        let tables = Ewald::new(dim, kappa, gmax).unwrap();
        // other images than the first, too
        let x: Vec<f64> = rounded(&random(case as u64, walkers * n * dim).iter().map(|v| v * 1.5 * length).collect::<Vec<_>>());
        let got = device(gpu, &tables, &x, n, 2.0, length)?;
        let want: Vec<f64> = x.chunks(n * dim).map(|x| twin::potential(&tables, x, 2.0, length)).collect();
        close("potential", &got, &want, BOUND)?;
    }
    Ok(())
}

/// The extremes that settings allow: at large κ the reciprocal sum and the electrons' own terms are each 30 times V and
/// cancel (in the constants, made in float64), at large Gmax phases turn up to 40 times. No more is lost than at the usual κ.
fn extremes(gpu: &Gpu) -> Check {
    for (case, &(walkers, n, dim, kappa, gmax)) in
        [(4, 13, 2, 3.5, 4), (4, 13, 2, 4.0, 40), (4, 13, 2, 30.0, 40), (2, 5, 3, 30.0, 40), (4, 7, 3, 3.5, 4), (2, 7, 3, 12.0, 20)]
            .iter()
            .enumerate()
    {
        let length = 3.7;
        let tables = Ewald::new(dim, kappa, gmax).unwrap();
        let x: Vec<f64> = rounded(&random(70 + case as u64, walkers * n * dim).iter().map(|v| v * length).collect::<Vec<_>>());
        let got = device(gpu, &tables, &x, n, 2.0, length)?;
        let want: Vec<f64> = x.chunks(n * dim).map(|x| tables.potential(x, 2.0, length)).collect();
        close(&format!("{dim}D κ={kappa} Gmax={gmax}"), &got, &want, BOUND)?;
    }
    Ok(())
}

#[test]
fn extreme_splittings_lose_no_digits() {
    verify(extremes);
}

/// The rounding must stay below 1e-5 of the spread of V, for its own splitting and for the published one.
fn published(gpu: &Gpu) -> Check {
    for name in present(&["n29_d2_rs10", "n29_d2_rs1", "n7_d3_random"]) {
        let case = Case::load(name);
        let (n, dim, rs, length) = (case.size("n"), case.size("dim"), case.number("rs"), case.number("L"));
        let want = case.array("potential");
        let mean = want.iter().sum::<f64>() / want.len() as f64;
        let sigma = (want.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / want.len() as f64).sqrt();
        let scale = want.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (kappa, gmax) in [DEVICE, FINE] {
            let tables = Ewald::new(dim, kappa, gmax).unwrap();
            let got = device(gpu, &tables, case.array("x"), n, rs, length)?;
            let truncation = 2.0 * rs / length * n as f64 * tables.error(n);
            close(name, &got, want, (1e-5 * sigma + truncation).max(2.0 * f32::EPSILON as f64 * scale) / scale)?;
        }
    }
    Ok(())
}

#[test]
fn potential_is_the_sum_over_pairs() {
    verify(uniform);
}

#[test]
fn potential_is_the_published_one() {
    verify(published);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&ewald::KERNEL, "r -= round(r)", "r -= floor(r)", uniform);
    mutant(&ewald::KERNEL, "- f32(p.n)", "+ f32(p.n)", uniform);
    mutant(&ewald::KERNEL, "rho3 += sincos2pi(dot(g3.xyz, u))", "rho3 += sincos2pi(dot(g2.xyz, u))", uniform);
    mutant(&ewald::KERNEL, "p.n * (p.n - 1u) / 2u", "p.n * (p.n - 2u) / 2u", uniform);
}
