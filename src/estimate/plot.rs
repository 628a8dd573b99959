//! Pictures as plain data: axes with units, curves with errors, galleries of spins. Nothing is drawn here; a run leaves each as
//! `plots/NAME.csv` and as `figures/NAME.svg`.
//!
//! Titles and labels are markup: `*T*` is italic, `_{F}` lowered, `^{2}` raised.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// Name of its files.
    pub name: String,
    /// In markup.
    pub title: String,
    /// A sentence below the title, plain text.
    pub caption: String,
    /// What it shows.
    pub content: Content,
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Curves over two axes.
    Graph(Graph),
    /// Configurations side by side.
    Gallery(Vec<Image>),
}

/// Curves over two axes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// In the order of the legend.
    pub curves: Vec<Curve>,
    /// Lines at values that are known.
    pub marks: Vec<Mark>,
    /// A length along one axis is the same along the other.
    pub square: bool,
}

/// What is drawn along a side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Heads a column of the CSV file.
    pub name: String,
    /// In markup.
    pub label: String,
    /// Empty: none.
    pub unit: String,
    /// Decimal logarithmic.
    pub log: bool,
}

/// A curve, or points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// In the legend, in markup; empty: not there.
    pub label: String,
    /// How it is drawn.
    pub style: Style,
    /// Which of the colours; none: grey, for what others are compared with.
    pub color: Option<usize>,
    /// x, y and the standard error of y (not a number: none). A y that is not a number at a finite x is shown as a cross at the
    /// lower edge: there is no value. An x that is not a number breaks a line.
    pub points: Vec<[f64; 3]>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// Discs with error bars.
    Points,
    /// Open ones.
    Open,
    /// The same, joined by a thin line.
    Joined,
    /// A line, full,
    Line,
    /// broken,
    Dashed,
    /// of dots
    Dotted,
    /// or of both.
    DashDotted,
    /// A histogram: from each x to the next one the level y; the last point ends it.
    Steps,
    /// Dots without error bars, as many as there are.
    Scatter,
}

/// A line across a graph at a value that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Where.
    pub at: At,
    /// Beside it, in markup.
    pub label: String,
}

/// Where a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum At {
    /// An upright line.
    X(f64),
    /// A level one.
    Y(f64),
}

/// A configuration of spins ±1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Below it, in markup.
    pub caption: String,
    /// Sites of a row.
    pub width: usize,
    /// ±1, row by row; the last row may be short.
    pub spins: Vec<i8>,
}

impl Axis {
    /// A linear axis.
    pub fn new(name: &str, label: &str, unit: &str) -> Axis {
        Axis { name: name.into(), label: label.into(), unit: unit.into(), log: false }
    }

    /// The same, logarithmic.
    pub fn logarithmic(self) -> Axis {
        Axis { log: true, ..self }
    }

    /// `name [unit]`.
    fn heading(&self, suffix: &str) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" [{}]", self.unit) };
        cell(&format!("{}{suffix}{unit}", self.name))
    }
}

impl Graph {
    /// Without curves.
    pub fn new(x: Axis, y: Axis) -> Graph {
        Graph { x, y, ..Graph::default() }
    }

    /// With one curve more, in the next colour.
    pub fn with(mut self, label: &str, style: Style, points: Vec<[f64; 3]>) -> Graph {
        let color = Some(self.curves.iter().filter_map(|c| c.color).max().map_or(0, |last| last + 1));
        self.curves.push(Curve { label: label.into(), style, color, points });
        self
    }

    /// With one that others are compared with, in grey.
    pub fn beside(mut self, label: &str, style: Style, points: Vec<[f64; 3]>) -> Graph {
        self.curves.push(Curve { label: label.into(), style, color: None, points });
        self
    }

    /// With a mark.
    pub fn mark(mut self, at: At, label: &str) -> Graph {
        self.marks.push(Mark { at, label: label.into() });
        self
    }
}

