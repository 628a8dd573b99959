//! Parallel tempering of a model: averages over e^{-βE}/Z and ln Z with error bars, where not all states can be summed.
//!
//! Temperatures lead from β = 0, where Z = 2ⁿ, to β, so close that neighbours exchange their states. Thermodynamic integration
//! along them is made of exact steps: Z(β')/Z(β) = ⟨e^{-(β'-β)E/2}⟩_β / ⟨e^{(β'-β)E/2}⟩_β'. Ladders of temperatures start from
//! random states and know nothing of each other; every error is a jackknife over them, autocorrelation included.

use super::trips::Trips;
use super::walk::{ROUNDS, Round, SWEEPS, Walk};
use crate::error::{Error, Result};
use crate::estimate::{Estimate, jackknife};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::bernoulli::{self, Rows, Spins};
use crate::kernels::tempering::Tempering;
use crate::kernels::{outer, pad4};
use crate::number::statistics::chains_time;
use crate::system::spins::Couplings;

/// How long, and how much is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Sweeps of every chain; a fifth of them comes before anything is counted.
    pub sweeps: usize,
    /// Independent copies of the ladder of temperatures.
    pub ladders: usize,
    /// Of all random numbers.
    pub seed: u64,
    /// States of e^{-βE}/Z to keep, about.
    pub keep: usize,
}

/// Fewest sweeps that tell anything, and ladders whose spread is an error bar.
pub const LEAST: (usize, usize) = (100, 4);
/// Share of the sweeps that is not counted.
const WARM: usize = 5;
/// Temperatures and sweeps of the first look at how E spreads.
const LOOK: (usize, usize) = (24, 160);
/// (β' - β) σ_E of neighbouring temperatures: exchanges of one in two.
const STEP: f64 = 1.0;
const MOST_RUNGS: usize = 128;
/// Words of the sums of products of spins; more spins have fewer groups of ladders.
const PRODUCTS: usize = 1 << 22;

/// Σ of 1, d, d², m², |m|, m⁴, and e^{∓(β'-β)d/2} towards the next colder and from the next hotter temperature.
type Sums = [f64; 8];

/// What a run of all ladders left.
pub struct Tempered {
    n: usize,
    offset: f64,
    ladders: usize,
    /// Inverse temperatures, from 0.
    pub betas: Vec<f64>,
    /// E less this is d, of each temperature.
    centre: Vec<f64>,
    /// `[rung][ladder]`.
    sums: Vec<Sums>,
    /// E at β, `[round][ladder]`.
    series: Vec<f64>,
    groups: usize,
    /// Σ s_i s_j at β, `[group of ladders][n][n]`, and the states in each.
    products: Vec<f32>,
    /// Exchanges.
    pub trips: Trips,
    /// Kept states at β, ±1 `[round][ladder][n]`.
    pub states: Vec<f32>,
    /// Sweeps of each chain that were counted.
    pub counted: usize,
}

/// Names of [`Tempered::values`].
pub const NAMES: [&str; 9] = ["ln_z", "F", "E", "S", "C", "m2", "abs_m", "chi", "binder"];

