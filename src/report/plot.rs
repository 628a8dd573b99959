//! Draws what a run or a scan leaves as data: graphs side by side with one legend, galleries of spins.

use std::ops::Range;
use std::path::Path;

use super::picture::curve::{self, Point};
use super::picture::{self, Anchor, Axis, COLORS, DASHES, GREY, INK, Labels, PALE, Panel, Picture, Stroke, Text};
use crate::error::Result;
use crate::estimate::plot::{At, Content, Curve, Graph, Image, Mark, Plot, Style};

const TITLE: f64 = 26.0;
const HEADING: f64 = 19.0;
const SMALL: f64 = 16.0;
/// First and last x of what is written, and where panels begin below title and caption.
const LEFT: f64 = 30.0;
const TOP: f64 = 140.0;
/// Room left of a panel, and below it.
const ROOM: (f64, f64) = (110.0, 100.0);
/// Height of a row of the legend, and length of its lines.
const ROW: f64 = 28.0;
const SAMPLE: f64 = 44.0;
/// Dots of a scatter that are drawn; more tell an eye nothing.
const DOTS: usize = 20_000;
const LAYERS: usize = 40;

/// Draws a plot into `path`: SVG, PNG or PDF by its ending.
///
/// # Errors
/// [`crate::Error::User`] for another ending, [`crate::Error::Io`] if the file cannot be written.
pub fn draw_plot(path: &Path, plot: &Plot) -> Result<()> {
    picture::write(path, plot_svg(plot))
}

/// A plot as SVG.
pub fn plot_svg(plot: &Plot) -> String {
    match &plot.content {
        Content::Graph(graph) => graphs(&plot.title, &plot.caption, &[("", graph)]),
        Content::Gallery(images) => gallery(&plot.title, &plot.caption, images),
    }
}

/// Graphs with their headings, one alone or two in a row, and one legend for all.
pub fn graphs(title: &str, caption: &str, panels: &[(&str, &Graph)]) -> String {
    let (columns, width, height) = match panels {
        [(_, one)] if one.square => (1, 560.0, 560.0),
        [_] | [] => (1, 860.0, 480.0),
        _ => (2, 470.0, 330.0),
    };
    let rows = panels.len().div_ceil(columns);
    let across = columns as f64 * (ROOM.0 + width) + LEFT;
    let entries = legend_rows(panels, across - 2.0 * LEFT);
    let bottom = TOP + rows as f64 * (height + ROOM.1) - 16.0;
    let mut picture = Picture::new(across, bottom + 14.0 + ROW * entries.len() as f64);
    head(&mut picture, title, caption);
    for (k, (heading, graph)) in panels.iter().enumerate() {
        let (left, top) = (ROOM.0 + (k % columns) as f64 * (ROOM.0 + width), TOP + (k / columns) as f64 * (height + ROOM.1));
        draw(&mut picture, graph, heading, (left, top, width, height));
    }
    for (k, row) in entries.into_iter().enumerate() {
        let (mut x, y) = (LEFT, bottom + 8.0 + ROW * k as f64);
        for entry in row {
            entry.draw(&mut picture, x, y);
            x += entry.width();
        }
    }
    picture.svg()
}

fn head(picture: &mut Picture, title: &str, caption: &str) {
    let room = picture.width - 2.0 * LEFT;
    picture.text((LEFT, 42.0), &Text::math(title).fitted(TITLE, room), TITLE, INK, Anchor::Start);
    picture.text((LEFT, 74.0), &Text::plain(caption).fitted(SMALL, room), SMALL, GREY, Anchor::Start);
}

fn point(&[x, y, error]: &[f64; 3]) -> Point {
    Point::new(x, y, error)
}

fn color(curve: &Curve) -> &'static str {
    curve.color.map_or(GREY, |k| COLORS[k % COLORS.len()])
}

