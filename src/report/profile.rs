//! Tables of timed dispatches: where a step's time goes, and how far from the device's roof.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::gpu::Timed;
use crate::kernels::roof::Roof;
use crate::run::profile::Measured;

/// Dispatches that belong together, added up.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: String,
    pub seconds: f64,
    pub launches: usize,
    pub flops: f64,
    pub bytes: f64,
    /// Of the seconds of all rows.
    pub share: f64,
    /// What bounds it by the roof: compute, memory, or nothing where no work was done.
    pub bound: Option<&'static str>,
    /// Time at the roof over the time it took.
    pub of_roof: Option<f64>,
}

/// A step, kernel by kernel and phase by phase.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    pub roof: Roof,
    pub kernels: Vec<Row>,
    pub phases: Vec<Row>,
    /// Sum of the launches' times.
    pub sum_s: f64,
    /// A step as training makes it, untimed.
    pub wall_s: f64,
    /// Recording and encoding on the host, part of the wall time.
    pub host_s: f64,
    /// Launches recorded beyond convergence, which did nothing and count nowhere above, and their time.
    pub skipped: usize,
    pub skipped_s: f64,
}

impl Profile {
    /// Of a measured step.
    pub fn of(m: &Measured) -> Profile {
        Profile::new(&m.times, m.roof, m.wall_s, m.host_s)
    }

    /// Adds up `times`.
    fn new(times: &[Timed], roof: Roof, wall_s: f64, host_s: f64) -> Profile {
        let (skipped, times): (Vec<Timed>, Vec<Timed>) = times.iter().cloned().partition(|t| t.skipped);
        let (times, seconds) = (times.as_slice(), |list: &[Timed]| list.iter().map(|t| t.seconds).sum());
        Profile {
            roof,
            kernels: rows(times, &roof, |t| t.kernel.to_string()),
            phases: rows(times, &roof, |t| t.name.split('/').next().unwrap_or("").to_string()),
            sum_s: seconds(times),
            wall_s,
            host_s,
            skipped: skipped.len(),
            skipped_s: seconds(&skipped),
        }
    }

    /// The tables with what the columns mean.
    pub fn text(&self) -> String {
        let ms = |s: f64| format!("{:9.2} ms", 1e3 * s);
        let rest = self.wall_s - self.sum_s - self.host_s;
        let rest_name = if rest >= 0.0 {
            "submissions, read-backs, gaps between launches"
        } else {
            "launches overlap when they are not timed, or the machine was busy"
        };
        let mut lines = vec![
            format!(
                "roof of this device, measured: {:.1} GFLOP/s single precision, {:.1} GB/s copied",
                1e-9 * self.roof.flops_per_s,
                1e-9 * self.roof.bytes_per_s
            ),
            String::new(),
            table("kernel", &self.kernels),
            String::new(),
            table("phase", &self.phases),
            String::new(),
            format!("{}  an untimed step of training, of which", ms(self.wall_s)),
            format!("{}  the launches above", ms(self.sum_s)),
            format!("{}  recording on the host", ms(self.host_s)),
            format!("{}  {rest_name}", ms(rest)),
        ];
        if self.skipped > 0 {
            lines.push(format!(
                "left out: {} launches ({:.2} ms) of iterations after convergence, which did nothing and which training does not make",
                self.skipped,
                1e3 * self.skipped_s
            ));
        }
        lines.push("GFLOP and GB are those of each kernel's formula; over 100 % of a memory roof: arrays in cache, or a machine that was busy when the roof was measured".into());
        lines.join("\n")
    }
}

/// Adds up dispatches with the same key, largest time first.
pub fn rows(times: &[Timed], roof: &Roof, key: impl Fn(&Timed) -> String) -> Vec<Row> {
    let mut sums: BTreeMap<String, Row> = BTreeMap::new();
    for t in times {
        let name = key(t);
        let row = sums.entry(name.clone()).or_insert(Row { name, ..Row::default() });
        row.seconds += t.seconds;
        row.launches += 1;
        row.flops += t.flops;
        row.bytes += t.bytes;
    }
    let total: f64 = sums.values().map(|r| r.seconds).sum();
    let mut rows: Vec<Row> = sums.into_values().collect();
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    for row in &mut rows {
        row.share = if total > 0.0 { row.seconds / total } else { 0.0 };
        let (compute, memory) = (row.flops / roof.flops_per_s, row.bytes / roof.bytes_per_s);
        if compute.max(memory) > 0.0 && row.seconds > 0.0 {
            row.bound = Some(if compute >= memory { "compute" } else { "memory" });
            row.of_roof = Some(compute.max(memory) / row.seconds);
        }
    }
    rows
}

