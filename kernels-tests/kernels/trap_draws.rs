//! Electrons in a trap: determinants and points drawn as their twins do, and with the exact statistics.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::trap::{self, Occupied};
use helmholtz::kernels::{philox::Stream, philox::purpose};
use helmholtz::number::statistics::Running;
use helmholtz::reference::trap_draws as twin;
use helmholtz::system::Dot;
use helmholtz::system::oscillator::cumulative;

use crate::harness::{Check, Wanted, mutant, verify};
use crate::trap::{dot, state};

fn at(seed: u64, step: u32, first_walker: u32) -> Stream {
    Stream { seed, step, purpose: purpose::POSITIONS, first_walker }
}

/// Points and candidates of walkers in given states.
fn draw(gpu: &Gpu, dot: &Dot, index: &[u32], at: Stream) -> Result<(Vec<f32>, Vec<u32>), String> {
    let text = |e: helmholtz::Error| e.to_string();
    let walkers = index.len();
    let (table, index) = (gpu.upload("occupied", &trap::occupied(dot)), gpu.upload("index", index));
    let (z, tries) = (Buffer::new("z", 2 * walkers * dot.n), Buffer::new("tries", walkers));
    let mut rec = Recording::new();
    let occupied = Occupied { table: &table, states: dot.states.len(), index: &index };
    trap::record_draw(&mut rec, gpu.profile, at, walkers, dot.n, occupied, &trap::quantile_table(), &z, &tries);
    gpu.run(&rec).map_err(text)?;
    Ok((gpu.read_words(&z, 2 * walkers * dot.n).map_err(text)?, gpu.read_words(&tries, walkers).map_err(text)?))
}

fn draws(gpu: &Gpu) -> Check {
    static WANTED: Wanted<(usize, usize), twin::Draw> = Wanted::new();
    for (n, walkers) in [(1, 9), (2, 20), (3, 40), (6, 20), (12, 3)] {
        let dot = dot(n);
        let index: Vec<u32> = (0..walkers).map(|w| (w % dot.states.len()) as u32).collect();
        let (z, tries) = draw(gpu, &dot, &index, at(0x1_0000_0005, 3, 77))?;
        let mut close_calls = 0;
        for w in 0..walkers {
            let want =
                WANTED.of((n, w), || twin::trap_draw(&state(&dot, w % dot.states.len()), [5, 1], 77 + w as u32, 3, purpose::POSITIONS));
            // probabilities of sums of n numbers, at points known to 1e-6
            if want.margin < 1e-4 {
                close_calls += 1;
                continue;
            }
            if tries[w] != want.candidates as u32 {
                return Err(format!("n = {n} walker {w}: {} candidates, want {}", tries[w], want.candidates));
            }
            for (c, (z, at)) in z[2 * w * n..][..2 * n].iter().zip(want.z.iter().flatten()).enumerate() {
                let o = want.chosen[c / 2];
                let k = if c % 2 == 0 { o.nx } else { o.ny };
                // what the density says of a place, to a few ε; at its zeros the place itself is known less well
                let off = cumulative(k, f64::from(*z)) - cumulative(k, *at);
                if !(off.abs() < 2e-6) {
                    return Err(format!("n = {n} walker {w} coordinate {c}: {z}, want {at}, {off:.1e} of the density between"));
                }
            }
        }
        if close_calls > 1 + walkers / 10 {
            return Err(format!("n = {n}: {close_calls} close decisions"));
        }
    }
    Ok(())
}

