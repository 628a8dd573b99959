//! Hamiltonian Monte Carlo: leapfrog steps against the twin, acceptance chain by chain, and the distribution it leaves.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::hmc::{self, COLUMNS, Chains, Potential};
use helmholtz::kernels::philox::{Stream, purpose};
use helmholtz::reference::hmc as twin;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;

fn stream(step: u32) -> Stream {
    Stream { seed: 0x1_0000_0007, step, purpose: purpose::HAMILTONIAN, first_walker: 11 }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// Steps with V = Σ f q and V = Σ f q + q²/2: numbers of order 1 round by a few ε each of five steps.
fn steps(gpu: &Gpu) -> Check {
    let (count, sites, length) = (9, 12, 0.3);
    let words = count * sites;
    let [q, p, f] = [1, 2, 3].map(|seed| random(seed, words).iter().map(|v| *v as f32 as f64).collect::<Vec<_>>());
    for base in [false, true] {
        let chains = Chains::new(count, sites);
        let force = gpu.upload("force", &narrow(&f));
        gpu.write(&chains.position, &narrow(&q));
        gpu.write(&chains.momentum, &narrow(&p));
        let mut rec = Recording::new();
        for k in 0..5 {
            let kick = if k == 0 { 0.5 * length } else { length };
            chains.record_leapfrog(&mut rec, &force, [kick, length], base);
        }
        chains.record_leapfrog(&mut rec, &force, [0.5 * length, 0.0], base);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let (mut at, mut momentum) = (q.clone(), p.clone());
        let slope = |q: &[f64]| q.iter().zip(&f).map(|(q, f)| f + if base { *q } else { 0.0 }).collect();
        twin::leapfrog(&mut at, &mut momentum, length, 5, slope);
        let read = |b: &Buffer| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
        close(&format!("q, base {base}"), &read(&chains.position)?, &at, 16.0 * EPS)?;
        close(&format!("p, base {base}"), &read(&chains.momentum)?, &momentum, 16.0 * EPS)?;
    }
    Ok(())
}

/// One trajectory of each chain with given ends: one of them is not finite. Changes of H are some 1 and round by ε of terms of
/// order 10; a chain whose number is closer than that to e^-change may go either way, and there is none.
fn ends(gpu: &Gpu) -> Check {
    let (count, sites) = (131, 8);
    let r = random(5, 12 * count);
    let column = |k: usize, scale: f64| r[k * count..][..count].iter().map(|v| (scale * v) as f32 as f64).collect::<Vec<f64>>();
    let [q, other] = [6, 7].map(|seed| random(seed, count * sites).iter().map(|v| *v as f32 as f64).collect::<Vec<_>>());
    for latent in [false, true] {
        let chains = Chains::new(count, sites);
        let mut want: Vec<[f64; 4]> = Vec::new();
        let mut kept = q.clone();
        for (begins, at) in [(true, &q), (false, &other)] {
            let first = if begins { 0 } else { 5 };
            let mut energy = column(first, 2.0);
            if !begins {
                energy[3] = f64::INFINITY;
            }
            let [log_q, normal, kinetic, m] = [1, 2, 3, 4].map(|k| column(first + k, 1.0));
            let upload = |name: &str, v: &[f64]| gpu.upload(name, &narrow(v));
            let (e, l, n, k) = (upload("energy", &energy), upload("ln q", &log_q), upload("ln N", &normal), upload("ln N(p)", &kinetic));
            let magnetisation = upload("m", &m);
            gpu.write(&chains.position, &narrow(at));
            gpu.write(&chains.kinetic, &narrow(&kinetic));
            let of = Potential { energy: &e, latent: latent.then_some((&l, &n)), magnetisation: &magnetisation };
            let mut rec = Recording::new();
            chains.record_end(&mut rec, stream(3), of, begins);
            gpu.run(&rec).map_err(|e| e.to_string())?;
            drop(k);
            for w in 0..count {
                let h = energy[w] - kinetic[w] + if latent { log_q[w] - normal[w] } else { 0.0 };
                let square = (m[w] / sites as f64).powi(2);
                if begins {
                    want.push([h, square, 0.0, 0.0]);
                    continue;
                }
                let [old, before, ..] = want[w];
                let u = twin::number(stream(3), w as u32);
                if (u.ln() + h - old).abs() < 16.0 * EPS {
                    return Err(format!("chain {w} is too close to call: choose other numbers"));
                }
                if h.is_finite() && u.ln() < old - h {
                    want[w] = [h, square, 1.0, h - old];
                    kept[w * sites..][..sites].copy_from_slice(&at[w * sites..][..sites]);
                } else {
                    want[w] = [old, before, 0.0, h - old];
                }
            }
        }
        let moved = want.iter().filter(|c| c[2] > 0.0).count();
        if !(20..110).contains(&moved) {
            return Err(format!("{moved} of {count} moved: no test"));
        }
        let state: Vec<f32> = gpu.read_words(&chains.state, COLUMNS * count).map_err(|e| e.to_string())?;
        for column in 0..COLUMNS {
            // the chain that is not finite
            let pick = |w: &usize| column != 3 || *w != 3;
            let got: Vec<f32> = (0..count).filter(pick).map(|w| state[COLUMNS * w + column]).collect();
            let all: Vec<f64> = (0..count).filter(pick).map(|w| want[w][column]).collect();
            close(&format!("column {column}, latent {latent}"), &got, &all, 16.0 * EPS)?;
        }
        close("positions", &gpu.read_words(&chains.position, count * sites).map_err(|e| e.to_string())?, &kept, EPS)?;
    }
    Ok(())
}

#[test]
fn trajectories_are_those_of_the_twin() {
    verify(steps);
    verify(ends);
}

/// The energy error of a trajectory is of second order in the step, and the way back leads to where it began.
#[test]
fn trajectories_of_the_twin_conserve_and_return() {
    let slope = |q: &[f64]| q.iter().map(|q| q * q * q).collect::<Vec<_>>();
    let energy = |q: &[f64], p: &[f64]| q.iter().map(|q| q.powi(4) / 4.0).sum::<f64>() + p.iter().map(|p| p * p / 2.0).sum::<f64>();
    let error = |length: f64, steps: usize| {
        let (mut q, mut p) = (vec![1.0, -0.4], vec![0.3, 0.9]);
        let before = energy(&q, &p);
        twin::leapfrog(&mut q, &mut p, length, steps, slope);
        let after = energy(&q, &p);
        p.iter_mut().for_each(|p| *p = -*p);
        twin::leapfrog(&mut q, &mut p, length, steps, slope);
        assert!((q[0] - 1.0).abs() < 1e-12 && (p[1] + 0.9).abs() < 1e-12, "{q:?} {p:?}");
        (after - before).abs()
    };
    let ratio = error(0.1, 10) / error(0.05, 20);
    assert!((ratio - 4.0).abs() < 0.5, "{ratio}");
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&hmc::LEAPFROG, "+ p.base * at", "", steps);
    mutant(&hmc::LEAPFROG, "p.drift * kicked", "p.drift * p.kick", steps);
    mutant(&hmc::ACCEPT, "exp(min(-change, 0.0))", "exp(min(change, 0.0))", ends);
    mutant(&hmc::ACCEPT, "q[w * p.blocks + b] = kept[w * p.blocks + b];", "", ends);
    mutant(&hmc::ACCEPT, "log_q[w] - normal[w]", "log_q[w] + normal[w]", ends);
}

#[test]
fn buffers_that_are_a_word_short_are_refused() {
    let (count, sites) = (5, 8);
    refuses("leapfrog", &[count * sites], |rec, b| Chains::new(count, sites).record_leapfrog(rec, &b[0], [0.1, 0.1], true));
    refuses("ends", &[count; 4], |rec, b| {
        let of = Potential { energy: &b[0], latent: Some((&b[1], &b[2])), magnetisation: &b[3] };
        Chains::new(count, sites).record_end(rec, stream(1), of, false);
    });
}
