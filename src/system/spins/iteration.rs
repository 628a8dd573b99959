//! Iterations to fixed points from several starts, with an honest count of those that reach one.

/// Largest distance of a value from its update at which a start has converged.
const TOLERANCE: f64 = 1e-10;
/// Sweeps after which a start counts as not converged.
const SWEEPS: usize = 2000;
/// Where time is short a start has only so much of it, down to so few sweeps: several are tried.
const SHARE: usize = 8;
const FEWEST: usize = 200;
/// Share of the old value that a sweep keeps, once sweeps do not bring values closer to their updates.
const DAMPING: f64 = 0.5;
/// How many sweeps may fail to.
const FAILURES: usize = 3;

/// What an iteration came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Iteration {
    /// How many were tried.
    pub starts: usize,
    /// How many of them reached a fixed point.
    pub converged: usize,
    /// The one of lowest F; `None` when there is none.
    pub lowest: Option<FixedPoint>,
}

/// A fixed point.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedPoint {
    /// Of the whole system.
    pub free_energy: f64,
    /// m_i.
    pub magnetisations: Vec<f64>,
}

impl FixedPoint {
    /// q = Σ m_i²/n.
    pub fn q(&self) -> f64 {
        self.magnetisations.iter().map(|m| m * m).sum::<f64>() / self.magnetisations.len() as f64
    }
}

impl Iteration {
    /// From up to `starts` starts, one after another, for `sweeps` sweeps of all of them together (at least one), 2000 or an eighth
    /// of them a start: what is cut short has not converged. `settle` is told the start and how many sweeps it may make, and says how many it made.
    pub(super) fn run(starts: usize, sweeps: usize, mut settle: impl FnMut(usize, usize) -> (usize, Option<FixedPoint>)) -> Iteration {
        let (mut found, mut left) = (Iteration { starts: 0, converged: 0, lowest: None }, sweeps.max(1));
        let most = (sweeps / SHARE).clamp(FEWEST, SWEEPS);
        while found.starts < starts && left > 0 {
            let (made, point) = settle(found.starts, left.min(most));
            left = left.saturating_sub(made.max(1));
            found.starts += 1;
            let Some(point) = point else { continue };
            found.converged += 1;
            if found.lowest.as_ref().is_none_or(|l| point.free_energy < l.free_energy) {
                found.lowest = Some(point);
            }
        }
        found
    }
}

/// Sweeps `update`, which writes new values of given ones, until they stay: how many sweeps, and whether they do.
///
/// Sweeps are damped from where undamped ones fail to converge. Where each step is the one before times a number below 1, as
/// near a transition, the sum of the geometric series is taken at once (Aitken).
pub(super) fn relax(x: &mut [f64], sweeps: usize, mut update: impl FnMut(&[f64], &mut [f64])) -> (usize, bool) {
    let (mut new, mut step) = (x.to_vec(), vec![0.0; x.len()]);
    let (mut last, mut failures, mut share) = (f64::INFINITY, 0, 1.0);
    // sweeps since the last leap
    let mut steady = 0;
    for sweep in 1..=sweeps {
        update(x, &mut new);
        let (mut moved, mut along, mut before, mut now) = (0.0f64, 0.0, 0.0, 0.0);
        for ((x, new), step) in x.iter().zip(&new).zip(&mut step) {
            let next = new - x;
            moved = moved.max(next.abs());
            along += next * *step;
            before += *step * *step;
            now += next * next;
            *step = next;
        }
        // `max` drops what is not a number
        if moved < TOLERANCE || !now.is_finite() {
            return (sweep, now.is_finite());
        }
        failures += usize::from(moved > last || (along < 0.0 && moved > 0.9 * last));
        last = moved;
        steady += 1;
        let (ratio, cosine) = (along / before, along / (before * now).sqrt());
        let slow = steady > 8 && cosine > 0.9999 && (0.5..0.9999).contains(&ratio);
        let factor = if slow { share / (1.0 - ratio) } else { share };
        if slow {
            steady = 0;
        }
        x.iter_mut().zip(&step).for_each(|(x, step)| *x += factor * step);
        if failures > FAILURES && share == 1.0 {
            (share, steady) = (1.0 - DAMPING, 0);
        }
    }
    (sweeps, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x → 1 + λ(x - 1), from 3 and other numbers.
    fn linear(rates: &[f64], sweeps: usize) -> (usize, bool, f64) {
        let mut x: Vec<f64> = rates.iter().map(|r| 3.0 - r).collect();
        let (made, converged) = relax(&mut x, sweeps, |x, new| {
            (0..x.len()).for_each(|k| new[k] = 1.0 + rates[k] * (x[k] - 1.0));
        });
        (made, converged, x.iter().fold(0.0, |most, x| most.max((x - 1.0).abs())))
    }

    #[test]
    fn what_converges_converges_soon() {
        // 10 ln 10/ln 2 sweeps
        let (fast, converged, off) = linear(&[0.5, -0.3], 100);
        assert!(converged && fast < 36 && off < 1e-9, "{fast} {off}");
        // damped: (1 + λ)/2
        let (damped, converged, off) = linear(&[-1.5, 0.2], 200);
        assert!(converged && damped < 60 && off < 1e-9, "{damped} {off}");
        // alone it would take 23,000
        let (slow, converged, off) = linear(&[0.999, 0.5, -0.7], 400);
        assert!(converged && off < 1e-6, "{slow} {off}");
        let (_, converged, _) = linear(&[-3.1, 0.5], 1000);
        assert!(!converged);
        assert!(!relax(&mut [1.0], 10, |_, new| new[0] = f64::NAN).1);
    }

    /// Three of them are tried where sweeps last for two and a half; the lowest of those that converged counts.
    #[test]
    fn starts_that_are_cut_short_count_as_tried() {
        let point = |free_energy: f64| FixedPoint { free_energy, magnetisations: vec![0.0] };
        let run = |starts: usize, sweeps: usize| {
            let of = |start: usize, sweeps: usize| (sweeps.min(10), (sweeps >= 10).then(|| point(-(start as f64))));
            Iteration::run(starts, sweeps, of)
        };
        let cut = run(9, 25);
        assert_eq!((cut.starts, cut.converged, cut.lowest.unwrap().free_energy), (3, 2, -1.0));
        assert_eq!((run(2, 25).starts, run(2, 0).starts, run(2, 0).converged), (2, 1, 0));
        let mut most = Vec::new();
        let count = |sweeps: usize, most: &mut Vec<usize>| {
            Iteration::run(9, sweeps, |_, sweeps| {
                most.push(sweeps);
                (sweeps, None)
            })
            .starts
        };
        assert_eq!((count(4000, &mut most), count(100_000, &mut most)), (8, 9));
        assert!(most[..8] == [500; 8] && most[8..] == [2000; 9], "{most:?}");
    }
}
