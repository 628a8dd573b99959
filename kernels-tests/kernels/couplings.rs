//! Energies of spins, dense, sparse and on lattices, against plain double loops: exact where couplings are whole numbers.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::couplings::{self, Dense, Observables, Sparse};
use helmholtz::kernels::stencil::{self, Stencil};
use helmholtz::reference::couplings as twin;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, random, verify};
use crate::spins::single;

/// Symmetric, zero on the diagonal, of variance 1/(3n).
pub fn matrix(n: usize, seed: u64) -> Vec<f64> {
    let r = random(seed, n * n);
    let entry = |i: usize, j: usize| r[i.min(j) * n + i.max(j)] / (n as f64).sqrt();
    (0..n * n).map(|k| if k / n == k % n { 0.0 } else { entry(k / n, k % n) as f32 as f64 }).collect()
}

fn spins(n: usize, samples: usize) -> Vec<f64> {
    random(7 + n as u64, n * samples).iter().map(|v| v.signum()).collect()
}

/// E and M of all samples, in chunks of `batch`, as a recording gives them.
fn evaluate(
    gpu: &Gpu,
    n: usize,
    spins: &[f64],
    batch: usize,
    record: impl Fn(&mut Recording, Chunk, &Buffer, Observables),
) -> Result<[Vec<f32>; 2], String> {
    let samples = spins.len() / n;
    let (s, energy, magnetisation) = (gpu.upload("s", &single(spins)), Buffer::new("e", samples), Buffer::new("m", samples));
    let mut rec = Recording::new();
    for first in (0..samples).step_by(batch) {
        let chunk = Chunk { first, count: batch.min(samples - first) };
        record(&mut rec, chunk, &s, Observables { energy: &energy, magnetisation: &magnetisation });
    }
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer| gpu.read_words::<f32>(b, samples).map_err(|e| e.to_string());
    Ok([read(&energy)?, read(&magnetisation)?])
}

/// `tolerance` 0: to the bit.
fn compare(what: &str, got: [Vec<f32>; 2], n: usize, spins: &[f64], energy: impl Fn(&[f64]) -> f64, tolerance: f64) -> Check {
    let want: Vec<f64> = spins.chunks(n).map(&energy).collect();
    let total: Vec<f64> = spins.chunks(n).map(|s| s.iter().sum()).collect();
    close(&format!("{what}, M"), &got[1], &total, 0.0)?;
    close(&format!("{what}, E"), &got[0], &want, tolerance)
}

/// E is half a sum of n terms s f, f a sum of n terms of order 1/√n: each rounds by ε of what it has reached.
fn dense(gpu: &Gpu) -> Check {
    for (n, samples, batch) in [(1, 3, 3), (5, 9, 4), (20, 70, 70), (33, 65, 64)] {
        let (j, h, s) = (matrix(n, 1), random(2, n), spins(n, samples));
        for fields in [&[][..], &h] {
            let d = Dense::new(n, &j, fields, batch).map_err(|e| e.to_string())?;
            let got = evaluate(gpu, n, &s, batch, |rec, chunk, s, out| d.record(rec, chunk, s, out))?;
            let fields = if fields.is_empty() { vec![0.0; n] } else { h.clone() };
            let rounding = 4.0 * ((n as f64).sqrt() + 4.0) * f32::EPSILON as f64;
            compare(&format!("dense {n}"), got, n, &s, |s| twin::energy(s, &j, &fields), rounding)?;
        }
    }
    Ok(())
}

