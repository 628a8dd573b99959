//! Sums behind the variational free energy, factors of its gradient, and weighted sums, column by column against the twin.

use helmholtz::estimate::free_energy::{Averages, Quantity, Weighted};
use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::free_energy::{self, COLUMNS, FreeEnergy, SPAN, Samples};
use helmholtz::reference::free_energy as twin;

use crate::bounds::refuses;
use crate::harness::{Check, close, mutant, random, verify};

const EPS: f64 = f32::EPSILON as f64;
const SITES: usize = 12;
/// As f32.
const BETA: f64 = 0.4375;

struct Batch {
    /// ln q, E, M.
    columns: [Vec<f32>; 3],
}

struct Sums {
    centre: Vec<f32>,
    deviation: Vec<f32>,
    partial: Vec<f32>,
    weighted: Vec<f32>,
    factors: Vec<f32>,
}

impl Batch {
    /// R of about -4 `size` with a spread of `size` and a trend in E; with samples that fail, each in its own way.
    fn made(samples: usize, size: f64, failing: bool) -> Batch {
        let r = random(samples as u64, 3 * samples);
        let column = |f: &dyn Fn(usize) -> f64| (0..samples).map(|w| f(w) as f32).collect::<Vec<f32>>();
        let energy = column(&|w| size * (3.0 * r[3 * w] - 2.0));
        let log_q = column(&|w| size * r[3 * w + 1] - 3.0 * size - 0.8 * BETA * energy[w] as f64);
        let mut batch = Batch { columns: [log_q, energy, column(&|w| (SITES as f64 * r[3 * w + 2]).round())] };
        if failing && samples > 60 {
            for (w, (c, v)) in [(0, f32::NAN), (1, f32::INFINITY), (2, f32::NAN), (0, f32::NEG_INFINITY)].into_iter().enumerate() {
                batch.columns[c][13 * w + 5] = v;
            }
            // each is finite, R is not
            (batch.columns[0][7], batch.columns[1][7]) = (3e38, 3e38);
        }
        batch
    }

    fn len(&self) -> usize {
        self.columns[0].len()
    }

    /// As the twin takes it, if it counts.
    fn sample(&self, w: usize) -> Option<twin::Sample> {
        let s = [0, 1, 2].map(|c| self.columns[c][w] as f64);
        let finite = s.iter().all(|v| v.is_finite()) && ((s[0] + BETA * s[1]) as f32).is_finite();
        finite.then_some(s)
    }

    fn run(&self, gpu: &Gpu) -> Result<Sums, String> {
        let [log_q, energy, magnetisation] = &self.columns.each_ref().map(|c| gpu.upload("column", c));
        let (f, samples, mut rec) = (FreeEnergy::new(self.len(), SITES), Samples { log_q, energy, magnetisation }, Recording::new());
        f.record_averages(&mut rec, samples, BETA);
        f.record_factors(&mut rec, samples, BETA, 0.25);
        f.record_importance(&mut rec, samples, BETA);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let rows = COLUMNS * self.len().div_ceil(SPAN);
        let read = |b: &Buffer, words: usize| gpu.read_words::<f32>(b, words).map_err(|e| e.to_string());
        Ok(Sums {
            centre: read(&f.centre, COLUMNS)?,
            deviation: read(&f.deviation, COLUMNS)?,
            partial: read(&f.partial, rows)?,
            weighted: read(&f.weighted, rows)?,
            factors: read(&f.factors, self.len())?,
        })
    }
}

/// Deviations from the centre, and how far single precision may take them: R is a sum of two terms, m of one product, each
/// rounded, and the powers of m too.
fn deviations(s: twin::Sample, centre: &[f32]) -> ([f64; 7], [f64; 7]) {
    let (v, c) = (twin::values(s, BETA, SITES), [1, 2, 3, 4, 5, 6, 17].map(|c: usize| centre[c] as f64));
    let size = [s[0].abs() + (BETA * s[1]).abs(), v[1], v[2], v[3], 2.0 * v[4], 4.0 * v[5], v[6]];
    (std::array::from_fn(|k| v[k] - c[k]), size.map(|x| 2.0 * EPS * x.abs()))
}

/// Sums of `got` against those of `term`(sample, deviations): with all deviations off by their rounding it bounds each term's
/// error, and sums over 16 and then 64 or more terms round by 40 ε of the sum of sizes.
fn columns(what: &str, got: &[f32], terms: &[([f64; 7], [f64; 7])], term: impl Fn(usize, [f64; 7], bool) -> [f64; COLUMNS]) -> Check {
    let (mut want, mut bound) = ([0.0; COLUMNS], [0.0; COLUMNS]);
    for (w, (d, rounding)) in terms.iter().enumerate() {
        let (exact, size) = (term(w, *d, false), term(w, d.map(f64::abs), false));
        let off = term(w, std::array::from_fn(|k| d[k].abs() + rounding[k]), true);
        for c in 0..COLUMNS {
            want[c] += exact[c];
            bound[c] += (off[c] - size[c]).abs() + 40.0 * EPS * size[c];
        }
    }
    for c in 0..COLUMNS {
        if !((got[c] as f64 - want[c]).abs() <= bound[c]) {
            return Err(format!("{what}, column {c}: {} instead of {} ± {:.1e}", got[c], want[c], bound[c]));
        }
    }
    Ok(())
}

