//! structure_factor, pair_histogram, occupation_shells and bin_sums against their twins.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::Chunk;
use helmholtz::kernels::observables::{self, MOST_BINS, Positions, SPAN, Shells};
use helmholtz::reference::observables as twin;

use crate::harness::{Check, close, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;
const LENGTH: f64 = 5.5;

fn text(e: helmholtz::Error) -> String {
    e.to_string()
}

/// Positions in several images, as the device has them.
fn positions(seed: u64, count: usize) -> Vec<f32> {
    random(seed, count).iter().map(|v| (1.7 * LENGTH * v) as f32).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|v| f64::from(*v)).collect()
}

/// Phases of at most |m| √d/2 turns are off by 2 ε of it and those of x/L by ε of 1.7 images, n of them; |ρ|²/n by twice that of |ρ|.
fn factors(gpu: &Gpu) -> Check {
    for (n, dim, most, walkers) in [(1, 2, 1, 3), (13, 2, 30, 67), (7, 3, 9, 33)] {
        let (shells, x) = (Shells::new(dim, most), positions(n as u64, walkers * n * dim));
        let (xb, table) = (gpu.upload("x", &x), gpu.upload("vectors", &shells.table()));
        let (starts, out) = (gpu.upload("starts", &shells.starts), Buffer::new("out", walkers * shells.len()));
        let mut rec = Recording::new();
        let at = Positions { x: &xb, walkers, n, dim, length: LENGTH };
        observables::structure_factor(&mut rec, at, &shells, &table, &starts, &out);
        gpu.run(&rec).map_err(text)?;
        let x = wide(&x);
        let shell = |s: usize| &shells.vectors[shells.starts[s] as usize..shells.starts[s + 1] as usize];
        let want: Vec<f64> = x
            .chunks(n * dim)
            .flat_map(|x| (0..shells.len()).map(|s| twin::structure_factor(x, dim, LENGTH, shell(s))).collect::<Vec<_>>())
            .collect();
        let phase = std::f64::consts::TAU * f64::from(most).sqrt() * 4.0 * (dim as f64).sqrt() * EPS;
        close("S", &gpu.read_words(&out, want.len()).map_err(text)?, &want, 2.0 * phase + 4.0 * n as f64 * EPS)?;
    }
    Ok(())
}

/// Counts are whole: only pairs within 4 ε of an edge may be in the next bin, and such are not among these.
fn pairs(gpu: &Gpu) -> Check {
    for (n, dim, bins, walkers) in [(2, 2, 1, 5), (13, 2, 40, 67), (23, 3, MOST_BINS, 9)] {
        let x = positions(90 + n as u64, walkers * n * dim);
        let (xb, out) = (gpu.upload("x", &x), Buffer::new("out", walkers * bins));
        let mut rec = Recording::new();
        observables::pair_histogram(&mut rec, Positions { x: &xb, walkers, n, dim, length: LENGTH }, bins, &out);
        gpu.run(&rec).map_err(text)?;
        let (x, mut want, mut open) = (wide(&x), Vec::new(), Vec::new());
        for x in x.chunks(n * dim) {
            let r = twin::distances(x, dim, LENGTH);
            let near = |r: &f64| (2.0 * bins as f64 * r - (2.0 * bins as f64 * r).round()).abs() < 16.0 * EPS * bins as f64;
            open.push(r.iter().any(near));
            want.push(twin::pair_histogram(&r, bins));
        }
        let got: Vec<f32> = gpu.read_words(&out, walkers * bins).map_err(text)?;
        if open.iter().filter(|o| **o).count() * 10 > walkers {
            return Err("too many pairs at edges".into());
        }
        for ((got, want), _) in got.chunks(bins).zip(&want).zip(&open).filter(|(_, open)| !**open) {
            if wide(got) != *want {
                return Err(format!("n = {n}: {got:?}, want {want:?}"));
            }
        }
    }
    Ok(())
}

/// A count times a rounded share.
fn occupations(gpu: &Gpu) -> Check {
    for (n, orbitals, count, walkers) in [(1, 5, 2, 3), (13, 81, 17, 67)] {
        let shells: Vec<u32> = (0..orbitals).map(|k| (k * count / orbitals) as u32).collect();
        let degenerate = |s: usize| shells.iter().filter(|t| **t as usize == s).count() as f32;
        let share: Vec<f32> = (0..count).map(|s| 1.0 / degenerate(s)).collect();
        let states: Vec<u32> =
            random(7, walkers * n).iter().map(|v| (((v + 1.0) * 0.5 * orbitals as f64) as u32).min(orbitals as u32 - 1)).collect();
        let (sb, of, sh) = (gpu.upload("states", &states), gpu.upload("shells", &shells), gpu.upload("share", &share));
        let out = Buffer::new("out", walkers * count);
        let mut rec = Recording::new();
        observables::occupation_shells(&mut rec, (walkers, n), &sb, (orbitals, count), &of, &sh, &out);
        gpu.run(&rec).map_err(text)?;
        let want: Vec<f64> = states.chunks(n).flat_map(|s| twin::occupation_shells(s, &shells, count)).collect();
        close("occupation", &gpu.read_words(&out, want.len()).map_err(text)?, &want, 2.0 * EPS)?;
    }
    Ok(())
}