/// Bonds that no lattice has, listed from either end; whole numbers to the bit, others to the rounding of n + bonds sums.
fn sparse(gpu: &Gpu) -> Check {
    for (n, samples, batch) in [(2, 3, 3), (7, 70, 64), (30, 9, 4)] {
        let r = random(3, 3 * n);
        let ends = (0..2 * n).map(|k| (k % n, (k % n + 1 + k / n * (n - 2) / 2) % n)).filter(|(i, j)| i != j);
        for whole in [true, false] {
            let size = |v: f64| if whole { (3.0 * v).round() } else { v };
            let bonds: Vec<_> = ends.clone().enumerate().map(|(k, (i, j))| (i, j, size(r[k]))).collect();
            let (h, s): (Vec<f64>, _) = (r[2 * n..].iter().map(|v| size(*v)).collect(), spins(n, samples));
            let d = Sparse::new(n, &bonds, &h).map_err(|e| e.to_string())?;
            let got = evaluate(gpu, n, &s, batch, |rec, chunk, s, out| d.record(rec, chunk, s, out))?;
            let energy = |s: &[f64]| {
                -bonds.iter().map(|&(i, j, v)| v * s[i] * s[j]).sum::<f64>() - s.iter().zip(&h).map(|(s, h)| s * h).sum::<f64>()
            };
            let rounding = if whole { 0.0 } else { 4.0 * (3.0 * n as f64).sqrt() * f32::EPSILON as f64 };
            compare(&format!("sparse {n}"), got, n, &s, energy, rounding)?;
        }
    }
    // no bonds: a field alone
    let d = Sparse::new(3, &[], &[1.0, 2.0, 4.0]).map_err(|e| e.to_string())?;
    let s = spins(3, 5);
    let got = evaluate(gpu, 3, &s, 5, |rec, chunk, s, out| d.record(rec, chunk, s, out))?;
    compare("fields", got, 3, &s, |s| -s[0] - 2.0 * s[1] - 4.0 * s[2], 0.0)
}

/// Both lattices, both boundaries, odd and even sides: to the bit. One J and h that are no whole numbers.
fn lattices(gpu: &Gpu) -> Check {
    for (side, samples, batch) in [(2, 9, 9), (3, 70, 64), (4, 9, 4), (7, 9, 9)] {
        let s = spins(side * side, samples);
        for (triangular, periodic) in [(false, false), (false, true), (true, false), (true, true)] {
            for (coupling, field, tolerance) in [(1.0, 0.0, 0.0), (-1.0, 3.0, 0.0), (0.3, -0.7, 4.0 * f32::EPSILON as f64)] {
                let l = Stencil { side, triangular, periodic, coupling, field };
                if l.check().is_err() {
                    assert!(periodic && side == 2);
                    continue;
                }
                let bonds = twin::lattice(side, triangular, periodic);
                let got = evaluate(gpu, side * side, &s, batch, |rec, chunk, s, out| l.record(rec, chunk, s, out))?;
                let energy = |s: &[f64]| twin::stencil(s, &bonds, coupling, field);
                compare(&format!("{l:?}"), got, side * side, &s, energy, tolerance)?;
            }
        }
    }
    Ok(())
}

#[test]
fn energies_are_those_of_plain_loops() {
    verify(dense);
    verify(sparse);
    verify(lattices);
}

/// b bonds a site on a torus; an open square has 2 side (side - 1), and a diagonal in each of its cells.
#[test]
fn the_twin_counts_every_bond_once() {
    let count = |side, triangular, periodic| {
        let mut all: Vec<_> = twin::lattice(side, triangular, periodic).iter().map(|&(i, j)| (i.min(j), i.max(j))).collect();
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed);
        listed
    };
    for side in [3, 4, 5] {
        assert_eq!([count(side, false, true), count(side, true, true)], [2 * side * side, 3 * side * side]);
        assert_eq!(count(side, false, false), 2 * side * (side - 1));
        assert_eq!(count(side, true, false), 2 * side * (side - 1) + (side - 1) * (side - 1));
    }
}