/// How its line is drawn; colours that come again are broken.
fn stroke(curve: &Curve) -> Stroke<'static> {
    let again = DASHES[curve.color.unwrap_or(0) / COLORS.len() % DASHES.len()];
    let (width, dash) = match curve.style {
        Style::Dashed => (2.0, "9 5"),
        Style::Dotted => (2.4, "2 4"),
        Style::DashDotted => (2.0, "9 4 2 4"),
        Style::Joined => (1.4, again),
        _ => (2.2, again),
    };
    Stroke::new(color(curve), width).dashed(dash)
}

/// Whether a point says that there is no value.
fn missing(p: &[f64; 3]) -> bool {
    p[0].is_finite() && p[1].is_nan()
}

/// A panel of its own at `(left, top, width, height)`.
fn draw(picture: &mut Picture, g: &Graph, heading: &str, (left, top, width, height): (f64, f64, f64, f64)) {
    let (mut x, mut y) = (scale(g, 0), scale(g, 1));
    let side = if g.square { width.min(height) } else { width };
    let width = if g.square { side } else { width };
    if g.square && !g.x.log && !g.y.log {
        let half = 0.5 * f64::max(x.end - x.start, y.end - y.start);
        for r in [&mut x, &mut y] {
            let middle = 0.5 * (r.start + r.end);
            *r = middle - half..middle + half;
        }
    }
    let axis = |r: Range<f64>, log: bool, room: f64| if log { Axis::logarithmic(r) } else { Axis::around(r, room) };
    let room = if g.square { 0.05 } else { 0.08 };
    let panel = Panel { left, top, width, height, x: axis(x, g.x.log, 0.05), y: axis(y, g.y.log, room) };
    let named = |axis: &crate::estimate::plot::Axis| match axis.unit.as_str() {
        "" => axis.label.clone(),
        unit => format!("{} ({unit})", axis.label),
    };
    let text = Text::math(&[named(&g.y), heading.to_string()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", "));
    picture.text((left, top - 11.0), &text.fitted(HEADING, width), HEADING, INK, Anchor::Start);
    let whole = !g.x.log && g.curves.iter().flat_map(|c| &c.points).all(|p| !(p[0].fract().abs() > 0.0));
    panel.grid(picture, ((width / 80.0) as usize, (height / 48.0) as usize), Labels { x: true, y: true, whole });
    let mut taken = Vec::new();
    panel.clipped(picture, |p| {
        for Mark { at, .. } in &g.marks {
            let line = match at {
                At::X(x) => [(panel.at(*x, 0.0).0, panel.top), (panel.at(*x, 0.0).0, panel.bottom())],
                At::Y(y) => [(panel.left, panel.at(0.0, *y).1), (panel.right(), panel.at(0.0, *y).1)],
            };
            p.line(&line, Stroke::new(GREY, 1.4).dashed("8 5"));
        }
        for curve in &g.curves {
            taken.extend(paint(p, &panel, curve));
        }
    });
    panel.frame(picture);
    for curve in &g.curves {
        for p in curve.points.iter().filter(|p| missing(p)) {
            picture.cross((panel.at(p[0], 0.0).0, panel.bottom() - 9.0), 5.0, color(curve));
        }
    }
    for Mark { at, label } in &g.marks {
        match at {
            At::X(x) => upright(picture, &panel, *x, &Text::math(label), &taken),
            At::Y(y) => panel.name(picture, &Text::math(label), Some(*y), &taken),
        }
    }
    let middle = (left + 0.5 * width, panel.bottom() + 54.0);
    picture.text(middle, &Text::math(&named(&g.x)), HEADING, INK, Anchor::Middle);
}

/// The range of all that is drawn along an axis (0: x, 1: y), errors and level marks with it.
fn scale(g: &Graph, along: usize) -> Range<f64> {
    let log = if along == 0 { g.x.log } else { g.y.log };
    let marks = g.marks.iter().filter_map(|m| match m.at {
        At::Y(v) if along == 1 => Some(v),
        _ => None,
    });
    let points = g.curves.iter().flat_map(|c| &c.points);
    let mut values: Vec<Point> = points.map(|p| Point::new(0.0, p[along], if along == 1 && !log { p[2] } else { f64::NAN })).collect();
    values.extend(marks.map(|v| Point::new(0.0, v, f64::NAN)));
    values.retain(|p| p.y.is_finite() && (!log || p.y > 0.0));
    let range = curve::range(&values).unwrap_or(if log { 0.1..1.0 } else { 0.0..1.0 });
    if log { range.start / 1.5..range.end * 1.5 } else { range }
}

