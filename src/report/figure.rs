//! The figure of a run: F as a whole and magnified, E, K, V, S beside it, with the final averages and their errors.

use std::ops::Range;
use std::path::Path;

use super::picture::curve::{self, Point, running};
use super::picture::text::{measured, number};
use super::picture::{self, Anchor, Axis, COLORS, GREY, INK, Labels, Panel, Picture, SHADE, Stroke, Text};
use crate::error::Result;
use crate::run::{Estimate, Phase, StepRecord, Summary};

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

/// One quantity against the step.
struct Quantity {
    symbol: &'static str,
    name: &'static str,
    unit: String,
    color: &'static str,
    result: Estimate,
    ideal: Option<f64>,
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

/// The steps that updated parameters, and those with frozen ones; in logs without phases the summary counts the former.
pub(super) fn phases<'r>(s: &Summary, records: &'r [StepRecord]) -> (Vec<&'r StepRecord>, Vec<&'r StepRecord>) {
    let of = |phase: Phase| records.iter().filter(|r| r.phase == phase).collect::<Vec<_>>();
    let (mut training, mut frozen) = (of(Phase::Training), of(Phase::Frozen));
    if frozen.is_empty() && s.steps < training.len() {
        frozen = training.split_off(s.steps);
    }
    (training, frozen)
}

