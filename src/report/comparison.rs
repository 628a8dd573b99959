//! The figure of several runs: learning curves of one system, or a scan over a parameter, with their final F.

use std::ops::Range;
use std::path::Path;

use super::RunDir;
use super::figure::phases;
use super::picture::curve::{self, Point, running};
use super::picture::text::{measured, number};
use super::picture::{self, Anchor, Axis, COLORS, DASHES, GREY, INK, Labels, Panel, Picture, SHADE, Stroke, Text};
use super::table::duration;
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::run::{StepRecord, Summary};

const TITLE: f64 = 26.0;
const NAMES: f64 = 19.0;
const SMALL: f64 = 16.0;
/// Height of a row of the legend.
const ROW: f64 = 29.0;
/// A run so much further off than the others are apart leaves the scale to them.
const FAR: f64 = 200.0;
const BODY: Range<f64> = 140.0..560.0;
/// Settings of the device's work, not of the result.
const TECHNICAL: &[&str] = &["chunk"];

/// Draws the final F and the learning curves of `runs` into `path`: SVG, PNG or PDF by its ending.
///
/// Runs of one system show F against time and against the step. Runs at several values of a parameter that may be scanned
/// show the final F minus the exact one beside it, and how each approached its own end.
///
/// # Errors
/// [`Error::User`] if the runs are of different kinds, dimensions or units of energy, or none has a finite F;
/// [`Error::Io`] if the file cannot be written.
pub fn compare(path: &Path, runs: &[RunDir]) -> Result<()> {
    picture::write(path, svg(runs)?)
}

/// A run as it is drawn.
struct Curve<'r> {
    run: &'r RunDir,
    name: String,
    settings: String,
    stroke: Stroke<'static>,
    /// F against seconds, and against the step.
    time: Vec<Point>,
    steps: Vec<Point>,
}

impl Curve<'_> {
    /// The final F at `x`.
    fn end(&self, x: f64) -> Option<Point> {
        let f = f(&self.run.summary);
        f.value.is_finite().then(|| Point::new(x, f.value, f.error))
    }
}

/// The figure as SVG.
pub(super) fn svg(runs: &[RunDir]) -> Result<String> {
    if let [first, others @ ..] = runs {
        for other in others {
            let (a, b) = (&first.summary, &other.summary);
            let wrong = |what: &str, a: String, b: String| {
                let (one, two) = (first.path.display(), other.path.display());
                Err(Error::User(format!("{two}: {what} {b}, but {one} has {a}; compare runs of one {what}")))
            };
            if a.kind != b.kind {
                return wrong("system", a.kind.name().into(), b.kind.name().into());
            }
            let mut fixed = a.kind.parameters.iter().filter(|p| a.kind.scanned.iter().all(|s| s.0 != p.name));
            if let Some(p) = fixed.find(|p| p.told(&a.parameters) != p.told(&b.parameters)) {
                return wrong(p.meaning, a.parameters.text(p.name), b.parameters.text(p.name));
            }
            if a.energy_unit != b.energy_unit {
                return wrong("unit of energy", a.energy_unit.clone(), b.energy_unit.clone());
            }
        }
    }
    let curves = curves(runs);
    if curves.iter().all(|c| c.end(0.0).is_none() && c.steps.is_empty()) {
        return Err(Error::User("no run has a finite F: there is nothing to compare".into()));
    }
    let scanned = scanned(runs);
    let mut picture = Picture::new(1200.0, BODY.end + 125.0 + ROW * runs.len() as f64);
    picture.text((30.0, 42.0), &title(runs), TITLE, INK, Anchor::Start);
    match scanned {
        None => learning(&mut picture, &curves),
        Some(key) => scan(&mut picture, &curves, key),
    }
    legend(&mut picture, &curves);
    Ok(picture.svg())
}

