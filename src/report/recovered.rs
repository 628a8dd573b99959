//! Couplings found from correlations, beside those of formulas: as text and as JSON.

use std::path::PathBuf;

use serde_json::{Value, json};

/// Names of the methods: by a network, then by formulas.
pub const METHODS: [&str; 4] = ["network", "mean field", "independent pairs", "Sessak–Monasson"];

/// What each method found.
pub struct Recovered {
    pub n: usize,
    /// Inverse temperature.
    pub beta: f64,
    /// Name, error of the couplings where the true ones are known, residual of the correlations, why it has no answer.
    pub rows: Vec<(&'static str, Option<f64>, f64, Option<String>)>,
    /// Residuals are of sums over all states; else of samples, and known for the network alone.
    pub exact: bool,
    /// Effective share of the network's samples at the end.
    pub ess: f64,
    /// Steps in which the couplings waited for the network.
    pub waited: usize,
    /// Steps of the network and the couplings, and what all of it took.
    pub steps: usize,
    pub seconds: f64,
    /// File of the couplings.
    pub written: PathBuf,
}

impl Recovered {
    /// The table for people.
    pub fn text(&self) -> String {
        let number = |v: Option<f64>| v.filter(|v| v.is_finite()).map_or("–".into(), |v| format!("{v:.3e}"));
        let mut lines = vec![
            format!("inverse problem of {} spins at beta = {}", self.n, self.beta),
            String::new(),
            format!("  {:20} {:<14} {:<14}", "", "error of J", "error of C"),
        ];
        for (name, error, residual, why) in &self.rows {
            let row = format!("  {name:20} {:<14} {:<14} {}", number(*error), number(Some(*residual)), why.as_deref().unwrap_or(""));
            lines.push(row.trim_end().into());
        }
        lines.push(String::new());
        lines.push("  error of J: root of the mean of (J - J_true)² over all n² entries; of C: over pairs of different spins".into());
        let how = if self.exact { "sums over all states" } else { "the network's weighted samples, noise included" };
        lines.push(format!("  C of the couplings found by {how}; {:.1} % of the samples are effective", 100.0 * self.ess));
        if self.waited > 0 {
            lines.push(format!("  note: steps in which the couplings waited, as few samples were effective: {}", self.waited));
        }
        lines.push(format!("  couplings: {} ({} steps, {})", self.written.display(), self.steps, super::duration(self.seconds)));
        lines.join("\n")
    }

    /// One object for programs.
    pub fn json(&self) -> Value {
        let row = |(name, error, residual, why): &(&str, Option<f64>, f64, Option<String>)| {
            let key = name.to_lowercase().replace([' ', '–'], "_");
            (key, json!({ "error": error, "residual": residual, "fault": why }))
        };
        let methods: serde_json::Map<String, Value> = self.rows.iter().map(row).collect();
        json!({ "spins": self.n, "beta": self.beta, "methods": methods, "exact_residual": self.exact, "ess": self.ess, "waited": self.waited,
            "steps": self.steps, "seconds": self.seconds, "couplings": self.written })
    }
}
