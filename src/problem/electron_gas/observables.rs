//! S(k), g(r), n(k) and the occupation of orbitals at frozen parameters, with error bars, beside the exact ideal gas.

use std::f64::consts::PI;

use super::{KIND, Momentum, Settings, Trainer};
use crate::archive::Archive;
use crate::config::Values;
use crate::error::Result;
use crate::estimate::plot::{Axis, Graph, Style};
use crate::estimate::{Batch, Estimate, Plot, average};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::Chunk;
use crate::kernels::observables::{self, Positions, Shells, rows};
use crate::system::ElectronGas;
use crate::system::ideal_gas::Pairs;

/// Parts of 0 to L/2 in which pairs are counted.
const BINS: usize = 40;
/// S(k) is measured up to this many k_F.
const REACH: f64 = 3.0;

/// Most shells of orbitals: a twist of no symmetry makes one of each orbital, they are then put together by |k|.
const MOST_SHELLS: usize = 100;

/// Shells of plane waves of one |k|, the lowest first; those of one shell have one occupation.
pub(super) struct Levels {
    /// |k| of each, 1/(rs a0).
    pub k: Vec<f64>,
    /// The shell of each plane wave.
    pub of: Vec<u32>,
    /// One over the plane waves of each.
    pub share: Vec<f32>,
}

impl Levels {
    /// Of plane waves of these |k|.
    pub fn new(all: &[f64]) -> Levels {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|a, b| all[*a].total_cmp(&all[*b]));
        let highest = order.last().map_or(0.0, |j| all[*j]);
        let distinct = order.windows(2).filter(|w| all[w[1]] - all[w[0]] > 1e-6 * highest).count();
        // what |m + t|² of rounded twists is off by, or more where there are too many shells
        let width = if distinct < MOST_SHELLS { 1e-6 * highest } else { highest / MOST_SHELLS as f64 };
        let (mut levels, mut counts) = (Levels { k: Vec::new(), of: vec![0; all.len()], share: Vec::new() }, Vec::<f32>::new());
        for j in order {
            if levels.k.last().is_none_or(|last| all[j] - last > width) {
                levels.k.push(all[j]);
                counts.push(0.0);
            }
            levels.of[j] = levels.k.len() as u32 - 1;
            *counts.last_mut().unwrap_or(&mut 0.0) += 1.0;
        }
        levels.share = counts.iter().map(|c| 1.0 / c).collect();
        levels
    }

    /// Of the orbitals of a gas.
    fn of_orbitals(gas: &ElectronGas) -> Levels {
        Levels::new(&gas.energies().iter().map(|e| e.sqrt()).collect::<Vec<_>>())
    }

    /// Averages over the shells of numbers of each plane wave.
    pub fn averaged(&self, numbers: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut averages = vec![0.0; self.k.len()];
        for (number, level) in numbers.zip(&self.of) {
            averages[*level as usize] += number * f64::from(self.share[*level as usize]);
        }
        averages
    }
}

/// What is measured of a chunk: a row of numbers a walker.
pub(super) struct Measured {
    pub columns: usize,
    pub values: Buffer,
    /// f32 \[rows of all chunks\]\[2\]\[columns\].
    pub partial: Buffer,
    /// Mean and error of each column, a step after the other.
    pub steps: Vec<f64>,
}

impl Measured {
    pub fn new(name: &str, columns: usize, chunk: usize, rows: usize) -> Measured {
        Measured {
            columns,
            values: Buffer::new(format!("{name} of walkers"), chunk * columns),
            partial: Buffer::new(format!("{name}, sums"), 2 * rows * columns),
            steps: Vec::new(),
        }
    }

    /// Adds the step whose sums are on the device, of `counted` walkers.
    fn take(&mut self, gpu: &Gpu, counted: usize) -> Result<()> {
        let words: Vec<f32> = gpu.read_words(&self.partial, self.partial.words())?;
        let count = counted as f64;
        for c in 0..self.columns {
            let sum =
                |power: usize| words.chunks(2 * self.columns).map(|row| f64::from(row[power * self.columns + c])).sum::<f64>() / count;
            let mean = sum(0);
            let variance = sum(1) - mean * mean;
            // rounding may make it negative; what is not a number stays so
            let variance = if variance < 0.0 { 0.0 } else { variance };
            self.steps.extend([mean, (variance / (count - 1.0).max(1.0)).sqrt()]);
        }
        Ok(())
    }