/// Draws a curve; returns the pixels that it covers.
fn paint(picture: &mut Picture, panel: &Panel, curve: &Curve) -> Vec<(f64, f64)> {
    let points: Vec<Point> = curve.points.iter().map(point).collect();
    let known = |p: &&Point| panel.x.share(p.x).is_finite() && panel.y.share(p.y).is_finite();
    match curve.style {
        Style::Scatter => {
            let dots: Vec<_> = points.iter().filter(known).map(|p| panel.at(p.x, p.y)).collect();
            let every = dots.len().div_ceil(DOTS).max(1);
            let shown: Vec<_> = dots.into_iter().step_by(every).collect();
            // where dots lie on dots it is darker: those of one layer do not add
            let opacity = (600.0 / shown.len().max(1) as f64).clamp(0.12, 0.8);
            for layer in 0..LAYERS.min(shown.len()) {
                let part: Vec<_> = shown.iter().copied().skip(layer).step_by(LAYERS).collect();
                picture.dots(&part, 1.8, color(curve), opacity);
            }
            return shown;
        }
        Style::Steps => {
            let stairs: Vec<Point> = points.windows(2).flat_map(|w| [w[0].x, w[1].x].map(|x| Point::new(x, w[0].y, f64::NAN))).collect();
            panel.curve(picture, &stairs, stroke(curve));
            for w in points.windows(2).filter(|w| w[0].bar() > 0.0) {
                let middle = panel.at(0.5 * (w[0].x + w[1].x), 0.0).0;
                let ends = [w[0].y - w[0].bar(), w[0].y + w[0].bar()].map(|y| (middle, panel.at(0.0, y).1));
                picture.errors(|p| p.line(&ends, Stroke::new(color(curve), 1.4)));
            }
            return panel.trace(&stairs);
        }
        Style::Points | Style::Open => {}
        _ => panel.curve(picture, &points, stroke(curve)),
    }
    for p in points.iter().filter(known) {
        match curve.style {
            Style::Points | Style::Joined => panel.bar(picture, *p, color(curve)),
            Style::Open => {
                panel.whiskers(picture, *p, color(curve));
                picture.ring(panel.at(p.x, p.y), 5.0, color(curve));
            }
            _ => {}
        }
    }
    panel.trace(&points.into_iter().filter(|p| known(&p)).collect::<Vec<_>>())
}

/// Names an upright mark: beside it, at the height where least is covered.
fn upright(picture: &mut Picture, panel: &Panel, x: f64, text: &Text, taken: &[(f64, f64)]) {
    if !(0.0..=1.0).contains(&panel.x.share(x)) {
        return;
    }
    let (at, width) = (panel.at(x, 0.0).0, text.width(SMALL));
    let right = at + width + 12.0 < panel.right();
    let start = if right { at + 6.0 } else { at - 6.0 - width };
    let covered = |y: &f64| taken.iter().filter(|p| p.0 > start && p.0 < start + width && p.1 > y - SMALL && p.1 < y + 4.0).count();
    let heights = (0..8).map(|k| panel.top + 20.0 + k as f64 / 8.0 * (panel.height - 40.0));
    if let Some(y) = heights.min_by_key(|y| covered(y)) {
        picture.text((start, y), text, SMALL, GREY, Anchor::Start);
    }
}

/// An entry of the legend.
struct Entry<'c> {
    curve: Option<&'c Curve>,
    text: Text,
}

