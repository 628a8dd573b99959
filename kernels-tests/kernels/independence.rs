//! Independence Metropolis: move by move as the twin does it, and the distribution that it leaves.

use helmholtz::estimate::chains::{Chains, Quantity};
use helmholtz::gpu::{Gpu, Recording};
use helmholtz::kernels::free_energy::Samples;
use helmholtz::kernels::independence::{self, CHAINS, COLUMNS, Independence};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::reference::independence::{Chain, Sample};

use crate::bounds::refuses;
use crate::harness::{Check, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;
const SITES: usize = 10;
const BETA: f64 = 0.75;

fn stream(step: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step, purpose: purpose::METROPOLIS, first_walker: 11 }
}

/// ln q, E and M of `count` samples of which a few are not finite; R of order 1.
fn columns(seed: u64, count: usize) -> [Vec<f32>; 3] {
    let r = random(seed, 3 * count);
    let mut out: [Vec<f32>; 3] = std::array::from_fn(|_| Vec::new());
    for k in 0..count {
        let e = 3.0 * r[k] - 6.0;
        out[0].push(if k % 13 == 5 { f32::NAN } else { (-BETA * e + 2.0 * r[count + k]) as f32 });
        out[1].push(if k % 17 == 3 { f32::INFINITY } else { e as f32 });
        out[2].push((SITES as f64 * r[2 * count + k]).round() as f32);
    }
    out
}

/// Three batches, of which the first is not counted to a quarter; chains go on. Until the twin's closest call is too close.
fn agrees(gpu: &Gpu, samples: usize) -> Check {
    let k = Independence::new(samples, SITES);
    let chains = samples.min(CHAINS);
    let length = samples / chains;
    let mut centre = [0.0f32; 20];
    (centre[2], centre[5]) = (-6.0, 0.25);
    let place = gpu.upload("centre", &centre);
    let mut states: Vec<Option<Sample>> = vec![None; chains];
    for step in 0..3 {
        let host = columns(step as u64 + 1, samples);
        let buffers: Vec<_> = host.iter().map(|c| gpu.upload("column", c)).collect();
        let given = Samples { log_q: &buffers[0], energy: &buffers[1], magnetisation: &buffers[2] };
        let mut rec = Recording::new();
        k.record(&mut rec, stream(step), given, &place, BETA, step == 0);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let (sums, kept): (Vec<f32>, Vec<f32>) =
            (gpu.read(&k.sums).map_err(|e| e.to_string())?, gpu.read(&k.state).map_err(|e| e.to_string())?);
        for c in 0..chains {
            let sample = |w: usize| {
                let [l, e, m] = [0, 1, 2].map(|q| host[q][w] as f64);
                [l + BETA * e, e, (m / SITES as f64).powi(2)]
            };
            let own: Vec<Sample> = (c * length..(c + 1) * length).map(sample).collect();
            let skip = if step == 0 { length / 4 } else { 0 };
            let want = Chain::run(stream(step), c as u32, states[c], &own, [-6.0, 0.25], skip);
            // R, of terms up to 10, and exp round by a few ε of them
            if want.margin < 1e-5 {
                return Ok(());
            }
            // differences from the centre round by ε of it, their sums of up to `length` terms by 40 ε
            for (q, size) in [1.0, 1.0, 12.0, 144.0, 1.0, 1.0].into_iter().enumerate() {
                let (got, bound) = (sums[COLUMNS * c + q] as f64, 40.0 * EPS * size * length as f64);
                if !((got - want.sums[q]).abs() <= if q < 2 { 0.0 } else { bound }) {
                    return Err(format!("{samples} samples, batch {step}, chain {c}, sum {q}: {got} instead of {}", want.sums[q]));
                }
            }
            let here = &kept[4 * c..][..4];
            match want.state {
                None if here[3] == 0.0 => {}
                Some([r, e, square]) if here[3] == 1.0 => {
                    for (got, want) in here.iter().zip([r, e, square]) {
                        if !((*got as f64 - want).abs() <= 40.0 * EPS * 10.0) {
                            return Err(format!("chain {c} is at {here:?} instead of {:?}", [r, e, square]));
                        }
                    }
                }
                other => return Err(format!("chain {c} is at {here:?} instead of {other:?}")),
            }
            states[c] = want.state;
        }
    }
    Ok(())
}

