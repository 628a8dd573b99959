//! Pictures: an SVG text, typesetting, axes, curves, and the same as PNG and PDF.

mod axes;
pub mod curve;
mod export;
#[cfg(test)]
pub mod probe;
pub mod text;

use std::fmt::Write;

pub use axes::{Axis, Labels, Panel};
pub use export::{check, write};
pub use text::Text;

pub const INK: &str = "#1b1f27";
pub const GREY: &str = "#5c636e";
pub const PALE: &str = "#e3e6eb";
pub const SHADE: &str = "#f1f2f5";

/// Okabe and Ito's colours without the yellow, which is lost on white: told apart with any colour vision.
pub const COLORS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
pub const DASHES: [&str; 4] = ["", "9 4", "3 3", "10 3 3 3"];

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn; `dash` in the lengths of SVG, empty for a full line.
#[derive(Clone, Copy, Debug)]
pub struct Stroke<'s> {
    pub color: &'s str,
    pub width: f64,
    pub dash: &'s str,
}

impl<'s> Stroke<'s> {
    pub fn new(color: &'s str, width: f64) -> Self {
        Stroke { color, width, dash: "" }
    }

    pub fn dashed(self, dash: &'s str) -> Self {
        Stroke { dash, ..self }
    }
}

/// An SVG text that grows by what is drawn; lengths in pixels, y downwards.
pub struct Picture {
    pub width: f64,
    pub height: f64,
    body: String,
    clips: usize,
    clip: Option<usize>,
}

impl Picture {
    pub fn new(width: f64, height: f64) -> Picture {
        Picture { width, height, body: String::new(), clips: 0, clip: None }
    }

    /// Confines what is drawn next to a rectangle, until [`Picture::unclip`].
    pub fn clip(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.clips += 1;
        self.clip = Some(self.clips);
        let id = self.clips;
        self.put(&format!(r#"<clipPath id="frame{id}"><rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/></clipPath>"#));
        self.put(&format!(r##"<g clip-path="url(#frame{id})">"##));
    }

    pub fn unclip(&mut self) {
        if self.clip.take().is_some() {
            self.put("</g>");
        }
    }

    /// Marks what `draw` draws as error bars, for those who read a picture.
    pub fn errors(&mut self, draw: impl FnOnce(&mut Picture)) {
        self.put(r#"<g class="errors">"#);
        draw(self);
        self.put("</g>");
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        self.put(&format!(r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#));
    }

    pub fn frame(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.put(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="none" stroke="{GREY}" stroke-width="1.2"/>"#
        ));
    }

    pub fn line(&mut self, points: &[(f64, f64)], stroke: Stroke<'_>) {
        let dash = if stroke.dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{}""#, stroke.dash) };
        let (color, width) = (stroke.color, stroke.width);
        self.put(&format!(
            r#"<polyline points="{}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"{dash}/>"#,
            coordinates(points)
        ));
    }

    pub fn area(&mut self, points: &[(f64, f64)], color: &str, opacity: f64) {
        self.put(&format!(r#"<polygon points="{}" fill="{color}" fill-opacity="{opacity}"/>"#, coordinates(points)));
    }

    pub fn disc(&mut self, at: (f64, f64), radius: f64, color: &str) {
        self.put(&format!(
            r##"<circle cx="{:.1}" cy="{:.1}" r="{radius}" fill="{color}" stroke="#ffffff" stroke-width="1"/>"##,
            at.0, at.1
        ));
    }

    /// An open disc.
    pub fn ring(&mut self, at: (f64, f64), radius: f64, color: &str) {
        self.put(&format!(
            r##"<circle cx="{:.1}" cy="{:.1}" r="{radius}" fill="#ffffff" stroke="{color}" stroke-width="1.8"/>"##,
            at.0, at.1
        ));
    }

    /// Many dots of one colour.
    pub fn dots(&mut self, points: &[(f64, f64)], radius: f64, color: &str, opacity: f64) {
        let mut path = String::with_capacity(16 * points.len());
        for (x, y) in points {
            let _ = write!(path, "M{x:.1} {y:.1}h0");
        }
        let width = 2.0 * radius;
        self.put(&format!(
            r#"<path d="{path}" stroke="{color}" stroke-opacity="{opacity}" stroke-width="{width}" stroke-linecap="round"/>"#
        ));
    }

    /// A cross, for what is not there.
    pub fn cross(&mut self, (x, y): (f64, f64), reach: f64, color: &str) {
        for up in [reach, -reach] {
            self.line(&[(x - reach, y - up), (x + reach, y + up)], Stroke::new(color, 2.2));
        }
    }

    /// A text whose baseline passes through `at`.
    pub fn text(&mut self, at: (f64, f64), text: &Text, size: f64, color: &str, anchor: Anchor) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (spans, width) = (text.svg(size), text.width(size));
        // where the font is not there, a wider one is drawn as wide as this one
        self.put(&format!(
            r#"<text x="{:.1}" y="{:.1}" font-size="{size}" fill="{color}" text-anchor="{anchor}" textLength="{width:.1}" lengthAdjust="spacingAndGlyphs">{spans}</text>"#,
            at.0, at.1
        ));
    }

    /// The whole SVG text.
    pub fn svg(mut self) -> String {
        self.unclip();
        let (w, h) = (self.width, self.height);
        let fonts = format!("'{}', Arial, Helvetica, sans-serif", text::FAMILY);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" font-family=\"{fonts}\">\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

fn coordinates(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(12 * points.len());
    for (i, (x, y)) in points.iter().enumerate() {
        let _ = write!(text, "{}{x:.1},{y:.1}", if i == 0 { "" } else { " " });
    }
    text
}
