//! energies, moments, means, baseline and weights against their twin, with failed walkers, and published means.

use helmholtz::gpu::{Buffer, Gpu, Recording};
use helmholtz::kernels::estimators::{self, Baseline, Chunk, Estimators};
use helmholtz::problem::electron_gas::Energies;
use helmholtz::reference::complex::Complex;
use helmholtz::reference::estimators as twin;

use crate::harness::{Check, close, mutant, random, verify};
use crate::published::{Case, single};
use crate::reference_data::present;

const EPS: f64 = f32::EPSILON as f64;

struct Batch {
    /// Re, Im, mixed, unused.
    kinetic: Vec<f32>,
    potential: Vec<f32>,
    log_probability: Vec<f32>,
    log_amplitude: Vec<f32>,
    /// Σ k² of the states.
    ideal: Vec<f32>,
    beta: f64,
}

impl Batch {
    fn records(&self) -> Vec<[f64; 8]> {
        let lost = |v: f32| !v.is_finite() || v < -1e29;
        (0..self.potential.len())
            .map(|w| {
                let k = &self.kinetic[4 * w..];
                let (v, lnp) = (self.potential[w] as f64, self.log_probability[w] as f64);
                let record = twin::record(Complex::new(k[0] as f64, k[1] as f64), k[2] as f64, v, lnp, self.beta);
                if lost(self.log_amplitude[w]) { [f64::NAN; 8] } else { record }
            })
            .collect()
    }

    /// Averages, weights, and the line (c1, mean |E - b|).
    fn run(&self, gpu: &Gpu, baseline: Baseline) -> Result<(Energies, Vec<f32>, Vec<f32>), String> {
        let walkers = self.potential.len();
        let estimators = Estimators::new(walkers);
        // two chunks, the probabilities in one piece
        let p = gpu.upload("ln p", &self.log_probability);
        let ideal = gpu.upload("ideal", &self.ideal.iter().flat_map(|t| [*t, 0.0, *t, *t]).collect::<Vec<f32>>());
        let mut rec = Recording::new();
        for (first, end) in [(0, walkers / 3), (walkers / 3, walkers)] {
            let (k, v) = (gpu.upload("kinetic", &self.kinetic[4 * first..4 * end]), gpu.upload("potential", &self.potential[first..end]));
            let a = gpu.upload("ln psi", &self.log_amplitude[first..end]);
            let chunk = Chunk {
                first,
                walkers: end - first,
                kinetic: &k,
                potential: &v,
                log_amplitude: &a,
                log_probability: &p,
                probability_first: first,
            };
            estimators.record_energies(&mut rec, chunk, self.beta);
        }
        estimators.record_averages(&mut rec, &ideal, baseline, estimators::CLIP);
        gpu.run(&rec).map_err(|e| e.to_string())?;
        let read = |b: &Buffer| gpu.read::<f32>(b).map_err(|e| e.to_string());
        let (weights, flow) = (read(&estimators.weights)?, read(&estimators.flow_weights)?);
        if weights.chunks(4).zip(flow.chunks(2)).any(|(w, f)| w[1] != f[0] || w[2] != f[1]) {
            return Err("the weights of the flow are not those of the walkers".into());
        }
        Ok((Energies::finish(&read(&estimators.centre)?, &read(&estimators.partial)?), weights, read(&estimators.line)?))
    }

