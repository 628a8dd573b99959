//! The table of a scan: a block a quantity, a row a point.

use super::{Row, Scan};
use crate::problem::{Baseline, Quantity, method};
use crate::report::table::{exact, plus_minus};

/// A column: its head and a cell a row; one without a value anywhere is left out.
struct Column {
    head: String,
    cells: Vec<String>,
}

const NOTHING: &str = "–";
/// Fewer effective samples tell neither a reweighted value nor its error.
const FEW: f64 = 100.0;

/// `+1.2`, in standard errors.
fn off(v: f64) -> String {
    if v.is_nan() { NOTHING.into() } else { format!("{v:+.1}") }
}

/// A value with how many of its starts converged, if not all did.
fn compared(b: Option<&Baseline>) -> String {
    match b {
        None => NOTHING.into(),
        Some(b) if b.f.is_nan() => format!("{NOTHING} (0/{})", b.starts),
        Some(b) if b.converged < b.starts => format!("{:.6} ({}/{})", b.f, b.converged, b.starts),
        Some(b) => format!("{:.6}", b.f),
    }
}

impl Scan<'_> {
    /// The line of a point as it is done.
    pub fn line(row: &Row, unit: &str) -> String {
        let kind = row.summary.kind;
        let f = &kind.quantities[0];
        let mut text = format!("{}: {} = {} {unit} per {}", row.point.name, f.name, plus_minus(row.summary.result[f.name]), kind.per);
        let solution = row.solution(f);
        if solution.is_finite() {
            text.push_str(&format!(", exact {solution:.6} ({} error bars)", off(row.off(f))));
        }
        if row.summary.ess.is_finite() {
            text.push_str(&format!(", {:.1} % effective", 100.0 * row.summary.ess));
        }
        text
    }

    /// All of it.
    pub fn table(&self) -> String {
        let kind = self.series.kind;
        let same = |name: &str| self.rows.windows(2).all(|w| w[0].summary.parameters.get(name) == w[1].summary.parameters.get(name));
        let fixed = kind.parameters.iter().filter(|p| same(p.name) && self.series.lists.iter().all(|key| key.name != p.name));
        let fixed: Vec<String> =
            fixed.filter_map(|p| Some(format!("{}={}", p.name, p.told(&self.rows.first()?.summary.parameters)?))).collect();
        let mut lines = vec![format!("{}: values per {}", [kind.name().replace('-', " "), fixed.join(" ")].join(" ").trim_end(), kind.per)];
        for q in kind.results() {
            lines.push(String::new());
            let unit = q.unit.name(self.unit());
            let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
            let formula = if q.formula.is_empty() { String::new() } else { format!(" {}", q.formula) };
            lines.push(format!("  {}, {}{formula}{unit}", q.name, q.meaning));
            lines.extend(aligned(self.columns(q)));
        }
        lines.push(String::new());
        let mut said = vec!["± is one standard error"];
        if self.rows.iter().any(|r| kind.results().any(|q| !r.off(q).is_nan())) {
            said.push("off by: (this run - exact)/error");
        }
        if self.rows.iter().any(|r| r.summary.reweighted.is_some() && r.effective() < FEW) {
            said.push("(reweighted): from fewer than 100 effective samples, not to be relied on");
        }
        if self.rows.iter().any(|r| r.entropy.value.is_finite()) {
            said.push("-dF/dT: from the F of neighbours, without what a parabola through three points leaves out");
        }
        if self.rows.iter().any(|r| r.summary.baselines.values().any(|b| b.converged < b.starts)) {
            said.push("(k/m): k of m starts converged");
        }
        lines.push(format!("  {}", said.join("; ")));
        lines.join("\n")
    }

    fn columns(&self, q: &Quantity) -> Vec<Column> {
        let column = |head: &str, of: &dyn Fn(&Row) -> String| Column { head: head.into(), cells: self.rows.iter().map(of).collect() };
        let mut all = vec![column("variant", &|r| if r.point.variant.is_empty() { NOTHING.into() } else { r.point.variant.clone() })];
        for (k, key) in self.series.lists.iter().enumerate() {
            all.push(column(key.name, &|r| r.point.values[k].clone()));
        }
        all.push(column("this run", &|r| plus_minus(r.summary.result[q.name])));
        let solved = self.rows.iter().any(|r| r.solution(q).is_finite());
        let head = if solved { "exact" } else { self.series.kind.exact.name };
        all.push(column(head, &|r| exact(Some(r.exact(q)))));
        all.push(column("off by", &|r| off(r.off(q))));
        all.push(column("reweighted", &|r| match plus_minus(r.reweighted(q)) {
            text if text != NOTHING && r.effective() < FEW => format!("({text})"),
            text => text,
        }));
        if self.series.kind.entropy().is_some_and(|s| s.name == q.name) {
            all.push(column("-dF/dT", &|r| plus_minus(r.entropy)));
        }
        if q.name == self.free_energy().name {
            for name in self.methods() {
                let head = method(&name);
                // but for an abbreviation
                let head = if head == head.to_uppercase() { head } else { head.to_lowercase() };
                all.push(column(&head, &|r| compared(r.baseline(&name))));
            }
            all.push(column("std_r", &|r| if r.summary.std_r.is_nan() { NOTHING.into() } else { format!("{:.1e}", r.summary.std_r) }));
            all.push(column("ess", &|r| if r.summary.ess.is_nan() { NOTHING.into() } else { format!("{:.1} %", 100.0 * r.summary.ess) }));
        }
        all.retain(|c| c.cells.iter().any(|cell| cell != NOTHING));
        all
    }
}

fn aligned(columns: Vec<Column>) -> Vec<String> {
    let rows = columns.first().map_or(0, |c| c.cells.len());
    let widths: Vec<usize> =
        columns.iter().map(|c| c.cells.iter().map(|t| t.chars().count()).fold(c.head.chars().count(), usize::max)).collect();
    let line = |texts: Vec<&str>| {
        let cells: Vec<String> = texts.iter().zip(&widths).map(|(t, width)| format!("{t:width$}")).collect();
        format!("    {}", cells.join("  ")).trim_end().to_string()
    };
    let head = line(columns.iter().map(|c| c.head.as_str()).collect());
    [head].into_iter().chain((0..rows).map(|i| line(columns.iter().map(|c| c.cells[i].as_str()).collect()))).collect()
}
