//! The result of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Values;
use crate::estimate::Estimate;
use crate::estimate::value::nullable;
use crate::problem::{Baselines, Kind, Metropolis, Named};

fn unknown() -> f64 {
    f64::NAN
}

fn no_number(v: &f64) -> bool {
    v.is_nan()
}

/// What a run says at its end; `summary.json` holds exactly this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    #[serde(rename = "system")]
    pub kind: &'static Kind,
    /// Unit of the energies.
    pub energy_unit: String,
    /// The settings that name the system.
    #[serde(flatten)]
    pub parameters: Named<serde_json::Value>,
    /// Training steps done.
    pub steps: usize,
    pub batch: usize,
    pub seconds: f64,
    /// Final averages (frozen parameters if there were evaluation steps).
    pub result: Named<Estimate>,
    /// What the averages are over, in words: "50 steps of 512 walkers with frozen parameters".
    pub averaged_over: String,
    /// What the error bars mean, in words (unknown in older files).
    #[serde(default)]
    pub errors: String,
    /// Standard deviations by which the scatter of the results between the averaged steps lies above (or, negative,
    /// below) what their own errors give: the one farthest off. Null where that is no check: chains, changing parameters.
    #[serde(with = "nullable", default = "unknown")]
    pub scatter: f64,
    /// The same quantities before the first update.
    pub start: Option<Named<Estimate>>,
    /// What is known exactly beside it ("ideal" in older files).
    #[serde(alias = "ideal")]
    pub exact: Option<Named<f64>>,
    /// Averages over the exact distribution, by importance weights; where a problem has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reweighted: Option<Named<Estimate>>,
    /// The same from chains that samples of the trial state are proposed to; where a problem has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metropolis: Option<Metropolis>,
    /// And by what knows less of the trial state or nothing, under the methods' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roads: BTreeMap<String, Metropolis>,
    /// ⟨s s'⟩ over the exact distribution of sites 0, 1, … apart along rows and columns of a lattice, by importance weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub two_point: Vec<Estimate>,
    /// Effective sample size of these weights, over samples.
    #[serde(with = "nullable", default = "unknown", skip_serializing_if = "no_number")]
    pub ess: f64,
    /// Standard deviation of R/β per site from sample to sample, in units of energy, R = ln q + β E.
    #[serde(with = "nullable", default = "unknown", skip_serializing_if = "no_number")]
    pub std_r: f64,
    /// What simpler methods make of the same system.
    #[serde(default, skip_serializing_if = "Baselines::is_empty")]
    pub baselines: Baselines,
    #[serde(with = "nullable")]
    pub acceptance: f64,
    /// Integrated autocorrelation time of F, in steps: 1 by construction for exact draws; null where it is not known.
    #[serde(with = "nullable")]
    pub tau: f64,
    /// Standard error of F by blocking of the steps of chains; null where it is not known.
    #[serde(with = "nullable", default = "unknown", skip_serializing_if = "no_number")]
    pub blocked: f64,
    /// Split R̂ of F over the walkers of chains at frozen parameters: 1 where they have forgotten where they began.
    #[serde(with = "nullable", default = "unknown", skip_serializing_if = "no_number")]
    pub r_hat: f64,
    /// Walkers left out because their local energy was not finite.
    pub nonfinite: u64,
    /// How it ended: finished, stopped by the user, numerics.
    pub ended: String,
    pub device: String,
    /// What a reader should know before quoting the numbers.
    pub notes: Vec<String>,
}

impl Summary {
    /// A finished run of a kind's `settings` on `device`; what is not given here is unknown and may be set.
    pub fn new(
        kind: &'static Kind,
        settings: &Values,
        device: &str,
        steps: usize,
        seconds: f64,
        result: Named<Estimate>,
        averaged_over: impl Into<String>,
    ) -> Summary {
        Summary {
            kind,
            energy_unit: (kind.energy_unit)(settings).into(),
            parameters: kind.parameters_of(settings),
            steps,
            batch: settings.get("batch"),
            seconds,
            result,
            averaged_over: averaged_over.into(),
            errors: String::new(),
            scatter: f64::NAN,
            start: None,
            exact: None,
            reweighted: None,
            metropolis: None,
            roads: BTreeMap::new(),
            two_point: Vec::new(),
            ess: f64::NAN,
            std_r: f64::NAN,
            baselines: Baselines::new(),
            acceptance: f64::NAN,
            tau: f64::NAN,
            blocked: f64::NAN,
            r_hat: f64::NAN,
            nonfinite: 0,
            ended: "finished".into(),
            device: device.into(),
            notes: Vec::new(),
        }
    }
}
