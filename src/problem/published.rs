//! Published values, which stand beside results of the same settings: data, in `published/*.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Kind;
use crate::config::{Values, compact};
use crate::estimate::Estimate;

/// One publication. What its entries mean stands at the head of the files.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the kind.
    pub system: String,
    pub citation: String,
    /// Without a prefix: `10.1103/PhysRevLett.119.135001`.
    pub doi: String,
    /// The method, and what to know before comparing.
    pub remark: String,
    /// Of the energies: Ry or Ha.
    pub unit: String,
    /// Of an infinite system: what a finite box changes is in no error.
    #[serde(default)]
    pub infinite: bool,
    pub settings: toml::Table,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: Vec<Source>,
}

/// Ry in one Hartree.
const RY_PER_HA: f64 = 2.0;

/// All sources.
///
/// # Panics
/// If a file is damaged, which a test excludes.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| read(include_str!("published/electron_gas.toml")).expect("electron_gas.toml"));
    &SOURCES
}

fn read(text: &str) -> Result<Vec<Source>, String> {
    toml::from_str(text).map(|file: File| file.source).map_err(|e| e.to_string())
}

/// A published value of a quantity of a run's system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Name of the column: a quantity, or [`Kind::share`].
    pub quantity: &'static str,
    /// In the run's units; the error is not a number where none is given.
    pub value: Estimate,
    pub source: &'static Source,
}

/// What is published of the system that `values` describe, energies in `unit`.
pub fn published(kind: &Kind, values: &Values, unit: &str) -> Vec<Published> {
    let of_kind = sources().iter().filter(|s| s.system == kind.name());
    of_kind.filter_map(|s| Some(s.of(values, s.scale(unit)?))).flatten().collect()
}

impl Source {
    /// The energy `unit` in terms of which a value is `scale` times the source's.
    fn scale(&self, unit: &str) -> Option<f64> {
        match (self.unit.as_str(), unit) {
            (own, other) if own == other => Some(1.0),
            ("Ha", "Ry") => Some(RY_PER_HA),
            _ => None,
        }
    }

    /// The values of each row whose settings are those of a run.
    fn of(&'static self, values: &Values, scale: f64) -> Vec<Published> {
        let text = |v: &toml::Value| v.to_string().trim_matches('"').to_string();
        if !self.settings.iter().all(|(name, v)| values.reads_as(name, &text(v))) {
            return Vec::new();
        }
        let set = |name: &str| values.key(name).is_some();
        let fits = |row: &&Vec<f64>| self.columns.iter().zip(*row).all(|(name, v)| !set(name) || values.reads_as(name, &compact(*v)));
        let mut found = Vec::new();
        for row in self.rows.iter().filter(fits) {
            let cell = |name: &str| self.columns.iter().position(|c| c == name).map(|i| row[i]);
            for quantity in self.columns.iter().filter(|c| !set(c) && !c.ends_with("_err")) {
                let (value, error) = (cell(quantity), cell(&format!("{quantity}_err")).unwrap_or(f64::NAN));
                let energy = if self.is_energy(quantity) { scale } else { 1.0 };
                let value = Estimate::new(energy * value.unwrap_or(f64::NAN), energy * error);
                if value.value.is_finite() {
                    found.push(Published { quantity, value, source: self });
                }
            }
        }
        found
    }

    /// A setting that all its values have.
    pub fn number(&self, setting: &str) -> Option<f64> {
        let value = self.settings.get(setting)?;
        value.as_float().or_else(|| value.as_integer().map(|v| v as f64))
    }

    /// A quantity with its error (not a number: none is given) against a setting, in the source's unit.
    pub fn curve(&self, setting: &str, quantity: &str) -> Option<Vec<[f64; 3]>> {
        let place = |name: &str| self.columns.iter().position(|c| c == name);
        let (x, y, error) = (place(setting)?, place(quantity)?, place(&format!("{quantity}_err")));
        Some(self.rows.iter().map(|row| [row[x], row[y], error.map_or(f64::NAN, |e| row[e])]).collect())
    }