    /// Of all steps, each with its walkers. Where nothing was seen the error is that of `one` event.
    pub fn averages(&self, values: &Values, walkers: &[f64], one: impl Fn(usize) -> f64) -> Vec<Estimate> {
        let (draws, total) = ((KIND.draws)(values), walkers.iter().sum::<f64>());
        let column = |c: usize| -> Estimate {
            let batch = |(step, walkers): (&[f64], &f64)| Batch { mean: step[2 * c], error: step[2 * c + 1], walkers: *walkers as usize };
            let batches: Vec<Batch> = self.steps.chunks(2 * self.columns).zip(walkers).map(batch).collect();
            let found: Estimate = average(&batches, draws).into();
            if found.value == 0.0 { Estimate { error: one(c) / total, ..found } } else { found }
        };
        (0..self.columns).map(column).collect()
    }
}

/// Everything that is measured while parameters are frozen.
pub struct Observables {
    shells: Shells,
    vectors: Buffer,
    starts: Buffer,
    levels: Levels,
    level_of: Buffer,
    share: Buffer,
    factor: Measured,
    pairs: Measured,
    occupation: Measured,
    /// Unless `displacements` is 0.
    momentum: Option<Momentum>,
    /// Walkers of each step that counted.
    walkers: Vec<f64>,
}

/// |m|² up to which S(k) is measured: [`REACH`] k_F, at least the shortest vectors.
fn reach(gas: &ElectronGas) -> u32 {
    ((REACH * REACH * ElectronGas::fermi_square(gas.up, gas.dim)) as u32).max(1)
}