impl Tempered {
    /// Runs all ladders; `tell` hears how far it is.
    ///
    /// # Errors
    /// [`Error::User`] for fewer sweeps or ladders than [`LEAST`], for more than 1024 spins, and β that is not above 0.
    pub fn new(gpu: &Gpu, model: &Couplings, beta: f64, s: &Settings, tell: &mut dyn FnMut(&str)) -> Result<Tempered> {
        if s.sweeps < LEAST.0 || s.ladders < LEAST.1 {
            let (sweeps, ladders) = (s.sweeps, s.ladders);
            return Err(Error::User(format!("tempering: {sweeps} sweeps of {ladders} ladders; at least {} of {}", LEAST.0, LEAST.1)));
        }
        if model.n() > 1024 {
            return Err(Error::User(format!(
                "tempering: {} spins; it takes 1024 at the most, all states of up to 30 are summed",
                model.n()
            )));
        }
        let (betas, sweep) = ladder(gpu, model, beta, s)?;
        tell(&format!("{} temperatures from β = 0 to {beta}, {} ladders", betas.len(), s.ladders));
        let (n, ladders, rungs) = (model.n(), s.ladders, betas.len());
        let mut walk = Walk::new(model, &betas, ladders, s.seed, sweep)?;
        let rounds = s.sweeps / SWEEPS;
        let (warm, top) = (rounds / WARM, walk.rung(rungs - 1));
        let mut trips = Trips::new(rungs, ladders);
        let mut centre = vec![0.0; rungs];
        // of both stretches
        let mut follow = |round: &Round| round.swaps.iter().for_each(|(parity, counts)| trips.follow(*parity, counts));
        walk.rounds(
            gpu,
            (0, warm),
            |_, _, _, _| {},
            |_, round| {
                follow(&round);
                for (r, c) in centre.iter_mut().enumerate() {
                    let here = &round.energies[r * ladders..][..ladders];
                    *c = here.iter().map(|e| *e as f64).sum::<f64>() / ladders as f64;
                }
                Ok(())
            },
        )?;
        let groups = (1..=ladders).rev().find(|g| ladders.is_multiple_of(*g) && g * n * n <= PRODUCTS).unwrap_or(1);
        let words = groups * n * n;
        let (rows, products) =
            (Buffer::new("rows of chains", ladders * pad4(n)), Buffer::starting("sums of products", words, move || vec![0u32; words]));
        let every = ((rounds - warm) * ladders / s.keep.max(1)).max(1);
        let kept = Buffer::new("kept states", ROUNDS * ladders * n);
        let ld4 = (pad4(n) / 4) as u32;
        let each = (ladders / groups) as u32;
        let product = outer::Params {
            batches: groups as u32,
            outer: each,
            inner: 1,
            rows_out: n as u32,
            cols: n as u32,
            x_stride: each * ld4,
            x_outer: ld4,
            y_stride: each * ld4,
            y_outer: ld4,
            g_stride: (n * n) as u32,
            flags: outer::ACCUMULATE,
            ..outer::Params::default()
        };
        let mut sums = vec![[0.0; 8]; rungs * ladders];
        let (mut series, mut states) = (Vec::new(), Vec::new());
        let keeps = |round: usize| s.keep > 0 && (round - warm).is_multiple_of(every);
        let steps: Vec<f64> = betas.windows(2).map(|w| w[1] - w[0]).collect();
        let record = |round: usize, slot: usize, chains: &Tempering, rec: &mut Recording| {
            let spins = Spins { buffer: &chains.spins, sites: n, first: top.first, count: top.count, sign: 1.0, rows: Rows::Sample };
            bernoulli::record_rows(rec, spins, &rows);
            outer::record(rec, "products of spins", product, &rows, &rows, &products);
            if keeps(round) {
                rec.copy_range(&chains.spins, top.first * n, &kept, slot * ladders * n, ladders * n);
            }
        };
        let mut told = std::time::Instant::now();
        walk.rounds(gpu, (warm, rounds), record, |round, row| {
            follow(&row);
            for (chain, sum) in sums.iter_mut().enumerate() {
                let (r, m) = (chain / ladders, row.magnetisations[chain] as f64 / n as f64);
                let energy = row.energies[chain] as f64;
                let up = steps.get(r).map_or(0.0, |step| (-0.5 * step * (energy - centre[r])).exp());
                let down = if r > 0 { (0.5 * steps[r - 1] * (energy - centre[r - 1])).exp() } else { 0.0 };
                let d = energy - centre[r];
                let terms = [1.0, d, d * d, m * m, m.abs(), m.powi(4), up, down];
                sum.iter_mut().zip(terms).for_each(|(s, v)| *s += v);
            }
            series.extend(row.energies[top.first..][..ladders].iter().map(|e| *e as f64));
            if keeps(round) {
                // rounds of a recording begin in slot 0
                let slot = (round - warm) % ROUNDS;
                let all: Vec<f32> = gpu.read(&kept)?;
                states.extend_from_slice(&all[slot * ladders * n..][..ladders * n]);
            }
            if told.elapsed().as_secs() >= 5 {
                told = std::time::Instant::now();
                tell(&format!("sweep {} of {}", SWEEPS * (round + 1), s.sweeps));
            }
            Ok(())
        })?;
        let products = gpu.read(&products)?;
        let counted = SWEEPS * (rounds - warm);
        Ok(Tempered { n, offset: model.offset(), ladders, betas, centre, sums, series, groups, products, trips, states, counted })
    }

