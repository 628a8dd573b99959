//! Axes with round ticks, and panels that clip what they draw at their frame.

use std::ops::Range;

use super::curve::Point;
use super::text::number;
use super::{Anchor, GREY, INK, PALE, Picture, Stroke, Text};

/// Size of the numbers at ticks, and of names in panels.
pub const TICKS: f64 = 17.0;
pub const NAMES: f64 = 16.0;
/// Room for numbers left of a panel.
const ROOM: f64 = 84.0;

/// A linear or decimal logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// A linear scale over `range`, widened until single precision could tell its values apart from zero width.
    pub fn linear(range: Range<f64>) -> Axis {
        let (mut low, mut high) = (range.start.clamp(-1e300, 1e300), range.end.clamp(-1e300, 1e300));
        if !(low.is_finite() && high.is_finite()) {
            (low, high) = (0.0, 1.0);
        }
        let least = 1e-9 * low.abs().max(high.abs()).max(1e-290);
        if high - low < least {
            let middle = 0.5 * low + 0.5 * high;
            let half = if middle == 0.0 { 1.0 } else { 1e-3 * middle.abs() };
            (low, high) = (middle - half, middle + half);
        }
        Axis { low, high, log: false }
    }

    /// A linear scale over `range` with room beside it, in parts of its width.
    pub fn around(range: Range<f64>, room: f64) -> Axis {
        let tight = Axis::linear(range);
        let margin = room * (tight.high - tight.low);
        Axis::linear(tight.low - margin..tight.high + margin)
    }

    /// A decimal logarithmic scale over a positive range, of a decade at least.
    pub fn logarithmic(range: Range<f64>) -> Axis {
        let low = if range.start > 1e-300 && range.start.is_finite() { range.start } else { 1e-300 };
        let high = if range.end.is_finite() { range.end.max(10.0 * low) } else { 10.0 * low };
        Axis { low: low.log10(), high: high.log10(), log: true }
    }

    /// Where a value lies: 0 at the low end, 1 at the high one. NaN for what a logarithm does not know.
    pub fn share(&self, value: f64) -> f64 {
        let v = if self.log { value.log10() } else { value };
        (v - self.low) / (self.high - self.low)
    }

    /// The ticks, `most` at the most or little over, with their labels. `whole`: at whole numbers only.
    pub fn ticks(&self, most: usize, whole: bool) -> Vec<(f64, Text)> {
        let width = self.high - self.low;
        if most == 0 {
            return Vec::new();
        }
        if self.log && width < 2.0 {
            let first = self.low.floor() as i32;
            let values = (first..=self.high.ceil() as i32).flat_map(|k| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(k)));
            return values.filter(|v| (0.0..=1.0).contains(&self.share(*v))).map(|v| (v, label(v, -v.log10().floor(), v))).collect();
        }
        if self.log {
            let step = (width / most as f64).ceil().max(1.0);
            let first = (self.low / step).ceil() as i64;
            let last = (self.high / step).floor() as i64;
            return (first..=last).map(|k| k as f64 * step).map(|e| (10f64.powf(e), power(e))).collect();
        }
        let mut step = round_up(width / most as f64);
        if whole {
            step = step.max(1.0);
        }
        let first = |step: f64| (self.low / step - 1e-6).ceil();
        // one tick alone is no scale
        for finer in [0.5, 0.4, 0.25] {
            let too_few = (first(step) + 1.0) * step > self.high + 1e-6 * step;
            if too_few && (!whole || finer * step >= 1.0) {
                step = round_up(finer * step);
            }
        }
        let first = first(step);
        let values = (0..=2 * most).map(|k| (first + k as f64) * step).take_while(|v| *v <= self.high + 1e-6 * step);
        let digits = -(step.log10() + 1e-9).floor();
        let largest = self.low.abs().max(self.high.abs());
        values.map(|v| (v, label(v, digits, largest))).collect()
    }
}

