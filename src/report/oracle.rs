//! What is known of e^{-βE}/Z without a network, as text and as JSON.

use serde_json::{Value, json};

use super::plus_minus;
use crate::config::Values;
use crate::estimate::Estimate;
use crate::problem::spins::oracle::{Method, Oracle, Sandwich};
use crate::problem::{Kind, Named};

/// What stands in the table: a settled system, its values, the formula's where there is one.
pub struct Known<'k> {
    pub kind: &'static Kind,
    pub values: &'k Values,
    pub spins: usize,
    pub oracle: &'k Oracle,
    /// By formula.
    pub exact: Named<f64>,
    pub sandwich: Option<Sandwich>,
    pub seconds: f64,
}

/// Digits of numbers that have no error.
fn shown(e: Estimate) -> String {
    if e.error == 0.0 { format!("{:.8}", e.value) } else { plus_minus(e) }
}

impl Known<'_> {
    /// The table for people.
    pub fn text(&self) -> String {
        let (kind, values) = (self.kind, self.values);
        let unit = (kind.energy_unit)(values);
        let how = match &self.oracle.method {
            Method::Sum => format!("the sum over all 2^{} states", self.spins),
            Method::Tempering(run) => {
                let (ladders, rungs) = (run.ladders(), run.betas.len());
                format!("parallel tempering, {ladders} ladders of {rungs} temperatures, {} sweeps each", run.counted)
            }
        };
        let mut lines = vec![
            format!("{}: values per {}, by {how}", kind.words(&kind.parameters_of(values)), kind.per),
            String::new(),
            format!("  {:8} {:40} {:<7} {:<25} by formula", "", "", "unit", "value"),
        ];
        for (name, value) in &self.oracle.values {
            let (meaning, unit) = match kind.quantities.iter().find(|q| q.name == *name) {
                Some(q) => (q.meaning, q.unit.name(unit)),
                None => ("of all spins", ""),
            };
            let formula = self.exact.get(name).map_or(String::new(), |v| format!("{v:.8}"));
            lines.push(
                format!("  {:8} {meaning:40} {unit:<7} {:<25} {formula}", if *name == "ln_z" { "ln Z" } else { name }, shown(*value))
                    .trim_end()
                    .into(),
            );
        }
        if !self.oracle.distances.is_empty() {
            lines.push(String::new());
            lines.push("  ⟨s s'⟩ at a distance along rows and columns".into());
            lines.extend(self.oracle.distances.iter().enumerate().map(|(r, c)| format!("  {r:8} {}", shown(*c))));
        }
        lines.push(String::new());
        if let Method::Tempering(run) = &self.oracle.method {
            let least = run.trips.acceptance().into_iter().fold(f64::INFINITY, f64::min);
            lines.push(format!(
                "  exchanges: {:.0} % or more are made; {:.1} round trips a ladder; autocorrelation time of E {:.1} sweeps",
                100.0 * least,
                run.round_trips(),
                run.tau()
            ));
            lines.push("  errors: one standard deviation, from the spread of the ladders, which know nothing of each other".into());
            match run.doubts() {
                none if none.is_empty() => lines.push("  thermalised, as far as a run can tell".into()),
                doubts => lines.push(format!("  NOT THERMALISED: {}; give more --sweeps", doubts.join("; "))),
            }
        }
        if let Some(s) = &self.sandwich {
            lines.push(format!("  E_p[R] ≤ -ln Z ≤ E_q[R], in nats: {} ≤ {} ≤ {}", shown(s.lower), shown(s.minus_ln_z), shown(s.upper)));
            lines.push(format!("  divergences: KL(p‖q) = {}, KL(q‖p) = {} ({} states of p)", shown(s.kl_p_q), shown(s.kl_q_p), s.states));
        }
        lines.push(format!("  {}", super::duration(self.seconds)));
        lines.join("\n")
    }

    /// One object for programs.
    pub fn json(&self, device: Value) -> Value {
        let kind = self.kind;
        let named: serde_json::Map<String, Value> = self.oracle.values.iter().map(|(name, e)| (name.to_lowercase(), json!(e))).collect();
        let mut object = json!({
            "system": kind.name(), "spins": self.spins, "energy_unit": (kind.energy_unit)(self.values), "result": named,
            "exact": self.exact, "seconds": self.seconds, "device": device, "distances": self.oracle.distances,
        });
        let parameters = serde_json::to_value(kind.parameters_of(self.values)).unwrap_or_default();
        if let (Some(all), Value::Object(own)) = (object.as_object_mut(), parameters) {
            all.extend(own);
        }
        match &self.oracle.method {
            Method::Sum => object["method"] = "all states".into(),
            Method::Tempering(run) => {
                object["method"] = "parallel tempering".into();
                object["tempering"] = json!({
                    "betas": run.betas, "ladders": run.ladders(), "sweeps": run.counted, "exchanges": run.trips.acceptance(),
                    "round_trips": run.round_trips(), "tau": run.tau(), "drift": run.drift(),
                    "thermalised": run.doubts().is_empty(), "doubts": run.doubts(),
                });
            }
        }
        if let Some(s) = &self.sandwich {
            object["sandwich"] = json!(s);
        }
        object
    }
}