/// The figure as SVG.
pub fn svg(s: &Summary, records: &[StepRecord]) -> String {
    let (training, frozen) = phases(s, records);
    let steps = Steps::new(&training, &frozen);
    let shown = if training.is_empty() { &frozen } else { &training };
    let column = |get: fn(&StepRecord) -> (f64, f64)| -> Vec<Point> {
        let points: Vec<Point> = shown.iter().map(|r| Point::new(r.step as f64, get(r).0, get(r).1)).collect();
        running(&points)
    };
    let energy =
        |symbol, name, color, result, ideal, points| Quantity { symbol, name, unit: s.energy_unit.clone(), color, result, ideal, points };
    let (f, ideal) = (s.result.f, s.ideal);
    let free = energy("F", "free energy", COLORS[0], f, ideal.map(|i| i.f), column(|r| (r.f, r.f_err)));
    let mut beside = vec![
        energy("E", "energy", COLORS[5], s.result.e, ideal.map(|i| i.e), column(|r| (r.e, r.e_err))),
        energy("K", "kinetic energy", COLORS[1], s.result.k, ideal.map(|i| i.e), column(|r| (r.k, r.k_err))),
        energy("V", "potential energy", COLORS[2], s.result.v, None, column(|r| (r.v, r.v_err))),
    ];
    let (unit, points) = ("*k*_{B}".to_string(), column(|r| (r.s, r.s_err)));
    beside.push(Quantity { symbol: "S", name: "entropy", unit, color: COLORS[3], result: s.result.s, ideal: ideal.map(|i| i.s), points });

    let mut picture = Picture::new(1200.0, 790.0);
    picture.text((30.0, 42.0), &system(s), TITLE, INK, Anchor::Start);
    let below = Text::plain(&format!("Values per electron; final ones: averages over {}.", s.averaged_over)).fitted(SMALL, 1140.0);
    picture.text((30.0, 72.0), &below, SMALL, GREY, Anchor::Start);
    let drawn = "Coloured: running mean of the steps ± standard error; black: final average ± standard error.";
    picture.text((30.0, 95.0), &Text::plain(drawn), SMALL, GREY, Anchor::Start);

    let (top, bottom) = (148.0, 720.0);
    free_energy(&mut picture, s, &free, &steps, !training.is_empty(), top..bottom);
    let acceptance = if s.acceptance.is_finite() { column(|r| (r.acceptance, f64::NAN)) } else { Vec::new() };
    let count = beside.len() as f64 + if acceptance.is_empty() { 0.0 } else { 1.0 };
    let pitch = (bottom - top + 44.0) / count;
    let place = |k: usize| (BESIDE.0, top + k as f64 * pitch, BESIDE.1, pitch - 44.0);
    for (k, q) in beside.iter().enumerate() {
        let last = k + 1 == count as usize;
        let panel = panel(place(k), &steps, Axis::around(telling(q, &steps), 0.12));
        heading(&mut picture, &panel, q, &aside(s, q));
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
pub(super) fn system(s: &Summary) -> Text {
    let (rs, theta) = (number(s.rs), number(s.theta));
    Text::math(&format!("Electron gas, *n* = {}, {}D, *r*_{{s}} = {rs}, *T*/*T*_{{F}} = {theta}", s.n, s.dim))
}

/// The panels of F: one if it shows its end, else the whole course above and its end below.
fn free_energy(picture: &mut Picture, s: &Summary, q: &Quantity, steps: &Steps, trained: bool, rows: Range<f64>) {
    let before = match s.start {
        Some(start) if start.f.value.is_finite() && trained => Text::plain(&format!("before training {}", measured(start.f))),
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
        let text = Text::math(&format!("*{}*/*n* magnified ({})", q.symbol, q.unit));
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
fn end(q: &Quantity, steps: &Steps) -> Option<Point> {
    let x = 0.5 * (steps.averaged.start + steps.averaged.end);
    q.result.value.is_finite().then(|| Point::new(x, q.result.value, q.result.error))
}

/// The range of the whole course and the final average, with the ideal gas if that lies near.
fn whole(q: &Quantity, steps: &Steps, ideal: bool) -> Range<f64> {
    let points: Vec<Point> = q.points.iter().copied().chain(end(q, steps)).collect();
    let range = curve::range(&points).unwrap_or(0.0..1.0);
    match q.ideal.filter(|v| ideal && near(*v, &range)) {
        Some(v) => curve::join(range, v..v),
        None => range,
    }
}

fn near(value: f64, range: &Range<f64>) -> bool {
    let reach = 0.6 * width(range);
    value.is_finite() && value > range.start - reach && value < range.end + reach
}

/// The range of the last two thirds and the final average within two errors.
fn late(q: &Quantity, steps: &Steps) -> Range<f64> {
    let wide = end(q, steps).map(|p| Point::new(p.x, p.y, 2.0 * p.err));
    let points: Vec<Point> = q.points[q.points.len() / 3..].iter().copied().chain(wide).collect();
    curve::range(&points).unwrap_or(0.0..1.0)
}

/// The range of a small panel: the whole course, or its end with the ideal gas where that would be flat.
fn telling(q: &Quantity, steps: &Steps) -> Range<f64> {
    let end = late(q, steps);
    match q.ideal {
        _ if width(&whole(q, steps, false)) < 2.0 * MAGNIFIED * width(&end) => whole(q, steps, true),
        Some(v) if near(v, &end) => curve::join(end, v..v),
        _ => end,
    }
}

/// The line above a panel: the final average at the left, something said of it at the right.
fn heading(picture: &mut Picture, panel: &Panel, q: &Quantity, aside: &Text) {
    let value = if q.result.value.is_finite() { format!(" = {} {}", measured(q.result), q.unit) } else { format!(" ({})", q.unit) };
    let text = Text::math(&format!("*{}*/*n*{value}", q.symbol));
    let y = panel.top - 11.0;
    let (size, small) = if panel.width > 400.0 { (HEADING, SMALL) } else { (SMALL, SMALL - 1.0) };
    let beside = panel.width - text.width(size) - 12.0;
    picture.text((panel.left, y), &text.fitted(size, panel.width), size, INK, Anchor::Start);
    if aside.width(small) <= beside {
        picture.text((panel.right(), y), aside, small, GREY, Anchor::End);
    }
}

/// Beside E, K and V their names, beside S its share of the ideal gas's.
fn aside(s: &Summary, q: &Quantity) -> Text {
    match s.ideal {
        Some(i) if q.symbol == "S" && i.s > 0.0 && s.result.s.value.is_finite() => {
            let ratio = Estimate { value: s.result.s.value / i.s, error: s.result.s.error / i.s, ..s.result.s };
            Text::math(&format!("*S*/*S*_{{ideal}} = {}", measured(ratio)))
        }
        _ => Text::plain(q.name),
    }
}

/// The course of a quantity with all that belongs to it.
fn course(picture: &mut Picture, panel: &Panel, q: &Quantity, steps: &Steps, last: bool) {
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
    if let Some(value) = q.ideal.filter(|v| v.is_finite() && (0.0..=1.0).contains(&panel.y.share(*v))) {
        let text = Text::plain(&format!("ideal gas {}", exact(value, q.result)));
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
