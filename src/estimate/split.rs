//! Whether chains have forgotten where they began: split R̂.
//!
//! Of M chains of 2 n times each half is one of 2 M chains: with W their mean variance and B/n the variance of their means,
//! R̂ = √((n - 1)/n + B/(n W)). It is 1 for halves that sample the same, and above 1 by some (τ - 1)/(2 n) for chains with the
//! autocorrelation time τ: 1.01 asks for 50 (τ - 1) times. Gelman, Carlin, Stern, Dunson, Vehtari, Rubin, Bayesian Data Analysis
//! (3rd ed., 2013), 11.4; Vehtari, Gelman, Simpson, Carpenter, Bürkner, Bayesian Anal. 16, 667 (2021), doi 10.1214/20-BA1221.

use crate::archive::Archive;
use crate::error::Result;

/// Stretches of time in which sums are kept, before neighbours are put together: even, so that halves have as many.
const MOST: usize = 16;

/// Sums over every chain in stretches of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Σ x and Σ x² of each chain, `[stretch][chain]`; the last one is being filled.
    stretches: Vec<Vec<[f64; 2]>>,
    /// Times of a stretch, and of the last one so far.
    length: usize,
    filled: usize,
}

impl Split {
    /// Adds a number of every chain; NaN takes the chain out.
    pub fn push(&mut self, values: &[f64]) {
        self.length = self.length.max(1);
        if self.stretches.is_empty() || self.filled == self.length {
            if self.stretches.len() == MOST {
                let pair = |pair: &[Vec<[f64; 2]>]| pair[0].iter().zip(&pair[1]).map(|(a, b)| [a[0] + b[0], a[1] + b[1]]).collect();
                self.stretches = self.stretches.chunks(2).map(pair).collect();
                self.length *= 2;
            }
            self.stretches.push(vec![[0.0; 2]; values.len()]);
            self.filled = 0;
        }
        if let Some(last) = self.stretches.last_mut() {
            last.iter_mut().zip(values).for_each(|(sum, x)| *sum = [sum[0] + x, sum[1] + x * x]);
        }
        self.filled += 1;
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Split::default();
    }

