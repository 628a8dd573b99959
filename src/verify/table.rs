//! The outcome of a comparison: one row a quantity.

use serde::Serialize;

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// |a - b|, in the quantity's unit.
    Absolute,
    /// |a - b| over the largest |b| of the quantity.
    Scaled,
    /// |a - b| folded into [0, π]: phases.
    Phase,
}

/// One compared quantity.
#[derive(Clone, Debug, Serialize)]
pub struct Quantity {
    pub name: String,
    pub unit: &'static str,
    pub measure: Measure,
    /// Number of compared values.
    pub count: usize,
    pub largest_error: f64,
    pub median_error: f64,
    pub tolerance: f64,
    /// How the tolerance follows from rounding, size and conditioning.
    pub derivation: String,
    pub pass: bool,
}

impl Quantity {
    /// Compares `got` with `want`; non-finite or missing values fail.
    pub fn compare(
        name: &str,
        unit: &'static str,
        measure: Measure,
        got: &[f64],
        want: &[f64],
        tolerance: f64,
        derivation: impl Into<String>,
    ) -> Quantity {
        let scale = match measure {
            Measure::Scaled => want.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs())),
            _ => 1.0,
        };
        let mut errors: Vec<f64> = want
            .iter()
            .enumerate()
            .map(|(i, w)| {
                let difference = got.get(i).map_or(f64::NAN, |g| (g - w).abs());
                let e = match measure {
                    Measure::Phase => {
                        let turn = std::f64::consts::TAU;
                        let r = difference.rem_euclid(turn);
                        r.min(turn - r)
                    }
                    _ => difference / scale,
                };
                // a NaN must not hide among the small errors
                if e.is_nan() { f64::INFINITY } else { e }
            })
            .collect();
        errors.sort_by(f64::total_cmp);
        let largest_error = errors.last().copied().unwrap_or(f64::INFINITY);
        Quantity {
            name: name.into(),
            unit,
            measure,
            count: errors.len(),
            largest_error,
            median_error: errors.get(errors.len() / 2).copied().unwrap_or(f64::INFINITY),
            tolerance,
            derivation: derivation.into(),
            pass: largest_error <= tolerance,
        }
    }
}

/// All rows of a case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub case: String,
    pub device: String,
    pub pass: bool,
    pub quantities: Vec<Quantity>,
}

impl Report {
    pub fn new(case: &str, device: &str) -> Report {
        Report { case: case.into(), device: device.into(), pass: false, quantities: Vec::new() }
    }

    /// Adds a row; a report without rows does not pass.
    pub fn push(&mut self, q: Quantity) {
        self.pass = q.pass && (self.pass || self.quantities.is_empty());
        self.quantities.push(q);
    }

    /// The table as text.
    pub fn text(&self) -> String {
        let width = self.quantities.iter().map(|q| q.name.chars().count()).max().unwrap_or(0).max(8);
        let mut lines = vec![format!(
            "{:width$}  {:>7}  {:>9}  {:>9}  {:>9}  {:4}  tolerance from",
            "quantity", "values", "largest", "median", "allowed", ""
        )];
        for q in &self.quantities {
            let kind = match q.measure {
                Measure::Absolute => q.unit,
                Measure::Scaled => "of the largest value",
                Measure::Phase => "rad, modulo 2π",
            };
            lines.push(format!(
                "{:width$}  {:>7}  {:>9.1e}  {:>9.1e}  {:>9.1e}  {}  {}{}{}",
                q.name,
                q.count,
                q.largest_error,
                q.median_error,
                q.tolerance,
                if q.pass { "ok  " } else { "FAIL" },
                q.derivation,
                if kind.is_empty() { "" } else { "; errors: " },
                kind
            ));
        }
        let failed = self.quantities.iter().filter(|q| !q.pass).count();
        lines.push(match (self.pass, failed) {
            (true, _) => format!("{}: all {} quantities agree", self.case, self.quantities.len()),
            (_, 0) => format!("{}: nothing was compared", self.case),
            _ => format!("{}: {failed} of {} quantities are off", self.case, self.quantities.len()),
        });
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_wrap_and_nan_fails() {
        let q = |m, got: &[f64], want: &[f64]| Quantity::compare("q", "", m, got, want, 1e-3, "test");
        assert!(q(Measure::Phase, &[3.0, 7.0], &[3.0 - 2.0 * std::f64::consts::TAU, 7.0005]).pass);
        assert!(!q(Measure::Phase, &[1.0], &[2.0]).pass);
        assert!(q(Measure::Scaled, &[1000.5, 0.4], &[1000.0, 0.0]).pass);
        assert!(!q(Measure::Absolute, &[0.0, f64::NAN], &[0.0, 0.0]).pass);
        assert!(!q(Measure::Absolute, &[0.0], &[0.0, 0.0]).pass);
        assert!(!q(Measure::Absolute, &[], &[]).pass);
    }

    #[test]
    fn one_failure_fails_the_case() {
        let mut report = Report::new("case", "device");
        assert!(!report.pass && report.text().contains("nothing was compared"));
        for (got, pass) in [(1.0, true), (2.0, false), (1.0, false)] {
            report.push(Quantity::compare("q", "Ry", Measure::Absolute, &[got], &[1.0], 0.1, "0.1"));
            assert_eq!(report.pass, pass);
        }
        assert!(report.text().contains("1 of 3"), "{}", report.text());
    }
}
