//! Twin of `attention` and `attention_mix`: causal attention among the rows of one sample, head by head.

/// Weights `[head][i][j]` = softmax_(j <= i) (q_i . k_j / sqrt(size)) and the values that they mix; `q`, `k`, `v`: rows of
/// `units` numbers, which the heads share evenly.
pub fn attention(q: &[f64], k: &[f64], v: &[f64], heads: usize, units: usize) -> (Vec<f64>, Vec<f64>) {
    let (tokens, size) = (q.len() / units, units / heads);
    let (mut weights, mut mixed) = (vec![0.0; heads * tokens * tokens], vec![0.0; tokens * units]);
    for h in 0..heads {
        let columns = h * size..(h + 1) * size;
        for i in 0..tokens {
            let dot = |j: usize| columns.clone().map(|c| q[i * units + c] * k[j * units + c]).sum::<f64>() / (size as f64).sqrt();
            let scores: Vec<f64> = (0..=i).map(dot).collect();
            let norm = log_sum(&scores);
            for (j, s) in scores.iter().enumerate() {
                let weight = (s - norm).exp();
                weights[(h * tokens + i) * tokens + j] = weight;
                columns.clone().for_each(|c| mixed[i * units + c] += weight * v[j * units + c]);
            }
        }
    }
    (weights, mixed)
}

/// Gradients by q, k and v from that by the mixed values.
pub fn attention_vjp(q: &[f64], k: &[f64], v: &[f64], weights: &[f64], d: &[f64], heads: usize, units: usize) -> [Vec<f64>; 3] {
    let (tokens, size) = (q.len() / units, units / heads);
    let mut g = [vec![0.0; tokens * units], vec![0.0; tokens * units], vec![0.0; tokens * units]];
    for h in 0..heads {
        let columns = h * size..(h + 1) * size;
        for i in 0..tokens {
            let a = &weights[(h * tokens + i) * tokens..][..=i];
            let da: Vec<f64> = (0..=i).map(|j| columns.clone().map(|c| d[i * units + c] * v[j * units + c]).sum()).collect();
            let mean: f64 = a.iter().zip(&da).map(|(a, g)| a * g).sum();
            for j in 0..=i {
                let ds = a[j] * (da[j] - mean) / (size as f64).sqrt();
                for c in columns.clone() {
                    g[0][i * units + c] += ds * k[j * units + c];
                    g[1][j * units + c] += ds * q[i * units + c];
                    g[2][j * units + c] += a[j] * d[i * units + c];
                }
            }
        }
    }
    g
}

/// ln of the sum of exponentials.
pub(super) fn log_sum(x: &[f64]) -> f64 {
    let most = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    most + x.iter().map(|v| (v - most).exp()).sum::<f64>().ln()
}
