//! Exact draws of free fermions: against the twin, and against the exact statistics of plane waves.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::dpp::{self, Draw, Outputs};
use helmholtz::number::philox::{Stream, purpose::POSITIONS};
use helmholtz::number::statistics::Running;
use helmholtz::reference::dpp as twin;
use helmholtz::system::ElectronGas;

use crate::harness::{Check, mutant, random, verify};

const SEED: u64 = 0x1234_5678_9abc_def0;
const KEY: [u32; 2] = [0x9abc_def0, 0x1234_5678];

fn gas(n: usize, dim: usize, twist: &[f64]) -> ElectronGas {
    spins([n, 0], dim, twist)
}

fn spins(spins: [usize; 2], dim: usize, twist: &[f64]) -> ElectronGas {
    ElectronGas::of_spins(spins, dim, 1.0, 0.3, None, Some(twist)).unwrap()
}

/// Walkers with different random states: n ascending indices each, of each spin its electrons.
fn states(gas: &ElectronGas, walkers: usize, seed: u64) -> Vec<u32> {
    let mut out = Vec::new();
    for w in 0..walkers {
        let keys = random(seed + w as u64, gas.orbital_count());
        let m = gas.plane_wave_count();
        for (spin, n) in gas.spins().into_iter().enumerate() {
            let mut order: Vec<usize> = (spin * m..(spin + 1) * m).collect();
            // mostly low ones
            order.sort_by(|&a, &b| (a as f64 * 0.05 + keys[a]).total_cmp(&(b as f64 * 0.05 + keys[b])));
            let mut row: Vec<u32> = order[..n].iter().map(|&a| a as u32).collect();
            row.sort_unstable();
            out.extend(row);
        }
    }
    out
}

fn momenta(gas: &ElectronGas, states: &[u32]) -> Vec<f64> {
    let row = |s: &u32| (0..gas.dim).map(|c| gas.orbitals()[*s as usize][c] as f64 + gas.twist[c]).collect::<Vec<_>>();
    states.iter().flat_map(row).collect()
}

struct Drawn {
    z: Vec<f32>,
    progress: Vec<u32>,
}

fn at(seed: u64, step: u32, first_walker: u32) -> Stream {
    Stream { seed, step, purpose: POSITIONS, first_walker }
}

fn draw(gpu: &Gpu, gas: &ElectronGas, states: &[u32], d: Draw, budget: u64) -> Result<Drawn, String> {
    let text = |e: helmholtz::Error| e.to_string();
    let (sb, ob) = (gpu.upload("states", states), gpu.upload("orbitals", &gas.momenta_padded()));
    let out = Outputs::new(gas.n, gas.dim, d.walkers);
    let mut rec = Recording::new();
    dpp::record_parts(&mut rec, gpu.profile, gas, d, &sb, &ob, &out, budget).map_err(text)?;
    gpu.run(&rec).map_err(text)?;
    let read = |b: &Buffer, words: usize| gpu.read_words(b, words).map_err(text);
    let z = gpu.read_words::<f32>(&out.z, d.walkers * gas.n * gas.dim).map_err(text)?;
    let progress: Vec<u32> = read(&out.progress, 4 * d.walkers)?;
    match progress.chunks(4).position(|p| p[0] != gas.n as u32) {
        Some(w) => Err(format!("walker {w} placed {} of {}", progress[4 * w], gas.n)),
        None => Ok(Drawn { z, progress }),
    }
}

