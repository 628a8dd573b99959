//! The figure of several runs: free energy against the time they took, as SVG.

use std::path::Path;

use plotters::prelude::*;

use super::RunDir;
use super::figure::{INK, PALE, robust, running_median};
use crate::atomic_file;
use crate::error::{Error, Result};

/// One a way of sampling, in the order of appearance.
const COLORS: [RGBColor; 4] = [RGBColor(31, 90, 160), RGBColor(190, 60, 40), RGBColor(40, 130, 90), RGBColor(130, 90, 160)];

/// Draws F per electron against seconds of training into `path` (SVG): a line a run, a colour a way of sampling.
///
/// # Errors
/// [`Error::User`] if the runs are of different systems, or none has two steps.
pub fn compare(path: &Path, runs: &[RunDir]) -> Result<()> {
    let system = |r: &RunDir| {
        let s = &r.resolved.settings;
        format!("Electron gas, n = {}, {}D, rs = {}, T/T_F = {}", s.n, s.dim, s.rs, s.theta)
    };
    let Some(first) = runs.first().map(system) else { return Err(Error::User("no run to compare".into())) };
    if let Some(other) = runs.iter().find(|r| system(r) != first) {
        return Err(Error::User(format!(
            "{}: {}, but {} is {first}; compare runs of one system",
            other.path.display(),
            system(other),
            runs[0].path.display()
        )));
    }
    let mut text = String::new();
    render(&mut text, &first, runs).map_err(|e| Error::Io(format!("{}: the figure cannot be drawn: {e}", path.display())))?;
    atomic_file::write(path, text.as_bytes())
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn render(text: &mut String, title: &str, runs: &[RunDir]) -> Drawn {
    let curves: Vec<(String, Vec<(f64, f64)>)> = runs
        .iter()
        .map(|r| {
            let points: Vec<(f64, f64, f64)> = r.records.iter().map(|s| (s.seconds, s.f, s.f_err)).filter(|p| p.1.is_finite()).collect();
            (r.resolved.settings.sampling(), running_median(&points))
        })
        .filter(|c| c.1.len() > 1)
        .collect();
    if curves.is_empty() {
        return Err("no run has two steps".into());
    }
    let mut ways: Vec<&str> = Vec::new();
    for (way, _) in &curves {
        if !ways.contains(&way.as_str()) {
            ways.push(way);
        }
    }
    // the start is far above: the later two thirds of each run set the scale
    let late: Vec<f64> = curves.iter().flat_map(|c| c.1[c.1.len() / 3..].iter().map(|p| p.1)).collect();
    let range = robust(&late);
    let margin = range.end - range.start;
    let range = range.start - 0.1 * margin..range.end + 0.6 * margin;
    let end = curves.iter().filter_map(|c| c.1.last().map(|p| p.0)).fold(0.0, f64::max);
    let digits = (1.5 - (range.end - range.start).log10()).ceil().clamp(1.0, 9.0) as usize;
    let unit = &runs[0].summary.energy_unit;

    let root = SVGBackend::with_string(text, (900, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(title.to_string(), (24, 16), ("sans-serif", 21).into_font().color(&INK)))?;
    let below = "Free energy per electron against the time of training; running medians, a line a run.";
    root.draw(&Text::new(below, (24, 43), ("sans-serif", 13).into_font().color(&INK.mix(0.7))))?;
    let (_, body) = root.split_vertically(62);
    let mut chart = ChartBuilder::on(&body)
        .margin_top(6)
        .margin_right(28)
        .margin_left(10)
        .x_label_area_size(42)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..end.max(1e-9), range.clone())?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc(format!("F/n, {unit}"))
        .x_labels(8)
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&move |v| format!("{v:.digits$}"))
        .light_line_style(TRANSPARENT)
        .bold_line_style(PALE)
        .axis_style(INK.mix(0.6))
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
        .draw()?;
    for (number, way) in ways.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        for (index, (_, points)) in curves.iter().filter(|c| c.0 == *way).enumerate() {
            // a line that comes from above enters through the frame
            let inside = points.iter().map(|(x, y)| (*x, y.clamp(range.start, range.end)));
            let drawn = chart.draw_series(LineSeries::new(inside, color.mix(0.85).stroke_width(2)))?;
            if index == 0 {
                drawn.label(way.to_string()).legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], color.stroke_width(3)));
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.9))
        .border_style(PALE)
        .label_font(("sans-serif", 14).into_font().color(&INK))
        .draw()?;
    drop(chart);
    root.present()?;
    Ok(())
}
