//! The three Metropolis kernels against their twins, and whole chains on free fermions.

use helmholtz::archive::{Archive, State};
use helmholtz::gpu::{Buffer, Gpu, Profile, Recording};
use helmholtz::kernels::metropolis::{self, Accept, AdaptParams, Move};
use helmholtz::kernels::{determinant, slater};
use helmholtz::number::philox::{Stream, purpose::METROPOLIS};
use helmholtz::number::statistics::Running;
use helmholtz::reference::metropolis as twin;
use helmholtz::sample::{Metropolis, Sampler, Settings};
use helmholtz::system::ElectronGas;

use crate::harness::{Check, close, devices, mutant, mutant_in, random, verify};
use crate::published::{rounded, single};

const SEED: u64 = 0x1234_5678_9abc_def0;
const KEY: [u32; 2] = [0x9abc_def0, 0x1234_5678];

fn moves(step: u32, walkers: usize, size: usize) -> Move {
    Move { at: Stream { seed: SEED, step, purpose: METROPOLIS, first_walker: 100 }, walkers, size }
}

fn propose(gpu: &Gpu) -> Check {
    for (case, &(walkers, size)) in [(7, 10), (3, 58), (33, 3)].iter().enumerate() {
        let x = rounded(&random(case as u64, walkers * size));
        let (xb, state) = (gpu.upload("x", &single(&x)), gpu.upload("state", &[0.25f32, 0.0, 0.0, 0.0]));
        let out = Buffer::new("proposal", walkers * size);
        let mut rec = Recording::new();
        metropolis::record_propose(&mut rec, moves(9, walkers, size), &xb, &state, &out);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let want: Vec<f64> =
            (0..walkers).flat_map(|w| twin::propose(&x[w * size..][..size], 0.25, KEY, 100 + w as u32, 9, METROPOLIS)).collect();
        // normal numbers to 10 ε (ln near 1 loses most), a sum below 2.5
        close("proposal", &gpu.read::<f32>(&out).map_err(|e| e.to_string())?[..walkers * size], &want, 10.0 * f32::EPSILON as f64)?;
    }
    Ok(())
}

fn accept(gpu: &Gpu) -> Check {
    // as many as notice an exponent of |Ψ| that is 2 % off
    let (walkers, size, length, tracked) = (3000, 10, 3.0, 200);
    let (x, to) = (rounded(&random(1, walkers * size)), rounded(&random(2, walkers * size)));
    let to: Vec<f64> = to.iter().map(|v| (6.0 * v) as f32 as f64).collect();
    let mut before = rounded(&random(3, walkers));
    let mut after = rounded(&random(4, walkers));
    after[3] = f64::NAN;
    after[4] = f64::NEG_INFINITY;
    after[5] = f64::INFINITY;
    after[6] = -1e30f32 as f64;
    before[7] = f64::NAN;
    before[8] = -1e30f32 as f64;
    (before[9], after[9]) = (f64::NAN, f64::NAN);
    let (xb, tb) = (gpu.upload("x", &single(&x)), gpu.upload("proposal", &single(&to)));
    let (bb, ab) = (gpu.upload("before", &single(&before)), gpu.upload("after", &single(&after)));
    let counts = gpu.upload("counts", &vec![1u32; 2 * (walkers + 2)]);
    let series = gpu.upload("series", &vec![-7.0f32; 2 * tracked]);
    let mut rec = Recording::new();
    let a =
        Accept { x: &xb, proposal: &tb, log_psi: &bb, proposed: &ab, counts: &counts, series: &series, here: 2, tracked, sweep: 1, length };
    metropolis::record_accept(&mut rec, moves(5, walkers, size), a);
    gpu.run(&rec).map_err(|e| e.to_string())?;
    let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
    let (moved, now, chain) = (read(&xb)?, read(&bb)?, read(&series)?);
    let counted: Vec<u32> = gpu.read(&counts).map_err(|e| e.to_string())?;
    let mut taken = 0;
    for w in 0..walkers {
        let yes = twin::accepts(before[w], after[w], KEY, 100 + w as u32, 5, METROPOLIS);
        taken += yes as u32;
        let bad = !(after[w].is_finite() && after[w] > -1e29);
        let want = if yes { after[w] } else { before[w] };
        if counted[2 * (w + 2)] != 1 + yes as u32 || counted[2 * (w + 2) + 1] != 1 + bad as u32 {
            return Err(format!("walker {w}: counts {:?}, taken {yes}, bad {bad}", &counted[2 * (w + 2)..][..2]));
        }
        if now[w].to_bits() != (want as f32).to_bits() && !(want.is_nan() && now[w].is_nan()) {
            return Err(format!("walker {w}: ln|Psi| {}, want {want}", now[w]));
        }
        if w + 2 < tracked && want.is_finite() && chain[tracked + w + 2] != 2.0 * want as f32 {
            return Err(format!("walker {w}: series {}, want {}", chain[tracked + w + 2], 2.0 * want));
        }
        for c in 0..size {
            let (got, at) = (moved[w * size + c], w * size + c);
            let right = if yes {
                let off = (got as f64 - twin::fold(to[at], length)) / length;
                (0.0..length as f32).contains(&got) && (off - off.round()).abs() < 4.0 * f32::EPSILON as f64
            } else {
                got == x[at] as f32
            };
            if !right {
                return Err(format!("walker {w} coordinate {c}: {got} from {}, taken {yes}", to[at]));
            }
        }
    }
    if chain[..tracked + 2].iter().any(|&v| v != -7.0) || !(1000..3000).contains(&taken) {
        return Err(format!("another row of the series was written, or {taken} accepted of {walkers}"));
    }
    Ok(())
}

