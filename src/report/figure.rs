//! The figure of a run: free energy, entropy and acceptance against training steps, as SVG.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::atomic_file;
use crate::error::{Error, Result};
use crate::run::{StepRecord, Summary};

pub(super) const INK: RGBColor = RGBColor(40, 44, 52);
pub(super) const PALE: RGBColor = RGBColor(225, 228, 233);
const BLUE: RGBColor = RGBColor(31, 90, 160);
const RED: RGBColor = RGBColor(190, 60, 40);
const GREEN: RGBColor = RGBColor(40, 130, 90);

/// Name and value of a horizontal line.
type Level = (&'static str, f64);

/// A curve with its band, and levels to compare it with.
struct Panel<'p> {
    title: String,
    unit: &'p str,
    color: RGBColor,
    points: Vec<(f64, f64, f64)>,
    /// Name, value: drawn where they lie near the data, named in the title otherwise.
    levels: Vec<Level>,
    range: Option<Range<f64>>,
    last: bool,
}

/// Draws the run into `path` (SVG).
pub fn draw(path: &Path, s: &Summary, records: &[StepRecord]) -> Result<()> {
    let mut text = String::new();
    render(&mut text, s, records).map_err(|e| Error::Io(format!("{}: the figure cannot be drawn: {e}", path.display())))?;
    atomic_file::write(path, text.as_bytes())
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn render(text: &mut String, s: &Summary, records: &[StepRecord]) -> Drawn {
    let root = SVGBackend::with_string(text, (900, 760)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("Electron gas, n = {}, {}D, rs = {}, T/T_F = {}", s.n, s.dim, s.rs, s.theta);
    root.draw(&Text::new(title, (24, 16), ("sans-serif", 21).into_font().color(&INK)))?;
    let below = format!("{} steps, {} walkers a step. Line: running median; band: one standard error of a step.", records.len(), s.batch);
    root.draw(&Text::new(below, (24, 43), ("sans-serif", 13).into_font().color(&INK.mix(0.7))))?;
    let (_, body) = root.split_vertically(58);
    let (top, rest) = body.split_vertically(330);
    let (middle, bottom) = rest.split_vertically(180);
    let start = |get: fn(&StepRecord) -> f64| records.first().map(|r| ("first step", get(r)));
    let column = |get: fn(&StepRecord) -> (f64, f64)| -> Vec<(f64, f64, f64)> {
        records.iter().map(|r| (r.step as f64, get(r).0, get(r).1)).filter(|p| p.1.is_finite()).collect()
    };
    let panel = |area: &DrawingArea<SVGBackend<'_>, Shift>, p: Panel<'_>| if p.points.is_empty() { Ok(()) } else { draw_panel(area, p) };
    panel(
        &top,
        Panel {
            title: "Free energy per electron F/n".into(),
            unit: &s.energy_unit,
            color: BLUE,
            points: column(|r| (r.f, r.f_err)),
            levels: start(|r| r.f).into_iter().chain(s.ideal.map(|i| ("ideal gas", i.f))).collect(),
            range: None,
            last: false,
        },
    )?;
    panel(
        &middle,
        Panel {
            title: "Entropy per electron S/n".into(),
            unit: "k_B",
            color: RED,
            points: column(|r| (r.s, r.s_err)),
            levels: s.ideal.map(|i| ("ideal gas", i.s)).into_iter().collect(),
            range: None,
            last: false,
        },
    )?;
    panel(
        &bottom,
        Panel {
            title: "Accepted share of proposals".into(),
            unit: "",
            color: GREEN,
            points: column(|r| (r.acceptance, f64::NAN)),
            levels: Vec::new(),
            range: Some(0.0..1.0),
            last: true,
        },
    )?;
    root.present()?;
    Ok(())
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, p: Panel<'_>) -> Drawn {
    let steps = p.points[0].0..p.points.last().map_or(1.0, |q| q.0).max(p.points[0].0 + 1.0);
    let band = |q: &(f64, f64, f64)| if q.2.is_finite() { q.2 } else { 0.0 };
    let data = robust(&p.points.iter().flat_map(|q| [q.1 - band(q), q.1 + band(q)]).collect::<Vec<_>>());
    let width = data.end - data.start;
    let close = |l: &&Level| l.1 > data.start - 0.6 * width && l.1 < data.end + 0.6 * width;
    let (near, far): (Vec<&Level>, Vec<&Level>) = p.levels.iter().filter(|l| l.1.is_finite()).partition(close);
    let range = p.range.unwrap_or_else(|| {
        let low = near.iter().fold(data.start, |m, l| m.min(l.1));
        let high = near.iter().fold(data.end, |m, l| m.max(l.1));
        let margin = 0.06 * (high - low);
        low - margin..high + margin
    });
    let mut title = p.title.clone();
    for (name, value) in far {
        title.push_str(&format!("   ({name}, {value:.5} {}, lies off scale)", p.unit));
    }
    let digits = (1.5 - (range.end - range.start).log10()).ceil().clamp(1.0, 9.0) as usize;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15).into_font().color(&INK))
        .margin_top(6)
        .margin_right(28)
        .margin_left(10)
        .x_label_area_size(if p.last { 42 } else { 22 })
        .y_label_area_size(84)
        .build_cartesian_2d(steps.clone(), range.clone())?;
    chart
        .configure_mesh()
        .x_desc(if p.last { "training step" } else { "" })
        .y_desc(p.unit)
        .x_labels(8)
        .y_labels(if p.last { 5 } else { 6 })
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&move |v| format!("{v:.digits$}"))
        .light_line_style(TRANSPARENT)
        .bold_line_style(PALE)
        .axis_style(INK.mix(0.6))
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
        .draw()?;
    let inside = |v: f64| v.clamp(range.start, range.end);
    let upper = p.points.iter().map(|q| (q.0, inside(q.1 + band(q))));
    let lower = p.points.iter().rev().map(|q| (q.0, inside(q.1 - band(q))));
    chart.draw_series(std::iter::once(Polygon::new(upper.chain(lower).collect::<Vec<_>>(), p.color.mix(0.22))))?;
    chart.draw_series(LineSeries::new(running_median(&p.points).into_iter().map(|(x, y)| (x, inside(y))), p.color.stroke_width(2)))?;
    for (name, value) in near {
        let style = INK.mix(0.75).stroke_width(1);
        chart.draw_series(DashedLineSeries::new([(steps.start, *value), (steps.end, *value)], 6, 4, style))?;
        let at = (steps.start + 0.80 * (steps.end - steps.start), *value);
        let label = Text::new(format!("{name} {value:.digits$}"), (0, 5), ("sans-serif", 13).into_font().color(&INK));
        chart.draw_series(std::iter::once(EmptyElement::at(at) + label))?;
    }
    Ok(())
}

