//! Cases of spins: couplings J with exact values at some β, against the device's sums over all states.

use std::path::Path;

use serde_json::Value;

use super::{Measure, Quantity, Report};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::gray::{Enumeration, Exact};
use crate::system::Couplings;

/// Couplings with exact values.
pub struct Case {
    name: String,
    model: Couplings,
    /// Ground-state energy per site, if the case has it.
    ground: Option<f64>,
    rows: Vec<Value>,
}

/// A quantity of a row: its key, its value per site, and the error of that.
type Column = (&'static str, &'static str, fn(&Exact, f64) -> f64, fn(&Exact, f64, f64) -> f64, &'static str);

/// Relative error of a sum of single-precision numbers over all states: of the tree, of the exponential, of its argument.
const SUM: f64 = 16.0 * f32::EPSILON as f64;

/// Energies above the ground state are what the device sums: x is their mean, so that β x is of order n at most.
const COLUMNS: [Column; 4] = [
    ("lnZ", "", |e, _| e.log_z, |_, _, _| SUM, "16 ε of the sum of weights"),
    ("E_per_site", "J", |e, n| e.energy / n, |_, x, n| SUM * (x / n + 1e-3), "16 ε of the mean energy above the ground state"),
    ("S_per_site", "k_B", |e, n| e.entropy / n, |_, bx, n| SUM * (1.0 + bx) / n, "16 ε of the weights and of β times the energy"),
    (
        "C_per_site",
        "k_B",
        |e, n| e.heat_capacity / n,
        |e, bx, n| 2.0 * SUM * (e.heat_capacity + bx * bx) / n,
        "32 ε of β² times the mean square",
    ),
];

impl Case {
    /// Reads a case given its JSON, an object with `J` and `rows`.
    ///
    /// # Errors
    /// [`Error::User`] for couplings that are none, and for rows without β.
    pub fn of(path: &Path, json: &Value) -> Result<Case> {
        let rows = json.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
        let wrong = |what: &str| Error::User(format!("{}: {what}", path.display()));
        if rows.is_empty() || rows.iter().any(|r| r.get("beta").and_then(Value::as_f64).is_none()) {
            return Err(wrong(
                "a case of spins has \"J\" and \"rows\", each of them with \"beta\" and lnZ, E_per_site, S_per_site or C_per_site",
            ));
        }
        Ok(Case {
            name: path.file_stem().map_or(String::new(), |s| s.to_string_lossy().into_owned()),
            model: Couplings::read(path)?,
            ground: json.get("E_min_per_site").and_then(Value::as_f64),
            rows,
        })
    }

    /// Sums over all states at every β of the case, compared with what it holds.
    ///
    /// # Errors
    /// [`Error::User`] for more than 30 spins; those of the device.
    pub fn evaluate(&self, gpu: &Gpu) -> Result<Report> {
        let n = self.model.n() as f64;
        let betas: Vec<f64> = self.rows.iter().filter_map(|r| r["beta"].as_f64()).collect();
        let (ground, all) = Enumeration::new(self.model.n(), &self.model.dense(), self.model.fields())?.solve(gpu, &betas)?;
        let mut report = Report::new(&self.name, &gpu.describe());
        if let Some(want) = self.ground {
            let allowed = [f32::EPSILON as f64 * want.abs()];
            let text = "ε: couplings are whole multiples of a small number";
            report.push(Quantity::compare("E_min_per_site", "J", Measure::Absolute, &[ground.energy / n], &[want], &allowed, text));
        }
        for (key, unit, value, allowed, text) in COLUMNS {
            let held = self.rows.iter().zip(&betas).zip(&all).filter_map(|((row, beta), e)| Some((row.get(key)?.as_f64()?, *beta, e)));
            let (mut got, mut want, mut allow) = (Vec::new(), Vec::new(), Vec::new());
            for (stored, beta, e) in held {
                let above = e.energy - ground.energy;
                got.push(value(e, n));
                want.push(stored);
                allow.push(allowed(e, if key == "E_per_site" { above } else { beta * above }, n));
            }
            if want.is_empty() {
                report.lacks(key);
            } else {
                report.push(Quantity::compare(key, unit, Measure::Absolute, &got, &want, &allow, text));
            }
        }
        Ok(report)
    }
}