fn agrees(gpu: &Gpu, samples: usize, size: f64, failing: bool) -> Check {
    let batch = Batch::made(samples, size, failing);
    let sums = batch.run(gpu)?;
    let good: Vec<twin::Sample> = (0..samples).filter_map(|w| batch.sample(w)).collect();
    // means, then the sums about them
    let count = good.len() as f64;
    let plain: Vec<_> = good.iter().map(|s| deviations(*s, &[0.0; COLUMNS])).collect();
    let mut centre: Vec<f32> = sums.centre.iter().map(|v| v * count as f32).collect();
    (centre[0], centre[19]) = (sums.centre[0], 0.0);
    columns("means", &centre, &plain, |_, d, _| twin::moments(d))?;
    for (g, (row, weighted)) in sums.partial.chunks(COLUMNS).zip(sums.weighted.chunks(COLUMNS)).enumerate() {
        let span = g * SPAN..samples.min((g + 1) * SPAN);
        let here: Vec<twin::Sample> = span.clone().filter_map(|w| batch.sample(w)).collect();
        let failed = (span.len() - here.len()) as f32;
        if (row[19], weighted[17], weighted[16]) != (failed, failed, here.len() as f32) {
            return Err(format!("{} and {} failed, {} counted; want {failed}, {}", row[19], weighted[17], weighted[16], here.len()));
        }
        let terms: Vec<_> = here.iter().map(|s| deviations(*s, &sums.centre)).collect();
        let mut row = row.to_vec();
        row[19] = 0.0;
        columns(&format!("row {g}"), &row, &terms, |_, d, _| twin::moments(d))?;
        // the least R, and weights with the errors of R, of the least one and of exp
        let low = here.iter().fold(f64::MAX, |m, s| m.min(s[0] + BETA * s[1]));
        let error = terms.iter().fold(0.0_f64, |m, (_, e)| m.max(e[0]));
        if !((weighted[15] as f64 - low).abs() <= error) {
            return Err(format!("least R {} instead of {low}", weighted[15]));
        }
        let mut row = weighted.to_vec();
        (row[15], row[17]) = (0.0, 0.0);
        let shift = weighted[15] as f64;
        // e^-x is good to (3 + 2 x) ε
        let weight = |w: usize, off: bool| {
            let x = (here[w][0] + BETA * here[w][1] - shift).max(0.0);
            (-x).exp() * if off { 1.0 + 2.0 * error + (4.0 + 2.0 * x) * EPS } else { 1.0 }
        };
        columns(&format!("weights {g}"), &row, &terms, |w, d, off| twin::weighted(d, weight(w, off)))?;
    }
    let all: Vec<twin::Sample> = (0..samples).map(|w| batch.sample(w).unwrap_or([f64::NAN; 3])).collect();
    let want = twin::factors(&all, BETA, 0.25);
    let largest = want.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
    // R, its mean and the deviation round by ε of the terms of R
    let rounding = 0.25 * plain.iter().fold(0.0_f64, |m, (_, e)| m.max(e[0])) / largest;
    close("factors", &sums.factors, &want, 4.0 * EPS + 2.0 * rounding)?;
    finished(&sums, &good)
}

/// The host's numbers from these sums, for the places of centre and sums: in float64 from the samples.
fn finished(sums: &Sums, good: &[twin::Sample]) -> Check {
    let averages = Averages::finish(&sums.centre, &sums.partial);
    let values: Vec<[f64; 7]> = good.iter().map(|s| twin::values(*s, BETA, SITES)).collect();
    let low = values.iter().fold(f64::MAX, |m, v| m.min(v[0]));
    let weights: Vec<f64> = values.iter().map(|v| (low - v[0]).exp()).collect();
    let (total, count) = (weights.iter().sum::<f64>(), values.len() as f64);
    let weighted = Weighted::finish(&sums.centre, &sums.weighted);
    let order = [
        Quantity::Reduced,
        Quantity::Energy,
        Quantity::LogQ,
        Quantity::Modulus,
        Quantity::Square,
        Quantity::Fourth,
        Quantity::Magnetisation,
    ];
    for (k, q) in order.into_iter().enumerate() {
        let mean = values.iter().map(|v| v[k]).sum::<f64>() / count;
        let size = values.iter().fold(1e-30_f64, |m, v| m.max(v[k].abs()));
        close(&format!("{q:?}"), &[averages.mean(q).value as f32, size as f32], &[mean, size], 1e-5)?;
        if [1, 3, 4, 5].contains(&k) {
            let mean = weights.iter().zip(&values).map(|(w, v)| w * v[k]).sum::<f64>() / total;
            close(&format!("{q:?}, weighted"), &[weighted.mean(q).value as f32, size as f32], &[mean, size], 1e-3)?;
        }
    }
    close("ln Z", &[weighted.log_z().value as f32], &[(total / count).ln() - low], 1e-5)?;
    close("effective samples", &[weighted.effective() as f32], &[total * total / weights.iter().map(|w| w * w).sum::<f64>()], 1e-3)
}

