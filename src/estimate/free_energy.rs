//! Sums over samples drawn from q, as [`crate::kernels::free_energy`] leaves them, finished in float64.
//!
//! Samples are independent. Errors are one standard deviation; those of functions of means are by the delta method.

use super::Estimate;
use crate::kernels::free_energy::COLUMNS;

/// What is averaged over samples; m = M/n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// R = ln q + βE: its mean is βF.
    Reduced,
    /// E.
    Energy,
    /// ln q: its mean is -S.
    LogQ,
    /// |m|.
    Modulus,
    /// m².
    Square,
    /// m⁴.
    Fourth,
    /// m.
    Magnetisation,
}

/// All of them.
const ALL: [Quantity; 7] = {
    use Quantity::*;
    [Reduced, Energy, LogQ, Modulus, Square, Fourth, Magnetisation]
};

impl Quantity {
    /// Columns of its sum and of its squares.
    fn columns(self) -> [usize; 2] {
        [[1, 7], [2, 8], [3, 9], [4, 10], [5, 11], [6, 12], [17, 18]][self as usize]
    }
}

/// Sums of one batch or several about a centre.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Averages {
    centre: [f64; 7],
    sums: [f64; COLUMNS],
}

impl Averages {
    /// From the centre and the rows of sums about it.
    pub fn finish(centre: &[f32], partial: &[f32]) -> Averages {
        let mut sums = [0.0f64; COLUMNS];
        for row in partial.chunks_exact(COLUMNS) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += *v as f64);
        }
        Averages { centre: ALL.map(|q| centre[q.columns()[0]] as f64), sums }
    }

    /// All it is made of.
    pub fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        self.centre.iter_mut().chain(&mut self.sums)
    }

    /// Adds the samples of another batch.
    pub fn merge(&mut self, other: &Averages) {
        if self.counted() == 0 {
            self.centre = other.centre;
        }
        let (d, mut s, count) = (other.centre.iter().zip(&self.centre).map(|(a, b)| a - b).collect::<Vec<_>>(), other.sums, other.sums[0]);
        // the other's sums about this centre: x - c = (x - c') + d, highest powers first
        let o = &other.sums;
        let e = d[Quantity::Energy as usize];
        s[16] += e * (4.0 * o[15] + e * (6.0 * o[8] + e * (4.0 * o[2] + e * count)));
        s[15] += e * (3.0 * o[8] + e * (3.0 * o[2] + e * count));
        let [modulus, square, fourth] = [3, 4, 5].map(|q: usize| d[q]);
        s[13] += modulus * o[5] + square * o[4] + modulus * square * count;
        s[14] += square * o[6] + fourth * o[5] + square * fourth * count;
        for q in ALL {
            let ([first, second], d) = (q.columns(), d[q as usize]);
            s[second] += d * (2.0 * o[first] + d * count);
            s[first] += d * count;
        }
        self.sums.iter_mut().zip(&s).for_each(|(a, b)| *a += b);
    }

    /// Samples that count.
    pub fn counted(&self) -> usize {
        self.sums[0] as usize
    }

    /// Samples left out because a number of theirs is not finite.
    pub fn failed(&self) -> usize {
        self.sums[19] as usize
    }

    /// Mean of a quantity over the samples, with its error.
    pub fn mean(&self, q: Quantity) -> Estimate {
        self.estimate(self.centre[q as usize] + self.shift(q), self.variance(q))
    }

    /// Variance of a quantity from sample to sample, divided by the number of samples.
    pub fn variance(&self, q: Quantity) -> f64 {
        (self.sums[q.columns()[1]] / self.sums[0] - self.shift(q).powi(2)).max(0.0)
    }

    /// β² Var E, the heat capacity of all sites together; exact where q is e^{-βE}/Z.
    pub fn heat_capacity(&self, beta: f64) -> Estimate {
        let (d, [second, third, fourth]) = (self.shift(Quantity::Energy), [8, 15, 16].map(|c| self.sums[c] / self.sums[0]));
        let variance = self.variance(Quantity::Energy);
        // the fourth moment about the mean
        let fourth = fourth - 4.0 * d * third + 6.0 * d * d * second - 3.0 * d.powi(4);
        self.estimate(beta * beta * variance, beta.powi(4) * (fourth - variance * variance))
    }

    /// χ = β n (⟨m²⟩ - ⟨|m|⟩²).
    pub fn susceptibility(&self, beta: f64, sites: usize) -> Estimate {
        let (scale, modulus) = (beta * sites as f64, self.mean(Quantity::Modulus).value);
        let value = self.mean(Quantity::Square).value - modulus * modulus;
        let variance = self.linear([Quantity::Modulus, Quantity::Square], [-2.0 * modulus, 1.0], 13);
        self.estimate(scale * value, scale * scale * variance)
    }

    /// Binder's g = (3 - ⟨m⁴⟩/⟨m²⟩²)/2.
    pub fn binder(&self) -> Estimate {
        let [square, fourth] = [Quantity::Square, Quantity::Fourth].map(|q| self.mean(q).value);
        let slopes = [fourth / square.powi(3), -0.5 / (square * square)];
        self.estimate(0.5 * (3.0 - fourth / (square * square)), self.linear([Quantity::Square, Quantity::Fourth], slopes, 14))
    }

    /// Mean of the deviations from the centre.
    fn shift(&self, q: Quantity) -> f64 {
        self.sums[q.columns()[0]] / self.sums[0]
    }

    /// Variance of a x + b y; `column` holds the sum of products.
    fn linear(&self, [x, y]: [Quantity; 2], [a, b]: [f64; 2], column: usize) -> f64 {
        let covariance = self.sums[column] / self.sums[0] - self.shift(x) * self.shift(y);
        a * a * self.variance(x) + b * b * self.variance(y) + 2.0 * a * b * covariance
    }

    fn estimate(&self, value: f64, variance: f64) -> Estimate {
        Estimate::new(value, (variance.max(0.0) / (self.sums[0] - 1.0)).sqrt())
    }
}

