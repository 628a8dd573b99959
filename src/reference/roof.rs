//! Twins of `roof_fma` and `roof_copy`.

/// `[4]` sums of eight chains v <- v x + (1 - x), `count` steps from v = 0, 1, .., 7 (+ a quarter a component).
pub fn roof_fma(x: f64, count: usize) -> [f64; 4] {
    let mut sum = [0.0; 4];
    for (c, s) in sum.iter_mut().enumerate() {
        for start in 0..8 {
            let mut v = start as f64 + 0.25 * c as f64;
            for _ in 0..count {
                v = v * x + (1.0 - x);
            }
            *s += v;
        }
    }
    sum
}

/// The same numbers.
pub fn roof_copy(x: &[f32]) -> Vec<f32> {
    x.to_vec()
}