/// One line a row, under a header, and their sum.
pub fn table(title: &str, rows: &[Row]) -> String {
    let mut text = list(title, rows, true);
    let sum = |f: fn(&Row) -> f64| rows.iter().map(f).sum::<f64>();
    let width = width(title, rows);
    text.push_str(&format!("\n{:width$} {:9.2} {:6} {:8}", "sum", 1e3 * sum(|r| r.seconds), "", sum(|r| r.launches as f64)));
    text
}

fn width(title: &str, rows: &[Row]) -> usize {
    rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).max(title.len())
}

/// [`table`] without the sum, and without the shares of it.
pub fn list(title: &str, rows: &[Row], shares: bool) -> String {
    let width = width(title, rows);
    let share = |text: String| if shares { format!(" {text:>6}") } else { String::new() };
    let mut lines = vec![format!(
        "{title:width$} {:>9}{} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7} bound",
        "ms",
        share("share".into()),
        "launches",
        "GFLOP",
        "GB",
        "GFLOP/s",
        "GB/s",
        "of roof"
    )];
    let dash = || "–".to_string();
    for r in rows {
        let rate = |work: f64| if work > 0.0 && r.seconds > 0.0 { format!("{:.2}", 1e-9 * work / r.seconds) } else { dash() };
        lines.push(format!(
            "{:width$} {:9.2}{} {:8} {:9.3} {:9.3} {:>8} {:>8} {:>7} {}",
            r.name,
            1e3 * r.seconds,
            share(format!("{:.1}%", 100.0 * r.share)),
            r.launches,
            1e-9 * r.flops,
            1e-9 * r.bytes,
            rate(r.flops),
            rate(r.bytes),
            r.of_roof.map_or_else(dash, |v| format!("{:.0}%", 100.0 * v)),
            r.bound.unwrap_or("–")
        ));
    }
    lines.join("\n")
}

/// The dispatches as Chrome's trace format (chrome://tracing, Perfetto): one row, microseconds, phases as categories.
pub fn trace(times: &[Timed], device: &str) -> serde_json::Value {
    let mut events = vec![serde_json::json!({ "name": "process_name", "ph": "M", "pid": 0, "args": { "name": device } })];
    for t in times {
        let (phase, name) = t.name.split_once('/').unwrap_or(("", &t.name));
        events.push(serde_json::json!({
            "name": name, "cat": phase, "ph": "X", "pid": 0, "tid": 0, "ts": 1e6 * t.begin, "dur": 1e6 * t.seconds,
            "args": { "kernel": t.kernel, "flops": t.flops, "bytes": t.bytes, "skipped": t.skipped },
        }));
    }
    serde_json::json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(name: &str, kernel: &'static str, seconds: f64, flops: f64, bytes: f64) -> Timed {
        Timed { name: name.into(), kernel, begin: 0.0, seconds, flops, bytes, skipped: flops + bytes == 0.0 }
    }

    #[test]
    fn rows_know_their_bound_and_share() {
        let roof = Roof { flops_per_s: 1e9, bytes_per_s: 1e9 };
        let times = [
            timed("a/product", "linear", 2.0, 1e9, 1e8),
            timed("a/product", "linear", 1.0, 0.5e9, 1e8),
            timed("b/copy", "copy", 0.5, 1e3, 0.5e9),
            timed("b/rest", "idle", 0.5, 0.0, 0.0),
        ];
        let p = Profile::new(&times, roof, 5.0, 0.25);
        let names: Vec<(&str, usize, Option<&str>)> = p.kernels.iter().map(|r| (r.name.as_str(), r.launches, r.bound)).collect();
        assert_eq!(names, [("linear", 2, Some("compute")), ("copy", 1, Some("memory"))]);
        assert_eq!((p.kernels[0].of_roof, p.kernels[0].share), (Some(0.5), 3.0 / 3.5));
        assert_eq!((p.phases[1].name.as_str(), p.phases[1].launches, p.skipped, p.skipped_s), ("b", 1, 1, 0.5));
        let text = p.text();
        assert!(text.contains("1250.00 ms") && text.contains("1 launches (500.00 ms)"), "{text}");
        let trace = trace(&times, "a device");
        assert_eq!(trace["traceEvents"][1]["cat"], "a");
        assert_eq!(trace["traceEvents"][1]["dur"], 2e6);
    }
}