fn curves(runs: &[RunDir]) -> Vec<Curve<'_>> {
    let names = names(runs);
    let differences = differences(runs);
    runs.iter()
        .zip(names.into_iter().zip(differences))
        .enumerate()
        .map(|(i, (run, (name, settings)))| {
            let course = |x: fn(&StepRecord) -> f64| {
                let (training, _) = phases(&run.summary, &run.records);
                let f = run.summary.kind.quantities[0].name;
                let point = |r: &StepRecord| Point::new(x(r), r.values[f].value, r.values[f].error);
                running(&training.into_iter().map(point).collect::<Vec<_>>())
            };
            let stroke = Stroke::new(COLORS[i % COLORS.len()], 2.6).dashed(DASHES[i / COLORS.len() % DASHES.len()]);
            Curve { run, name, settings, stroke, time: course(|r| r.seconds), steps: course(|r| r.step as f64) }
        })
        .collect()
}

/// The last part of each path, as much of it as tells the runs apart.
pub fn names(runs: &[RunDir]) -> Vec<String> {
    let parts = |r: &RunDir| -> Vec<String> {
        let whole = std::path::absolute(&r.path).unwrap_or(r.path.clone());
        whole.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let all: Vec<Vec<String>> = runs.iter().map(parts).collect();
    let tail = |p: &[String], k: usize| p[p.len().saturating_sub(k)..].join("/");
    let longest = all.iter().map(Vec::len).max().unwrap_or(1);
    let unlike = |k: &usize| {
        let mut names: Vec<String> = all.iter().map(|p| tail(p, *k)).collect();
        names.sort_unstable();
        names.windows(2).all(|w| w[0] != w[1])
    };
    let k = (1..=longest).find(unlike).unwrap_or(1);
    all.iter().map(|p| tail(p, k)).collect()
}

/// For each run the settings in which the runs differ, those at their default left out.
fn differences(runs: &[RunDir]) -> Vec<String> {
    let value = |r: &RunDir, name: &str| {
        let text = r.resolved.values.toml(name).replace('"', "");
        text.strip_suffix(".0").unwrap_or(&text).to_string()
    };
    let differs = |name: &str| runs.iter().any(|r| value(r, name) != value(&runs[0], name));
    let one = |r: &RunDir| {
        let varied = r.resolved.values.keys().filter(|k| !TECHNICAL.contains(&k.name) && differs(k.name));
        let given = varied.filter(|k| value(r, k.name) != r.resolved.values.default_of(k.name));
        given.map(|k| format!("{}={}", k.name, value(r, k.name))).collect::<Vec<_>>().join(", ")
    };
    runs.iter().map(one).collect()
}

/// A parameter that a scan runs over, and its symbol.
type Scanned = (&'static str, &'static str);

/// What the runs are a scan over; none for runs of one system.
fn scanned(runs: &[RunDir]) -> Option<Scanned> {
    let varies = |name: &str| runs.iter().any(|r| r.summary.parameters.get(name) != runs[0].summary.parameters.get(name));
    let kind = runs.first()?.summary.kind;
    kind.scanned.iter().copied().find(|(name, _)| varies(name))
}

fn title(runs: &[RunDir]) -> Text {
    let text = |name: &str| {
        let values = runs.iter().map(|r| r.summary.parameters.number(name));
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |r, v| (r.0.min(v), r.1.max(v)));
        if low < high { format!("{} to {}", number(low), number(high)) } else { runs[0].summary.parameters.text(name).replace('-', "−") }
    };
    Text::math(&runs.first().map_or(String::new(), |r| r.summary.kind.titled(text)))
}

/// The final F.
fn f(s: &Summary) -> Estimate {
    s.result[s.kind.quantities[0].name]
}