impl Plot {
    /// A picture of curves.
    pub fn graph(name: &str, title: &str, caption: &str, graph: Graph) -> Plot {
        Plot { name: name.into(), title: title.into(), caption: caption.into(), content: Content::Graph(graph) }
    }

    /// A picture of configurations.
    pub fn gallery(name: &str, title: &str, caption: &str, images: Vec<Image>) -> Plot {
        Plot { name: name.into(), title: title.into(), caption: caption.into(), content: Content::Gallery(images) }
    }

    /// All of it as a table of comma-separated values with one line of headings: a line a point, `curve,x [unit],y [unit],
    /// y_err [unit]`, or a line a site, `image,caption,row,column,s`. Unknown numbers are empty; no cell holds a comma.
    pub fn csv(&self) -> String {
        let mut text = String::new();
        let number = |v: f64| if v.is_nan() { String::new() } else { v.to_string() };
        match &self.content {
            Content::Graph(g) => {
                let _ = writeln!(text, "curve,{},{},{}", g.x.heading(""), g.y.heading(""), g.y.heading("_err"));
                for (k, curve) in g.curves.iter().enumerate() {
                    let label = if curve.label.is_empty() { format!("curve {}", k + 1) } else { plain(&curve.label) };
                    for [x, y, error] in &curve.points {
                        let _ = writeln!(text, "{},{},{},{}", cell(&label), number(*x), number(*y), number(*error));
                    }
                }
                for Mark { at, label } in &g.marks {
                    let (x, y) = match at {
                        At::X(x) => (*x, f64::NAN),
                        At::Y(y) => (f64::NAN, *y),
                    };
                    let _ = writeln!(text, "{},{},{},", cell(&plain(label)), number(x), number(y));
                }
            }
            Content::Gallery(images) => {
                text.push_str("image,caption,row,column,s\n");
                for (k, image) in images.iter().enumerate() {
                    for (i, s) in image.spins.iter().enumerate() {
                        let (row, column) = (i / image.width.max(1), i % image.width.max(1));
                        let _ = writeln!(text, "{k},{},{row},{column},{s}", cell(&plain(&image.caption)));
                    }
                }
            }
        }
        text
    }
}

/// Markup as plain text.
pub fn plain(markup: &str) -> String {
    markup.replace("_{", "").replace("^{", "").replace(['*', '}'], "")
}

/// A text as a cell that every reader of CSV takes.
pub fn cell(text: &str) -> String {
    text.replace([',', '"', '\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_every_number_under_its_unit() {
        let graph = Graph::new(Axis::new("beta", "*β*", "1/J"), Axis::new("F", "*F*/*n*", "J"))
            .with("*L* = 4, made", Style::Points, vec![[0.5, -1.25, 0.001], [1.0, f64::NAN, f64::NAN]])
            .beside("", Style::Line, vec![[0.5, -1.0 / 3.0, f64::NAN]])
            .mark(At::X(0.44), "*β*_{c}")
            .mark(At::Y(-2.0), "ground state");
        assert_eq!(
            graph.clone().with("", Style::Line, vec![]).curves.iter().map(|c| c.color).collect::<Vec<_>>(),
            [Some(0), None, Some(1)]
        );
        let csv = Plot::graph("f", "", "", graph).csv();
        let wanted = "curve,beta [1/J],F [J],F_err [J]\nL = 4  made,0.5,-1.25,0.001\nL = 4  made,1,,\ncurve 2,0.5,-0.3333333333333333,\nβc,0.44,,\nground state,,-2,\n";
        assert_eq!(csv, wanted);
        let images = vec![Image { caption: "*m* = 0, a".into(), width: 2, spins: vec![1, -1, -1] }];
        assert_eq!(
            Plot::gallery("g", "", "", images).csv(),
            "image,caption,row,column,s\n0,m = 0  a,0,0,1\n0,m = 0  a,0,1,-1\n0,m = 0  a,1,0,-1\n"
        );
    }
}
