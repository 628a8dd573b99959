//! Streaming moments, and the autocorrelation time of many short chains.
//!
//! The integrated autocorrelation time is τ = 1 + 2 Σ_{t≥1} ρ(t): 1 for independent numbers; the error
//! of a mean of N correlated numbers is √(variance τ/N).

/// Mean and variance of a stream (Welford).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Running {
    /// Numbers so far.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    squares: f64,
}

impl Running {
    /// Adds a number; one that is not finite is refused (false).
    pub fn push(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        self.count += 1;
        let step = value - self.mean;
        self.mean += step / self.count as f64;
        self.squares += step * (value - self.mean);
        true
    }

    /// Adds another stream's numbers.
    pub fn merge(&mut self, other: &Running) {
        let count = self.count + other.count;
        if other.count == 0 {
            return;
        }
        let step = other.mean - self.mean;
        self.mean += step * other.count as f64 / count as f64;
        self.squares += other.squares + step * step * self.count as f64 * other.count as f64 / count as f64;
        self.count = count;
    }

    /// Unbiased variance; 0 for fewer than two numbers.
    pub fn variance(&self) -> f64 {
        if self.count < 2 { 0.0 } else { self.squares / (self.count - 1) as f64 }
    }

    /// Standard error of the mean of independent numbers.
    pub fn error(&self) -> f64 {
        (self.variance() / self.count.max(1) as f64).sqrt()
    }
}

/// τ of many short chains, `series` as \[time\]\[chain\]: chains may sample different distributions.
///
/// From the variogram γ(t) = ½⟨(x_(s+t) - x_s)²⟩ = σ²(1 - ρ(t)), which needs no mean; σ² is its value at lags
/// beyond half the length, so a τ above a fifth of the length reads too low. Never more than half the length.
pub fn chains_time(series: &[f64], chains: usize) -> f64 {
    let length = series.len() / chains.max(1);
    if length < 4 {
        return 1.0;
    }
    let usable: Vec<usize> = (0..chains).filter(|c| (0..length).all(|t| series[t * chains + c].is_finite())).collect();
    let pairs = |t: usize| (usable.len() * (length - t)) as f64;
    let squares = |t: usize| -> f64 {
        let one = |c: &usize| (0..length - t).map(|s| 0.5 * (series[(s + t) * chains + c] - series[s * chains + c]).powi(2)).sum::<f64>();
        usable.iter().map(one).sum()
    };
    let far = length / 2..length;
    let variance = far.clone().map(squares).sum::<f64>() / far.map(pairs).sum::<f64>();
    if variance.is_nan() || variance <= 0.0 {
        return 1.0;
    }
    let mut tau = 1.0;
    for t in 1..length / 2 {
        tau += 2.0 * (1.0 - squares(t) / pairs(t) / variance);
        if t as f64 >= 5.0 * tau.max(1.0) {
            break;
        }
    }
    tau.clamp(0.1, 0.5 * length as f64)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub struct Noise(pub u64);

    impl Noise {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        pub fn normal(&mut self) -> f64 {
            (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (2.0 * std::f64::consts::PI * self.uniform()).cos()
        }

        /// Stationary x' = φ x + √(1-φ²) noise: variance 1, τ = (1+φ)/(1-φ).
        pub fn chain(&mut self, phi: f64, length: usize) -> Vec<f64> {
            let mut x = self.normal();
            (0..length)
                .map(|_| {
                    x = phi * x + (1.0 - phi * phi).sqrt() * self.normal();
                    x
                })
                .collect()
        }
    }

    #[test]
    fn streams_merge_to_the_whole() {
        let x = Noise(1).chain(0.0, 1000);
        let (mut all, mut a, mut b) = (Running::default(), Running::default(), Running::default());
        for (i, v) in x.iter().enumerate() {
            all.push(1e6 + v);
            if i < 300 {
                a.push(1e6 + v)
            } else {
                b.push(1e6 + v)
            };
        }
        a.merge(&b);
        a.merge(&Running::default());
        assert!(!a.push(f64::NAN));
        assert_eq!(a.count, 1000);
        assert!((a.mean - all.mean).abs() < 1e-8 && (a.variance() / all.variance() - 1.0).abs() < 1e-8);
        assert!((all.variance() * 999.0 / x.iter().map(|v| (v + 1e6 - all.mean).powi(2)).sum::<f64>() - 1.0).abs() < 1e-8);
    }

    /// Chains of 50 steps about different centres.
    #[test]
    fn short_chains_together_show_their_time() {
        for (phi, tau) in [(0.0, 1.0), (0.6, 4.0), (0.8, 9.0)] {
            let mut noise = Noise(5);
            let chains = 256;
            let mut series = vec![0.0; 50 * chains];
            for c in 0..chains {
                let centre = 10.0 * noise.normal();
                for (t, v) in noise.chain(phi, 50).iter().enumerate() {
                    series[t * chains + c] = centre + v;
                }
            }
            series[7] = f64::NAN;
            let got = chains_time(&series, chains);
            assert!((got / tau - 1.0).abs() < 0.25, "φ = {phi}: {got} for {tau}");
        }
    }

    #[test]
    fn constant_and_tiny_series_are_no_trouble() {
        assert_eq!(chains_time(&[1.0; 300], 3), 1.0);
    }
}