impl Entry<'_> {
    fn width(&self) -> f64 {
        SAMPLE + 10.0 + self.text.width(SMALL) + 30.0
    }

    fn draw(&self, picture: &mut Picture, x: f64, y: f64) {
        let middle = (x + 0.5 * SAMPLE, y - 5.0);
        match self.curve {
            None => picture.cross(middle, 5.0, GREY),
            Some(c) => {
                if !matches!(c.style, Style::Points | Style::Open | Style::Scatter) {
                    picture.line(&[(x, middle.1), (x + SAMPLE, middle.1)], stroke(c));
                }
                if matches!(c.style, Style::Points | Style::Joined | Style::Scatter) {
                    picture.disc(middle, 4.5, color(c));
                }
                if c.style == Style::Open {
                    picture.ring(middle, 5.0, color(c));
                }
            }
        }
        picture.text((x + SAMPLE + 10.0, y), &self.text, SMALL, INK, Anchor::Start);
    }
}

/// The curves' names in rows of at most `width`, each once; last what a cross means.
fn legend_rows<'c>(panels: &[(&str, &'c Graph)], width: f64) -> Vec<Vec<Entry<'c>>> {
    let curves: Vec<&Curve> = panels.iter().flat_map(|(_, g)| &g.curves).collect();
    let mut entries: Vec<Entry> = Vec::new();
    for &c in curves.iter().filter(|c| !c.label.is_empty()) {
        let same = |e: &Entry| e.curve.is_some_and(|o| (&o.label, o.style, o.color) == (&c.label, c.style, c.color));
        if !entries.iter().any(same) {
            let room = width - SAMPLE - 40.0;
            entries.push(Entry { curve: Some(c), text: Text::math(&c.label).fitted(SMALL, room) });
        }
    }
    if curves.iter().any(|c| c.points.iter().any(missing)) {
        entries.push(Entry { curve: None, text: Text::plain("no value") });
    }
    let mut rows: Vec<(f64, Vec<Entry>)> = Vec::new();
    for entry in entries {
        match rows.last_mut().filter(|(used, _)| used + entry.width() <= width) {
            Some((used, row)) => {
                *used += entry.width();
                row.push(entry);
            }
            None => rows.push((entry.width(), vec![entry])),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Configurations in a grid, s = 1 dark and s = -1 light.
fn gallery(title: &str, caption: &str, images: &[Image]) -> String {
    let columns = (images.len() as f64).sqrt().ceil().clamp(1.0, 8.0) as usize;
    // a site is a whole number of pixels
    let room = (1140.0 / columns as f64 - 20.0).min(260.0);
    let cell = |i: &Image| (room / i.width.max(1) as f64).floor().max(1.0);
    let rows = |i: &Image| i.spins.len().div_ceil(i.width.max(1)) as f64;
    let side = images.iter().map(|i| cell(i) * i.width as f64).fold(room, f64::max);
    let high = images.iter().map(|i| cell(i) * rows(i)).fold(0.0, f64::max) + 38.0;
    let width = (columns as f64 * (side + 20.0) + 2.0 * LEFT - 20.0).max(620.0);
    let mut picture = Picture::new(width, 100.0 + images.len().div_ceil(columns) as f64 * high + 10.0);
    head(&mut picture, title, caption);
    for (k, image) in images.iter().enumerate() {
        let (left, top) = (LEFT + (k % columns) as f64 * (side + 20.0), 100.0 + (k / columns) as f64 * high);
        let cell = cell(image);
        for (i, row) in image.spins.chunks(image.width.max(1)).enumerate() {
            let y = top + i as f64 * cell;
            picture.rect(left, y, row.len() as f64 * cell, cell, PALE);
            // neighbours that are alike in one piece
            let mut from = 0;
            for piece in row.chunk_by(|a, b| a == b) {
                if piece[0] > 0 {
                    picture.rect(left + from as f64 * cell, y, piece.len() as f64 * cell, cell, COLORS[0]);
                }
                from += piece.len();
            }
        }
        let (across, down) = (cell * image.width as f64, cell * rows(image));
        picture.frame(left, top, across, down);
        let text = Text::math(&image.caption).fitted(SMALL, side);
        picture.text((left + 0.5 * across, top + down + 20.0), &text, SMALL, INK, Anchor::Middle);
    }
    picture.svg()
}

#[cfg(test)]
mod tests;