#[test]
fn bad_couplings_are_refused() {
    let said = |e: Option<helmholtz::Error>| e.map(|e| e.to_string()).unwrap_or_default();
    for (j, h, text) in [
        (vec![0.0, 1.0, 1.0], vec![], "3 numbers are no 2 x 2 matrix"),
        (vec![0.0, 1.0, 2.0, 0.0], vec![], "J[0][1] = 1, J[1][0] = 2"),
        (vec![1.0, 1.0, 1.0, 0.0], vec![], "diagonal 0"),
        (vec![0.0, f64::NAN, f64::NAN, 0.0], vec![], "finite"),
        (vec![0.0, 1.0, 1.0, 0.0], vec![1.0], "1 fields for 2 spins"),
        (vec![0.0, 1.0, 1.0, 0.0], vec![1.0, f64::INFINITY], "the field of spin 1 is inf"),
    ] {
        let e = said(Dense::new(2, &j, &h, 1).err());
        assert!(e.contains(text), "{e}");
    }
    for bond in [(0, 0, 1.0), (0, 2, 1.0), (0, 1, f64::NAN)] {
        assert!(said(Sparse::new(2, &[bond], &[]).err()).contains("it joins two of them"));
    }
    assert!(said(Sparse::new(40_000, &vec![(0, 1, 1.0); 20_001], &[]).err()).contains("40000 spins and 20001 bonds"));
    let lattice = Stencil { side: 4, triangular: false, periodic: true, coupling: 1.0, field: 0.0 };
    assert!(lattice.check().is_ok());
    for bad in [Stencil { side: 2, ..lattice }, Stencil { side: 245, ..lattice }, Stencil { coupling: f64::NAN, ..lattice }] {
        assert!(bad.check().is_err());
    }
}

#[test]
fn short_buffers_are_refused() {
    let chunk = Chunk { first: 2, count: 7 };
    let d = Dense::new(5, &matrix(5, 1), &[], 7).unwrap();
    let observables = |b: &'_ [Buffer]| [b[1].clone(), b[2].clone()];
    let words = [9 * 5, 9, 9];
    refuses("dense", &words, |rec, b| {
        let [energy, magnetisation] = &observables(b);
        d.record(rec, chunk, &b[0], Observables { energy, magnetisation });
    });
    refuses("table", &[72], |rec, b| {
        let mut d = Dense::new(5, &matrix(5, 1), &[], 7).unwrap();
        d.table = b[0].clone();
        let [s, e, m] = words.map(|w| Buffer::new("w", w));
        d.record(rec, chunk, &s, Observables { energy: &e, magnetisation: &m });
    });
    let s = Sparse::new(5, &[(0, 1, 1.0)], &[]).unwrap();
    refuses("sparse", &words, |rec, b| {
        let [energy, magnetisation] = &observables(b);
        s.record(rec, chunk, &b[0], Observables { energy, magnetisation });
    });
    let l = Stencil { side: 3, triangular: false, periodic: true, coupling: 1.0, field: 0.0 };
    refuses("stencil", &[9 * 9, 9, 9], |rec, b| {
        let [energy, magnetisation] = &observables(b);
        l.record(rec, chunk, &b[0], Observables { energy, magnetisation });
    });
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&couplings::DENSE, "-0.5 *", "-1.0 *", dense);
    mutant(&couplings::DENSE, "+ table[4u * p.ld4 * p.ld4 + i]", "+ 0.0 * table[i]", dense);
    mutant(&couplings::DENSE, "energy[p.first + w]", "energy[w]", dense);
    mutant(&couplings::SPARSE, "bitcast<f32>(bond.y) *", "", sparse);
    mutant(&couplings::SPARSE, "var field = fields[i];", "var field = 0.0 * fields[i];", sparse);
    mutant(&couplings::SPARSE, "(p.first + w) * p.sites", "w * p.sites", sparse);
    mutant(&stencil::KERNEL, "let down = select(1.0, edge, last);", "let down = edge;", lattices);
    mutant(&stencil::KERNEL, "diagonal * across * corner", "diagonal * corner", lattices);
    mutant(&stencil::KERNEL, "below = corner;", "", lattices);
    mutant(&stencil::KERNEL, "- p.field * spin", "", lattices);
}
