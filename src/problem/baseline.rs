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

/// A method as a reader knows it: `Naive mean field`.
pub fn method(name: &str) -> String {
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
