//! From the records of walkers to averages with errors, and to weights of the gradients: a few numbers a walker, in float64.

use std::collections::BTreeMap;

use crate::estimate::Estimate;
use crate::kernels::trap::RECORD;
use crate::number::statistics::Running;
use crate::problem::{Measured, Named};

/// A batch as the device has left it: the record of each walker, its determinant and ln p of that.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// f32 `[walker][8]`: see [`crate::kernels::trap`].
    pub records: Vec<f32>,
    /// Of the list.
    pub states: Vec<u32>,
    /// ln p_n of the list; 0 for the only one.
    pub log_p: Vec<f64>,
}

/// A walker that counts; ħω.
#[derive(Clone, Copy, Debug)]
struct Walker {
    at: usize,
    state: usize,
    kinetic: f64,
    gradient_kinetic: f64,
    trap: f64,
    coulomb: f64,
}

impl Walker {
    fn energy(&self) -> f64 {
        self.kinetic + self.trap + self.coulomb
    }
}

/// What a batch says of its integrator: the largest distance of a walker that is carried back from where it was drawn, and the
/// largest |δ + ln|det ∂z/∂x||.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Monitors {
    /// √(ħ/mω).
    pub round_trip: f64,
    /// Of ln p.
    pub log_det: f64,
}

impl Monitors {
    /// The larger of each.
    pub fn max(self, other: Monitors) -> Monitors {
        Monitors { round_trip: self.round_trip.max(other.round_trip), log_det: self.log_det.max(other.log_det) }
    }
}

impl Batch {
    /// Those whose numbers are finite; the repulsion with its strength.
    fn walkers(&self, z: f64) -> Vec<Walker> {
        let finite = |(_, r): &(usize, &[f32])| r.iter().all(|v| v.is_finite());
        let walker = |(at, r): (usize, &[f32])| {
            let [kinetic, gradient_kinetic, trap, coulomb] = [0, 1, 2, 3].map(|k| f64::from(r[k]));
            Walker { at, state: self.states[at] as usize, kinetic, gradient_kinetic, trap, coulomb: z * coulomb }
        };
        self.records.chunks(RECORD).enumerate().filter(finite).map(walker).collect()
    }

    /// Errors of the integrator.
    pub fn monitors(&self) -> Monitors {
        let of = |r: &[f32]| Monitors { round_trip: f64::from(r[7]).sqrt(), log_det: f64::from(r[5] + r[6]).abs() };
        let finite = self.records.chunks(RECORD).filter(|r| r.iter().all(|v| v.is_finite()));
        finite.map(of).fold(Monitors::default(), Monitors::max)
    }

    /// Share of the walkers that do not count.
    pub fn failed(&self) -> f64 {
        let all = self.records.len() / RECORD;
        1.0 - self.walkers(1.0).len() as f64 / all.max(1) as f64
    }

    /// Local energies, ħω; not a number where a walker does not count.
    pub fn energies(&self, z: f64) -> Vec<f64> {
        let mut all = vec![f64::NAN; self.records.len() / RECORD];
        self.walkers(z).iter().for_each(|w| all[w.at] = w.energy());
        all
    }

    /// Means over the walkers; `temperature`: 1/β, 0 for the ground state.
    pub fn measured(&self, z: f64, temperature: f64) -> Measured {
        let walkers = self.walkers(z);
        let mean = |f: &dyn Fn(&Walker) -> f64| {
            let mut sum = Running::default();
            walkers.iter().for_each(|w| {
                sum.push(f(w));
            });
            sum
        };
        let log_p = |w: &Walker| self.log_p[w.state];
        let energy = mean(&Walker::energy);
        let rows: [(&str, Running); 9] = [
            ("F", mean(&|w| w.energy() + temperature * log_p(w))),
            ("E", energy),
            ("S", mean(&|w| -log_p(w))),
            ("E_kinetic", mean(&|w| w.kinetic)),
            ("E_trap", mean(&|w| w.trap)),
            ("E_coulomb", mean(&|w| w.coulomb)),
            ("virial", mean(&|w| 2.0 * w.kinetic - 2.0 * w.trap + w.coulomb)),
            ("K_gradient", mean(&|w| w.gradient_kinetic)),
            // within the states: 0 where each is an eigenstate
            ("var_E", self.within(&walkers)),
        ];
        let mut values: Named<Estimate> =
            rows.iter().filter(|(name, _)| *name != "var_E").map(|(name, r)| (*name, Estimate::new(r.mean, r.error()))).collect();
        values.set("std_E", rows[8].1.mean.max(0.0).sqrt().into());
        let monitors = self.monitors();
        values.set("round_trip", monitors.round_trip.into());
        values.set("log_det", monitors.log_det.into());
        Measured { values, counted: walkers.len(), failed: self.records.len() / RECORD - walkers.len() }
    }

