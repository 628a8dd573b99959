//! What a scan shows: a table, the same as CSV and JSON, figures.

mod figure;
mod table;

use std::collections::BTreeMap;

use serde_json::json;

use crate::error::{Error, Result};
use crate::estimate::difference::{deviation, entropies};
use crate::estimate::{Estimate, plot};
use crate::problem::{Baseline, Quantity};
use crate::run::Summary;
use crate::run::scan::{Point, Series};

pub use figure::Against;

/// The finished points of a series.
pub struct Scan<'s> {
    pub series: &'s Series,
    pub rows: Vec<Row<'s>>,
}

/// One of them.
pub struct Row<'s> {
    pub point: &'s Point,
    pub summary: Summary,
    /// S = -∂F/∂T from the F at neighbouring temperatures, where several are listed.
    pub entropy: Estimate,
}

impl Row<'_> {
    fn exact(&self, q: &Quantity) -> f64 {
        self.summary.exact.as_ref().and_then(|e| q.exact(e)).unwrap_or(f64::NAN)
    }

    /// The same if it is of the system itself, not of one that it is compared with.
    fn solution(&self, q: &Quantity) -> f64 {
        if (self.summary.kind.solved)(&self.point.resolved.values) { self.exact(q) } else { f64::NAN }
    }

    fn reweighted(&self, q: &Quantity) -> Estimate {
        self.summary.reweighted.as_ref().map_or(Estimate::default(), |all| all[q.name])
    }

    /// Samples that carry the reweighted values.
    fn effective(&self) -> f64 {
        let s = &self.point.resolved.values;
        self.summary.ess * self.summary.batch as f64 * s.get::<usize>("eval_steps").max(1) as f64
    }

    /// (value - exact)/error.
    fn off(&self, q: &Quantity) -> f64 {
        deviation(self.summary.result[q.name], self.solution(q))
    }

    fn baseline(&self, name: &str) -> Option<&Baseline> {
        self.summary.baselines.get(name)
    }
}

impl<'s> Scan<'s> {
    /// Of the results of a series' points, in its order; those that are not there are left out.
    ///
    /// # Errors
    /// [`Error::User`] for settings without a temperature.
    pub fn new(series: &'s Series, results: Vec<Option<Summary>>) -> Result<Scan<'s>> {
        let found = series.points.iter().zip(results);
        let rows = found.filter_map(|(point, result)| Some(Row { point, summary: result?, entropy: Estimate::default() }));
        let mut scan = Scan { series, rows: rows.collect() };
        if let Some(list) = series.lists.iter().position(|key| key.name == series.kind.temperature) {
            scan.differentiate(list)?;
        }
        Ok(scan)
    }

    /// S from differences of F along a temperature.
    fn differentiate(&mut self, list: usize) -> Result<()> {
        let kind = self.series.kind;
        // the point but for its temperature
        let system = |p: &Point| -> Vec<String> {
            let others = p.values.iter().enumerate().filter(|(k, _)| *k != list).map(|(_, value)| value);
            [&p.variant].into_iter().chain(others).cloned().collect()
        };
        let mut systems: BTreeMap<Vec<String>, Vec<(f64, usize)>> = BTreeMap::new();
        for (i, row) in self.rows.iter().enumerate() {
            let beta = (kind.beta)(&row.point.resolved.values)?;
            systems.entry(system(row.point)).or_default().push((beta, i));
        }
        for mut on in systems.into_values() {
            on.sort_by(|a, b| a.0.total_cmp(&b.0));
            let beta: Vec<f64> = on.iter().map(|p| p.0).collect();
            let f: Vec<Estimate> = on.iter().map(|(_, i)| self.rows[*i].summary.result[kind.quantities[0].name]).collect();
            // whether the setting rises with β or with T
            let setting = |i: usize| self.rows[i].point.number(list);
            let inverse = on.first().zip(on.last()).is_some_and(|(a, b)| setting(b.1) > setting(a.1));
            for ((_, i), s) in on.iter().zip(entropies(&beta, &f, inverse)) {
                self.rows[*i].entropy = s;
            }
        }
        Ok(())
    }

    fn free_energy(&self) -> &'static Quantity {
        &self.series.kind.quantities[0]
    }