/// F against time and against the step, and the final F beside.
fn learning(picture: &mut Picture, curves: &[Curve<'_>]) {
    let s = &curves[0].run.summary;
    heading(picture, &format!("Free energy per {} *F*/{} ({})", s.kind.per, s.kind.count, s.energy_unit));
    let y = Axis::around(scale(curves), 0.08);
    let seconds = curves.iter().filter_map(|c| c.time.last()).map(|p| p.x).fold(0.0, f64::max);
    let steps = longest(curves);
    let (per, name) = match seconds {
        s if s < 600.0 => (1.0, "s"),
        s if s < 36_000.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    };
    let frame = |left, width, x| Panel { left, top: BODY.start, width, height: BODY.end - BODY.start, x, y };
    let time = frame(110.0, 450.0, Axis::linear(0.0..seconds / per));
    let step = frame(610.0, 420.0, Axis::linear(0.0..steps));
    let last = frame(1060.0, 110.0, Axis::linear(-0.7..curves.len() as f64 - 0.3));
    for (panel, of_time) in [(&time, true), (&step, false)] {
        panel.grid(picture, (5, 8), Labels { x: true, y: of_time, whole: !of_time });
        panel.clipped(picture, |p| {
            for c in curves {
                let points: Vec<Point> =
                    if of_time { c.time.iter().map(|q| Point { x: q.x / per, ..*q }).collect() } else { c.steps.clone() };
                panel.band(p, &points, c.stroke.color, 0.25);
                panel.curve(p, &points, c.stroke);
            }
        });
        panel.frame(picture);
    }
    picture.rect(last.left, last.top, last.width, last.height, SHADE);
    last.grid(picture, (0, 8), Labels { x: false, y: false, whole: false });
    last.clipped(picture, |p| {
        for (i, c) in curves.iter().enumerate() {
            if let Some(end) = c.end(i as f64) {
                last.bar(p, end, c.stroke.color);
            }
        }
    });
    last.frame(picture);
    for (panel, text) in [(&time, format!("time of training ({name})")), (&step, "step".into()), (&last, "final".into())] {
        below(picture, panel, &text);
    }
}

/// The most training steps.
fn longest(curves: &[Curve<'_>]) -> f64 {
    curves.iter().filter_map(|c| c.steps.last()).map(|p| p.x).fold(0.0, f64::max)
}

/// The range of the later two thirds of each run and of its end within two errors. Runs from the lowest F up
/// take part as long as they are not too far from the others.
fn scale(curves: &[Curve<'_>]) -> Range<f64> {
    let mut ranges: Vec<Range<f64>> = curves
        .iter()
        .filter_map(|c| {
            let wide = c.end(0.0).map(|p| Point::new(0.0, p.y, 2.0 * p.err));
            curve::range(&c.steps[c.steps.len() / 3..].iter().copied().chain(wide).collect::<Vec<_>>())
        })
        .collect();
    ranges.sort_by(|a, b| a.start.total_cmp(&b.start));
    let mut ranges = ranges.into_iter();
    let first = ranges.next().unwrap_or(0.0..1.0);
    ranges.fold(first, |all, one| {
        let both = curve::join(all.clone(), one.clone());
        let width = (all.end - all.start).max(one.end - one.start);
        if width == 0.0 || both.end - both.start < FAR * width { both } else { all }
    })
}

/// Final F minus the exact one against what is scanned; beside it how each run approached its end.
fn scan(picture: &mut Picture, curves: &[Curve<'_>], (name, symbol): Scanned) {
    let s = &curves[0].run.summary;
    heading(picture, &format!("(*F* − *F*_{{{}}})/{} ({})", s.kind.exact.index, s.kind.count, s.energy_unit));
    let mut ends: Vec<(Point, &str)> = Vec::new();
    for c in curves {
        if let (Some(end), Some(exact)) = (c.end(c.run.summary.parameters.number(name)), exact(c.run)) {
            ends.push((Point { y: end.y - exact, ..end }, c.stroke.color));
        }
    }
    ends.sort_by(|a, b| a.0.x.total_cmp(&b.0.x));
    let points: Vec<Point> = ends.iter().map(|e| e.0).collect();
    let x = points.first().map_or(0.0, |p| p.x)..points.last().map_or(1.0, |p| p.x);
    let y = curve::range(&points).unwrap_or(0.0..1.0);
    let frame = |left, width, x, y| Panel { left, top: BODY.start, width, height: BODY.end - BODY.start, x, y };
    let left = frame(110.0, 480.0, Axis::around(x, 0.06), Axis::around(y, 0.08));
    left.grid(picture, (6, 8), Labels { x: true, y: true, whole: false });
    left.clipped(picture, |p| {
        if points.windows(2).all(|w| w[0].x < w[1].x) && points.len() > 1 {
            left.curve(p, &points, Stroke::new(GREY, 1.4));
        }
        for (point, color) in &ends {
            left.bar(p, *point, color);
        }
    });
    left.frame(picture);
    below(picture, &left, symbol);

    let approaches: Vec<Vec<Point>> = curves.iter().map(approach).collect();
    let high = approaches.iter().flatten().map(|p| p.y).fold(0.0, f64::max);
    let low = approaches.iter().flatten().map(|p| p.y).fold(high, f64::min);
    let steps = longest(curves);
    let range = if high > 0.0 { 0.7 * low..1.5 * high } else { 0.1..1.0 };
    let right = frame(690.0, 480.0, Axis::linear(0.0..steps), Axis::logarithmic(range));
    picture.text(
        (right.left, right.top - 11.0),
        &Text::math(&format!("*β*(*F* − *F*_{{final}})/{}, until within two errors", s.kind.count)),
        SMALL,
        GREY,
        Anchor::Start,
    );
    right.grid(picture, (5, 6), Labels { x: true, y: true, whole: true });
    right.clipped(picture, |p| {
        for (points, c) in approaches.iter().zip(curves) {
            right.curve(p, points, c.stroke);
        }
    });
    right.frame(picture);
    below(picture, &right, "step");
}

/// The exact F beside a run: from the summary, or computed where a killed run has none.
fn exact(run: &RunDir) -> Option<f64> {
    let kind = run.summary.kind;
    let known = run.summary.exact.clone().or_else(|| (kind.exact.of)(&run.resolved.values).ok())?;
    kind.quantities[0].exact(&known)
}

/// β (F - final F) against the step: the loss of relative entropy still ahead, in nats. It ends where F is first within
/// two standard errors of its end.
fn approach(c: &Curve<'_>) -> Vec<Point> {
    let (Some(end), Ok(beta)) = (c.end(0.0), (c.run.summary.kind.beta)(&c.run.resolved.values)) else { return Vec::new() };
    let ahead = c.steps.iter().take_while(|p| p.y - end.y > 2.0 * p.bar().hypot(end.bar()));
    ahead.map(|p| Point::new(p.x, beta * (p.y - end.y), f64::NAN)).collect()
}

fn heading(picture: &mut Picture, markup: &str) {
    let drawn = "Lines: running mean of the steps ± standard error. Final: averages of each run ± standard error.";
    picture.text((30.0, 72.0), &Text::plain(drawn), SMALL, GREY, Anchor::Start);
    picture.text((110.0, BODY.start - 11.0), &Text::math(markup), NAMES, INK, Anchor::Start);
}

fn below(picture: &mut Picture, panel: &Panel, markup: &str) {
    picture.text((panel.left + 0.5 * panel.width, panel.bottom() + 54.0), &Text::math(markup), NAMES, INK, Anchor::Middle);
}

/// A row for each run: its line, name, settings of its own, length and final F.
fn legend(picture: &mut Picture, curves: &[Curve<'_>]) {
    let (unit, count) = (&curves[0].run.summary.energy_unit, curves[0].run.summary.kind.count);
    let top = BODY.end + 92.0;
    let columns = [100.0, 340.0, 770.0, 960.0, 1186.0];
    let right = columns[4] - 16.0;
    let heads = ["run", "settings that differ, if not the default", "steps, time"].map(Text::plain);
    for (x, head) in columns.iter().zip(&heads) {
        picture.text((*x, top), head, SMALL, GREY, Anchor::Start);
    }
    picture.text((right, top), &Text::math(&format!("final *F*/{count} ({unit})")), SMALL, GREY, Anchor::End);
    for (i, c) in curves.iter().enumerate() {
        let y = top + ROW * (i + 1) as f64;
        let s = &c.run.summary;
        picture.line(&[(36.0, y - 6.0), (88.0, y - 6.0)], Stroke { width: 3.5, ..c.stroke });
        let cell = |text: &str, k: usize| Text::plain(text).fitted(SMALL, columns[k + 1] - columns[k] - 16.0);
        picture.text((columns[0], y), &cell(&c.name, 0), SMALL, INK, Anchor::Start);
        picture.text((columns[1], y), &cell(if c.settings.is_empty() { "default" } else { &c.settings }, 1), SMALL, INK, Anchor::Start);
        picture.text((columns[2], y), &cell(&format!("{}, {}", s.steps, duration(s.seconds)), 2), SMALL, INK, Anchor::Start);
        picture.text((right, y), &cell(&measured(f(s)), 3), SMALL, INK, Anchor::End);
    }
}

#[cfg(test)]
mod tests;
