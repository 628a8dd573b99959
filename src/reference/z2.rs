//! Twin of `z2_flip`, `z2_join` and `z2_split`.

use super::philox::philox;
use crate::kernels::philox::Stream;

/// Whether sample `walker` of a stream is flipped.
pub fn flip(at: Stream, walker: u32) -> bool {
    philox(at.key(), [0, at.first_walker.wrapping_add(walker), at.step, at.purpose])[0] >> 31 == 1
}

/// ln of the mean of e^plus and e^minus.
pub fn join(plus: f64, minus: f64) -> f64 {
    plus.max(minus) + (0.5 + 0.5 * (-(plus - minus).abs()).exp()).ln()
}

/// Shares of e^plus and e^minus in their sum.
pub fn split(plus: f64, minus: f64) -> [f64; 2] {
    [1.0 / (1.0 + (minus - plus).exp()), 1.0 / (1.0 + (plus - minus).exp())]
}