    fn is_energy(&self, quantity: &str) -> bool {
        let kind = super::kind(&self.system);
        kind.is_some_and(|k| k.quantities.iter().any(|q| q.name == quantity && q.unit == super::Unit::Energy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{given, kind};

    fn is_doi(doi: &str) -> bool {
        doi.strip_prefix("10.").and_then(|rest| rest.split_once('/')).is_some_and(|(registrant, name)| {
            (4..=9).contains(&registrant.len())
                && registrant.bytes().all(|b| b.is_ascii_digit())
                && name.len() > 4
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._;()/".contains(&b))
        })
    }

    /// Every file parses, and every column is known: a setting, a quantity, or one that figures ask for; with its error.
    #[test]
    fn sources_are_whole() {
        assert!(!is_doi("doi:10.1103/PhysRevLett.1") && !is_doi("10.1103/a b c d") && !is_doi("10.x/PhysRevLett.1"));
        assert!(sources().len() > 5);
        for s in sources() {
            let at = format!("{}: {}", s.citation, s.remark);
            let kind = kind(&s.system).unwrap_or_else(|| panic!("{at}: {} is no system", s.system));
            assert!(is_doi(&s.doi), "{at}: {}", s.doi);
            assert!(s.citation.len() > 10 && s.remark.len() > 10 && s.scale("Ry").is_some(), "{at}");
            let known = kind.system.values();
            let names: Vec<String> = kind.results().map(|q| q.name.to_string()).chain(kind.share()).chain(["m*/m".into()]).collect();
            for (i, column) in s.columns.iter().enumerate() {
                let quantity = column.strip_suffix("_err").filter(|_| s.columns[i - 1] == column.replace("_err", "")).unwrap_or(column);
                assert!(known.key(column).is_some() || names.iter().any(|n| n == quantity), "{at}: {column}");
                assert_eq!(s.columns.iter().filter(|c| *c == column).count(), 1, "{at}: {column}");
            }
            assert!(s.settings.keys().all(|name| known.key(name).is_some()), "{at}");
            // without n, a system that has no n
            assert!(s.infinite != (s.settings.contains_key("n") || s.columns.iter().any(|c| c == "n")), "{at}");
            assert!(!s.rows.is_empty() && s.rows.iter().all(|row| row.len() == s.columns.len()), "{at}");
            let errors = s.columns.iter().enumerate().filter(|(_, c)| c.ends_with("_err"));
            errors.for_each(|(i, c)| assert!(s.rows.iter().all(|row| row[i] > 0.0 && row[i] < 0.5 * row[i - 1].abs()), "{at}: {c}"));
        }
        assert!(read("[[source]]\nsystem = \"electron-gas\"\n").is_err());
    }

    fn of(line: &str) -> Vec<(&'static str, f64, f64)> {
        let run = given(line);
        let all = published(run.kind(), &run.values, (run.kind().energy_unit)(&run.values));
        all.iter().map(|p| (p.quantity, p.value.value, p.value.error)).collect()
    }

    /// Values belong to one system: each setting that names it must be the same.
    #[test]
    fn values_stand_beside_runs_of_the_same_settings() {
        let run = "n=29 dim=2 rs=10 theta=0.15";
        let there = of(run);
        assert_eq!(there[0], ("F", -0.1690684, 0.0000231));
        assert_eq!(there.iter().map(|p| p.0).collect::<Vec<_>>(), ["F", "E", "K", "V", "S", "S/S_ideal"]);
        assert_eq!(of("n=29 dim=2 rs=10.0 theta=0.15 twist=1/4,1/4"), there);
        let changed = [
            ("n=29", "n=29 polarisation=0.0345"),
            ("n=29", "n=13"),
            ("rs=10", "rs=9"),
            ("0.15", "0.2"),
            ("dim=2", "dim=3"),
            ("0.15", "0.15 twist=0"),
        ];
        for (old, new) in changed {
            assert_eq!(of(&run.replace(old, new)), [], "{new}");
        }
        assert_eq!(of("n=14 polarisation=0 dim=3 rs=1 theta=0.5")[0].1, 0.955);
        assert_eq!(of("n=14 dim=3 rs=1 theta=0.5")[0].1, -0.6435);
        // of a finite and of an infinite system; entropies of a fit at low temperature are left out
        let both: Vec<_> = of("n=33 dim=3 rs=1 theta=0.0625");
        assert_eq!(both.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(), [("V", -1.205183), ("F", 2.24168), ("E", 2.3443), ("V", -1.25395)]);
        assert!(both[1].2.is_nan(), "{both:?}");
    }

    /// Hartree are two Rydberg; entropies have no unit of energy.
    #[test]
    fn energies_come_in_the_units_of_the_run() {
        let text = "[[source]]\nsystem = \"electron-gas\"\ncitation = \"\"\ndoi = \"\"\nremark = \"\"\nunit = \"Ha\"\nsettings = {}\n\
            columns = [\"E\", \"E_err\", \"S\"]\nrows = [[1.5, 0.25, 0.5]]";
        let source: &'static Source = &read(text).unwrap().leak()[0];
        let values = given("n=2 rs=1 theta=1").values;
        let found: Vec<f64> = source.of(&values, source.scale("Ry").unwrap()).iter().flat_map(|p| [p.value.value, p.value.error]).collect();
        assert!(found[..3] == [3.0, 0.5, 0.5] && found[3].is_nan(), "{found:?}");
        assert_eq!(source.scale("Ry/rs²"), None);
    }
}
