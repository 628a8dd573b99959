//! A picture of a run in letters, for a terminal that follows it.

use super::figure::phases;
use super::picture::curve::{self, Point, running};
use super::read::RunDir;
use super::table::plus_minus;
use crate::estimate::Estimate;

/// Columns and rows of the picture.
const SIZE: (usize, usize) = (64, 12);

/// F against the step, running mean (•) with its standard error (│), and the last step; before the first step, that.
pub fn course(run: &RunDir) -> String {
    let (training, frozen) = phases(&run.summary, &run.records);
    let steps = if training.is_empty() { &frozen } else { &training };
    let q = &run.summary.kind.quantities[0];
    let points: Vec<Point> = steps.iter().map(|r| Point::new(r.step as f64, r.values[q.name].value, r.values[q.name].error)).collect();
    let points = running(&points);
    let Some(last) = run.records.last() else { return "no step yet".into() };
    let value = |e: Estimate| plus_minus(e) + " " + q.unit.name(&run.summary.energy_unit);
    let now = format!(
        "step {} ({}), {}: {} = {}",
        last.step,
        last.phase.name(),
        super::duration(last.seconds),
        q.name,
        value(last.values[q.name])
    );
    // the beginning would hide the rest
    match curve::range(&points[points.len() / 5..]) {
        Some(range) => format!("{}\n{now}", draw(&points, range.start, range.end)),
        None => now,
    }
}

fn draw(points: &[Point], low: f64, high: f64) -> String {
    let (columns, rows) = SIZE;
    let width = if high > low { high - low } else { 1.0 };
    let row = |y: f64| ((high - y) / width * (rows - 1) as f64).round();
    let mut cells = vec![vec![' '; columns]; rows];
    for (k, p) in points.iter().enumerate() {
        let column = k * (columns - 1) / (points.len() - 1).max(1);
        for (y, line) in cells.iter_mut().enumerate() {
            let y = y as f64;
            if y == row(p.y) {
                line[column] = '•';
            } else if y >= row(p.y + p.bar()) && y <= row(p.y - p.bar()) && line[column] == ' ' {
                line[column] = '│';
            }
        }
    }
    let label = |k: usize| match k {
        0 => format!("{high:12.6}"),
        k if k == rows - 1 => format!("{low:12.6}"),
        _ => String::new(),
    };
    let line =
        |(k, cells): (usize, Vec<char>)| format!("{:>12} ┤{}", label(k), cells.into_iter().collect::<String>()).trim_end().to_string();
    let mut lines: Vec<String> = cells.into_iter().enumerate().map(line).collect();
    let (first, last) = (points.first().map_or(0.0, |p| p.x), points.last().map_or(0.0, |p| p.x));
    lines.push(format!("{:12} └{}", "", "─".repeat(columns)));
    lines.push(format!("{:14}{first:<w$}step {last}", "", w = columns - 5 - last.to_string().len()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slope falls from the upper left to the lower right corner, which have its values.
    #[test]
    fn pictures_in_letters_have_their_scale() {
        let points: Vec<Point> = (0..40).map(|k| Point::new(k as f64, -0.1 * k as f64, 0.3)).collect();
        let text = draw(&points, -3.9, 0.0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), SIZE.1 + 2);
        assert!(lines[0].starts_with("    0.000000 ┤•") && lines[11].starts_with("   -3.900000 ┤") && lines[11].ends_with('•'), "{text}");
        assert!(lines[5].contains('│') && lines[13].ends_with("step 39") && lines.iter().all(|l| l.chars().count() <= 78), "{text}");
        // one point, no width
        assert!(draw(&points[..1], 0.0, 0.0).contains('•'));
    }
}
