//! The figure of a run: F as a whole and magnified, the other results beside it, with the final averages and their errors.

use std::ops::Range;
use std::path::Path;

use super::picture::curve::{self, Point, running};
use super::picture::text::measured;
use super::picture::{self, Anchor, Axis, COLORS, GREY, INK, Labels, Panel, Picture, SHADE, Stroke, Text};
use super::table::share;
use crate::error::Result;
use crate::estimate::Estimate;
use crate::problem::{ACCEPTANCE, Quantity};
use crate::run::{Phase, StepRecord, Summary};

const TITLE: f64 = 26.0;
const HEADING: f64 = 19.0;
const SMALL: f64 = 16.0;
/// Left side and width of the panels of F, and of those beside them.
const MAIN: (f64, f64) = (110.0, 560.0);
const BESIDE: (f64, f64) = (775.0, 395.0);
/// F is drawn a second time, magnified, where its course would hide its end by this factor.
const MAGNIFIED: f64 = 4.0;

/// Draws the run into `path`: SVG, PNG or PDF by its ending.
///
/// # Errors
/// [`crate::Error::User`] for another ending, [`crate::Error::Io`] if the file cannot be written.
pub fn draw(path: &Path, s: &Summary, records: &[StepRecord]) -> Result<()> {
    picture::write(path, svg(s, records))
}

/// The colours of the quantities, F first.
const COURSES: [&str; 6] = [COLORS[0], COLORS[5], COLORS[1], COLORS[2], COLORS[3], COLORS[4]];

/// One quantity against the step.
struct Course<'s> {
    summary: &'s Summary,
    of: &'static Quantity,
    unit: String,
    color: &'static str,
    result: Estimate,
    exact: Option<f64>,
    points: Vec<Point>,
}

/// The steps of the picture: all of them, those after the training with frozen parameters, and those that the averages are over.
struct Steps {
    all: Range<f64>,
    frozen: Option<Range<f64>>,
    averaged: Range<f64>,
}

impl Steps {
    fn new(training: &[&StepRecord], frozen: &[&StepRecord]) -> Steps {
        let span = |r: &[&StepRecord]| Some(r.first()?.step as f64 - 0.5..r.last()?.step as f64 + 0.5);
        let (before, after) = (span(training), span(frozen));
        let late = span(&training[training.len() / 2..]);
        let all = match (&before, &after) {
            (Some(a), Some(b)) => curve::join(a.clone(), b.clone()),
            (one, other) => one.clone().or(other.clone()).unwrap_or(0.0..1.0),
        };
        let frozen = after.clone().filter(|_| before.is_some());
        Steps { averaged: after.or(late).unwrap_or(all.clone()), frozen, all }
    }
}

/// The steps that updated parameters, and those with frozen ones; in logs without phases the summary counts the former. Steps
/// of a schedule that measured other systems are left out.
pub(super) fn phases<'r>(s: &Summary, records: &'r [StepRecord]) -> (Vec<&'r StepRecord>, Vec<&'r StepRecord>) {
    let of = |phase: Phase| records.iter().filter(|r| r.phase == phase).collect::<Vec<_>>();
    let (mut training, mut frozen) = (of(Phase::Training), of(Phase::Frozen));
    if frozen.is_empty() && s.steps < training.len() {
        frozen = training.split_off(s.steps);
    }
    if let Some(last) = records.last() {
        training.retain(|r| r.like(last));
    }
    (training, frozen)
}

/// The figure as SVG.
pub fn svg(s: &Summary, records: &[StepRecord]) -> String {
    let (training, frozen) = phases(s, records);
    let steps = Steps::new(&training, &frozen);
    let shown = if training.is_empty() { &frozen } else { &training };
    let column = |name: &str| -> Vec<Point> {
        let point = |r: &&StepRecord| Point::new(r.step as f64, r.values[name].value, r.values[name].error);
        running(&shown.iter().map(point).collect::<Vec<_>>())
    };
    let mut courses = s.kind.results().zip(COURSES.into_iter().cycle()).map(|(of, color)| Course {
        summary: s,
        of,
        unit: of.unit.name(&s.energy_unit).replace("k_B", "*k*_{B}"),
        color,
        result: s.result[of.name],
        exact: s.exact.as_ref().and_then(|e| of.exact(e)),
        points: column(of.name),
    });
    let free = courses.next();
    let beside: Vec<Course> = courses.collect();

    let mut picture = Picture::new(1200.0, 790.0);
    picture.text((30.0, 42.0), &system(s), TITLE, INK, Anchor::Start);
    let below = Text::plain(&format!("Values per {}; final ones: averages over {}.", s.kind.per, s.averaged_over)).fitted(SMALL, 1140.0);
    picture.text((30.0, 72.0), &below, SMALL, GREY, Anchor::Start);
    let drawn = "Coloured: running mean of the steps ± standard error; black: final average ± standard error.";
    picture.text((30.0, 95.0), &Text::plain(drawn), SMALL, GREY, Anchor::Start);

    let (top, bottom) = (148.0, 720.0);
    if let Some(free) = free {
        free_energy(&mut picture, &free, &steps, !training.is_empty(), top..bottom);
    }
    let mut acceptance = if s.acceptance.is_finite() { column(ACCEPTANCE) } else { Vec::new() };
    acceptance.iter_mut().for_each(|p| p.err = f64::NAN);
    let count = beside.len() as f64 + if acceptance.is_empty() { 0.0 } else { 1.0 };
    let pitch = (bottom - top + 44.0) / count;
    let place = |k: usize| (BESIDE.0, top + k as f64 * pitch, BESIDE.1, pitch - 44.0);
    for (k, q) in beside.iter().enumerate() {
        let last = k + 1 == count as usize;
        let panel = panel(place(k), &steps, Axis::around(telling(q, &steps), 0.12));
        heading(&mut picture, &panel, q, &aside(q));
        course(&mut picture, &panel, q, &steps, last);
    }
    if !acceptance.is_empty() {
        let panel = panel(place(beside.len()), &steps, Axis::linear(0.0..1.0));
        let text = Text::plain(&format!("accepted share of moves {:.2}", s.acceptance));
        picture.text((panel.left, panel.top - 11.0), &text, SMALL, GREY, Anchor::Start);
        panel.grid(&mut picture, (4, 2), Labels { x: true, y: true, whole: true });
        panel.clipped(&mut picture, |p| panel.curve(p, &acceptance, Stroke::new(GREY, 2.0)));
        panel.frame(&mut picture);
    }
    for (left, width) in [MAIN, BESIDE] {
        picture.text((left + 0.5 * width, bottom + 54.0), &Text::plain("step"), HEADING, INK, Anchor::Middle);
    }
    picture.svg()
}

