//! displace, amplitude and momentum_distribution against their twins.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::determinant::{ILL_CONDITIONED, NOT_FINITE, Outputs, SINGULAR};
use helmholtz::kernels::momentum::{self, PlaneWaves};
use helmholtz::kernels::observables::Positions;
use helmholtz::number::philox::{Stream, purpose};
use helmholtz::reference::complex::Complex;
use helmholtz::reference::momentum as twin;

use crate::harness::{Check, close, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;

fn text(e: helmholtz::Error) -> String {
    e.to_string()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|v| f64::from(*v)).collect()
}

/// Words of a buffer in float64.
fn read(gpu: &Gpu, buffer: &Buffer, count: usize) -> Result<Vec<f64>, String> {
    Ok(wide(&gpu.read_words::<f32>(buffer, count).map_err(text)?))
}

/// Positions of up to 1.7 boxes and a shift of up to one, each rounded once. Electrons that stay do not move at all.
fn displacements(gpu: &Gpu) -> Check {
    for (n, dim, walkers, index) in [(1, 2, 3, 0), (13, 2, 67, 3), (7, 3, 33, 1)] {
        let length = 5.5;
        let x: Vec<f32> = random(n as u64, walkers * n * dim).iter().map(|v| (1.7 * length * v) as f32).collect();
        let stream = Stream { seed: 5 << 32 | 7, step: 9, purpose: purpose::DISPLACEMENT, first_walker: 11 };
        let (xb, moved, shift) = (gpu.upload("x", &x), Buffer::new("moved", walkers * n * dim), Buffer::new("shift", 4 * walkers));
        let mut rec = Recording::new();
        momentum::displace(&mut rec, Positions { x: &xb, walkers, n, dim, length }, stream, index, &moved, &shift);
        gpu.run(&rec).map_err(text)?;
        let (got, by) = (read(gpu, &moved, x.len())?, read(gpu, &shift, 4 * walkers)?);
        let (mut want, mut shifts) = (Vec::new(), Vec::new());
        for (w, x) in wide(&x).chunks(n * dim).enumerate() {
            let (moved, shift) = twin::displace(x, dim, length, stream.skip(w), index as u32);
            want.extend(moved);
            shifts.extend([shift, vec![0.0; 4 - dim]].concat());
        }
        let stayed = got.iter().zip(wide(&x)).filter(|(a, b)| *a == b).count();
        if stayed != x.len() - walkers * dim {
            return Err(format!("n = {n}: {stayed} of {} coordinates stayed", x.len()));
        }
        let size = |v: &[f64]| v.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        close("moved", &got.iter().map(|v| *v as f32).collect::<Vec<_>>(), &want, 3.0 * length * EPS / size(&want).min(1.0))?;
        close("shift", &by.iter().map(|v| *v as f32).collect::<Vec<_>>(), &shifts, EPS)?;
    }
    Ok(())
}

/// A sum of two numbers; no number where a matrix was none.
fn amplitudes(gpu: &Gpu) -> Check {
    let walkers = 67;
    let mut slater = Outputs::complex("slater", 3, walkers, false).map_err(text)?;
    let mut jacobian = Outputs::real("jacobian", 6, walkers, false).map_err(text)?;
    let numbers = |seed: u64| -> Vec<f32> { random(seed, walkers).iter().map(|v| (30.0 * v) as f32).collect() };
    let (ln, phase, half) = (numbers(1), numbers(2), numbers(3));
    let bits = |w: usize, at: usize| if w % 7 == at { NOT_FINITE | SINGULAR } else { (w % 2) as u32 * ILL_CONDITIONED };
    let status = |at: usize| (0..walkers).map(|w| bits(w, at)).collect::<Vec<u32>>();
    (slater.logdet, slater.sign, slater.status) = (gpu.upload("a", &ln), gpu.upload("b", &phase), gpu.upload("c", &status(2)));
    (jacobian.logdet, jacobian.status) = (gpu.upload("d", &half), gpu.upload("e", &status(4)));
    let out = Buffer::new("psi", 2 * walkers);
    let mut rec = Recording::new();
    momentum::amplitude(&mut rec, walkers, &slater, &jacobian, &out);
    gpu.run(&rec).map_err(text)?;
    for (w, got) in read(gpu, &out, 2 * walkers)?.chunks(2).enumerate() {
        let want = twin::amplitude(ln[w].into(), phase[w].into(), half[w].into());
        let lost = w % 7 == 2 || w % 7 == 4;
        let agree = (got[0] - want.re).abs() <= 60.0 * EPS && got[1] == want.im;
        if lost != got[0].is_nan() || lost != got[1].is_nan() || !(lost || agree) {
            return Err(format!("walker {w}: {got:?}, want {want:?}, lost: {lost}"));
        }
    }
    Ok(())
}