    /// Device against twin: E rounds by ε of |K| + |V|, which shifts means by as much and standard deviations too.
    fn compare(&self, gpu: &Gpu) -> Check {
        let (got, _, _) = self.run(gpu, Baseline::Mean)?;
        let records = self.records();
        let want = twin::averages(&records);
        if (got.counted, got.failed) != (want.counted, want.left_out) {
            return Err(format!("{} counted, {} failed, want {} and {}", got.counted, got.failed, want.counted, want.left_out));
        }
        let scale = records.iter().flat_map(|r| [r[0], r[2], r[6]]).filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
        let good = records.iter().filter(|r| r.iter().all(|v| v.is_finite()));
        let rest: Vec<f64> = good.map(|r| r[4] - r[7]).collect();
        let mean = rest.iter().sum::<f64>() / rest.len() as f64;
        let sigma = (rest.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rest.len() as f64).sqrt();
        let own = got.mixed_potential;
        if !((own.mean - mean).abs() <= 2.0 * EPS * scale + 10.0 * EPS * sigma
            && (own.variance.sqrt() - sigma).abs() <= 2.0 * EPS * scale + 10.0 * EPS * sigma)
        {
            return Err(format!("E - mixed K: {own:?}, want {mean}, variance {}", sigma * sigma));
        }
        let all = [(got.kinetic, 0), (got.imaginary, 5), (got.potential, 2), (got.energy, 4), (got.free_energy, 6), (got.mixed_kinetic, 7)];
        for (mean, c) in all {
            let error = (mean.mean - want.mean[c]).abs();
            let spread = (mean.variance.sqrt() - want.variance[c].sqrt()).abs();
            // the sums of 64 x 16 terms about the centre round by 10 ε of the spread
            if !(error <= EPS * scale + 10.0 * EPS * want.variance[c].sqrt()
                && spread <= 2.0 * EPS * scale + 10.0 * EPS * want.variance[c].sqrt())
            {
                return Err(format!("column {c}: {mean:?}, want {} variance {}", want.mean[c], want.variance[c]));
            }
        }
        if (got.entropy.mean + want.mean[3]).abs() > 4.0 * EPS * want.mean[3].abs() {
            return Err(format!("entropy {}, want {}", got.entropy.mean, -want.mean[3]));
        }
        let rounding = 4.0 * EPS * scale + 10.0 * EPS * want.spread_e;
        if !((got.spread_free_energy - want.spread_f).abs() <= rounding && (got.spread_energy - want.spread_e).abs() <= rounding) {
            return Err(format!("spreads {} {}, want {want:?}", got.spread_free_energy, got.spread_energy));
        }
        self.compare_slopes(&got, &records, &want, scale)?;
        for baseline in [Baseline::Mean, Baseline::Energy] {
            self.compare_weights(gpu, baseline, &want, scale, rounding).map_err(|e| format!("{baseline:?}: {e}"))?;
        }
        Ok(())
    }

    /// Slopes of E and -ln p over Σ k²: the number rounds by ε of its scale, the products' sums by 20 ε of both spreads, so the
    /// slope is off by that over σ_T; its error by as much over √count, and by what 40 ε of two squared spreads leave of a residual.
    fn compare_slopes(&self, got: &Energies, records: &[[f64; 8]], want: &twin::Averages, scale: f64) -> Check {
        let ideal: Vec<f64> = self.ideal.iter().map(|t| *t as f64).collect();
        for (name, slope, column, sign, scale) in [("E", got.energy_slope, 4, 1.0, scale), ("-ln p", got.probability_slope, 3, -1.0, 10.0)]
        {
            let (value, error) = twin::slope(records, &ideal, column);
            let sigma = (got.ideal.variance).sqrt();
            let allowed = (2.0 * EPS * scale + 20.0 * EPS * want.variance[column].sqrt()) / sigma;
            let close = |a: f64, b: f64, by: f64| (a.is_nan() && b.is_nan()) || (a - b).abs() <= by;
            let left = (40.0 * EPS * want.variance[column]).sqrt() / sigma;
            let fewer = (want.counted as f64 - 2.0).sqrt();
            if !close(slope.value, sign * value, allowed) || !close(slope.error, error, (allowed + left) / fewer) {
                return Err(format!("slope of {name}: {slope:?}, want {} ± {error}, to {allowed:.1e}", sign * value));
            }
        }
        Ok(())
    }

    /// Weights, and the line: E rounds by ε of `scale`, so that by Cauchy and Schwarz the slope is off by that over the
    /// spread σ_T of Σ k², and the line by as much times the largest |T - mean|/σ_T. Sums round as those of E.
    fn compare_weights(&self, gpu: &Gpu, baseline: Baseline, want: &twin::Averages, scale: f64, rounding: f64) -> Check {
        let (_, weights, line) = self.run(gpu, baseline)?;
        let records = self.records();
        let ideal: Vec<f64> = self.ideal.iter().map(|t| *t as f64).collect();
        let fit = twin::baseline(&records, &ideal, baseline == Baseline::Energy);
        let sigma = (ideal.iter().map(|t| (t - fit.ideal).powi(2)).sum::<f64>() / ideal.len() as f64).sqrt().max(1e-6);
        let reach = ideal.iter().map(|t| (t - fit.ideal).abs() / sigma).fold(1.0, f64::max);
        let slope = (2.0 * EPS * scale + 20.0 * EPS * want.variance[4].sqrt()) / sigma;
        let rounding = rounding + slope * sigma * reach + 2.0 * EPS * fit.slope.abs() * fit.ideal;
        if !((line[0] as f64 - fit.slope).abs() <= slope && (line[1] as f64 - fit.spread).abs() <= rounding) {
            return Err(format!("line {line:?}, want {fit:?}"));
        }
        let weight: Vec<f64> = records.iter().zip(&ideal).flat_map(|(r, t)| twin::weights(r, *t, want, &fit, estimators::CLIP)).collect();
        for (c, name) in ["weight of ln p", "weight of Re ln psi", "weight of Im ln psi", "counted"].iter().enumerate() {
            let column: Vec<f64> = weight.iter().skip(c).step_by(4).copied().collect();
            let largest = column.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
            let device: Vec<f32> = weights.iter().skip(c).step_by(4).copied().collect();
            close(name, &device, &column, 20.0 * EPS + 20.0 * rounding / want.counted as f64 / largest)?;
        }
        Ok(())
    }
}