    /// Squared deviations of local energies from the means of their states, of which two walkers or more are in it.
    fn within(&self, walkers: &[Walker]) -> Running {
        let mut squares = Running::default();
        for group in groups(walkers).values().filter(|g| g.len() > 1) {
            let mean = group.iter().map(|w| w.energy()).sum::<f64>() / group.len() as f64;
            // each of m has lost 1/m of its variance to the mean
            let factor = group.len() as f64 / (group.len() - 1) as f64;
            group.iter().for_each(|w| {
                squares.push(factor * (w.energy() - mean).powi(2));
            });
        }
        squares
    }

    /// Weights of the flow's scores, f32 a walker: (E - b_n)/B, b_n the mean of the other walkers in the same state; one that is
    /// alone has the mean of all others, each less its energy `free` without interaction, plus its own.
    pub fn flow_weights(&self, z: f64, free: &[f64], clip: f64) -> Vec<f32> {
        let walkers = self.walkers(z);
        let shift = |w: &Walker| w.energy() - free[w.state];
        let (count, all) = (walkers.len() as f64, walkers.iter().map(shift).sum::<f64>());
        let mut deviations = Vec::new();
        for group in groups(&walkers).values() {
            let (m, sum) = (group.len() as f64, group.iter().map(|w| w.energy()).sum::<f64>());
            for w in group {
                let others = match group.len() {
                    1 if walkers.len() == 1 => w.energy(),
                    1 => (all - shift(w)) / (count - 1.0) + free[w.state],
                    _ => (sum - w.energy()) / (m - 1.0),
                };
                deviations.push((w.at, w.energy() - others));
            }
        }
        self.clipped(&deviations, clip)
    }

    /// Weights of the scores of p, by walker: (E + ln p/β - b)/B, b the mean of all others.
    fn state_weights(&self, z: f64, temperature: f64, clip: f64) -> Vec<f32> {
        let walkers = self.walkers(z);
        let value = |w: &Walker| w.energy() + temperature * self.log_p[w.state];
        let (count, all) = (walkers.len() as f64, walkers.iter().map(value).sum::<f64>());
        let deviation = |w: &Walker| (w.at, value(w) - (all - value(w)) / (count - 1.0).max(1.0));
        self.clipped(&walkers.iter().map(deviation).collect::<Vec<_>>(), clip)
    }

    /// Deviations over the number of walkers, those beyond `clip` mean absolute ones cut; 0 where a walker does not count.
    fn clipped(&self, deviations: &[(usize, f64)], clip: f64) -> Vec<f32> {
        let count = deviations.len().max(1) as f64;
        let most = clip * deviations.iter().map(|(_, d)| d.abs()).sum::<f64>() / count;
        let mut weights = vec![0.0; self.records.len() / RECORD];
        deviations.iter().for_each(|(at, d)| weights[*at] = (d.clamp(-most, most) / count) as f32);
        weights
    }

    /// The share of the walkers in each state, and the gradient of F by the weights of the states, whose probabilities are `p`.
    pub fn state_gradient(&self, z: f64, temperature: f64, clip: f64, p: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let weights = self.state_weights(z, temperature, clip);
        let (mut shares, mut gradient) = (vec![0.0; p.len()], vec![0.0; p.len()]);
        for (state, weight) in self.states.iter().zip(&weights) {
            shares[*state as usize] += 1.0 / self.states.len() as f64;
            gradient[*state as usize] += f64::from(*weight);
        }
        let all: f64 = gradient.iter().sum();
        gradient.iter_mut().zip(p).for_each(|(g, p)| *g -= p * all);
        (shares, gradient)
    }
}

