//! Whether samples with importance weights have the translations of a periodic lattice.
//!
//! A network that fell onto a part of the states while β rose says nothing of the rest: on its part the effective sample size may
//! be all samples, and reweighted values agree with themselves. What it has kept is rarely symmetric, though.

use crate::estimate::Estimate;

/// Differences of correlations that are of no interest.
const SMALL: f64 = 1e-3;
/// Root mean square of differences over errors above which states are missing.
const MOST: f64 = 5.0;

/// Root mean square of (C - mean)/error of bonds that are alike; `None` without errors.
pub(super) fn spread(bonds: &[Estimate]) -> Option<f64> {
    let count = bonds.len() as f64;
    let mean = bonds.iter().map(|c| c.value).sum::<f64>() / count;
    let squares = bonds.iter().map(|c| ((c.value - mean) / c.error.max(SMALL)).powi(2)).sum::<f64>();
    // of one batch no error is known
    (bonds.iter().all(|c| c.error.is_finite()) && !bonds.is_empty()).then(|| (squares / count).sqrt())
}

/// What a user should know of them.
pub(super) fn remark(bonds: &[Estimate]) -> Option<String> {
    let spread = spread(bonds).filter(|spread| *spread > MOST)?;
    Some(format!(
        "⟨s s'⟩ of bonds that the lattice makes alike differs by {spread:.0} of its errors: q lacks states, and reweighted values are of those it has; let beta rise more slowly (anneal, steps, schedule=linear), or compare with helmholtz exact"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_states_are_told_from_noise() {
        let noise = |factor: f64| -> Vec<Estimate> {
            // of variance 1 within 1 %
            (0..200).map(|k| Estimate::new(-0.33 + factor * 0.002 * (2f64).sqrt() * (2.4 * k as f64).sin(), 0.002)).collect()
        };
        assert!((spread(&noise(1.0)).unwrap() - 1.0).abs() < 0.01);
        assert!(remark(&noise(1.0)).is_none() && remark(&noise(4.9)).is_none());
        let text = remark(&noise(5.5)).unwrap();
        assert!(text.contains("differs by 5 of its errors") || text.contains("differs by 6 of its errors"), "{text}");
        // spins that are frozen into one state, whose bonds have no error
        let frozen: Vec<Estimate> = (0..30).map(|k| Estimate::new(if k % 3 == 0 { -1.0 } else { 1.0 }, 0.0)).collect();
        assert!(remark(&frozen).is_some());
        // all of them the same
        assert!(remark(&[Estimate::new(1.0, 0.0), Estimate::new(1.0 - 1e-6, 0.0)]).is_none());
        // unknown
        assert!(spread(&[Estimate::new(1.0, f64::NAN), Estimate::new(-1.0, f64::NAN)]).is_none() && spread(&[]).is_none());
    }
}