fn adapt(gpu: &Gpu) -> Check {
    for (walkers, accepted, width, limits) in [(1000, 7, 0.1, (0.01, 1.0)), (3, 0, 0.1, (0.08, 1.0)), (70, 10, 0.1, (0.01, 0.11))] {
        let counts: Vec<u32> = (0..walkers).flat_map(|w| [accepted, (w == walkers - 1) as u32]).collect();
        let (cb, state) = (gpu.upload("counts", &counts), gpu.upload("state", &[width as f32, 9.0, 9.0, 4.0]));
        let p = AdaptParams {
            walkers: walkers as u32,
            moves: 10.0 * walkers as f32,
            goal: 0.5,
            gain: 1.5,
            smallest: limits.0 as f32,
            largest: limits.1 as f32,
            pad: [0; 2],
        };
        let mut rec = Recording::new();
        metropolis::record_adapt(&mut rec, p, &cb, &state);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let share = accepted as f64 / 10.0;
        let want = [twin::adapt(width, share, 0.5, 1.5, limits.0, limits.1), share, 0.1 / walkers as f64, 5.0];
        let got: Vec<f32> = gpu.read(&state).map_err(|e| e.to_string())?;
        for (g, w) in got.iter().zip(want) {
            // exp to a few ulp
            close("state", &[*g], &[w], 8.0 * f32::EPSILON as f64)?;
        }
    }
    Ok(())
}

/// Structure factor |Σ exp(iq·x)|²/n of |Φ|² is 1 - (occupied pairs k, k+q)/n, exactly.
fn free_fermions(gpu: &Gpu) -> Check {
    let gas = ElectronGas::with(5, 2, 1.0, 0.2, Some(4), Some(&[0.0, 0.0])).map_err(|e| e.to_string())?;
    let (n, walkers, length) = (gas.n, 192, gas.length());
    let states: Vec<u32> = (0..walkers).flat_map(|_| gas.ground_state().map(|s| s as u32)).collect();
    let (sb, ob) = (gpu.upload("states", &states), gpu.upload("orbitals", &gas.momenta_padded()));
    let settings = Settings { walkers, chunk: 100, first: 0, size: 2 * n, length, sweeps: 20, width: 0.1, acceptance: Some(0.5), seed: 3 };
    let mut sampler = Metropolis::new(settings).map_err(|e| e.to_string())?;
    let matrix = Buffer::new("matrix", 2 * walkers * n * n);
    let out = determinant::Outputs::complex("slater", n, walkers, false).map_err(|e| e.to_string())?;
    let profile = gpu.profile;
    // all walkers have the same states, so that a chunk may read the first of them
    let mut log_psi = |rec: &mut Recording, chunk: &helmholtz::sample::Chunk, x: &Buffer, to: &Buffer| {
        slater::record(rec, "fill", slater::Params::new(&gas, chunk.walkers), x, &sb, &ob, &matrix);
        determinant::complex(rec, "determinant", profile, &matrix, n, chunk.walkers, &out);
        rec.copy(&out.logdet, to, chunk.walkers);
    };
    let momenta = [[1, 0], [0, 1], [1, 1], [2, 0], [2, 1], [3, 0]];
    let mut sums = vec![vec![Running::default(); walkers]; momenta.len()];
    let mut round = helmholtz::sample::Round::default();
    for number in 0..40 {
        let mut rec = Recording::new();
        sampler.record_moves(&mut rec, &mut log_psi);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        if number < 10 {
            continue;
        }
        round = sampler.round(gpu).map_err(|e| e.to_string())?;
        let x = saved(gpu, &mut sampler)?.floats("walkers");
        for (q, sums) in momenta.iter().zip(&mut sums) {
            for (walker, sum) in x.chunks(2 * n).zip(sums) {
                let (mut re, mut im) = (0.0, 0.0);
                for r in walker.chunks(2) {
                    let phase = 2.0 * std::f64::consts::PI / length * (q[0] as f64 * r[0] as f64 + q[1] as f64 * r[1] as f64);
                    re += phase.cos();
                    im += phase.sin();
                }
                sum.push((re * re + im * im) / n as f64);
            }
        }
    }
    let occupied: Vec<[i32; 3]> = gas.ground_state().map(|s| gas.orbitals()[s]).collect();
    for (q, sums) in momenta.iter().zip(&sums) {
        let pairs = occupied.iter().filter(|k| occupied.contains(&[k[0] + q[0], k[1] + q[1], 0])).count();
        let exact = 1.0 - pairs as f64 / n as f64;
        // walkers are independent: the spread of their own averages holds all correlation in time
        let mut over = Running::default();
        sums.iter().for_each(|s| {
            over.push(s.mean);
        });
        let sigma = (over.mean - exact) / over.error();
        // six numbers: 4 σ is passed by chance in 4 of 10,000 runs; an error bar of 3 % makes it a test
        if !(sigma.abs() < 4.0 && over.error() < 0.03 * exact) {
            return Err(format!("S({q:?}) = {} ± {}, exact {exact}: {sigma:.1} σ", over.mean, over.error()));
        }
    }
    if !((round.acceptance - 0.5).abs() < 0.05 && round.non_finite == 0.0 && round.tau > 2.0 && round.width > 0.1) {
        return Err(format!("{round:?}"));
    }
    Ok(())
}

