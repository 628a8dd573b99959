//! The outcome of a comparison: one row a quantity, and what was not compared.

use serde::Serialize;

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// |a - b|, in the quantity's unit.
    Absolute,
    /// |a - b| folded into [0, π]: phases.
    Phase,
}

/// Share of what is allowed from which on a row is marked: another driver's rounding may fail it.
pub const NARROW: f64 = 0.5;

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
    /// Allowed error of the value that uses most of its own.
    pub tolerance: f64,
    /// Largest share of an allowed error in use: up to 1 passes.
    pub used: f64,
    /// Largest reference value.
    pub scale: f64,
    /// How the tolerance follows from rounding, size and conditioning.
    pub derivation: String,
    pub pass: bool,
}

impl Quantity {
    /// Compares `got` with `want`, each value or each of equal blocks of values with its own allowed error (`allowed`: one
    /// a block). Values that are missing or not finite fail.
    pub fn compare(
        name: &str,
        unit: &'static str,
        measure: Measure,
        got: &[f64],
        want: &[f64],
        allowed: &[f64],
        derivation: impl Into<String>,
    ) -> Quantity {
        let turn = std::f64::consts::TAU;
        let mut worst = (0.0, allowed.first().copied().unwrap_or(f64::NAN));
        let mut errors: Vec<f64> = Vec::with_capacity(want.len());
        for (i, w) in want.iter().enumerate() {
            let difference = got.get(i).map_or(f64::NAN, |g| (g - w).abs());
            let error = match measure {
                Measure::Phase => difference.rem_euclid(turn).min(turn - difference.rem_euclid(turn)),
                Measure::Absolute => difference,
            };
            // a NaN must not hide among the small errors
            let error = if error.is_nan() { f64::INFINITY } else { error };
            let allow = allowed.get(i * allowed.len() / want.len()).copied().unwrap_or(f64::NAN);
            let used = match error / allow {
                _ if error == 0.0 && allow >= 0.0 => 0.0,
                share if share >= 0.0 => share,
                _ => f64::INFINITY,
            };
            if used > worst.0 {
                worst = (used, allow);
            }
            errors.push(error);
        }
        errors.sort_by(f64::total_cmp);
        let used = if errors.is_empty() || allowed.is_empty() { f64::INFINITY } else { worst.0 };
        Quantity {
            name: name.into(),
            unit,
            measure,
            count: errors.len(),
            largest_error: errors.last().copied().unwrap_or(f64::INFINITY),
            median_error: errors.get(errors.len() / 2).copied().unwrap_or(f64::INFINITY),
            tolerance: worst.1,
            used,
            scale: want.iter().fold(0.0, |m, v| m.max(v.abs())),
            derivation: derivation.into(),
            pass: used <= 1.0,
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
    /// Tensors that a case may have and this one has not: what they would check was not compared.
    pub absent: Vec<String>,
    /// Tensors of the case that are compared with nothing.
    pub unused: Vec<String>,
}

impl Report {
    pub fn new(case: &str, device: &str) -> Report {
        Report { case: case.into(), device: device.into(), ..Report::default() }
    }

    /// Adds a row; a report without rows does not pass.
    pub fn push(&mut self, q: Quantity) {
        self.pass = q.pass && (self.pass || self.quantities.is_empty());
        self.quantities.push(q);
    }

    /// Says that a tensor was asked for and is not there.
    pub fn lacks(&mut self, name: &str) {
        if !self.absent.iter().any(|n| n == name) {
            self.absent.push(name.into());
        }
    }

    /// The table as text.
    pub fn text(&self) -> String {
        let width = self.quantities.iter().map(|q| q.name.chars().count()).max().unwrap_or(0).max(8);
        let mut lines = vec![format!(
            "{:width$}  {:>7}  {:>9}  {:>9}  {:>9}  {:>9}  {:>5}  {:4}  allowed from",
            "quantity", "values", "scale", "largest", "median", "allowed", "used", ""
        )];
        for q in &self.quantities {
            let unit = if q.unit.is_empty() { String::new() } else { format!("; {}", q.unit) };
            let phase = if q.measure == Measure::Phase { ", modulo 2π" } else { "" };
            lines.push(format!(
                "{:width$}  {:>7}  {:>9.1e}  {:>9.1e}  {:>9.1e}  {:>9.1e}  {:>5}  {}  {}{unit}{phase}",
                q.name,
                q.count,
                q.scale,
                q.largest_error,
                q.median_error,
                q.tolerance,
                if q.used < 9.995 { format!("{:.0}%", 100.0 * q.used) } else { "> 9".into() },
                match (q.pass, q.used > NARROW) {
                    (false, _) => "FAIL",
                    (true, true) => "warn",
                    _ => "ok  ",
                },
                q.derivation,
            ));
        }
        let count = |f: fn(&Quantity) -> bool| self.quantities.iter().filter(|q| f(q)).count();
        let (failed, narrow) = (count(|q| !q.pass), count(|q| q.pass && q.used > NARROW));
        if narrow > 0 {
            lines.push(format!("{narrow} quantities marked `warn` use over half of what is allowed: another driver may round past it"));
        }
        if !self.absent.is_empty() {
            lines.push(format!("not compared, because the case lacks {} tensors: {}", self.absent.len(), self.absent.join(", ")));
        }
        if !self.unused.is_empty() {
            lines.push(format!("stored and not compared, {} tensors: {}", self.unused.len(), self.unused.join(", ")));
        }
        let rest = if self.absent.is_empty() { String::new() } else { format!("; {} tensors are missing", self.absent.len()) };
        lines.push(match (self.pass, failed) {
            (true, _) => format!("{}: {} quantities compared, all agree{rest}", self.case, self.quantities.len()),
            (_, 0) => format!("{}: nothing was compared", self.case),
            _ => format!("{}: {failed} of {} quantities are off{rest}", self.case, self.quantities.len()),
        });
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_wrap_and_nan_fails() {
        let q = |m, got: &[f64], want: &[f64]| Quantity::compare("q", "", m, got, want, &[1e-3], "test");
        assert!(q(Measure::Phase, &[3.0, 7.0], &[3.0 - 2.0 * std::f64::consts::TAU, 7.0005]).pass);
        assert!(!q(Measure::Phase, &[1.0], &[2.0]).pass);
        assert!(!q(Measure::Absolute, &[0.0, f64::NAN], &[0.0, 0.0]).pass);
        assert!(!q(Measure::Absolute, &[0.0], &[0.0, f64::NAN]).pass);
        assert!(!q(Measure::Absolute, &[0.0], &[0.0, 0.0]).pass);
        assert!(!q(Measure::Absolute, &[], &[]).pass);
        // a walker in ten near a node has its own allowance, and lends it to nobody
        let allowed = [1e-3, 1.0];
        let two = |got: &[f64]| Quantity::compare("q", "", Measure::Absolute, got, &[0.0; 4], &allowed, "test");
        assert!(two(&[1e-4, 0.0, 0.4, -0.4]).pass && two(&[1e-4, 0.0, 0.4, -0.4]).used == 0.4);
        assert!(!two(&[2e-3, 0.0, 0.0, 0.0]).pass && two(&[2e-3, 0.0, 0.0, 0.0]).tolerance == 1e-3);
        let none = |allowed: &[f64]| Quantity::compare("q", "", Measure::Absolute, &[1.0], &[1.0 + 1e-9], allowed, "").pass;
        assert!(!none(&[]) && !none(&[f64::NAN]) && !none(&[0.0]) && none(&[1e-8]));
    }

    #[test]
    fn one_failure_fails_the_case() {
        let mut report = Report::new("case", "device");
        assert!(!report.pass && report.text().contains("nothing was compared"));
        for (got, pass) in [(1.0, true), (2.0, false), (1.0, false)] {
            report.push(Quantity::compare("q", "Ry", Measure::Absolute, &[got], &[1.0], &[0.1], "0.1"));
            assert_eq!(report.pass, pass);
        }
        assert!(report.text().contains("1 of 3"), "{}", report.text());
    }

    #[test]
    fn what_was_not_compared_is_listed_and_counted() {
        let mut report = Report::new("case", "device");
        report.push(Quantity::compare("q", "", Measure::Absolute, &[1.0], &[1.06], &[0.1], ""));
        report.lacks("z");
        report.lacks("jac");
        report.lacks("z");
        report.unused = vec!["van_logits".into()];
        let text = report.text();
        for part in ["lacks 2 tensors: z, jac", "1 tensors: van_logits", "1 quantities compared, all agree; 2 tensors are missing"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("60%  warn") && text.contains("1 quantities marked"), "{text}");
    }
}
