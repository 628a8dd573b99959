//! Twin of `spin_images`, `images_join` and `images_split`.

/// Spin i is spin `permutation`\[i\] of the sample, times `sign`.
pub fn image(spins: &[f64], permutation: &[usize], sign: f64) -> Vec<f64> {
    permutation.iter().map(|&from| sign * spins[from]).collect()
}

/// ln of the mean of the exponentials.
pub fn join(logs: &[f64]) -> f64 {
    let most = logs.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    most + (logs.iter().map(|l| (l - most).exp()).sum::<f64>() / logs.len() as f64).ln()
}

/// Shares of the exponentials in their sum.
pub fn split(logs: &[f64]) -> Vec<f64> {
    let sum = join(logs) + (logs.len() as f64).ln();
    logs.iter().map(|l| (l - sum).exp()).collect()
}
