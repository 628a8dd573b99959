//! Curves from steps: running means with their errors, few enough points to draw.

use std::ops::Range;

/// A value at a place with its standard error (NaN: unknown).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub err: f64,
}

impl Point {
    pub fn new(x: f64, y: f64, err: f64) -> Point {
        Point { x, y, err }
    }

    /// The error, 0 where it is unknown.
    pub fn bar(&self) -> f64 {
        if self.err.is_finite() { self.err.abs() } else { 0.0 }
    }
}

/// Most points of a drawn curve: more than a screen shows.
const MOST: usize = 400;

/// Fewest steps whose neighbours are averaged.
const FEW: usize = 30;
/// A step further from the median of its neighbours than this many of their median deviations is left out of their mean.
const BAD: f64 = 30.0;

/// Means over a twentieth of the run around each step, with their standard errors, at no more than
/// [`MOST`] steps. Values that are not finite and bad steps are left out.
///
/// The window shrinks to its middle at both ends, so that the curve starts at the first value and follows a steady slope
/// everywhere; it stops where half of it is left, for the last value alone says less than those before it.
pub fn running(points: &[Point]) -> Vec<Point> {
    let points: Vec<Point> = points.iter().copied().filter(|p| p.y.is_finite() && p.x.is_finite()).collect();
    let reach = if points.len() < FEW { 0 } else { (points.len() / 40).max(1) };
    let n = points.len() - reach.div_ceil(2);
    let count = n.min(MOST);
    (0..count)
        .map(|j| {
            let i = if count < 2 { 0 } else { (j * (n - 1) + (count - 1) / 2) / (count - 1) };
            // a fall that slows down is not to be blurred: no more than a quarter of the way come
            let reach = reach.min(i.div_ceil(4)).min(points.len() - 1 - i);
            let (y, err) = mean(&points[i - reach..=i + reach]);
            Point::new(points[i].x, y, err)
        })
        .collect()
}

/// Mean of the values that are not bad, and its error from theirs.
fn mean(window: &[Point]) -> (f64, f64) {
    let middle = |values: Vec<f64>| median(values).unwrap_or(f64::NAN);
    let centre = middle(window.iter().map(|p| p.y).collect());
    let reach = BAD * middle(window.iter().map(|p| (p.y - centre).abs()).collect());
    // half of the values lie within one median deviation: some are always good
    let good: Vec<&Point> = window.iter().filter(|p| (p.y - centre).abs() <= reach).collect();
    let m = good.len() as f64;
    let y = centre + good.iter().map(|p| (p.y - centre) / m).sum::<f64>();
    (y, good.iter().map(|p| (p.err / m).powi(2)).sum::<f64>().sqrt())
}

/// The median; none of no numbers.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let before = if n % 2 == 1 { *middle } else { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) };
    Some(0.5 * before + 0.5 * *middle)
}

/// The range of a curve with its errors; a few values a thousand times further out than the others are left to be cut off.
/// None if there is no finite value.
pub fn range(points: &[Point]) -> Option<Range<f64>> {
    let mut v: Vec<f64> = points.iter().flat_map(|p| [p.y - p.bar(), p.y + p.bar()]).filter(|v| v.is_finite()).collect();
    v.sort_by(f64::total_cmp);
    let (first, last) = (*v.first()?, *v.last()?);
    let tenth = v.len() / 10;
    let (low, high) = (v[tenth], v[v.len() - 1 - tenth]);
    let width = 1e3 * (high - low);
    if width <= 0.0 || v.len() < 10 {
        return Some(first..last);
    }
    let kept = |x: &&f64| **x >= low - width && **x <= high + width;
    Some(*v.iter().find(kept)?..*v.iter().rev().find(kept)?)
}

/// The smallest range that holds both.
pub fn join(a: Range<f64>, b: Range<f64>) -> Range<f64> {
    a.start.min(b.start)..a.end.max(b.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(n: usize, y: impl Fn(usize) -> f64) -> Vec<Point> {
        (0..n).map(|i| Point::new(i as f64, y(i), 0.1)).collect()
    }

    /// A steady slope stays as it is; errors are those of means.
    #[test]
    fn slopes_are_followed_from_the_first_step() {
        for n in [1, 2, 3, 50, 1000, 100_000] {
            let curve = running(&points(n, |i| 3.0 - 0.25 * i as f64));
            assert!(curve.len() <= MOST && curve.len() + 1 >= n.min(MOST));
            for p in &curve {
                assert!((p.y - (3.0 - 0.25 * p.x)).abs() < 1e-9 * n as f64, "n = {n}: {p:?}");
            }
            assert!(curve[0].x == 0.0 && curve[curve.len() - 1].x >= 0.98 * (n - 1) as f64 - 1.0);
            assert_eq!(curve[0].err, 0.1);
        }
        // a window of 51 steps
        let err = running(&points(1000, |_| 0.0))[200].err;
        assert!((err / 0.1 * 51_f64.sqrt() - 1.0).abs() < 1e-9, "{err}");
    }

    #[test]
    fn a_bad_step_bends_nothing_and_sets_no_scale() {
        let mut bad = points(1000, |i| (i % 3) as f64);
        bad[500].y = 1e30;
        bad[501].y = f64::NAN;
        let curve = running(&bad);
        assert!(curve.iter().all(|p| (0.0..=2.0).contains(&p.y)), "{curve:?}");
        let mut first = points(1000, |i| (i % 3) as f64);
        first[0].y = 1e30;
        let r = range(&running(&first)).unwrap();
        assert!(r.end < 3.0 && r.start > -1.0, "{r:?}");
        // a fall to a thousandth is no bad step
        let fall = range(&running(&points(3000, |i| 100.0 * (-(i as f64) / 60.0).exp()))).unwrap();
        assert!(fall.end > 99.0, "{fall:?}");
    }

    #[test]
    fn nothing_and_constants_have_no_trouble() {
        assert!(running(&[]).is_empty() && range(&[]).is_none() && median(vec![]).is_none());
        assert_eq!(range(&[Point::new(0.0, 2.0, f64::NAN)]), Some(2.0..2.0));
        assert!(range(&[Point::new(0.0, f64::NAN, 1.0)]).is_none());
    }
}