impl Observables {
    /// Of a gas whose batch is in chunks of these sizes; n(k) by so many displacements a walker.
    pub fn new(gas: &ElectronGas, chunks: &[usize], displacements: usize) -> Observables {
        let (shells, levels) = (Shells::new(gas.dim, reach(gas)), Levels::of_orbitals(gas));
        let (chunk, total) = (chunks.iter().copied().max().unwrap_or(0), chunks.iter().map(|c| rows(*c)).sum());
        let (table, starts, of, share) = (shells.table(), shells.starts.clone(), levels.of.clone(), levels.share.clone());
        Observables {
            vectors: Buffer::filled("vectors of S(k)", table.len(), move || table),
            starts: Buffer::filled("shells of S(k)", starts.len(), move || starts),
            level_of: Buffer::filled("shells of orbitals", of.len(), move || of),
            share: Buffer::filled("orbitals of shells", share.len(), move || share),
            factor: Measured::new("S(k)", shells.len(), chunk, total),
            pairs: Measured::new("g(r)", BINS, chunk, total),
            occupation: Measured::new("occupations", levels.k.len(), chunk, total),
            momentum: (displacements > 0).then(|| Momentum::new(gas, chunk, total, displacements)),
            shells,
            levels,
            walkers: Vec::new(),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Measured> {
        [&mut self.factor, &mut self.pairs, &mut self.occupation].into_iter().chain(self.momentum.iter_mut().map(|m| &mut m.measured))
    }

    /// Begins anew: parameters have changed.
    pub fn clear(&mut self) {
        self.walkers.clear();
        self.all().for_each(|m| m.steps.clear());
    }

    /// Measures the walkers whose energies were measured last, `counted` of them.
    ///
    /// # Errors
    /// Those of the device.
    pub fn measure(&mut self, gpu: &Gpu, t: &Trainer, counted: usize) -> Result<()> {
        let (n, dim, length) = (t.gas.n, t.gas.dim, t.gas.length());
        let mut rec = Recording::new();
        rec.phase("observables");
        let mut row = 0;
        for (chunk, states) in t.chunks() {
            let walkers = chunk.walkers;
            let at = Positions { x: &chunk.x, walkers, n, dim, length };
            observables::structure_factor(&mut rec, at, &self.shells, &self.vectors, &self.starts, &self.factor.values);
            observables::pair_histogram(&mut rec, at, BINS, &self.pairs.values);
            let orbitals = (self.levels.of.len(), self.levels.k.len());
            let (of, share) = (&self.level_of, &self.share);
            observables::occupation_shells(&mut rec, (walkers, n), states, orbitals, of, share, &self.occupation.values);
            let place = Chunk { first: chunk.first, count: walkers };
            if let Some(momentum) = &self.momentum {
                momentum.record(&mut rec, &t.wave, at, states, t.displacements(chunk));
            }
            for m in [&self.factor, &self.pairs, &self.occupation].into_iter().chain(self.momentum.iter().map(|m| &m.measured)) {
                observables::bin_sums(&mut rec, place, m.columns, &m.values, &t.estimators.weights, (&m.partial, row));
            }
            row += rows(walkers);
        }
        gpu.run(&rec)?;
        self.all().try_for_each(|m| m.take(gpu, counted))?;
        self.walkers.push(counted as f64);
        Ok(())
    }

    /// What the next step goes on from.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        a.list("walkers", &mut self.walkers)?;
        a.list("structure_factor", &mut self.factor.steps)?;
        a.list("pairs", &mut self.pairs.steps)?;
        a.list("occupations", &mut self.occupation.steps)?;
        self.momentum.as_mut().map_or(Ok(()), |m| a.list("momenta", &mut m.measured.steps))
    }

    /// The pictures of all steps; none of no step.
    ///
    /// # Errors
    /// Those of settings that make no gas.
    pub fn plots(&self, s: &Settings) -> Result<Vec<Plot>> {
        if self.walkers.is_empty() {
            return Ok(Vec::new());
        }
        let (gas, values) = (s.gas()?, s.values());
        let ideal = Ideal::new(&gas)?;
        let title = KIND.titled(|name| values.text(name).replace('-', "−"));
        let steps = self.walkers.len();
        let total: f64 = self.walkers.iter().sum();
        let caption = |what: &str, of: &[Estimate]| {
            let bars =
                if of.iter().any(|e| e.at_least) { "at least one standard error: too few steps of chains" } else { "one standard error" };
            format!("{what}, {total} walkers of {steps} steps with frozen parameters; bars are {bars}")
        };
        let (unit, k) = ("1/(*r*_{s} *a*_{0})", |square: u32| 2.0 * PI * f64::from(square).sqrt() / gas.length());
        let curve = |x: &[f64], y: &[Estimate]| x.iter().zip(y).map(|(x, y)| [*x, y.value, y.error]).collect::<Vec<_>>();
        let line = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| [*x, *y, f64::NAN]).collect::<Vec<_>>();
        let wave = || Axis::new("k", "*k*", unit);
        let factor: Vec<f64> = self.shells.squares.iter().map(|square| k(*square)).collect();
        let exact: Vec<f64> =
            self.shells.starts.windows(2).map(|w| ideal.factor(&self.shells.vectors[w[0] as usize..w[1] as usize])).collect();
        let measured = self.factor.averages(&values, &self.walkers, |_| 0.0);
        let structure = caption("Static structure factor", &measured);
        let s_of_k = Graph::new(wave(), Axis::new("S", "*S*(*k*)", ""))
            .beside("ideal gas, exact", Style::Line, line(&factor, &exact))
            .with("this run", Style::Points, curve(&factor, &measured));
        let edges: Vec<f64> = (0..=BINS).map(|b| 0.5 * gas.length() * b as f64 / BINS as f64).collect();
        let middle: Vec<f64> = edges.windows(2).map(|e| 0.5 * (e[0] + e[1])).collect();
        let counted = self.pairs.averages(&values, &self.walkers, |_| 1.0);
        let density: Vec<Estimate> = edges
            .windows(2)
            .zip(&counted)
            .map(|(e, count)| {
                let per = pairs_to_density(&gas, e[0], e[1]);
                Estimate { value: per * count.value, error: per * count.error, ..*count }
            })
            .collect();
        let exact: Vec<f64> = edges.windows(2).map(|e| ideal.density(e[0], e[1])).collect();
        let g_of_r = Graph::new(Axis::new("r", "*r*", "*r*_{s} *a*_{0}"), Axis::new("g", "*g*(*r*)", ""))
            .beside("ideal gas, exact", Style::Line, line(&middle, &exact))
            .with("this run", Style::Points, curve(&middle, &density));
        let exact = self.levels.averaged(ideal.occupations.iter().copied());
        let measured = self.occupation.averages(&values, &self.walkers, |c| f64::from(self.levels.share[c]));
        let occupation = caption("Occupation of orbitals", &measured);
        let occupied = Graph::new(wave(), Axis::new("n", "occupation", ""))
            .beside("ideal gas, exact", Style::Line, line(&self.levels.k, &exact))
            .with("this run", Style::Points, curve(&self.levels.k, &measured));
        let momentum = self.momentum.as_ref().map(|m| {
            let measured = m.measured.averages(&values, &self.walkers, |_| 0.0);
            let graph = Graph::new(wave(), Axis::new("n", "*n*(*k*)", ""))
                .beside("ideal gas, exact", Style::Line, line(&m.levels.k, &m.ideal(&gas, &ideal.occupations)))
                .with("this run", Style::Points, curve(&m.levels.k, &measured));
            Plot::graph("momentum_distribution", &title, &caption("Momenta of the electrons", &measured), graph)
        });
        let plots = vec![
            Plot::graph("structure_factor", &title, &structure, s_of_k),
            Plot::graph("pair_distribution", &title, &caption("Pair distribution over n²/V", &density), g_of_r),
            Plot::graph("occupations", &title, &occupation, occupied),
        ];
        Ok(plots.into_iter().chain(momentum).collect())
    }
}