    fn unit(&self) -> &str {
        self.rows.first().map_or("", |r| &r.summary.energy_unit)
    }

    /// The methods that the results are compared with.
    fn methods(&self) -> Vec<String> {
        let mut names: Vec<String> = self.rows.iter().flat_map(|r| r.summary.baselines.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Everything as one object.
    ///
    /// # Errors
    /// [`Error::Io`] for a summary that cannot be encoded.
    pub fn json(&self) -> Result<serde_json::Value> {
        let kind = self.series.kind;
        let mut points = Vec::new();
        for row in &self.rows {
            let named = |of: &dyn Fn(&Quantity) -> f64| -> serde_json::Map<String, serde_json::Value> {
                kind.results().map(|q| (q.name.to_lowercase(), of(q).into())).collect()
            };
            let settings = self.series.lists.iter().map(|key| (key.name.to_string(), row.point.resolved.values.json(key.name)));
            let summary = serde_json::to_value(&row.summary).map_err(|e| Error::Io(format!("a summary cannot be encoded: {e}")))?;
            points.push(json!({
                "name": row.point.name, "variant": row.point.variant,
                "settings": settings.collect::<serde_json::Map<_, _>>(),
                "summary": summary, "deviation": named(&|q| row.off(q)), "entropy_from_f": row.entropy,
            }));
        }
        let lists: Vec<&str> = self.series.lists.iter().map(|key| key.name).collect();
        Ok(json!({ "system": kind.name(), "lists": lists, "axis": lists[self.series.axis], "points": points }))
    }

    /// Everything as comma-separated values, a line a point, units in the first line; unknown numbers are empty.
    pub fn csv(&self) -> String {
        let (kind, unit) = (self.series.kind, self.unit());
        let headed = |name: &str, unit: &str| if unit.is_empty() { name.to_string() } else { format!("{name} [{unit}]") };
        let number = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
        let mut heads: Vec<String> = vec!["variant".into()];
        heads.extend(self.series.lists.iter().map(|key| headed(key.name, key.unit)));
        let mut lines: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|r| [&r.point.variant].into_iter().chain(&r.point.values).map(|text| plot::cell(text)).collect())
            .collect();
        let mut column = |head: String, of: &dyn Fn(&Row) -> f64| {
            heads.push(head);
            lines.iter_mut().zip(&self.rows).for_each(|(line, row)| line.push(number(of(row))));
        };
        for q in kind.results() {
            let (name, unit) = (q.name, q.unit.name(unit));
            column(headed(name, unit), &|r| r.summary.result[name].value);
            column(headed(&format!("{name}_err"), unit), &|r| r.summary.result[name].error);
            column(headed(&format!("{name}_exact"), unit), &|r| r.exact(q));
            column(format!("{name}_deviation"), &|r| r.off(q));
            column(headed(&format!("{name}_reweighted"), unit), &|r| r.reweighted(q).value);
            column(headed(&format!("{name}_reweighted_err"), unit), &|r| r.reweighted(q).error);
        }
        for method in self.methods() {
            column(headed(&format!("F_{method}"), unit), &|r| r.baseline(&method).map_or(f64::NAN, |b| b.f));
            column(format!("{method}_converged"), &|r| r.baseline(&method).map_or(f64::NAN, |b| b.converged as f64));
            column(format!("{method}_starts"), &|r| r.baseline(&method).map_or(f64::NAN, |b| b.starts as f64));
        }
        column(headed("std_r", unit), &|r| r.summary.std_r);
        column("ess".into(), &|r| r.summary.ess);
        column("S_from_F [k_B]".into(), &|r| r.entropy.value);
        column("S_from_F_err [k_B]".into(), &|r| r.entropy.error);
        column("steps".into(), &|r| r.summary.steps as f64);
        column("seconds [s]".into(), &|r| r.summary.seconds);
        let text: Vec<String> = [heads].into_iter().chain(lines).map(|cells| cells.join(",")).collect();
        text.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests;