/// Two moves, the second added to the first. ln|Ψ'/Ψ| is off by ε of ln|Ψ| to 20 and 1/cosh by 8 ε; phases to 7 turns of momenta and
/// 1 of Ψ.
fn distributions(gpu: &Gpu) -> Check {
    for (n, dim, walkers, sizes) in [(1, 2, 3, vec![1]), (13, 2, 67, vec![1, 4, 2, 9]), (7, 3, 33, vec![6, 1, 12])] {
        let count: usize = sizes.iter().sum();
        let vectors: Vec<Vec<f64>> =
            random(3, count * dim).chunks(dim).map(|k| k.iter().map(|k| (4.0 * k).round() + 0.25).collect()).collect();
        let table: Vec<f32> = vectors.iter().flat_map(|k| [0, 1, 2, 3].map(|c| k.get(c).map_or(0.0, |k| *k as f32))).collect();
        let starts: Vec<u32> = (0..=sizes.len()).map(|s| sizes[..s].iter().sum::<usize>() as u32).collect();
        let (tb, sb) = (gpu.upload("vectors", &table), gpu.upload("starts", &starts));
        let largest = sizes.iter().copied().max().unwrap_or(0);
        let waves = PlaneWaves { vectors: &tb, count, starts: &sb, shells: sizes.len(), largest };
        let out = Buffer::new("out", walkers * sizes.len());
        let mut want = vec![0.0; walkers * sizes.len()];
        for (index, share) in [(0, 0.5), (1, 0.25)] {
            let psi = |seed: u64| -> Vec<f32> {
                let ln = random(seed + index, 2 * walkers);
                ln.chunks(2).flat_map(|v| [(-18.0 + 1.5 * v[0]) as f32, (3.1 * v[1]) as f32]).collect()
            };
            let (here, moved) = (psi(20), psi(30));
            let shift: Vec<f32> = random(40 + index, 4 * walkers)
                .iter()
                .enumerate()
                .map(|(i, v)| if i % 4 < dim { (0.5 + 0.5 * v) as f32 } else { 0.0 })
                .collect();
            let buffers = [gpu.upload("here", &here), gpu.upload("moved", &moved), gpu.upload("shift", &shift)];
            let mut rec = Recording::new();
            let [a, b, c] = &buffers;
            momentum::momentum_distribution(&mut rec, (walkers, n), waves, [a, b, c], (index == 0, share), &out);
            gpu.run(&rec).map_err(text)?;
            let complex = |v: &[f32], w: usize| Complex::new(v[2 * w].into(), v[2 * w + 1].into());
            for w in 0..walkers {
                for s in 0..sizes.len() {
                    let of = &vectors[starts[s] as usize..starts[s + 1] as usize];
                    let shift = wide(&shift[4 * w..][..dim]);
                    want[w * sizes.len() + s] += share * twin::momentum_distribution(n, complex(&here, w), complex(&moved, w), &shift, of);
                }
            }
        }
        // of n at most
        let largest = want.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let error = n as f64 * (20.0 + 8.0 + std::f64::consts::TAU * (7.0 + 2.0)) * EPS;
        close("n(k)", &gpu.read_words(&out, want.len()).map_err(text)?, &want, error / largest.max(1.0))?;
    }
    Ok(())
}

#[test]
fn kernels_agree_with_their_twins() {
    verify(displacements);
    verify(amplitudes);
    verify(distributions);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&momentum::DISPLACE, "p.first_walker + w", "p.first_walker", displacements);
    mutant(&momentum::DISPLACE, "u[c + 1u] * p.length", "u[c] * p.length", displacements);
    mutant(&momentum::AMPLITUDE, "0.5 * jacobian[w]", "jacobian[w]", amplitudes);
    mutant(&momentum::AMPLITUDE, "| jacobian_status[w]", "| (jacobian_status[w] & 1u)", amplitudes);
    mutant(&momentum::MOMENTUM_DISTRIBUTION, "exp(-abs(ratio.x))", "exp(abs(ratio.x) - 1.0)", distributions);
    mutant(&momentum::MOMENTUM_DISTRIBUTION, "turns - dot", "turns + dot", distributions);
    mutant(&momentum::MOMENTUM_DISTRIBUTION, "out[id] += value", "out[id] = value", distributions);
    mutant(&momentum::MOMENTUM_DISTRIBUTION, "f32(max(end - first, 1u))", "1.0", distributions);
}