/// g of one pair i < j a walker between two distances: V/n² and both orders of the pair, over the volume of the shell.
fn pairs_to_density(gas: &ElectronGas, from: f64, to: f64) -> f64 {
    let ball = |r: f64| if gas.dim == 2 { PI * r * r } else { 4.0 / 3.0 * PI * r.powi(3) };
    2.0 * gas.length().powi(gas.dim as i32) / (gas.n as f64).powi(2) / (ball(to) - ball(from))
}

/// The canonical ideal gas in the run's orbitals.
struct Ideal {
    gas: ElectronGas,
    occupations: Vec<f64>,
    pairs: Pairs,
    /// Σ over ordered pairs of one spin of ⟨n_p n_q⟩ by |m_p - m_q|².
    weights: Vec<(u32, f64)>,
    /// Ordered pairs of electrons of two spins, which do not exchange.
    unlike: f64,
}

impl Ideal {
    fn new(gas: &ElectronGas) -> Result<Ideal> {
        let ideal = gas.ideal()?;
        let (occupations, pairs, m) = (ideal.occupations(), ideal.pairs(), gas.orbitals());
        let mut weights = std::collections::BTreeMap::<u32, f64>::new();
        for p in 0..m.len() {
            for q in (0..m.len()).filter(|q| *q != p && pairs.alike(p, *q)) {
                let square: i32 = (0..3).map(|c| (m[p][c] - m[q][c]).pow(2)).sum();
                *weights.entry(square as u32).or_default() += pairs.of(p, q);
            }
        }
        let unlike = 2.0 * (gas.up * gas.down()) as f64;
        Ok(Ideal { gas: gas.clone(), occupations, pairs, weights: weights.into_iter().collect(), unlike })
    }

    /// S averaged over vectors: 1 - Σ_p ⟨n_p n_(p+m)⟩/n, p and p + m of one spin.
    fn factor(&self, vectors: &[[i32; 3]]) -> f64 {
        let m = self.gas.orbitals();
        let waves = self.gas.plane_wave_count();
        let place: std::collections::HashMap<[i32; 3], usize> = m[..waves].iter().enumerate().map(|(j, m)| (*m, j)).collect();
        let one = |v: &[i32; 3]| -> f64 {
            let moved = |p: usize| place.get(&std::array::from_fn(|c| m[p][c] + v[c])).map(|j| p / waves * waves + j);
            let both = (0..m.len()).filter_map(|p| Some(self.pairs.of(p, moved(p)?)));
            1.0 - both.sum::<f64>() / self.gas.n as f64
        };
        vectors.iter().map(one).sum::<f64>() / vectors.len() as f64
    }

    /// g averaged over directions and over the shell between two distances: Σ_{p≠q} ⟨n_p n_q⟩ (1 - cos((p - q)·r))/n², and for p and
    /// q of two spins the same without the cosine.
    fn density(&self, from: f64, to: f64) -> f64 {
        let unit = 2.0 * PI / self.gas.length();
        let at = |r: f64| -> f64 {
            let alike = |(square, w): &(u32, f64)| w * (1.0 - mean_cosine(self.gas.dim, f64::from(*square).sqrt() * unit * r));
            self.weights.iter().map(alike).sum::<f64>() + self.unlike
        };
        let dim = self.gas.dim as i32;
        // by parts of equal width, each with its share of the volume
        let (parts, mut sum, mut volume) = (8, 0.0, 0.0);
        for k in 0..parts {
            let r = from + (to - from) * (k as f64 + 0.5) / parts as f64;
            let share = r.powi(dim - 1);
            sum += share * at(r);
            volume += share;
        }
        sum / volume / (self.gas.n as f64).powi(2)
    }
}

/// The mean of cos(x cos angle) over directions: J_0(x) in two dimensions, sin(x)/x in three.
fn mean_cosine(dim: usize, x: f64) -> f64 {
    if dim == 3 {
        return if x == 0.0 { 1.0 } else { x.sin() / x };
    }
    // the integrand is periodic: equal steps are exact once there are more of them than turns
    let steps = 64 + 2 * x as usize;
    (0..steps).map(|k| (x * (PI * (k as f64 + 0.5) / steps as f64).sin()).cos()).sum::<f64>() / steps as f64
}