/// Energies of -480 ± 6 with a few outliers beyond the window, and walkers that failed each in its own way.
fn made(gpu: &Gpu) -> Check {
    for (case, walkers) in [(0, 5), (1, 64), (2, 700), (3, 2500)] {
        let r = random(case, 6 * walkers);
        let at = |c: usize, w: usize| r[c * walkers + w];
        let mut batch = Batch {
            kinetic: (0..walkers).flat_map(|w| [90.0 + 6.0 * at(0, w), at(1, w), 90.0 + 2.0 * at(2, w), 0.0]).map(|v| v as f32).collect(),
            potential: (0..walkers).map(|w| (-570.0 + 2.0 * at(3, w)) as f32).collect(),
            log_probability: (0..walkers).map(|w| (-5.0 + 2.0 * at(4, w)) as f32).collect(),
            log_amplitude: (0..walkers).map(|w| (30.0 * at(5, w)) as f32).collect(),
            ideal: vec![60.0; walkers],
            beta: 1.7,
        };
        // all states equal, or but for rounding: no line
        batch.compare(gpu)?;
        batch.ideal = (0..walkers).map(|w| 60.0 * (1.0 + (w % 3) as f32 * f32::EPSILON)).collect();
        batch.compare(gpu)?;
        // energies follow those of the ideal gas, which the line takes away
        batch.ideal = (0..walkers).map(|w| (60.0 + 9.0 * at(4, w)) as f32).collect();
        (0..walkers).for_each(|w| batch.kinetic[4 * w] += 1.3 * (batch.ideal[w] - 60.0));
        batch.compare(gpu)?;
        if walkers > 100 {
            for w in [3, 40, 300] {
                batch.kinetic[4 * w] += if w == 40 { -3000.0 } else { 4000.0 };
                batch.kinetic[4 * w + 1] = 50.0;
            }
            // large imaginary part inside the window: untouched
            batch.kinetic[4 * 77 + 1] = -900.0;
            batch.kinetic[4 * 10] = f32::NAN;
            batch.kinetic[4 * 11 + 2] = f32::INFINITY;
            batch.potential[12] = f32::NEG_INFINITY;
            batch.log_probability[13] = f32::NAN;
            batch.log_amplitude[14] = -1e30;
            batch.log_amplitude[walkers - 1] = f32::NAN;
            batch.compare(gpu)?;
        }
    }
    Ok(())
}

/// No walker counts: nothing is divided by zero.
fn none_left(gpu: &Gpu) -> Check {
    let batch = Batch {
        kinetic: vec![f32::NAN; 12],
        potential: vec![1.0; 3],
        log_probability: vec![-1.0; 3],
        log_amplitude: vec![0.0; 3],
        ideal: vec![1.0, 2.0, 3.0],
        beta: 1.0,
    };
    for baseline in [Baseline::Mean, Baseline::Energy] {
        let (got, weights, line) = batch.run(gpu, baseline)?;
        let zero = weights[..12].iter().chain(&line).all(|&w| w == 0.0);
        if got.counted != 0 || got.failed != 3 || !got.energy.mean.is_finite() || !zero {
            return Err(format!("{got:?} {weights:?} {line:?}"));
        }
    }
    Ok(())
}

/// Σ k² of a case's walkers.
fn ideal(case: &Case) -> Vec<f32> {
    let gas = case.gas();
    let (momenta, wave) = (gas.momenta(), 2.0 * std::f64::consts::PI / gas.length());
    case.states().chunks(gas.n).map(|s| helmholtz::reference::occupied::occupied(s, &momenta, gas.dim, wave).1 as f32).collect()
}

