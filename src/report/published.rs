//! Published values beside the results of a run whose settings are the same, and how far these are from them.

use serde_json::{Value, json};

use super::read::RunDir;
use super::table::{plus_minus, share};
use crate::estimate::Estimate;
use crate::estimate::difference::deviation;
use crate::problem::{Published, published};

/// A published value and the run's.
pub(super) struct Beside {
    pub run: Estimate,
    /// In words; energies in the unit of the run.
    pub unit: String,
    pub published: Published,
}

/// What is published of a run's system and that it has measured too.
pub(super) fn beside(run: &RunDir) -> Vec<Beside> {
    let s = &run.summary;
    let found = published(s.kind, &run.resolved.values, &s.energy_unit).into_iter();
    let row = |p: Published| {
        let (value, unit) = match s.kind.results().find(|q| q.name == p.quantity) {
            Some(q) => (s.result[q.name], q.unit.name(&s.energy_unit).to_string()),
            None if s.kind.share().as_deref() == Some(p.quantity) => {
                let q = s.kind.entropy()?;
                (share(s.result[q.name], s.exact.as_ref().and_then(|e| q.exact(e)))?, String::new())
            }
            None => return None,
        };
        Some(Beside { run: value, unit, published: p })
    };
    found.filter_map(row).collect()
}

impl Beside {
    /// (this run - published) in standard errors of both; not a number where one is unknown, or the other system is infinite.
    pub fn distance(&self) -> f64 {
        if self.published.source.infinite { f64::NAN } else { deviation(self.run, self.published.value) }
    }

    /// The distance, or why there is none.
    pub fn told(&self) -> String {
        match self.distance() {
            _ if self.published.source.infinite => "infinite system".into(),
            d if d.is_finite() => format!("{}{d:+.1}", if self.run.at_least { "≤ " } else { "" }),
            _ => "error unknown".into(),
        }
    }

    /// The publication and what to know of it.
    pub fn source(&self) -> String {
        let s = self.published.source;
        format!("{}, doi {}: {}", s.citation, s.doi, s.remark)
    }

    fn json(&self) -> Value {
        let (p, s) = (self.published, self.published.source);
        json!({ "quantity": p.quantity, "unit": self.unit, "value": p.value.value, "error": p.value.error, "distance": self.distance(),
            "infinite": s.infinite, "citation": s.citation, "doi": s.doi, "remark": s.remark })
    }
}

/// Published values beside a run's, a block for each publication; none: nothing.
pub fn published_table(run: &RunDir) -> Option<String> {
    let rows = beside(run);
    let mut lines = vec!["  published values of this system; distances (this run − published) in standard errors of both".to_string()];
    for (i, row) in rows.iter().enumerate() {
        if i == 0 || rows[i - 1].published.source != row.published.source {
            lines.push(format!("  {}", row.source()));
        }
        let p = row.published;
        lines.push(format!(
            "    {:9} {:4} {:<25} {:<25} {}",
            p.quantity,
            row.unit,
            plus_minus(row.run),
            format!("published {}", plus_minus(p.value)),
            row.told()
        ));
    }
    (!rows.is_empty()).then(|| lines.join("\n"))
}

/// The same for programs.
pub fn published_json(run: &RunDir) -> Value {
    beside(run).iter().map(Beside::json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Named, given};
    use crate::run::Summary;

    fn run(line: &str, result: &[(&'static str, Estimate)]) -> RunDir {
        let resolved = given(line);
        let values: Named<Estimate> = result.iter().copied().collect();
        let mut summary = Summary::new(resolved.kind(), &resolved.values, "", 1, 1.0, values, "");
        summary.exact = (resolved.kind().exact.of)(&resolved.values).ok();
        RunDir { path: "run".into(), resolved, records: Vec::new(), torn: 0, summary }
    }

    /// Published F = -0.1690684(231): 3-4-5 with an error of the run of 4/3 of that, and five such units off.
    #[test]
    fn distances_to_published_values_are_in_errors_of_both() {
        let (f, error) = (-0.1690684, 0.0000231);
        let off = run(
            "n=29 rs=10 theta=0.15",
            &[("F", Estimate::new(f + 5.0 * error / 3.0, 4.0 * error / 3.0)), ("S", Estimate::new(0.2, 0.01))],
        );
        let rows = beside(&off);
        assert!((rows[0].distance() - 1.0).abs() < 1e-9, "{}", rows[0].distance());
        let text = published_table(&off).unwrap();
        assert!(text.contains("-0.169068 ± 0.000023") && text.contains("+1.0") && text.contains("10.21468/SciPostPhys.14.6.154"), "{text}");
        // S of the ideal gas of 29 electrons is 12.1013 k_B (all orbitals)
        let ratio = rows.iter().find(|r| r.published.quantity == "S/S_ideal").unwrap();
        assert!((ratio.run.value - 0.2 * 29.0 / 12.1013).abs() < 1e-4, "{:?}", ratio.run);
        let json = published_json(&off);
        assert!((json[0]["distance"].as_f64().unwrap() - 1.0).abs() < 1e-9 && json[0]["doi"] == "10.21468/SciPostPhys.14.6.154", "{json}");
        // nothing that was not measured is compared with
        assert!(rows.iter().filter(|r| r.published.quantity == "V").all(|r| r.told() == "error unknown"));
        assert_eq!(published_table(&run("n=30 rs=10 theta=0.15", &[("F", 0.0.into())])), None);
    }

    /// A finite box is no estimate of an infinite system: both stand there, without a distance.
    #[test]
    fn infinite_systems_have_no_distance() {
        let rows = beside(&run("n=33 dim=3 rs=1 theta=1 twist=0", &[("V", Estimate::new(-0.94, 0.001)), ("F", Estimate::new(-7.5, 0.1))]));
        let told: Vec<(&str, String)> = rows.iter().map(|r| (r.published.quantity, r.told())).collect();
        assert_eq!(told[0], ("V", "-1.1".into()));
        assert!(told[1..].iter().all(|(_, t)| t == "infinite system") && told.len() > 2, "{told:?}");
    }
}
