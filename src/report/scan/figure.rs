//! The figures of a scan: the results against a listed setting, and how far F is from what is exact.

use std::path::Path;

use super::{Row, Scan};
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::estimate::plot::{At, Axis, Curve, Graph, Style};
use crate::problem::{self, Landmark, Quantity, Sequence, method};
use crate::report::picture;
use crate::report::picture::text::number;
use crate::report::plot::{graphs, plot_svg};
use crate::run::log;
use crate::run::scan::Series;

/// What a figure is drawn against: a listed setting, or one over it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Against {
    /// Of the listed ones.
    list: usize,
    inverse: bool,
}

impl Against {
    /// The axis of a series.
    pub fn axis(series: &Series) -> Against {
        Against { list: series.axis, inverse: false }
    }

    /// `beta` or `1/beta`.
    ///
    /// # Errors
    /// [`Error::User`] for what is not listed, or is no number.
    pub fn read(text: &str, series: &Series) -> Result<Against> {
        let (inverse, name) = text.strip_prefix("1/").map_or((false, text), |name| (true, name));
        let known = crate::config::find(series.kind.system, name).map_or(name, |key| key.name);
        let Some(list) = series.lists.iter().position(|key| key.name == known) else {
            let there: Vec<&str> = series.lists.iter().map(|key| key.name).collect();
            return Err(Error::User(format!("--against {text}: {name} has one value; several have {}", there.join(", "))));
        };
        let against = Against { list, inverse };
        if !against.numbers(series) {
            return Err(Error::User(format!("--against {text}: the values of {name} are no numbers, or not finite")));
        }
        Ok(against)
    }

    /// Whether there is a place on its axis for each point.
    pub fn numbers(self, series: &Series) -> bool {
        series.points.iter().all(|p| self.of(p.number(self.list)).is_finite())
    }

    fn of(self, v: f64) -> f64 {
        if self.inverse { v.recip() } else { v }
    }

    /// What names the file: nothing for the axis itself.
    fn suffix(self, series: &Series) -> String {
        let name = series.lists[self.list].name;
        match (self == Against::axis(series), self.inverse) {
            (true, _) => String::new(),
            (_, true) => format!("-inverse-{name}"),
            (_, false) => format!("-{name}"),
        }
    }
}

/// The rows of a curve with its name.
struct Course<'r> {
    name: String,
    rows: Vec<&'r Row<'r>>,
}

/// How a setting is written in figures.
fn symbol(series: &Series, list: usize) -> String {
    let name = series.lists[list].name;
    series.kind.scanned.iter().find(|(key, _)| *key == name).map_or(name.to_string(), |(_, symbol)| symbol.to_string())
}