/// Fewer samples than chains, chains of uneven length, and whole ones.
fn sizes(gpu: &Gpu) -> Check {
    [3, 200, 1000].into_iter().try_for_each(|samples| agrees(gpu, samples))
}

/// Four levels E = 0, 1, 2, 3, drawn evenly by q, become those of e^(-2E)/Z: mean energy within 4.5 of its errors, which tell
/// it from q's own by a hundred of them; acceptance is Σ p_i q_j min(1, w_j/w_i).
fn distribution(gpu: &Gpu) -> Check {
    let (count, beta) = (16_000, 2.0);
    let k = Independence::new(count, SITES);
    let mut chains = Chains::default();
    let mut centre = [0.0f32; 20];
    centre[2] = 1.5;
    let place = gpu.upload("centre", &centre);
    for step in 0..4 {
        let level: Vec<f32> = random(40 + step as u64, count).iter().map(|v| (2.0 * (v + 1.0)).floor().min(3.0) as f32).collect();
        let columns = [vec![-(4.0f32.ln()); count], level, vec![0.0; count]];
        let buffers: Vec<_> = columns.iter().map(|c| gpu.upload("column", c)).collect();
        let mut rec = Recording::new();
        let given = Samples { log_q: &buffers[0], energy: &buffers[1], magnetisation: &buffers[2] };
        k.record(&mut rec, stream(step), given, &place, beta, step == 0);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        chains.add(&centre, &gpu.read::<f32>(&k.sums).map_err(|e| e.to_string())?);
    }
    let weights: Vec<f64> = (0..4).map(|e| (-beta * e as f64).exp()).collect();
    let z: f64 = weights.iter().sum();
    let want = weights.iter().enumerate().map(|(e, w)| e as f64 * w / z).sum::<f64>();
    let pairs = (0..16).map(|k| (weights[k / 4], weights[k % 4]));
    let accepted = pairs.map(|(own, other)| own / z * 0.25 * (other / own).min(1.0)).sum::<f64>();
    let got = chains.mean(Quantity::Energy);
    println!("{got:?}, exact {want}, acceptance {}, exact {accepted}, τ {}", chains.acceptance(), chains.tau(Quantity::Energy));
    if !((got.value - want).abs() <= 4.5 * got.error && got.error < 0.01 && (chains.acceptance() - accepted).abs() < 0.01) {
        return Err(format!("E {got:?}, exact {want}; acceptance {}, exact {accepted}", chains.acceptance()));
    }
    Ok(())
}

#[test]
fn chains_are_those_of_the_twin() {
    verify(sizes);
}

#[test]
fn chains_leave_the_exact_distribution() {
    verify(distribution);
}

#[test]
fn short_buffers_are_refused() {
    let (samples, used) = (200, 192);
    refuses("chains", &[used, used, used, 6, 4 * CHAINS, COLUMNS * CHAINS], |rec, b| {
        let mut k = Independence::new(samples, SITES);
        (k.state, k.sums) = (b[4].clone(), b[5].clone());
        k.record(rec, stream(0), Samples { log_q: &b[0], energy: &b[1], magnetisation: &b[2] }, &b[3], BETA, true);
    });
}

#[test]
fn broken_kernels_are_noticed() {
    for (from, to) in [
        ("r - proposed", "proposed - r"),
        ("p.first_walker + c, p.step", "c, p.step"),
        ("numbers[t % 4u] <", "numbers[0] <"),
        ("finite(proposed) && ", ""),
        ("t >= p.skip", "t > p.skip"),
        ("c * p.length + t", "t * p.chains + c"),
        ("if (p.start == 0u)", "if (p.start == 1u)"),
        ("select(0.0, 1.0, moves)", "1.0"),
        ("first += d;", "first += x;"),
    ] {
        mutant(&independence::KERNEL, from, to, sizes);
    }
    mutant(&independence::KERNEL, "min(r - proposed, 0.0)", "min(0.5 * (r - proposed), 0.0)", distribution);
}