/// Two chunks into one table; sums of up to SPAN terms. What does not count may be anything.
fn sums(gpu: &Gpu) -> Check {
    for (columns, chunks) in [(1, vec![3]), (70, vec![SPAN + 5, 40])] {
        let batch: usize = chunks.iter().sum();
        let counts: Vec<bool> = (0..batch).map(|w| w % 5 != 2).collect();
        let weights: Vec<f32> = counts.iter().flat_map(|c| [1.0, 2.0, 3.0, f32::from(u8::from(*c))]).collect();
        let weights = gpu.upload("weights", &weights);
        let total: usize = chunks.iter().map(|c| observables::rows(*c)).sum();
        let partial = Buffer::new("partial", 2 * columns * total);
        let (mut rec, mut first, mut row, mut rows) = (Recording::new(), 0, 0, Vec::new());
        for count in &chunks {
            let values: Vec<f32> = random(40 + first as u64, count * columns).iter().map(|v| (0.5 + v) as f32).collect();
            rows.extend(values.chunks(columns).map(wide));
            let lost = values.iter().enumerate().map(|(i, v)| if counts[first + i / columns] { *v } else { f32::NAN });
            let buffer = gpu.upload("values", &lost.collect::<Vec<_>>());
            observables::bin_sums(&mut rec, Chunk { first, count: *count }, columns, &buffer, &weights, (&partial, row));
            (first, row) = (first + count, row + observables::rows(*count));
        }
        gpu.run(&rec).map_err(text)?;
        let got = wide(&gpu.read_words(&partial, 2 * columns * total).map_err(text)?);
        let added = |power: usize| -> Vec<f32> {
            (0..columns).map(|c| (0..total).map(|r| got[(2 * r + power) * columns + c]).sum::<f64>() as f32).collect()
        };
        let (first, second) = twin::bin_sums(&rows, &counts);
        // of the terms, which are up to 1.5
        let scale = batch as f64 / first.iter().chain(&second).fold(0.0_f64, |m, v| m.max(v.abs()));
        close("sums", &added(0), &first, 4.0 * SPAN as f64 * EPS * scale)?;
        close("squares", &added(1), &second, 4.0 * SPAN as f64 * EPS * scale)?;
    }
    Ok(())
}

#[test]
fn kernels_agree_with_their_twins() {
    verify(factors);
    verify(pairs);
    verify(occupations);
    verify(sums);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&observables::STRUCTURE_FACTOR, "max(end - first, 1u) * p.n", "p.n", factors);
    mutant(&observables::STRUCTURE_FACTOR, "u.z = x[at + 2u]", "u.z = x[at + 1u]", factors);
    mutant(&observables::PAIR_HISTOGRAM, "r -= round(r);", "", pairs);
    mutant(&observables::PAIR_HISTOGRAM, "atomicStore(&counts[b], 0u)", "atomicStore(&counts[b], 1u)", pairs);
    mutant(&observables::OCCUPATION_SHELLS, "* share[s]", "/ share[s]", occupations);
    mutant(&observables::BIN_SUMS, "weights[p.first + w].w", "weights[w].w", sums);
    mutant(&observables::BIN_SUMS, "squares += v * v", "squares += v", sums);
}

/// One of each pair, all of them: their number is half that of the points in a sphere but for its centre.
#[test]
fn shells_hold_one_of_each_pair() {
    for (dim, most) in [(2, 30), (3, 9)] {
        let s = Shells::new(dim, most);
        let side = f64::from(most).sqrt() as i32;
        let within = |m: &[i32; 3]| (m.iter().map(|c| c * c).sum::<i32>() as u32) <= most;
        let range = -side..=side;
        let all = range.clone().flat_map(|a| range.clone().flat_map(move |b| (-side..=side).map(move |c| [a, b, c])));
        let count = all.filter(|m| within(m) && (dim == 3 || m[2] == 0)).count();
        assert_eq!(2 * s.vectors.len() + 1, count);
        assert!(s.vectors.iter().all(|m| !s.vectors.contains(&[-m[0], -m[1], -m[2]])));
        for (k, square) in s.squares.iter().enumerate() {
            let shell = &s.vectors[s.starts[k] as usize..s.starts[k + 1] as usize];
            assert!(!shell.is_empty() && shell.iter().all(|m| m.iter().map(|c| c * c).sum::<i32>() as u32 == *square));
        }
    }
}
