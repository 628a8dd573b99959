//! Any model of few spins, exactly: the energies of all states, by Gray code.

use super::couplings::Couplings;
use super::thermodynamics::{Thermodynamics, temperature};
use crate::error::{Error, Result};

/// Most spins: 2^22 states.
pub const MOST: usize = 22;

/// Spins flipped one by one before fields and energy are summed anew: the rounding of longer walks would add up.
const WALK: usize = 10;

/// Numbers in a partial sum.
const CHUNK: usize = 1024;

/// The energies of all states. Of an even model only those with the last spin up are kept, each for two.
#[derive(Clone, Debug)]
pub struct Enumeration {
    n: usize,
    /// Bits of a state's number.
    free: usize,
    /// Of the state whose bit i says that spin i is down.
    energies: Vec<f64>,
    lowest: f64,
}

impl Enumeration {
    /// All states of a model of at most [`MOST`] spins: up to 0.3 s and 32 MB.
    ///
    /// # Errors
    /// [`Error::User`] for more spins.
    pub fn new(model: &Couplings) -> Result<Enumeration> {
        let n = model.n();
        if n > MOST {
            return Err(Error::User(format!("enumeration: {n} spins have 2^{n} states; at most {MOST} spins are enumerated")));
        }
        let free = if model.is_even() { n - 1 } else { n };
        let (near, walk) = (model.neighbours(), free.min(WALK));
        let mut energies = vec![0.0; 1 << free];
        for high in 0..1usize << (free - walk) {
            let mut state = high << walk;
            let mut spins: Vec<i8> = (0..n).map(|i| 1 - 2 * (state >> i & 1) as i8).collect();
            // what acts on each spin
            let mut field = model.fields().to_vec();
            for (i, h) in field.iter_mut().enumerate() {
                *h += near.of(i).map(|(j, c)| c * spins[j] as f64).sum::<f64>();
            }
            let mut energy = model.energy(&spins);
            energies[state] = energy;
            for step in 1..1usize << walk {
                let i = step.trailing_zeros() as usize;
                let old = spins[i] as f64;
                energy += 2.0 * old * field[i];
                spins[i] = -spins[i];
                near.of(i).for_each(|(j, c)| field[j] -= 2.0 * c * old);
                state ^= 1 << i;
                energies[state] = energy;
            }
        }
        let lowest = energies.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Enumeration { n, free, energies, lowest })
    }

    /// Σ over entries of e^(-β(E - E_min)) f(state, E - E_min).
    fn sum(&self, beta: f64, f: impl Fn(usize, f64) -> f64) -> f64 {
        let part = |(c, chunk): (usize, &[f64])| -> f64 {
            let terms = chunk.iter().enumerate().map(|(i, e)| (c * CHUNK + i, e - self.lowest));
            terms.map(|(state, above)| (-beta * above).exp() * f(state, above)).sum()
        };
        self.energies.chunks(CHUNK).enumerate().map(part).sum()
    }

    /// ln Z, ⟨E⟩ and β² Var(E).
    ///
    /// # Errors
    /// [`Error::User`] for a β that is negative or not finite.
    pub fn at(&self, beta: f64) -> Result<Thermodynamics> {
        temperature(beta)?;
        let weight = self.sum(beta, |_, _| 1.0);
        let mean = self.sum(beta, |_, above| above) / weight;
        let variance = self.sum(beta, |_, above| (above - mean).powi(2)) / weight;
        Ok(Thermodynamics {
            n: self.n,
            beta,
            ln_z: (self.copies_of_each() as f64 * weight).ln() - beta * self.lowest,
            energy: Some(self.lowest + mean),
            heat_capacity: Some(beta * beta * variance),
        })
    }

    /// ⟨M²⟩, M = Σ s_i.
    pub fn magnetisation_squared(&self, beta: f64) -> f64 {
        let square = |state: usize| (self.n as f64 - 2.0 * state.count_ones() as f64).powi(2);
        self.sum(beta, |state, _| square(state)) / self.sum(beta, |_, _| 1.0)
    }

    /// ⟨s_i s_j⟩, n x n, and ⟨s_i⟩ (zeros for an even model): all from one Walsh-Hadamard transform of the weights.
    pub fn correlations(&self, beta: f64) -> (Vec<f64>, Vec<f64>) {
        let mut w: Vec<f64> = self.energies.iter().map(|e| (-beta * (e - self.lowest)).exp()).collect();
        transform(&mut w, self.free);
        // entry k is Σ weight Π_(i in k) s_i; the last spin of an even model is 1
        let mask = |i: usize| if i < self.free { 1usize << i } else { 0 };
        let pairs = (0..self.n * self.n).map(|at| w[mask(at / self.n) ^ mask(at % self.n)] / w[0]).collect();
        let singles = (0..self.n).map(|i| if self.free == self.n { w[mask(i)] / w[0] } else { 0.0 }).collect();
        (pairs, singles)
    }

    /// A state of e^{-βE}/Z for each uniform number in (0, 1), by inversion of the cumulative sum: independent draws.
    pub fn draw(&self, beta: f64, uniforms: impl IntoIterator<Item = f64>) -> Vec<Vec<i8>> {
        let mut sum = 0.0;
        let weight = |e: &f64| {
            sum += (-beta * (e - self.lowest)).exp();
            sum
        };
        let cumulative: Vec<f64> = self.energies.iter().map(weight).collect();
        let copies = self.copies_of_each() as f64;
        let state = |u: f64| {
            // which of the mirror images, then which state
            let (image, rest) = ((copies * u).floor(), (copies * u).fract());
            let at = cumulative.partition_point(|c| *c <= rest * sum).min(cumulative.len() - 1);
            let sign = if image == 0.0 { 1 } else { -1 };
            (0..self.n).map(|i| sign * (1 - 2 * (at >> i & 1) as i8)).collect()
        };
        uniforms.into_iter().map(state).collect()
    }

    /// Energy and probability e^{-βE}/Z of the states kept, mirror images included.
    pub fn weights(&self, beta: f64) -> Vec<(f64, f64)> {
        let z = self.sum(beta, |_, _| 1.0);
        self.energies.iter().map(|e| (*e, (-beta * (e - self.lowest)).exp() / z)).collect()
    }

    /// Probability that two independent states differ in 0, 1, … n spins: the distribution of their overlap q = 1 - 2 k/n.
    pub fn overlaps(&self, beta: f64) -> Vec<f64> {
        // Σ_s p(s) p(s ⊕ x) is the transform of the square of the transform of p
        let mut p: Vec<f64> = self.weights(beta).into_iter().map(|(_, p)| p).collect();
        transform(&mut p, self.free);
        p.iter_mut().for_each(|v| *v *= *v / (1usize << self.free) as f64);
        transform(&mut p, self.free);
        let mut found = vec![0.0; self.n + 1];
        for (x, v) in p.iter().enumerate() {
            let k = x.count_ones() as usize;
            // of an even model either may be mirrored
            let images = if self.free == self.n { [k, k] } else { [k, self.n - k] };
            images.iter().for_each(|k| found[*k] += 0.5 * v);
        }
        found
    }

    /// Lowest energy, and how many states have it (within 1e-9 of the range of energies).
    pub fn ground(&self) -> (f64, usize) {
        let highest = self.energies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let near = self.lowest + 1e-9 * (highest - self.lowest);
        let count = self.energies.iter().filter(|e| **e <= near).count();
        (self.lowest, count * self.copies_of_each())
    }

    /// Energies of the states, each for [`Enumeration::copies_of_each`] of them: for histograms.
    pub fn energies(&self) -> &[f64] {
        &self.energies
    }

    /// 2 for an even model, whose states come as ±s; 1 in a field.
    pub fn copies_of_each(&self) -> usize {
        1 << (self.n - self.free)
    }
}

/// Walsh–Hadamard transform over `bits` bits, in place.
fn transform(w: &mut [f64], bits: usize) {
    for bit in 0..bits {
        for pair in w.chunks_mut(2 << bit) {
            let (up, down) = pair.split_at_mut(1 << bit);
            up.iter_mut().zip(down).for_each(|(a, b)| (*a, *b) = (*a + *b, *a - *b));
        }
    }
}