fn agrees(gpu: &Gpu) -> Check {
    let cases = [
        ([1, 0], 2, vec![0.25, 0.25], 3),
        ([5, 0], 2, vec![0.0, 0.0], 40),
        ([13, 0], 2, vec![0.25, 0.25], 40),
        ([29, 0], 2, vec![0.25, -0.1], 20),
        ([7, 0], 3, vec![0.1, -0.3, 0.5], 40),
        ([101, 0], 2, vec![0.25, 0.25], 4),
        ([1, 1], 2, vec![0.25, 0.25], 20),
        ([7, 6], 2, vec![0.25, 0.25], 40),
        ([7, 7], 3, vec![0.0, 0.0, 0.0], 20),
        ([20, 3], 2, vec![0.25, -0.1], 20),
    ];
    for (case, (numbers, dim, twist, walkers)) in cases.into_iter().enumerate() {
        let gas = spins(numbers, dim, &twist);
        let n = gas.n;
        let states = states(&gas, walkers, 1000 * case as u64);
        let d = Draw { at: at(SEED, 5, 77), walkers };
        let got = draw(gpu, &gas, &states, d, 60_000)?;
        let mut close_calls = 0;
        for w in 0..walkers {
            let want = twin::dpp(&momenta(&gas, &states[w * n..][..n]), dim, gas.up, KEY, 77 + w as u32, 5, POSITIONS);
            // probabilities from sums of n numbers below 1, to n ε with columns orthogonal to a few ε: a closer decision may differ
            if want.margin < 8.0 * (n as f64).sqrt() * f32::EPSILON as f64 {
                close_calls += 1;
                continue;
            }
            if got.progress[4 * w + 2] != want.candidates as u32 {
                return Err(format!("n = {n} walker {w}: {} candidates, want {}", got.progress[4 * w + 2], want.candidates));
            }
            for (c, (z, u)) in got.z[w * n * dim..].iter().zip(&want.u).enumerate() {
                let off = *z as f64 / gas.length() - u;
                if !(off.abs() < 2.0 * f32::EPSILON as f64) {
                    return Err(format!("n = {n} walker {w} coordinate {c}: {z}, want {} (margin {:.1e})", u * gas.length(), want.margin));
                }
            }
        }
        // a decision is that close with probability 2e-5 for each of n H_n candidates
        if close_calls > 1 + walkers / 10 {
            return Err(format!("n = {n}: {close_calls} close decisions"));
        }
    }
    Ok(())
}

/// Density and structure factor of the ground state: <rho_q> = 0 and <|rho_q|^2>/n = 1 - (pairs k, k + q)/n
/// exactly, pairs of one spin, which fixes the pair distribution; n H_n candidates on average, n those of a spin.
fn statistics(gpu: &Gpu) -> Check {
    for (numbers, dim, walkers) in
        [([5, 0], 2, 1024), ([13, 0], 2, 512), ([29, 0], 2, 256), ([7, 0], 3, 512), ([5, 3], 2, 1024), ([4, 4], 3, 512)]
    {
        let gas = spins(numbers, dim, &[0.25, 0.25, 0.25][..dim]);
        let n = gas.n;
        let row: Vec<u32> = gas.ground_state().map(|s| s as u32).collect();
        let states: Vec<u32> = (0..walkers).flat_map(|_| row.clone()).collect();
        let got = draw(gpu, &gas, &states, Draw { at: at(11, 0, 0), walkers }, 60_000)?;
        // those of spin down in a component that q leaves alone
        let occupied: Vec<[i32; 4]> = gas
            .ground_state()
            .map(|s| (gas.orbitals()[s], s / gas.plane_wave_count()))
            .map(|(k, spin)| [k[0], k[1], k[2], spin as i32])
            .collect();
        for q in [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0], [2, 0, 0], [2, 1, 0], [3, 0, 0], [0, 4, 0]] {
            let (mut real, mut square) = (Running::default(), Running::default());
            for walker in got.z.chunks(n * dim) {
                let (mut re, mut im) = (0.0, 0.0);
                for r in walker.chunks(dim) {
                    let turns: f64 = r.iter().zip(q).map(|(x, q)| *x as f64 * q as f64).sum::<f64>() / gas.length();
                    re += (2.0 * std::f64::consts::PI * turns).cos();
                    im += (2.0 * std::f64::consts::PI * turns).sin();
                }
                real.push(re);
                square.push((re * re + im * im) / n as f64);
            }
            let pairs = occupied.iter().filter(|k| occupied.contains(&[k[0] + q[0], k[1] + q[1], k[2] + q[2], k[3]])).count();
            let exact = 1.0 - pairs as f64 / n as f64;
            let (a, b) = (real.mean / real.error(), (square.mean - exact) / square.error());
            // 96 numbers: 4.2 σ is passed by chance in 3 of 1,000 seeds
            if !(a.abs() < 4.2 && b.abs() < 4.2) {
                return Err(format!(
                    "n = {n} dim = {dim} q = {q:?}: rho {a:.1} σ, S = {} ± {}, exact {exact}, {b:.1} σ",
                    square.mean,
                    square.error()
                ));
            }
        }
        let mut candidates = Running::default();
        got.progress.chunks(4).for_each(|p| {
            candidates.push(p[2] as f64);
        });
        let want: f64 = gas.spins().iter().flat_map(|n| (1..=*n).map(|i| *n as f64 / i as f64)).sum();
        if !((candidates.mean - want).abs() < 4.2 * candidates.error()) {
            return Err(format!("n = {n}: {} ± {} candidates, want {want}", candidates.mean, candidates.error()));
        }
    }
    Ok(())
}