fn groups(walkers: &[Walker]) -> BTreeMap<usize, Vec<Walker>> {
    let mut groups: BTreeMap<usize, Vec<Walker>> = BTreeMap::new();
    walkers.iter().for_each(|w| groups.entry(w.state).or_default().push(*w));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six walkers in three states, one that does not count.
    fn batch() -> Batch {
        let record = |k: f32, t: f32, c: f32| [k, 0.5 * k, t, c, -1.0, 0.25, -0.125, 1e-4];
        let walkers = [(0, 1.0), (0, 2.0), (0, 6.0), (1, 4.0), (2, 3.0), (2, 5.0)];
        let mut records: Vec<f32> = walkers.iter().flat_map(|(_, k)| record(*k, 1.5, 0.5)).collect();
        records.extend([f32::NAN; 8]);
        let states = walkers.iter().map(|(s, _)| *s).chain([1]).collect();
        Batch { records, states, log_p: vec![-0.5, -1.0, -2.0] }
    }

    #[test]
    fn averages_are_those_of_the_walkers_that_count() {
        let m = batch().measured(2.0, 0.5);
        assert_eq!((m.counted, m.failed), (6, 1));
        // K is 3.5 on average, ln p -1.0833
        assert!((m.values["E"].value - 6.0).abs() < 1e-12 && (m.values["E_kinetic"].value - 3.5).abs() < 1e-12);
        assert!((m.values["E_trap"].value - 1.5).abs() < 1e-12 && (m.values["E_coulomb"].value - 1.0).abs() < 1e-12);
        assert!((m.values["S"].value - 6.5 / 6.0).abs() < 1e-12);
        assert!((m.values["F"].value - (6.0 - 0.5 * 6.5 / 6.0)).abs() < 1e-12);
        assert!((m.values["virial"].value - (7.0 - 3.0 + 1.0)).abs() < 1e-12);
        assert!((m.values["K_gradient"].value - 1.75).abs() < 1e-12);
        // standard deviation 1.870829 over the root of 6
        assert!((m.values["E"].error - 3.5f64.sqrt() / 6f64.sqrt()).abs() < 1e-12);
        // squares 4, 1, 9 times 3/2 and 1, 1 times 2, over five walkers
        assert!((m.values["std_E"].value - (25.0f64 / 5.0).sqrt()).abs() < 1e-12);
        assert!((m.values["round_trip"].value - 0.01).abs() < 1e-9 && m.values["log_det"].value == 0.125);
        assert!((batch().failed() - 1.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn weights_are_against_the_mean_of_the_others() {
        let (b, free) = (batch(), [10.0, 20.0, 30.0]);
        let w: Vec<f64> = b.flow_weights(2.0, &free, 1e6).iter().map(|w| 6.0 * f64::from(*w)).collect();
        // the lonely one: shifts -6.5, -5.5, -1.5, then -24.5, -22.5 of the others; energy 6.5 less 20 is -13.5
        let want = [-3.0, -1.5, 4.5, -13.5 - (-6.5 - 5.5 - 1.5 - 24.5 - 22.5) / 5.0, -2.0, 2.0, 0.0];
        for (k, (w, want)) in w.iter().zip(want).enumerate() {
            assert!((w - want).abs() < 1e-5, "walker {k}: {w}, want {want}");
        }
        // F of each less the mean of the others: 6/5 of that from the mean; states add theirs, less p times all
        let f = [3.25, 4.25, 8.25, 6.0, 4.5, 6.5];
        let mean = f.iter().sum::<f64>() / 6.0;
        let sum = |r: std::ops::Range<usize>| r.map(|k| 1.2 * (f[k] - mean) / 6.0).sum::<f64>();
        let p = [0.5, 0.3, 0.2];
        let (shares, gradient) = b.state_gradient(2.0, 0.5, 1e6, &p);
        assert!(shares.iter().zip([3.0, 2.0, 2.0]).all(|(q, c)| (q - c / 7.0).abs() < 1e-12));
        for (k, (got, own)) in gradient.iter().zip([sum(0..3), sum(3..4), sum(4..6)]).enumerate() {
            let want = own - p[k] * sum(0..6);
            assert!((got - want).abs() < 1e-6, "{gradient:?}, want {want}");
        }
        // weights that are clipped do not add up to 0: p takes its share of their sum
        let clipped: Vec<f64> = b.state_weights(2.0, 0.5, 0.5).iter().map(|w| f64::from(*w)).collect();
        let (all, (_, gradient)) = (clipped.iter().sum::<f64>(), b.state_gradient(2.0, 0.5, 0.5, &p));
        assert!(all.abs() > 1e-2 && gradient.iter().sum::<f64>().abs() < 1e-6, "{all}, {gradient:?}");
        // clipped to half the mean deviation
        let clipped = b.flow_weights(2.0, &free, 0.5);
        let most = clipped.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        assert!(clipped.iter().filter(|w| w.abs() == most).count() >= 2);
    }
}
