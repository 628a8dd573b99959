//! How parameters are updated, as users set it.

use crate::config::{Group, Range, Values};

crate::config::choice!(
    /// Stochastic reconfiguration or Adam.
    Optimizer, "sr or adam":
        /// Stochastic reconfiguration.
        #[default]
        Sr = "sr",
        /// Adam.
        Adam = "adam");

crate::config::settings! {
    /// How parameters are updated.
    pub struct Optimisation, OPTIMISATION
    "optimisation" {
        optimizer: Optimizer = "sr", Range::Any, "", "stochastic reconfiguration (sr) or adam";
        damping: f64 = "0.001", Range::Within(1e-8, 1e3), "", "added to the diagonal of the Fisher matrices (sr)";
        max_norm: f64 = "0.001", Range::Within(1e-12, 1e3), "", "largest squared step in the Fisher norm (sr)";
        learning_rate: f64 = "0.001", Range::Within(1e-10, 10.0), "", "learning rate (adam)";
        epsilon: f64 = "1e-8", Range::Within(0.0, 1.0), "", "added to the root of the mean squared gradient of a parameter (adam): much smaller gradients move it less";
        max_gradient: f64 = "0", Range::ZeroOr(1e-12, 1e12), "", "norm to which a longer gradient is cut (adam); 0: none is";
        cooling: f64 = "0", Range::Within(0.0, 1.0), "", "share of the training steps, the last ones, in which updates shrink evenly to nothing";
        decay: f64 = "0", Range::ZeroOr(1.0, 1e9), "steps", "update t is shortened by 1/(1 + t/decay); 0: not at all, as published";
    }
}

impl Optimisation {
    /// Settings of the other optimiser; `more` are those that a system adds to stochastic reconfiguration.
    pub fn mistakes(values: &Values, more: &[&str]) -> Option<String> {
        let (name, unused): (_, Vec<&str>) = match Optimisation::read(values).optimizer {
            Optimizer::Sr => ("sr", vec!["learning_rate", "epsilon", "max_gradient"]),
            Optimizer::Adam => ("adam", ["damping", "max_norm"].into_iter().chain(more.iter().copied()).collect()),
        };
        let set: Vec<&str> = unused.into_iter().filter(|k| values.moved(k)).collect();
        (!set.is_empty()).then(|| format!("{} has no use with optimizer={name}: drop it or choose the other optimizer", set.join(", ")))
    }
}