fn sizes(gpu: &Gpu) -> Check {
    for (samples, size, failing) in [(2, 1.0, false), (64, 30.0, true), (700, 3.0, true), (2500, 300.0, true)] {
        agrees(gpu, samples, size, failing).map_err(|e| format!("{samples} samples: {e}"))?;
    }
    Ok(())
}

/// For the mutants: two workgroups.
fn small(gpu: &Gpu) -> Check {
    agrees(gpu, 1100, 2.0, true)
}

/// One sample, and none that counts: no mean over others, and nothing that is not a number.
fn nothing(gpu: &Gpu) -> Check {
    let mut batch = Batch::made(70, 1.0, false);
    batch.columns[0].iter_mut().for_each(|v| *v = f32::NAN);
    for counted in [0, 1] {
        let sums = batch.run(gpu)?;
        let (a, w) = (Averages::finish(&sums.centre, &sums.partial), Weighted::finish(&sums.centre, &sums.weighted));
        let finite = [&sums.centre, &sums.deviation, &sums.partial, &sums.weighted].iter().all(|b| b.iter().all(|v| v.is_finite()));
        if (a.counted(), a.failed()) != (counted, 70 - counted) || sums.factors.iter().any(|v| *v != 0.0) || !finite {
            return Err(format!("{counted} samples: {a:?} {:?}", sums.factors));
        }
        let log_z = w.log_z().value;
        if !(counted == 0 && log_z.is_nan() || (log_z + 2.0 + BETA * batch.columns[1][3] as f64).abs() < 1e-5) {
            return Err(format!("{counted} samples: ln Z {log_z}"));
        }
        batch.columns[0][3] = 2.0;
    }
    Ok(())
}

#[test]
fn sums_are_those_of_the_twin() {
    verify(sizes);
    verify(small);
    verify(nothing);
}

#[test]
fn short_buffers_are_refused() {
    let (count, row) = (1100, 2 * COLUMNS);
    refuses("sums", &[count, count, count, COLUMNS, COLUMNS, row, row, count], |rec, b| {
        let mut f = FreeEnergy::new(count, SITES);
        [f.centre, f.deviation, f.partial, f.weighted, f.factors] = std::array::from_fn(|i| b[i + 3].clone());
        let samples = Samples { log_q: &b[0], energy: &b[1], magnetisation: &b[2] };
        f.record_averages(rec, samples, BETA);
        f.record_factors(rec, samples, BETA, 1.0);
        f.record_importance(rec, samples, BETA);
    });
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&free_energy::MOMENTS, "finite(r) && finite(e)", "finite(e)", small);
    mutant(&free_energy::MOMENTS, "d.w * f.x, f.x * f.y", "d.w * f.y, f.x * f.y", small);
    mutant(&free_energy::MOMENTS, "p.per_site * magnetisation[w]", "p.per_site * abs(magnetisation[w])", small);
    mutant(&free_energy::MOMENTS, "(g + 1u) * p.span", "(g + 1u) * p.span - 1u", small);
    mutant(&free_energy::FACTORS, "/ max(deviation[0] - 1.0, 1.0)", "/ max(deviation[0], 1.0)", sizes);
    mutant(&free_energy::FACTORS, "- deviation[1]", "+ 1e4 * deviation[1]", small);
    mutant(&free_energy::FACTORS, "&& finite(magnetisation[w])", "&& finite(magnetisation[0])", small);
    mutant(&free_energy::IMPORTANCE, "low = min(low, least[l]);", "low = least[l];", small);
    mutant(&free_energy::IMPORTANCE, "s1 += weight * weight * d;", "s1 += weight * d;", small);
    mutant(&free_energy::IMPORTANCE, "-expm1_(low - r)", "1.0 + expm1_(low - r)", small);
    mutant(&free_energy::IMPORTANCE, "select(LARGE, r, counts)", "r", small);
    mutant(&free_energy::IMPORTANCE, "s4.y += 1.0;", "s4.x += 1.0;", small);
}