/// The state of chains.
fn saved(gpu: &Gpu, sampler: &mut Metropolis) -> Result<State, String> {
    let mut archive = Archive::saving(gpu);
    sampler.state(&mut archive).and_then(|()| archive.finish()).map_err(|e| e.to_string())
}

/// A run that stops and goes on makes the same chain, in other chunks too, and still knows where it began.
fn resumed(gpu: &Gpu) -> Check {
    let settings =
        |chunk| Settings { walkers: 9, chunk, first: 20, size: 4, length: 2.0, sweeps: 3, width: 0.3, acceptance: None, seed: 8 };
    let go = |sampler: &mut Metropolis, rounds: usize| -> Check {
        for _ in 0..rounds {
            let mut rec = Recording::new();
            // ln|Psi| = the first coordinate
            sampler.record_moves(&mut rec, &mut |rec, chunk, x, to| rec.copy(x, to, chunk.walkers));
            gpu.run(&rec).map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    let text = |e: helmholtz::Error| e.to_string();
    let mut whole = Metropolis::new(settings(9)).map_err(text)?;
    go(&mut whole, 1)?;
    let half = saved(gpu, &mut whole)?;
    go(&mut whole, 2)?;
    let end = saved(gpu, &mut whole)?;
    if end.floats("walkers") == half.floats("walkers") || (end.floats("width")[0] - 0.3).abs() > 1e-6 {
        return Err(format!("{half:?} {end:?}"));
    }
    for chunk in [9, 4] {
        let mut other = Metropolis::new(settings(chunk)).map_err(text)?;
        let mut archive = Archive::restoring(gpu, half.clone());
        other.state(&mut archive).and_then(|()| archive.finish()).map_err(text)?;
        if saved(gpu, &mut other)? != half {
            return Err(format!("chunks of {chunk}: not as it was saved"));
        }
        // ln|Psi| is that of other walkers in other chunks
        if chunk == 9 {
            go(&mut other, 2)?;
            let (a, b) = (whole.round(gpu).map_err(text)?, other.round(gpu).map_err(text)?);
            if saved(gpu, &mut other)? != end || (a.moved, a.still) != (b.moved, b.still) {
                return Err(format!("{a:?} {b:?}"));
            }
        }
    }
    let mut more = Metropolis::new(Settings { walkers: 10, ..settings(9) }).map_err(text)?;
    match more.state(&mut Archive::restoring(gpu, half)).map_err(text) {
        Err(why) if why.contains("walkers has 36 numbers, a run of these settings 40") => {}
        other => return Err(format!("another batch: {other:?}")),
    }
    let starts = [9, 4].map(|chunk| Metropolis::new(settings(chunk)).map_err(text).and_then(|mut m| saved(gpu, &mut m)));
    match starts {
        [Ok(a), Ok(b)] if a == b && a.floats("walkers").iter().all(|v| (0.0..2.0).contains(v)) => {}
        other => return Err(format!("{other:?}")),
    }
    if Metropolis::new(Settings { sweeps: 0, ..settings(9) }).is_ok() || Metropolis::new(Settings { width: -1.0, ..settings(9) }).is_ok() {
        return Err("nonsense was taken".into());
    }
    Ok(())
}

#[test]
fn moves_and_decisions_are_those_of_the_twin() {
    verify(propose);
    verify(accept);
    verify(adapt);
}

#[test]
fn chains_go_on_where_they_stopped() {
    verify(resumed);
}

#[test]
fn free_fermions_have_their_structure_factor() {
    // the longest of the checks; the kernels themselves are checked in both profiles
    if let Err(text) = free_fermions(devices()[0]) {
        panic!("{text}");
    }
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&metropolis::PROPOSE, "p.first_walker + w", "w", propose);
    mutant(&metropolis::PROPOSE, "noise[c]", "noise[0]", propose);
    mutant(&metropolis::ACCEPT, "2.0 * (after - before)", "1.96 * (after - before)", accept);
    mutant(&metropolis::ACCEPT, "finite(v) && v > -1e29", "v > -1e29", accept);
    mutant(&metropolis::ACCEPT, "= fold(proposal[w * p.size + c])", "= proposal[w * p.size + c]", accept);
    mutant_in(Profile::Simd, &metropolis::ACCEPT, "2.0 * (after - before)", "(after - before)", free_fermions);
    mutant(&metropolis::ADAPT, "share.x - p.goal", "p.goal - share.x", adapt);
}