/// Weighted sums of one batch or several: what follows for e^{-βE}/Z from samples of q.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weighted {
    /// Weights are e^{-(R - shift)}.
    shift: f64,
    counted: f64,
    /// Σ w, Σ w², and Σ (w - mean w)², which is more than rounding where weights hardly differ.
    weights: [f64; 3],
    /// Σ w x, Σ w² x, Σ w² x² of E, |m|, m², m⁴ about the centre.
    sums: [[f64; 3]; 4],
    /// Σ w (E - c)².
    squares: f64,
    centre: [f64; 4],
}

impl Weighted {
    /// From the centre and the rows of weighted sums.
    pub fn finish(centre: &[f32], partial: &[f32]) -> Weighted {
        let centre = [2, 4, 5, 6].map(|c: usize| centre[c] as f64);
        let none = Weighted { shift: f64::INFINITY, counted: 0.0, weights: [0.0; 3], sums: [[0.0; 3]; 4], squares: 0.0, centre };
        partial.chunks_exact(COLUMNS).fold(none, |mut all, row| {
            let r: Vec<f64> = row.iter().map(|v| *v as f64).collect();
            let sums = std::array::from_fn(|x| [r[x], r[4 + x], r[8 + x]]);
            // of w, or of 1 - w where that is the smaller one
            let (close, count) = (r[18] < r[12], r[16].max(1.0));
            let (first, second) = if close { (r[18], r[19]) } else { (r[12], r[13]) };
            let weights = [if close { count - first } else { first }, r[13], (second - first * first / count).max(0.0)];
            all.merge(&Weighted { shift: r[15], counted: r[16], weights, sums, squares: r[14], centre });
            all
        })
    }

    /// All it is made of.
    pub fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let Weighted { shift, counted, weights, sums, squares, centre } = self;
        [shift, counted, squares].into_iter().chain(weights).chain(sums.iter_mut().flatten()).chain(centre)
    }

    /// Adds the samples of another batch, of which none may count.
    pub fn merge(&mut self, other: &Weighted) {
        if other.counted == 0.0 {
            return;
        }
        let shift = self.shift.min(other.shift);
        // no weights yet: whatever the factor
        let [a, b] = [&*self, other].map(|s| if s.counted > 0.0 { (shift - s.shift).exp() } else { 0.0 });
        let [w, w2, spread] = other.weights;
        let mut squares = other.squares;
        for (x, mine) in self.sums.iter_mut().enumerate() {
            let ([first, second, square], d) = (other.sums[x], other.centre[x] - self.centre[x]);
            let moved = [first + d * w, second + d * w2, square + d * (2.0 * second + d * w2)];
            if x == 0 {
                squares += d * (2.0 * first + d * w);
            }
            for (k, v) in mine.iter_mut().enumerate() {
                *v = [a, a * a, a * a][k] * *v + [b, b * b, b * b][k] * moved[k];
            }
        }
        self.squares = a * self.squares + b * squares;
        // spreads about two means add up to that about the common one with the square of their distance
        let (mine, theirs, counts) = (a * self.weights[0], b * w, [self.counted, other.counted]);
        let apart = if counts[0] > 0.0 { mine / counts[0] - theirs / counts[1] } else { 0.0 };
        let between = apart * apart * counts[0] * counts[1] / (counts[0] + counts[1]);
        self.weights = [mine + theirs, a * a * self.weights[1] + b * b * w2, a * a * self.weights[2] + b * b * spread + between];
        self.counted += other.counted;
        self.shift = shift;
    }

    /// ln Z estimated by ln of the mean of e^{-R}. Its bias is -error²/2; both mean little where few samples are effective.
    pub fn log_z(&self) -> Estimate {
        let mean = self.weights[0] / self.counted;
        let variance = self.weights[2] / self.counted / (self.counted - 1.0);
        Estimate::new(mean.ln() - self.shift, variance.sqrt() / mean)
    }

    /// Effective number of samples, (Σ w)²/Σ w².
    pub fn effective(&self) -> f64 {
        let [w, _, spread] = self.weights;
        w * w / (spread + w * w / self.counted)
    }

    /// ⟨x⟩ over e^{-βE}/Z for E, |m|, m² or m⁴.
    ///
    /// # Panics
    /// For the other quantities.
    pub fn mean(&self, q: Quantity) -> Estimate {
        let places = [Quantity::Energy, Quantity::Modulus, Quantity::Square, Quantity::Fourth];
        let x = places.iter().position(|p| *p == q).unwrap_or_else(|| panic!("{q:?} has no weighted sums"));
        let ([first, second, square], [w, w2, _]) = (self.sums[x], self.weights);
        let shift = first / w;
        let variance = square - 2.0 * shift * second + shift * shift * w2;
        Estimate::new(self.centre[x] + shift, variance.max(0.0).sqrt() / w)
    }

    /// β² Var E over e^{-βE}/Z.
    pub fn heat_capacity(&self, beta: f64) -> f64 {
        let w = self.weights[0];
        beta * beta * (self.squares / w - (self.sums[0][0] / w).powi(2))
    }
}

#[cfg(test)]
mod tests;