/// `Electron gas, n = 13, 2D, r_s = 10, T/T_F = 0.15`.
fn system(s: &Summary) -> Text {
    Text::math(&s.kind.titled(|name| s.parameters.text(name).replace('-', "−")))
}

/// The panels of F: one if it shows its end, else the whole course above and its end below.
fn free_energy(picture: &mut Picture, q: &Course, steps: &Steps, trained: bool, rows: Range<f64>) {
    let before = match q.summary.start.as_ref().map(|start| start[q.of.name]) {
        Some(start) if start.value.is_finite() && trained => Text::plain(&format!("before training {}", measured(start))),
        _ => Text::default(),
    };
    let (all, end) = (whole(q, steps, true), late(q, steps));
    let magnified = width(&whole(q, steps, false)) > MAGNIFIED * width(&end);
    let (left, across) = MAIN;
    let high = if magnified { 170.0 } else { rows.end - rows.start };
    let upper = panel((left, rows.start, across, high), steps, Axis::around(all, 0.06));
    heading(picture, &upper, q, &before);
    course(picture, &upper, q, steps, !magnified);
    if magnified {
        let top = rows.start + high + 44.0;
        let lower = panel((left, top, across, rows.end - top), steps, Axis::around(end, 0.15));
        let text = Text::math(&format!("{} magnified ({})", q.summary.kind.symbol(q.of), q.unit));
        picture.text((left, top - 11.0), &text, SMALL, GREY, Anchor::Start);
        course(picture, &lower, q, steps, true);
    }
}

fn width(r: &Range<f64>) -> f64 {
    r.end - r.start
}

fn panel((left, top, width, height): (f64, f64, f64, f64), steps: &Steps, y: Axis) -> Panel {
    Panel { left, top, width, height, x: Axis::linear(steps.all.clone()), y }
}

/// What the final average says, as a point with its error.
fn end(q: &Course, steps: &Steps) -> Option<Point> {
    let x = 0.5 * (steps.averaged.start + steps.averaged.end);
    q.result.value.is_finite().then(|| Point::new(x, q.result.value, q.result.error))
}

/// The range of the whole course and the final average, with the exact value if that lies near.
fn whole(q: &Course, steps: &Steps, exact: bool) -> Range<f64> {
    let points: Vec<Point> = q.points.iter().copied().chain(end(q, steps)).collect();
    let range = curve::range(&points).unwrap_or(0.0..1.0);
    match q.exact.filter(|v| exact && near(*v, &range)) {
        Some(v) => curve::join(range, v..v),
        None => range,
    }
}

fn near(value: f64, range: &Range<f64>) -> bool {
    let reach = 0.6 * width(range);
    value.is_finite() && value > range.start - reach && value < range.end + reach
}

/// The range of the last two thirds and the final average within two errors.
fn late(q: &Course, steps: &Steps) -> Range<f64> {
    let wide = end(q, steps).map(|p| Point::new(p.x, p.y, 2.0 * p.err));
    let points: Vec<Point> = q.points[q.points.len() / 3..].iter().copied().chain(wide).collect();
    curve::range(&points).unwrap_or(0.0..1.0)
}

/// The range of a small panel: the whole course, or its end with the exact value where that would be flat.
fn telling(q: &Course, steps: &Steps) -> Range<f64> {
    let end = late(q, steps);
    match q.exact {
        _ if width(&whole(q, steps, false)) < 2.0 * MAGNIFIED * width(&end) => whole(q, steps, true),
        Some(v) if near(v, &end) => curve::join(end, v..v),
        _ => end,
    }
}