/// ⟨Σ r²⟩ = E, the radial density, n H_n candidates: the determinant's exact values, for the lowest and an excited one.
fn statistics(gpu: &Gpu) -> Check {
    for (n, excited) in [(3, false), (3, true), (6, false), (10, false), (6, true)] {
        let (dot, walkers) = (dot(n), 3000);
        let which = if excited { dot.states.len() - 1 } else { 0 };
        let (z, tries) = draw(gpu, &dot, &vec![which as u32; walkers], at(11, n as u32, 0))?;
        let state = state(&dot, which);
        let energy: f64 = state.iter().map(|o| o.energy() as f64).sum();
        // electrons within a circle, by a sum over a fine grid of the density Σ φ_j²
        let (radius, h) = (1.1, 0.02);
        let grid = |k: i32| (f64::from(k) + 0.5) * h;
        let mut within = 0.0;
        for (a, b) in (-60..60).flat_map(|a| (-60..60).map(move |b| (a, b))) {
            let (x, y) = (grid(a), grid(b));
            if x * x + y * y < radius * radius {
                let h = |k: usize, x: f64| helmholtz::system::oscillator::hermite(k, x)[k].powi(2);
                let all: f64 = state.iter().map(|o| h(o.nx, x) * h(o.ny, y)).sum();
                within += all * (-(x * x + y * y)).exp() / std::f64::consts::PI;
            }
        }
        within *= h * h;
        let (mut square, mut inside, mut candidates) = (Running::default(), Running::default(), Running::default());
        for walker in z.chunks(2 * n) {
            let squares: Vec<f64> = walker.chunks(2).map(|r| f64::from(r[0] * r[0] + r[1] * r[1])).collect();
            square.push(squares.iter().sum());
            inside.push(squares.iter().filter(|r2| **r2 < radius * radius).count() as f64);
        }
        tries.iter().for_each(|t| {
            candidates.push(f64::from(*t));
        });
        let harmonic: f64 = (1..=n).map(|i| n as f64 / i as f64).sum();
        for (name, got, want) in [("r²", &square, energy), ("within", &inside, within), ("candidates", &candidates, harmonic)] {
            let off = (got.mean - want) / got.error();
            // 15 numbers in two profiles, which draw the same: 4 σ are passed by chance in 1 of 1,000 seeds
            if !(off.abs() < 4.0) {
                return Err(format!("n = {n} {name}: {} ± {}, want {want} ({off:.1} σ)", got.mean, got.error()));
            }
        }
    }
    Ok(())
}

/// Neither a split of the walkers nor their number changes a bit.
fn split(gpu: &Gpu) -> Check {
    let dot = dot(3);
    let index: Vec<u32> = (0..11).map(|w| w % 4).collect();
    let whole = draw(gpu, &dot, &index, at(4, 2, 5))?;
    let last = draw(gpu, &dot, &index[7..], at(4, 2, 12))?;
    let other = draw(gpu, &dot, &index, at(4, 3, 5))?;
    if whole.0[7 * 6..] != last.0 || whole.1[7..] != last.1 || whole.0 == other.0 {
        return Err("draws depend on the split, or not on the step".into());
    }
    Ok(())
}

#[test]
fn draws_agree_with_their_twin() {
    verify(draws);
}

#[test]
fn draws_have_the_statistics_of_determinants() {
    verify(statistics);
}

#[test]
fn draws_do_not_depend_on_the_split() {
    verify(split);
}

/// Determinants by their probabilities: those of the twin, and their frequencies.
fn choices(gpu: &Gpu) -> Check {
    let text = |e: helmholtz::Error| e.to_string();
    for states in [1, 2, 5, 64, 117] {
        let raw: Vec<f64> = (0..states).map(|k| (-0.08 * k as f64).exp() * if k == 3 { 0.0 } else { 1.0 }).collect();
        let sum: f64 = raw.iter().sum();
        let p: Vec<f64> = raw.iter().map(|w| w / sum).collect();
        let (table, walkers) = (trap::cumulative(&p), 4001);
        let (cumulative, index) = (gpu.upload("cumulative", &table), Buffer::new("index", walkers));
        let mut rec = Recording::new();
        let stream = Stream { purpose: purpose::OCCUPATION, ..at(9, 4, 3) };
        trap::record_states(&mut rec, stream, walkers, states, &cumulative, &index);
        gpu.run(&rec).map_err(text)?;
        let index: Vec<u32> = gpu.read_words(&index, walkers).map_err(text)?;
        let mut counts = vec![0.0; states];
        for w in 0..walkers {
            let want = twin::trap_states(&table, [9, 0], 3 + w as u32, 4, purpose::OCCUPATION);
            if index[w] as usize != want {
                return Err(format!("{states} states, walker {w}: {}, want {want}", index[w]));
            }
            counts[want] += 1.0;
        }
        let seen = p.iter().filter(|p| **p > 0.0).count() as f64;
        let chi2: f64 =
            p.iter().zip(&counts).filter(|(p, _)| **p > 0.0).map(|(p, c)| (c - walkers as f64 * p).powi(2) / (walkers as f64 * p)).sum();
        // 4.5 standard deviations of χ²
        if states > 3 && counts[3] > 0.0 || chi2 > seen - 1.0 + 4.5 * (2.0 * seen).sqrt() {
            return Err(format!("{states} states: χ² = {chi2}, {counts:?}"));
        }
    }
    Ok(())
}

#[test]
fn states_are_drawn_by_their_probabilities() {
    verify(choices);
}

#[test]
fn broken_draws_are_noticed() {
    mutant(&trap::STATES, "bits < cumulative[middle]", "bits <= cumulative[middle] / 2u", choices);
    mutant(&trap::DRAW, "p.first_walker + w", "w", draws);
    mutant(&trap::DRAW, "v$a -= c *", "v$a -= 0.5 * c *", statistics);
}