/// Means of the published batches, and their gradient of the occupation network from weights and scores.
fn published(gpu: &Gpu) -> Check {
    for name in present(&["n29_d2_rs10", "n29_d2_rs1", "n7_d3_random"]) {
        let case = Case::load(name);
        let (re, im) = (case.array("kinetic.re"), case.array("kinetic.im"));
        let walkers = re.len();
        let batch = Batch {
            kinetic: (0..walkers).flat_map(|w| [re[w] as f32, im[w] as f32, re[w] as f32, 0.0]).collect(),
            potential: single(case.array("potential")),
            log_probability: single(case.array("logprob")),
            log_amplitude: single(case.array("logpsi.re")),
            ideal: ideal(&case),
            beta: case.number("beta"),
        };
        batch.compare(gpu)?;
        let (_, weights, _) = batch.run(gpu, Baseline::Mean)?;
        let gradient = |score: &str, column: usize| -> Vec<f64> {
            let s = case.array(score);
            let p = s.len() / walkers;
            (0..p).map(|k| (0..walkers).map(|w| weights[4 * w + column] as f64 * s[w * p + k]).sum()).collect()
        };
        let classical: Vec<f32> = single(&gradient("classical_score", 0));
        let quantum: Vec<f64> = gradient("quantum_score.re", 1).iter().zip(gradient("quantum_score.im", 2)).map(|(a, b)| a + b).collect();
        // weights carry rounding of E (ε 600 of a spread of 6), the sums over walkers cancel to a tenth
        close("gradient of the occupation network", &classical, case.array("grad_van"), 2e-4)?;
        close("gradient of the flow", &single(&quantum), case.array("grad_flow"), 2e-4)?;
    }
    Ok(())
}

#[test]
fn averages_and_weights_agree_with_the_twin() {
    verify(made);
    verify(none_left);
}

#[test]
fn gradients_are_the_published_ones() {
    verify(published);
}

#[test]
fn broken_kernels_are_noticed() {
    mutant(&estimators::ENERGIES, "log_probability[p.probability_first + w]", "log_probability[w]", made);
    mutant(&estimators::ENERGIES, "amplitude < -1e29", "amplitude < -1e31", made);
    mutant(&estimators::ENERGIES, "p.temperature * logp + e", "p.temperature * logp - e", made);
    mutant(&estimators::MOMENTS, "vec2<f32>(d1.x, r1.y)", "vec2<f32>(d1.x, 0.0)", made);
    mutant(&estimators::MOMENTS, "finite4(r0) && finite4(r1)", "finite4(r0)", made);
    mutant(&estimators::MOMENTS, "(d1.x - d1.w) * (d1.x - d1.w)", "(d1.x - d1.w) * d1.x", made);
    mutant(&estimators::MEANS, "lane != 19u", "lane != 17u", made);
    mutant(&estimators::MOMENTS, "t * d1.x", "t", made);
    mutant(&estimators::MOMENTS, "t * d0.w", "t * d0.x", made);
    mutant(&estimators::MOMENTS, "total += last[l]", "total = last[l]", made);
    mutant(&estimators::BASELINE, "covariance / variance", "covariance", made);
    mutant(&estimators::BASELINE, "variance > rounding * rounding", "true", made);
    mutant(&estimators::BASELINE, "- slope * t, r.y)", "- slope * t, 0.0)", made);
    mutant(&estimators::WEIGHTS, "line[0] * t", "t", made);
    mutant(&estimators::WEIGHTS, "vec2<f32>(e_bound, 0.0)", "vec2<f32>(e_bound, e.y)", made);
    mutant(&estimators::WEIGHTS, "2.0 * e / centre[0]", "e / centre[0]", published);
}

/// At high density the energy of the ideal gas is most of what E_loc scatters by: the line halves the spread.
#[test]
fn the_baseline_takes_the_ideal_gas_out_of_the_published_spread() {
    for (name, most) in [("n29_d2_rs1", 0.8), ("n29_d2_rs10", 1.0)].into_iter().filter(|(name, _)| !present(&[name]).is_empty()) {
        let case = Case::load(name);
        let (re, im, v) = (case.array("kinetic.re"), case.array("kinetic.im"), case.array("potential"));
        let record = |w: usize| twin::record(Complex::new(re[w], im[w]), re[w], v[w], case.array("logprob")[w], case.number("beta"));
        let records: Vec<[f64; 8]> = (0..re.len()).map(record).collect();
        let ideal: Vec<f64> = ideal(&case).iter().map(|t| *t as f64).collect();
        let [mean, line] = [false, true].map(|fit| twin::baseline(&records, &ideal, fit));
        let sigma = |l: &twin::Line| {
            (records.iter().zip(&ideal).map(|(r, t)| (r[4] - l.at(*t)).powi(2)).sum::<f64>() / records.len() as f64).sqrt()
        };
        eprintln!(
            "{name}: sigma of E about the mean {:.3}, about the line {:.3} (slope {:.3}) Ry/rs²",
            sigma(&mean),
            sigma(&line),
            line.slope
        );
        assert!(sigma(&line) < most * sigma(&mean), "{name}");
    }
}