/// The line above a panel: the final average at the left, something said of it at the right.
fn heading(picture: &mut Picture, panel: &Panel, q: &Course, aside: &Text) {
    let value = match q.unit.as_str() {
        unit if q.result.value.is_finite() => format!(" = {} {unit}", measured(q.result)),
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let text = Text::math(&format!("{}{}", q.summary.kind.symbol(q.of), value.trim_end()));
    let y = panel.top - 11.0;
    let (size, small) = if panel.width > 400.0 { (HEADING, SMALL) } else { (SMALL, SMALL - 1.0) };
    let beside = panel.width - text.width(size) - 12.0;
    picture.text((panel.left, y), &text.fitted(size, panel.width), size, INK, Anchor::Start);
    if aside.width(small) <= beside {
        picture.text((panel.right(), y), aside, small, GREY, Anchor::End);
    }
}

/// Beside the entropy its share of the exact one, beside others their names.
fn aside(q: &Course) -> Text {
    let kind = q.summary.kind;
    let entropy = kind.entropy().is_some_and(|e| e.name == q.of.name);
    match share(q.result, q.exact) {
        Some(ratio) if entropy => Text::math(&format!("*{0}*/*{0}*_{{{1}}} = {2}", q.of.name, kind.exact.index, measured(ratio))),
        _ => Text::plain(q.of.meaning),
    }
}

/// The course of a quantity with all that belongs to it.
fn course(picture: &mut Picture, panel: &Panel, q: &Course, steps: &Steps, last: bool) {
    let narrow = panel.width < 400.0;
    if let Some(frozen) = &steps.frozen {
        panel.shade(picture, frozen.clone(), SHADE);
    }
    let rows = (panel.height / 36.0).clamp(2.0, 8.0) as usize;
    panel.grid(picture, (if narrow { 4 } else { 7 }, rows), Labels { x: last, y: true, whole: true });
    let averaged = end(q, steps).map(|p| [Point { x: steps.averaged.start, ..p }, Point { x: steps.averaged.end, ..p }]);
    let mut taken = panel.trace(&q.points);
    panel.clipped(picture, |p| {
        if let (Some(line), Some(_)) = (&averaged, &steps.frozen) {
            // pale where training can be compared with it
            let whole = [Point { x: steps.all.start, ..line[0] }, line[1]];
            taken.extend(panel.trace(&whole));
            panel.band(p, &whole, INK, 0.12);
            panel.curve(p, &whole, Stroke::new(INK, 0.8));
        }
        panel.band(p, &q.points, q.color, 0.3);
        panel.curve(p, &q.points, Stroke::new(q.color, 2.2));
        if let Some(line) = &averaged {
            taken.extend(panel.trace(line));
            panel.band(p, line, INK, 0.2);
            panel.curve(p, line, Stroke::new(INK, 2.6));
        }
        if let Some(frozen) = &steps.frozen {
            let x = panel.at(frozen.start, 0.0).0;
            p.line(&[(x, panel.top), (x, panel.bottom())], Stroke::new(INK, 1.4).dashed("5 4"));
        }
    });
    if let Some(frozen) = &steps.frozen {
        let x = panel.at(frozen.start, 0.0).0;
        taken.extend((0..=200).map(|k| (x, panel.top + k as f64 / 200.0 * panel.height)));
        // once is enough: in the panel that has room
        if !narrow && last {
            taken.extend(frozen_name(picture, panel, frozen));
        }
    }
    if let Some(value) = q.exact.filter(|v| v.is_finite() && (0.0..=1.0).contains(&panel.y.share(*v))) {
        let text = Text::plain(&format!("{} {}", q.summary.kind.exact.name, exact(value, q.result)));
        panel.level(picture, steps.all.clone(), value, Stroke::new(GREY, 1.4).dashed("8 5"));
        panel.name(picture, &text, Some(value), &taken);
    }
    panel.frame(picture);
}

/// An exact value with as many decimals as the measured one has.
fn exact(value: f64, measured_one: Estimate) -> String {
    let text = measured(measured_one);
    let decimals = text.split(' ').next().and_then(|v| v.split_once('.')).map_or(4, |(_, d)| d.len());
    format!("{value:.decimals$}").replace('-', "−")
}

/// Names the shaded part, in it if it is wide enough, else before it; returns what the name covers.
fn frozen_name(picture: &mut Picture, panel: &Panel, frozen: &Range<f64>) -> Vec<(f64, f64)> {
    let text = Text::plain("parameters frozen");
    let x = panel.at(frozen.start, 0.0).0;
    let inside = panel.right() - x > text.width(SMALL) + 16.0;
    let (x, anchor) = if inside { (x + 8.0, Anchor::Start) } else { (x - 8.0, Anchor::End) };
    picture.text((x, panel.top + 22.0), &text, SMALL, INK, anchor);
    let width = text.width(SMALL);
    let start = if inside { x } else { x - width };
    (0..=80).map(|k| (start + (k / 4) as f64 / 20.0 * width, panel.top + 8.0 + 5.0 * (k % 4) as f64)).collect()
}

#[cfg(test)]
mod tests;