/// The range of all but the outermost hundredth on each side, and of all but one bad step.
pub(super) fn robust(values: &[f64]) -> Range<f64> {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    let cut = (v.len() / 100).max(if v.len() > 40 { 2 } else { 0 });
    let (low, high) = (v[cut], v[v.len() - 1 - cut]);
    let least = 1e-9 * (1.0 + high.abs());
    if high - low < least { low - least..high + least } else { low..high }
}

/// Median over a window of a thirtieth of the run around each step: one bad step does not bend it.
pub(super) fn running_median(points: &[(f64, f64, f64)]) -> Vec<(f64, f64)> {
    let reach = (points.len() / 60).max(1);
    (0..points.len())
        .map(|i| {
            let mut window: Vec<f64> = points[i.saturating_sub(reach)..(i + reach + 1).min(points.len())].iter().map(|q| q.1).collect();
            window.sort_by(f64::total_cmp);
            (points[i].0, (window[(window.len() - 1) / 2] + window[window.len() / 2]) / 2.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Estimate, Ideal, summary::Thermo};

    /// One bad step, unknown errors, a single step: a figure all the same, with its units.
    #[test]
    fn figures_have_units_and_survive_bad_numbers() {
        let e = Estimate::new(-0.1, 0.01);
        let settings = ["n=13", "rs=10", "theta=0.15"].map(String::from);
        let settings = crate::config::Resolved::from_command("electron-gas", &settings).unwrap().settings;
        let mut s = Summary::new(&settings, "device", 50, 1.0, Thermo { f: e, e, k: e, v: e, s: e, ..Default::default() }, "50 steps");
        s.ideal = Some(Ideal { f: 0.02, e: 0.02, s: 0.3 });
        let mut records: Vec<StepRecord> =
            (0..50).map(|step| StepRecord { step, f: -0.1, f_err: 0.01, s: 0.3, acceptance: 0.5, ..Default::default() }).collect();
        records[7].f = f64::NAN;
        records[8].f = 1e30;
        for range in [0..50, 0..1, 7..8, 0..0] {
            let mut text = String::new();
            render(&mut text, &s, &records[range.clone()]).unwrap();
            assert!(text.contains("Electron gas, n = 13, 2D, rs = 10") && !text.contains("NaN"), "{range:?}");
            if range.len() == 50 {
                for part in ["training step", "k_B", "Ry", "off scale"] {
                    assert!(text.contains(part), "{part}");
                }
            }
        }
        s.ideal = None;
        assert!(render(&mut String::new(), &s, &records).is_ok());
    }
}
