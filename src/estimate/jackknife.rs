//! Errors of any function of means, by leaving out one block of the data after another.

use super::Estimate;

/// Values of all data, `values(None)`, with errors from those without block k, `values(Some(k))`, k < `blocks`: of blocks that
/// know nothing of each other √((K - 1)/K Σ (v_k - v̄)²), v̄ their mean. Not known for fewer than two blocks.
///
/// Efron, Ann. Stat. 7, 1 (1979), doi 10.1214/aos/1176344552.
pub fn jackknife(blocks: usize, values: impl Fn(Option<usize>) -> Vec<f64>) -> Vec<Estimate> {
    let (all, without) = (values(None), (0..blocks).map(|k| values(Some(k))).collect::<Vec<_>>());
    let count = blocks as f64;
    let error = |q: usize| {
        let mean = without.iter().map(|v| v[q]).sum::<f64>() / count;
        let squares: f64 = without.iter().map(|v| (v[q] - mean).powi(2)).sum();
        if blocks < 2 { f64::NAN } else { ((count - 1.0) / count * squares).sqrt() }
    };
    all.iter().enumerate().map(|(q, value)| Estimate::new(*value, error(q))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;

    /// Of a mean it is the standard error to the bit or two; of a ratio of means it covers the truth.
    #[test]
    fn means_and_ratios_have_their_errors() {
        let mut noise = Noise(4);
        let x: Vec<f64> = (0..200).map(|_| 3.0 + noise.normal()).collect();
        let mean = |skip: Option<usize>| {
            let kept: Vec<f64> = x.iter().enumerate().filter(|(k, _)| Some(*k) != skip).map(|(_, v)| *v).collect();
            vec![kept.iter().sum::<f64>() / kept.len() as f64]
        };
        let got = jackknife(200, mean)[0];
        let variance = x.iter().map(|v| (v - got.value).powi(2)).sum::<f64>() / 199.0;
        assert!((got.error / (variance / 200.0).sqrt() - 1.0).abs() < 1e-9, "{got:?}");
        let (mut inside, repetitions) = (0, 400);
        for _ in 0..repetitions {
            let pairs: Vec<[f64; 2]> = (0..60).map(|_| [6.0 + noise.normal(), 3.0 + noise.normal()]).collect();
            let ratio = |skip: Option<usize>| {
                let kept = pairs.iter().enumerate().filter(|(k, _)| Some(*k) != skip).map(|(_, p)| *p);
                let sums = kept.fold([0.0; 2], |s, p| [s[0] + p[0], s[1] + p[1]]);
                vec![sums[0] / sums[1]]
            };
            let e = jackknife(60, ratio)[0];
            inside += ((e.value - 2.0).abs() <= e.error) as usize;
        }
        // 68 % within four of its own errors
        assert!((inside as f64 / repetitions as f64 - 0.683).abs() < 4.0 * (0.683 * 0.317 / repetitions as f64).sqrt(), "{inside}");
        assert!(jackknife(1, |_| vec![1.0])[0].error.is_nan());
    }
}