/// Neither chunks nor the number of launches change a bit.
fn split(gpu: &Gpu) -> Check {
    let (n, walkers) = (13, 9);
    let gas = gas(n, 2, &[0.25, 0.25]);
    let states = states(&gas, walkers, 3);
    let d = Draw { at: at(SEED, 2, 4), walkers };
    let whole = draw(gpu, &gas, &states, d, 60_000)?;
    let parts = draw(gpu, &gas, &states, d, 1500)?;
    let last = draw(gpu, &gas, &states[5 * n..], Draw { at: d.at.skip(5), walkers: 4 }, 60_000)?;
    let other = draw(gpu, &gas, &states, Draw { at: at(SEED, 3, 4), ..d }, 60_000)?;
    if whole.z != parts.z || whole.progress != parts.progress || whole.z[5 * n * 2..] != last.z || whole.z == other.z {
        return Err("draws depend on chunks or launches, or not on the step".into());
    }
    Ok(())
}

#[test]
fn kernel_agrees_with_its_twin() {
    verify(agrees);
}

#[test]
fn draws_have_the_statistics_of_plane_waves() {
    verify(statistics);
}

#[test]
fn draws_do_not_depend_on_the_split() {
    verify(split);
}

#[test]
fn too_many_electrons_are_refused() {
    let gas = ElectronGas::with(193, 2, 1.0, 0.1, None, None).unwrap();
    let out = Outputs::new(193, 2, 1);
    let nothing = Buffer::new("nothing", 1);
    let d = Draw { at: at(0, 0, 0), walkers: 1 };
    let answer = dpp::record(&mut Recording::new(), helmholtz::gpu::Profile::Gpu, &gas, d, &nothing, &nothing, &out);
    assert!(answer.is_err_and(|e| e.to_string().contains("sampler=metropolis")));
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&dpp::KERNEL, "+ a.yxwz * b.y", "- a.yxwz * b.y", agrees);
    mutant(&dpp::KERNEL, "states[w * p.n + a]", "states[w * p.n]", agrees);
    mutant(&dpp::KERNEL, "p.first_walker + walker", "walker", agrees);
    mutant(&dpp::KERNEL, "place.w = winner", "place.w = 0u", statistics);
    mutant(&dpp::KERNEL, "turn < times", "turn < 0u", statistics);
    mutant(&dpp::KERNEL, "at.y + TRIALS, at.z", "0u, at.z", agrees);
    mutant(&dpp::KERNEL, "(a < p.up) == (i < p.up)", "true", agrees);
    mutant(&dpp::KERNEL, "p.n - p.up, p.up, i < p.up", "p.n, p.up, i < p.up", statistics);
}
