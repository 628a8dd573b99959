//! What simpler methods make of the same system.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::estimate::value::nullable;

/// Under the methods' names, `naive_mean_field`.
pub type Baselines = BTreeMap<String, Baseline>;

/// The F of a method that iterates from several starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The lowest that was found, in the run's units; null where no start gave one.
    #[serde(with = "nullable")]
    pub f: f64,
    /// Whether it bounds the exact F from above.
    pub bound: bool,
    pub starts: usize,
    /// How many of them gave a value: of an iteration to a fixed point, those that converged.
    pub converged: usize,
}

/// A method as a reader knows it: `Naive mean field`, `TAP`.
pub fn method(name: &str) -> String {
    if name == "tap" {
        return name.to_uppercase();
    }
    let words = name.replace('_', " ");
    let first = words.chars().next().map_or(String::new(), |c| c.to_uppercase().collect());
    first + words.chars().skip(1).collect::<String>().as_str()
}

impl Baseline {
    /// In a sentence, energies in `unit`.
    pub fn words(&self, name: &str, unit: &str) -> String {
        let Baseline { f, starts, converged, .. } = self;
        match (f.is_nan(), self.bound) {
            (true, _) => format!("{}: no value, converged from none of {starts} starts", method(name)),
            (_, true) => format!("{}: F = {f:.6} {unit}, a bound too (lowest of {starts} starts)", method(name)),
            (_, false) => format!("{}: F = {f:.6} {unit}, no bound ({converged} of {starts} starts converged)", method(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_bounds_and_failures() {
        let one = |f, bound, converged| Baseline { f, bound, starts: 50, converged };
        let naive = one(-0.801258, true, 50).words("naive_mean_field", "J");
        assert_eq!(naive, "Naive mean field: F = -0.801258 J, a bound too (lowest of 50 starts)");
        assert_eq!(one(-0.5, false, 3).words("bethe", "J"), "Bethe: F = -0.500000 J, no bound (3 of 50 starts converged)");
        assert_eq!(one(f64::NAN, false, 0).words("bethe", "J"), "Bethe: no value, converged from none of 50 starts");
        assert_eq!(one(-0.5, false, 3).words("tap", "J"), "TAP: F = -0.500000 J, no bound (3 of 50 starts converged)");
        let text = serde_json::to_string(&one(f64::NAN, false, 0)).unwrap();
        assert_eq!(text, r#"{"f":null,"bound":false,"starts":50,"converged":0}"#);
        assert!(serde_json::from_str::<Baseline>(&text).unwrap().f.is_nan());
    }
}