    /// Values of [`NAMES`]: ln Z of the whole system, F, E, S and C per spin, ⟨m²⟩, ⟨|m|⟩, χ = β n (⟨m²⟩ - ⟨|m|⟩²), Binder's g.
    pub fn values(&self) -> Vec<Estimate> {
        jackknife(self.ladders, |skip| {
            let total = |r: usize| {
                let kept = (0..self.ladders).filter(|l| Some(*l) != skip).map(|l| self.sums[r * self.ladders + l]);
                kept.fold([0.0; 8], |all, s| std::array::from_fn(|k| all[k] + s[k]))
            };
            let rungs: Vec<Sums> = (0..self.betas.len()).map(total).collect();
            let mut log_z = self.n as f64 * 2.0_f64.ln();
            for (r, w) in self.betas.windows(2).enumerate() {
                let up = rungs[r][6] / rungs[r][0];
                let down = rungs[r + 1][7] / rungs[r + 1][0];
                log_z += (up / down).ln() - (w[1] - w[0]) * self.centre[r];
            }
            let (last, n) = (self.betas.len() - 1, self.n as f64);
            let (beta, [count, d, square, m2, modulus, fourth, ..]) = (self.betas[last], rungs[last]);
            let [d, square, m2, modulus, fourth] = [d, square, m2, modulus, fourth].map(|v| v / count);
            let energy = self.centre[last] + d + self.offset;
            let log_z = log_z - beta * self.offset;
            let chi = beta * n * (m2 - modulus * modulus);
            let c = beta * beta * (square - d * d) / n;
            let s = (log_z + beta * energy) / n;
            vec![log_z, -log_z / (beta * n), energy / n, s, c, m2, modulus, chi, 0.5 * (3.0 - fourth / (m2 * m2))]
        })
    }

    /// C_ij = ⟨s_i s_j⟩, n x n, and the mean of each of `sets` of pairs (i, j) with its error.
    pub fn correlations(&self, sets: &[Vec<(usize, usize)>]) -> (Vec<f64>, Vec<Estimate>) {
        let size = self.n * self.n;
        let states = self.products[0] as f64;
        let of = |at: usize, skip: Option<usize>| {
            let kept = (0..self.groups).filter(|g| Some(*g) != skip);
            let (sum, count) = kept.fold((0.0, 0.0), |(s, c), g| (s + self.products[g * size + at] as f64, c + states));
            sum / count
        };
        let all = (0..size).map(|at| of(at, None)).collect();
        let means = jackknife(self.groups, |skip| {
            let mean = |set: &Vec<(usize, usize)>| set.iter().map(|(i, j)| of(i * self.n + j, skip)).sum::<f64>() / set.len() as f64;
            sets.iter().map(mean).collect()
        });
        (all, means)
    }

    /// Copies of the ladder of temperatures.
    pub fn ladders(&self) -> usize {
        self.ladders
    }

    /// Autocorrelation time of E at β, in sweeps.
    pub fn tau(&self) -> f64 {
        SWEEPS as f64 * chains_time(&self.series, self.ladders)
    }

    /// Returns of replicas from the cold end to the hot one, of a ladder on average.
    pub fn round_trips(&self) -> f64 {
        self.trips.trips.iter().sum::<u32>() as f64 / self.ladders as f64
    }

    /// Mean of E at β over the second half less that over the first, in errors of it.
    pub fn drift(&self) -> f64 {
        let half = self.series.len() / self.ladders / 2;
        let difference = |l: usize| {
            let mean = |first: usize| (first..first + half).map(|t| self.series[t * self.ladders + l]).sum::<f64>() / half as f64;
            mean(half) - mean(0)
        };
        let all: Vec<f64> = (0..self.ladders).map(difference).collect();
        let mean = all.iter().sum::<f64>() / self.ladders as f64;
        let squares = all.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
        let error = (squares / (self.ladders * (self.ladders - 1)) as f64).sqrt();
        if error > 0.0 { mean / error } else { 0.0 }
    }

    /// Why the ladders may not have come to equilibrium, if there is a reason.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let (drift, trips) = (self.drift(), self.round_trips());
        if drift.abs() > 5.0 {
            doubts.push(format!("E at β still changes, by {drift:+.1} of its errors between the halves of the run"));
        }
        if trips < FEWEST_TRIPS {
            doubts.push(format!("replicas returned from β to 0 {trips:.1} times a ladder, fewer than {FEWEST_TRIPS:.0}"));
        }
        if let Some((r, a)) = self.trips.acceptance().iter().enumerate().find(|(_, a)| **a < 0.05) {
            doubts.push(format!(
                "exchanges of β = {:.4} with {:.4} are made {:.1} % of the time",
                self.betas[r],
                self.betas[r + 1],
                100.0 * a
            ));
        }
        doubts
    }
}