/// 1, 2 or 5 times a power of ten, not below `v`.
fn round_up(v: f64) -> f64 {
    let power = 10f64.powf(v.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|m| m * power).find(|s| *s >= v * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

fn power(exponent: f64) -> Text {
    Text::math(&format!("10^{{{}}}", number(exponent)))
}

/// A value of an axis whose step has `digits` decimals and whose largest value is `largest`.
fn label(v: f64, digits: f64, largest: f64) -> Text {
    if v == 0.0 || (largest < 1e6 && digits <= 9.0) {
        let text = format!("{:.*}", digits.max(0.0) as usize, if v == 0.0 { 0.0 } else { v });
        let zero = text.trim_start_matches('-').chars().all(|c| "0.".contains(c));
        return Text::plain(&if zero { text.trim_start_matches('-').to_string() } else { text.replace('-', "−") });
    }
    let exponent = largest.log10().floor();
    let decimals = (exponent + digits).clamp(0.0, 12.0) as usize;
    let mantissa = format!("{:.decimals$}", v / 10f64.powf(exponent)).replace('-', "−");
    Text::math(&format!("{mantissa}×10^{{{}}}", number(exponent)))
}

/// Which sides of a panel have labels, and whether those along x are whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    pub x: bool,
    pub y: bool,
    pub whole: bool,
}

/// A frame in a picture with a scale along each side.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Pixels of a value. What lies far outside is held at 50 heights from the frame: it is clipped anyway, and
    /// single precision must carry it.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + self.width * self.x.share(x).clamp(-1.0, 2.0), self.bottom() - self.height * self.y.share(y).clamp(-50.0, 50.0))
    }

    /// Grid lines at `most` ticks or so along each side (0: none), and which sides have labels.
    pub fn grid(&self, picture: &mut Picture, most: (usize, usize), labels: Labels) {
        for (value, label) in self.y.ticks(most.1, false) {
            let y = self.at(0.0, value).1;
            picture.line(&[(self.left, y), (self.right(), y)], Stroke::new(PALE, 1.2));
            if !labels.y {
                continue;
            }
            // labels stand left of the frame, in smaller letters where there are many digits
            let size = TICKS * (ROOM / label.width(TICKS)).clamp(0.5, 1.0);
            picture.text((self.left - 9.0, y + 0.35 * size), &label, size, INK, Anchor::End);
        }
        for (value, label) in self.x.ticks(most.0, labels.whole) {
            let x = self.at(value, 0.0).0;
            picture.line(&[(x, self.top), (x, self.bottom())], Stroke::new(PALE, 1.2));
            if labels.x {
                picture.text((x, self.bottom() + 1.4 * TICKS), &label, TICKS, INK, Anchor::Middle);
            }
        }
    }

    pub fn frame(&self, picture: &mut Picture) {
        picture.frame(self.left, self.top, self.width, self.height);
    }

    /// A filled column over a range of x.
    pub fn shade(&self, picture: &mut Picture, x: Range<f64>, color: &str) {
        let (from, to) = (self.at(x.start, 0.0).0.max(self.left), self.at(x.end, 0.0).0.min(self.right()));
        picture.rect(from, self.top, (to - from).max(0.0), self.height, color);
    }

    /// What `draw` draws, clipped at the frame.
    pub fn clipped(&self, picture: &mut Picture, draw: impl FnOnce(&mut Picture)) {
        picture.clip(self.left, self.top, self.width, self.height);
        draw(picture);
        picture.unclip();
    }

    /// A curve; it breaks where a value is unknown.
    pub fn curve(&self, picture: &mut Picture, points: &[Point], stroke: Stroke<'_>) {
        let unknown = |p: &Point| !self.x.share(p.x).is_finite() || !self.y.share(p.y).is_finite();
        for piece in points.split(unknown).filter(|piece| !piece.is_empty()) {
            let line: Vec<_> = piece.iter().map(|p| self.at(p.x, p.y)).collect();
            match line.as_slice() {
                [one] => picture.disc(*one, 2.0 * stroke.width, stroke.color),
                line => picture.line(line, stroke),
            }
        }
    }

    /// The band of one standard error round a curve.
    pub fn band(&self, picture: &mut Picture, points: &[Point], color: &str, opacity: f64) {
        if points.iter().all(|p| p.bar() == 0.0) {
            return;
        }
        let upper = points.iter().map(|p| self.at(p.x, p.y + p.bar()));
        let lower = points.iter().rev().map(|p| self.at(p.x, p.y - p.bar()));
        let outline: Vec<_> = upper.chain(lower).collect();
        picture.errors(|p| p.area(&outline, color, opacity));
    }

    /// A horizontal line over a range of x.
    pub fn level(&self, picture: &mut Picture, x: Range<f64>, y: f64, stroke: Stroke<'_>) {
        picture.line(&[self.at(x.start, y), self.at(x.end, y)], stroke);
    }

    /// A value with its error bar.
    pub fn bar(&self, picture: &mut Picture, p: Point, color: &str) {
        self.whiskers(picture, p, color);
        picture.disc(self.at(p.x, p.y), 4.5, color);
    }

    /// An error bar; one that reaches below what a logarithm knows ends at the frame, without a cap.
    pub fn whiskers(&self, picture: &mut Picture, p: Point, color: &str) {
        let end = |y: f64| self.y.share(y).is_finite().then(|| self.at(p.x, y).1);
        let (x, at) = self.at(p.x, p.y);
        let ends = [end(p.y - p.bar()), end(p.y + p.bar())];
        picture.errors(|picture| {
            picture.line(&[(x, ends[0].unwrap_or(self.bottom())), (x, ends[1].unwrap_or(at))], Stroke::new(color, 2.0));
            for y in ends.into_iter().flatten() {
                picture.line(&[(x - 5.0, y), (x + 5.0, y)], Stroke::new(color, 2.0));
            }
        });
    }

    /// Pixels along a curve and the edges of its band, dense enough to tell what text would cover.
    pub fn trace(&self, points: &[Point]) -> Vec<(f64, f64)> {
        let mut all = Vec::new();
        for part in [-1.0, 0.0, 1.0] {
            let line: Vec<_> = points.iter().map(|p| self.at(p.x, p.y + part * p.bar())).collect();
            all.extend(line.first());
            for pair in line.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                let steps = ((b.0 - a.0).hypot(b.1 - a.1) / 4.0).clamp(1.0, 400.0) as usize;
                all.extend((1..=steps).map(|k| k as f64 / steps as f64).map(|t| (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1))));
            }
        }
        all
    }

    /// Writes a name where it covers least of `taken`: in the frame, along a level if there is one, else anywhere.
    pub fn name(&self, picture: &mut Picture, text: &Text, level: Option<f64>, taken: &[(f64, f64)]) {
        let (width, height) = (text.width(NAMES), 1.15 * NAMES);
        let columns = (0..=8).map(|k| self.right() - 8.0 - width - k as f64 / 8.0 * (self.width - width - 16.0));
        let rows: Vec<f64> = match level.map(|v| self.at(0.0, v).1) {
            Some(y) => vec![y - height - 4.0, y + 5.0],
            None => (0..=8).map(|k| self.top + 6.0 + k as f64 / 8.0 * (self.height - height - 12.0)).collect(),
        };
        let inside = |y: &f64| *y >= self.top && y + height <= self.bottom();
        let places: Vec<(f64, f64)> = columns.flat_map(|x| rows.iter().filter(|y| inside(y)).map(move |y| (x, *y))).collect();
        let covered = |at: &(f64, f64)| {
            taken.iter().filter(|p| p.0 > at.0 - 4.0 && p.0 < at.0 + width + 4.0 && p.1 > at.1 - 2.0 && p.1 < at.1 + height + 2.0).count()
        };
        if let Some(at) = places.iter().min_by_key(|at| covered(at)) {
            picture.text((at.0, at.1 + 0.95 * NAMES), text, NAMES, GREY, Anchor::Start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, most: usize) -> Vec<String> {
        axis.ticks(most, false).iter().map(|(_, t)| t.words()).collect()
    }

    #[test]
    fn ticks_are_round_and_their_labels_exact() {
        assert_eq!(labels(Axis::linear(-0.1707..-0.1695), 4), ["−0.1705", "−0.1700", "−0.1695"]);
        assert_eq!(labels(Axis::linear(-1.0..1.0), 4), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(Axis::linear(0.0..190.0), 8), ["0", "50", "100", "150"]);
        assert_eq!(labels(Axis::linear(-2e8..3e8), 3), ["−2×108", "0", "2×108"]);
        assert_eq!(labels(Axis::logarithmic(1e-3..20.0), 6), ["10−3", "10−2", "10−1", "100", "101"]);
        assert_eq!(labels(Axis::logarithmic(0.03..1.1), 6), ["0.05", "0.1", "0.2", "0.5", "1"]);
        let steps = Axis::linear(0.0..1.5).ticks(8, true);
        assert_eq!(steps.iter().map(|s| s.0).collect::<Vec<_>>(), [0.0, 1.0]);
        // a label reads back to its value
        for (value, text) in Axis::linear(-5.68912..-5.68873).ticks(6, false) {
            assert!((text.words().replace('−', "-").parse::<f64>().unwrap() - value).abs() < 1e-12);
        }
    }

    #[test]
    fn every_range_has_a_scale() {
        for range in [0.0..0.0, 2.0..2.0, -1e300..1e300, f64::NAN..1.0, 0.0..f64::INFINITY, 5.0..1.0, 1.0..1.0 + 1e-15, 1e-320..2e-320] {
            for axis in [Axis::linear(range.clone()), Axis::around(range.clone(), 0.1), Axis::logarithmic(range.clone())] {
                let ticks = axis.ticks(5, false);
                assert!(ticks.len() < 16, "{range:?}: {}", ticks.len());
                assert!(axis.high > axis.low && axis.high.is_finite() && axis.low.is_finite(), "{range:?}");
            }
        }
        assert!(Axis::logarithmic(1.0..10.0).share(-1.0).is_nan());
    }

    /// What lies off the scale leaves through the frame: no point of the line is put on it.
    #[test]
    fn curves_are_clipped_and_broken_but_not_held_at_the_frame() {
        let panel = Panel { left: 100.0, top: 50.0, width: 400.0, height: 200.0, x: Axis::linear(0.0..4.0), y: Axis::linear(0.0..1.0) };
        let values = [30.0, 25.0, 0.5, f64::NAN, 0.4, 1e300];
        let points: Vec<Point> = values.iter().enumerate().map(|(i, y)| Point::new(i as f64, *y, 0.1)).collect();
        let mut picture = Picture::new(600.0, 300.0);
        panel.clipped(&mut picture, |p| panel.curve(p, &points, Stroke::new(INK, 2.0)));
        let svg = picture.svg();
        assert!(svg.contains(r#"<clipPath id="frame1"><rect x="100.0" y="50.0" width="400.0" height="200.0"/>"#), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(r#"points="100.0,-5750.0 200.0,-4750.0 300.0,150.0""#), "{svg}");
        assert!(svg.contains(r#"points="500.0,170.0 600.0,-9750.0""#), "{svg}");
    }
}