impl Scan<'_> {
    /// Draws `scan.EXT`, where exact values are known `scan-error.EXT`, and what else the kind draws of a series into a folder, against
    /// one setting; numbers of the latter into `plots/NAME.csv` beside that folder.
    ///
    /// # Errors
    /// As for [`picture::write`].
    pub fn draw(&self, folder: &Path, ending: &str, against: Against) -> Result<Vec<std::path::PathBuf>> {
        let suffix = against.suffix(self.series);
        let panels: Vec<(&str, Graph)> = self.series.kind.results().map(|q| (q.meaning, self.graph(q, against))).collect();
        let shown: Vec<(&str, &Graph)> = panels.iter().map(|(heading, graph)| (*heading, graph)).collect();
        let lost = self.rows.iter().any(|r| r.summary.baselines.values().any(|b| b.f.is_nan()));
        let cross = if lost { " Crosses: the method has no value, it converged from no start." } else { "" };
        let (per, count) = (self.series.kind.per, self.rows.len());
        let caption = format!("Values per {per} of {count} runs; bars are one standard error.{cross}");
        let mut drawn = vec![(format!("scan{suffix}.{ending}"), graphs(&self.title(), &caption, &shown))];
        if let Some(graph) = self.errors(against) {
            let caption = format!("How far F is from the exact one; bars are one standard error.{cross}");
            drawn.push((format!("scan-error{suffix}.{ending}"), graphs(&self.title(), &caption, &[("", &graph)])));
        }
        for plot in (self.series.kind.pictures)(&self.sequence(against))? {
            let name = format!("{}{suffix}", plot.name);
            let tables = folder.parent().unwrap_or(folder).join("plots");
            log::folder(&tables)?;
            atomic_file::write(&tables.join(format!("{name}.csv")), plot.csv().as_bytes())?;
            drawn.push((format!("{name}.{ending}"), plot_svg(&plot)));
        }
        let mut paths = Vec::new();
        for (name, svg) in drawn {
            paths.push(folder.join(name));
            picture::write(&paths[paths.len() - 1], svg)?;
        }
        Ok(paths)
    }

    /// The runs along a setting, as a kind draws pictures of them.
    fn sequence(&self, against: Against) -> Sequence<'_> {
        let courses = self.courses(against).into_iter().map(|c| {
            let runs = c.rows.into_iter().map(|row| (self.x(row, against), &row.point.resolved.values, &row.summary.result));
            problem::Course { name: c.name, runs: runs.collect() }
        });
        Sequence {
            setting: self.series.lists[against.list].name,
            axis: self.across(against),
            title: self.title(),
            courses: courses.collect(),
        }
    }

    /// The kind's title with all values of its parameters.
    fn title(&self) -> String {
        self.series.kind.titled(|name| {
            let mut texts: Vec<String> = Vec::new();
            for row in &self.rows {
                let text = row.summary.parameters.text(name);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            let numbers: Vec<f64> = texts.iter().filter_map(|t| t.parse().ok()).collect();
            if texts.len() < 3 || numbers.len() < texts.len() {
                return texts.join(", ").replace('-', "−");
            }
            let (low, high) = numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |r, v| (r.0.min(*v), r.1.max(*v)));
            format!("{} to {}", number(low), number(high))
        })
    }

    /// The curves of a figure, each in the order of its axis.
    fn courses(&self, against: Against) -> Vec<Course<'_>> {
        let others: Vec<usize> = (0..self.series.lists.len()).filter(|k| *k != against.list).collect();
        let name = |row: &Row| {
            let own = others.iter().map(|k| format!("{} = {}", symbol(self.series, *k), row.point.values[*k].replace('-', "−")));
            let variant = Some(row.point.variant.clone()).filter(|v| !v.is_empty());
            variant.into_iter().chain(own).collect::<Vec<_>>().join(", ")
        };
        let mut courses: Vec<Course> = Vec::new();
        for row in &self.rows {
            let name = name(row);
            match courses.iter_mut().find(|c| c.name == name) {
                Some(course) => course.rows.push(row),
                None => courses.push(Course { name, rows: vec![row] }),
            }
        }
        for course in &mut courses {
            course.rows.sort_by(|a, b| self.x(a, against).total_cmp(&self.x(b, against)));
            if course.name.is_empty() {
                course.name = "variational".into();
            }
        }
        courses
    }

    fn x(&self, row: &Row, against: Against) -> f64 {
        against.of(row.point.number(against.list))
    }

    fn across(&self, against: Against) -> Axis {
        let (key, symbol) = (self.series.lists[against.list], symbol(self.series, against.list));
        if !against.inverse {
            // a symbol that is a ratio has its unit in it
            let unit = if symbol.contains('/') { String::new() } else { key.unit.replace("a0", "*a*_{0}") };
            return Axis::new(key.name, &symbol, &unit);
        }
        let unit = match key.unit.strip_prefix("1/") {
            Some(unit) => unit.to_string(),
            None if key.unit.is_empty() => String::new(),
            None => format!("1/{}", key.unit),
        };
        Axis::new(&format!("1/{}", key.name), &format!("1/{symbol}"), &unit)
    }

    /// A quantity against a setting, with what is known exactly and what simpler methods give.
    pub(super) fn graph(&self, q: &'static Quantity, against: Against) -> Graph {
        let kind = self.series.kind;
        let unit = q.unit.name(self.unit()).replace("k_B", "*k*_{B}");
        let courses = self.courses(against);
        let place = |r: &Row, e: Estimate| [self.x(r, against), e.value, e.error];
        let exact = |r: &Row| Some(r.exact(q)).filter(|v| v.is_finite());
        let solved = self.rows.iter().any(|r| r.solution(q).is_finite());
        let mut graph = Graph::new(self.across(against), Axis::new(q.name, &kind.symbol(q), &unit));
        let (label, style) = if solved { ("exact", Style::Line) } else { (kind.exact.name, Style::Dashed) };
        graph = beside(graph, label, style, &courses, &exact, &|r, v| place(r, Estimate::new(v, f64::NAN)));
        // results of several systems are points on the lines of these
        let lines = graph.curves.len() > 1 && solved;
        if q.name == self.free_energy().name {
            graph = self.compared(graph, &courses, &|r, f| place(r, Estimate::new(f, f64::NAN)));
        }
        if kind.entropy().is_some_and(|s| s.name == q.name) {
            let slope = |r: &Row| Some(r.entropy.value).filter(|v| v.is_finite());
            graph = beside(graph, "−d*F*/d*T*", Style::Open, &courses, &slope, &|r, _| place(r, r.entropy));
        }
        for (k, c) in courses.iter().enumerate() {
            let points = c.rows.iter().map(|r| place(r, r.summary.result[q.name])).collect();
            let style = if lines { Style::Points } else { Style::Joined };
            graph.curves.push(Curve { label: c.name.clone(), style, color: Some(k), points });
        }
        for Landmark { of, value, label } in self.landmarks() {
            if of == self.series.lists[against.list].name {
                graph = graph.mark(At::X(against.of(value)), label);
            } else if of == q.name {
                graph = graph.mark(At::Y(value), label);
            }
        }
        graph
    }

    /// With a curve for each of the simpler methods; a cross where one has no value.
    fn compared(&self, mut graph: Graph, courses: &[Course], point: &dyn Fn(&Row, f64) -> [f64; 3]) -> Graph {
        for (name, style) in self.methods().iter().zip([Style::Dotted, Style::Dashed, Style::DashDotted].into_iter().cycle()) {
            graph = beside(graph, &method(name), style, courses, &|r| Some(r.baseline(name)?.f), point);
        }
        graph
    }

    /// |F - exact|/|exact| on a logarithmic axis, where exact values are known.
    pub(super) fn errors(&self, against: Against) -> Option<Graph> {
        let q = self.free_energy();
        let courses = self.courses(against);
        let relative = |r: &Row, f: f64| (f - r.solution(q)).abs() / r.solution(q).abs();
        self.rows.iter().find(|r| r.solution(q).is_finite())?;
        let label = format!("|Δ*{0}*|/|*{0}*_{{{1}}}|", q.name, self.series.kind.exact.index);
        let graph = Graph::new(self.across(against), Axis::new("F_relative_error", &label, "").logarithmic());
        let mut graph = self.compared(graph, &courses, &|r, f| [self.x(r, against), relative(r, f), f64::NAN]);
        for (k, c) in courses.iter().enumerate() {
            let point = |r: &&Row| {
                let e = r.summary.result[q.name];
                [self.x(r, against), relative(r, e.value), e.error / r.solution(q).abs()]
            };
            let points = c.rows.iter().map(point).collect();
            graph.curves.push(Curve { label: c.name.clone(), style: Style::Joined, color: Some(k), points });
        }
        for Landmark { of, value, label } in self.landmarks() {
            if of == self.series.lists[against.list].name {
                graph = graph.mark(At::X(against.of(value)), label);
            }
        }
        Some(graph)
    }

    /// What theory knows of the systems of all points, each once.
    pub(super) fn landmarks(&self) -> Vec<Landmark> {
        let mut all: Vec<Landmark> = Vec::new();
        for mark in self.rows.iter().flat_map(|r| (self.series.kind.landmarks)(&r.point.resolved.values)) {
            if !all.contains(&mark) {
                all.push(mark);
            }
        }
        all
    }
}