    /// All sums.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        let (mut stretches, mut chains) = (self.stretches.len(), self.stretches.first().map_or(0, Vec::len));
        a.value("stretches", &mut stretches)?;
        a.value("chains", &mut chains)?;
        a.value("length", &mut self.length)?;
        a.value("filled", &mut self.filled)?;
        self.stretches.resize(stretches, vec![[0.0; 2]; chains]);
        a.numbers("sums", self.stretches.iter_mut().flatten().flatten())
    }

    /// R̂ of the times that fill two equal halves; NaN below two times a half, or two chains.
    pub fn r_hat(&self) -> f64 {
        let whole = self.stretches.len() - usize::from(self.filled < self.length).min(self.stretches.len());
        let half = whole / 2;
        let n = (half * self.length) as f64;
        let chains = self.stretches.first().map_or(0, Vec::len);
        // mean and variance of a half, from the end: the first stretch of an odd number is left out
        let part = |chain: usize, from: usize| {
            let sums = self.stretches[from..from + half].iter().map(|s| s[chain]);
            let [x, xx] = sums.fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
            [x / n, (xx - x * x / n) / (n - 1.0)]
        };
        let halves = |chain: usize| [part(chain, whole - 2 * half), part(chain, whole - half)];
        let finite = |h: &[[f64; 2]; 2]| h.iter().flatten().all(|v| v.is_finite());
        let all: Vec<[f64; 2]> = (0..chains).map(halves).filter(finite).flatten().collect();
        if n < 2.0 || all.len() < 4 {
            return f64::NAN;
        }
        let count = all.len() as f64;
        let mean = all.iter().map(|h| h[0]).sum::<f64>() / count;
        let between = all.iter().map(|h| (h[0] - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let within = all.iter().map(|h| h[1]).sum::<f64>() / count;
        ((n - 1.0) / n + between / within).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;

    /// Of all numbers at once, as the formula stands.
    fn plain(chains: &[Vec<f64>]) -> f64 {
        let n = chains[0].len() / 2;
        let halves: Vec<&[f64]> = chains.iter().flat_map(|c| [&c[c.len() - 2 * n..c.len() - n], &c[c.len() - n..]]).collect();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let variance = |x: &[f64]| x.iter().map(|v| (v - mean(x)).powi(2)).sum::<f64>() / (x.len() as f64 - 1.0);
        let means: Vec<f64> = halves.iter().map(|h| mean(h)).collect();
        let within = mean(&halves.iter().map(|h| variance(h)).collect::<Vec<_>>());
        ((n as f64 - 1.0) / n as f64 + variance(&means) / within).sqrt()
    }

    fn split(chains: &[Vec<f64>]) -> Split {
        let mut split = Split::default();
        (0..chains[0].len()).for_each(|t| split.push(&chains.iter().map(|c| c[t]).collect::<Vec<_>>()));
        split
    }

    #[test]
    fn stretches_give_what_all_numbers_do() {
        let mut noise = Noise(8);
        for length in [4, 5, 16, 64, 256] {
            let chains: Vec<Vec<f64>> = (0..9).map(|_| noise.chain(0.5, length)).collect();
            assert!((split(&chains).r_hat() - plain(&chains)).abs() < 1e-12, "{length}");
        }
        // 39 times: 9 whole stretches of 4, of which the last 8 count
        let chains: Vec<Vec<f64>> = (0..9).map(|_| noise.chain(0.5, 39)).collect();
        let counted: Vec<Vec<f64>> = chains.iter().map(|c| c[4..36].to_vec()).collect();
        assert!((split(&chains).r_hat() - plain(&counted)).abs() < 1e-12);
    }

    /// 200 chains: independent numbers have 1, long memories (τ - 1)/(2 n) more, and chains that stay apart, or drift, are seen.
    #[test]
    fn short_and_stuck_chains_are_seen() {
        let mut noise = Noise(9);
        let mut of = |phi: f64, length: usize, change: &dyn Fn(usize, usize) -> f64| {
            let own = |c: usize, x: Vec<f64>| x.iter().enumerate().map(|(t, v)| v + change(c, t)).collect::<Vec<f64>>();
            let chains: Vec<Vec<f64>> = (0..200).map(|c| own(c, noise.chain(phi, length))).collect();
            split(&chains).r_hat()
        };
        // of 400 means: √(2/400)/(2 n), four of them
        for (length, n) in [(8, 4.0), (64, 32.0), (512, 256.0)] {
            let got = of(0.0, length, &|_, _| 0.0);
            assert!((got - 1.0).abs() < 4.0 * 0.0354 / n, "{length}: {got}");
        }
        let got = of(0.9, 1024, &|_, _| 0.0);
        assert!((got - 1.0 - 18.0 / 1024.0).abs() < 0.3 * 18.0 / 1024.0, "{got}");
        assert!(of(0.0, 512, &|c, _| 0.3 * (c % 2) as f64) > 1.01);
        assert!(of(0.0, 512, &|_, t| 0.6 * (t / 256) as f64) > 1.01);
    }

    #[test]
    fn broken_chains_are_left_out_and_few_numbers_tell_nothing() {
        let mut noise = Noise(4);
        let mut chains: Vec<Vec<f64>> = (0..5).map(|_| noise.chain(0.0, 40)).collect();
        let whole = split(&chains).r_hat();
        let mut broken = noise.chain(0.0, 40);
        broken[20] = f64::NAN;
        chains.push(broken);
        assert_eq!(split(&chains).r_hat(), whole);
        assert!(Split::default().r_hat().is_nan() && split(&[vec![1.0, 2.0, 3.0]]).r_hat().is_nan());
        assert!(split(&[vec![1.0; 8]]).r_hat().is_nan());
        let mut cleared = split(&chains);
        cleared.clear();
        assert_eq!(cleared, Split::default());
    }
}