/// Round trips of a ladder below which its states at β are few independent ones.
const FEWEST_TRIPS: f64 = 10.0;

/// Inverse temperatures from 0 to `beta` whose neighbours exchange states about evenly, from a first look at how E spreads; and
/// the sweeps that it took.
fn ladder(gpu: &Gpu, model: &Couplings, beta: f64, s: &Settings) -> Result<(Vec<f64>, u32)> {
    if !(beta > 0.0 && beta.is_finite()) {
        return Err(Error::User(format!("tempering: beta = {beta}; give a finite one above 0")));
    }
    let (count, sweeps) = LOOK;
    let even: Vec<f64> = (0..count).map(|k| beta * k as f64 / (count - 1) as f64).collect();
    let (mut walk, rounds) = (Walk::new(model, &even, s.ladders, s.seed, 0)?, sweeps / SWEEPS);
    let (mut moments, mut seen) = (vec![[0.0f64; 2]; count], 0.0);
    let mut centre = vec![0.0; count];
    walk.rounds(
        gpu,
        (0, rounds),
        |_, _, _, _| {},
        |round, row| {
            for (r, m) in moments.iter_mut().enumerate() {
                let here = &row.energies[r * s.ladders..][..s.ladders];
                if round == rounds / 4 {
                    centre[r] = here[0] as f64;
                }
                if round >= rounds / 4 {
                    here.iter().map(|e| *e as f64 - centre[r]).for_each(|d| *m = [m[0] + d, m[1] + d * d]);
                }
            }
            seen += if round >= rounds / 4 { s.ladders as f64 } else { 0.0 };
            Ok(())
        },
    )?;
    let spread = |m: &[f64; 2]| (m[1] / seen - (m[0] / seen).powi(2)).max(0.0).sqrt();
    Ok((spaced(&even, &moments.iter().map(spread).collect::<Vec<_>>()), walk.sweeps()))
}

/// Places between the first and the last of `betas` at which ∫ σ dβ grows evenly, by [`STEP`] at the most where so many are
/// allowed.
fn spaced(betas: &[f64], spread: &[f64]) -> Vec<f64> {
    let mut lengths = vec![0.0];
    for k in 1..betas.len() {
        lengths.push(lengths[k - 1] + 0.5 * (spread[k] + spread[k - 1]) * (betas[k] - betas[k - 1]));
    }
    let (last, whole) = (betas[betas.len() - 1], lengths[lengths.len() - 1]);
    let steps = ((whole / STEP).ceil() as usize).clamp(3, MOST_RUNGS - 1);
    let place = |step: usize| {
        let at = whole * step as f64 / steps as f64;
        let k = lengths.partition_point(|l| *l <= at).clamp(1, betas.len() - 1);
        let share = if lengths[k] > lengths[k - 1] { (at - lengths[k - 1]) / (lengths[k] - lengths[k - 1]) } else { 0.0 };
        betas[k - 1] + share * (betas[k] - betas[k - 1])
    };
    let inner: Vec<f64> =
        if whole > 0.0 { (1..steps).map(place).collect() } else { (1..steps).map(|k| last * k as f64 / steps as f64).collect() };
    [betas[0]].into_iter().chain(inner).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even steps of the integral, ends kept; a spread of nothing still makes a ladder.
    #[test]
    fn temperatures_are_close_where_the_energy_spreads() {
        let betas: Vec<f64> = (0..=20).map(|k| 0.1 * k as f64).collect();
        let spread: Vec<f64> = betas.iter().map(|b| if *b < 1.0 { 10.0 } else { 1.0 }).collect();
        let got = spaced(&betas, &spread);
        assert_eq!((got[0], got[got.len() - 1]), (0.0, 2.0));
        assert!(got.windows(2).all(|w| w[1] > w[0]) && (12..=14).contains(&got.len()), "{got:?}");
        assert!((got[1] - 0.1).abs() < 0.01 && got[got.len() - 2] < 1.4, "{got:?}");
        assert_eq!(spaced(&betas, &[0.0; 21]).len(), 4);
        assert!(spaced(&betas, &[1e6; 21]).len() == MOST_RUNGS);
    }
}