/// With what results are compared with: one grey curve where all of them are of one system, else one in the colour of each.
/// `of` is the number that a row has, `point` where it is drawn.
fn beside(
    mut graph: Graph,
    label: &str,
    style: Style,
    courses: &[Course],
    of: &dyn Fn(&Row) -> Option<f64>,
    point: &dyn Fn(&Row, f64) -> [f64; 3],
) -> Graph {
    let values = |c: &Course| -> Vec<(f64, f64)> { c.rows.iter().filter_map(|r| Some((point(r, 0.0)[0], of(r)?))).collect() };
    let drawn = |c: &Course| -> Vec<[f64; 3]> { c.rows.iter().filter_map(|r| Some(point(r, of(r)?))).collect() };
    let first = courses.first().map_or(Vec::new(), drawn);
    if courses.windows(2).all(|w| same(&values(&w[0]), &values(&w[1]))) {
        return if first.is_empty() { graph } else { graph.beside(label, style, first) };
    }
    graph = graph.beside(label, style, Vec::new());
    for (k, c) in courses.iter().enumerate() {
        graph.curves.push(Curve { label: String::new(), style, color: Some(k), points: drawn(c) });
    }
    graph
}

/// Whether two curves are one: what other random starts change is less than a millionth. Unknown numbers are the same.
fn same(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    let near = |a: f64, b: f64| a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-6 * a.abs();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a.0, b.0) && near(a.1, b.1))
}
