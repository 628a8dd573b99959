//! The result of a run.

use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::error::Result;
use crate::estimate::{Average, Energies, Mean};
use crate::system::{Complete, IdealGas};

/// JSON has no NaN: unknown numbers are null there.
mod nullable {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        if v.is_finite() { s.serialize_f64(*v) } else { s.serialize_none() }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

fn unknown() -> f64 {
    f64::NAN
}

/// A number and its standard error, autocorrelation included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    #[serde(with = "nullable")]
    pub value: f64,
    #[serde(with = "nullable")]
    pub error: f64,
    /// The error is a lower bound: what is longer is not known (see [`crate::estimate::average()`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

impl Estimate {
    pub fn new(value: f64, error: f64) -> Self {
        Estimate { value, error, at_least: false }
    }
}

impl Default for Estimate {
    /// Unknown.
    fn default() -> Self {
        Estimate::new(f64::NAN, f64::NAN)
    }
}

impl From<Average> for Estimate {
    fn from(a: Average) -> Self {
        Estimate { value: a.mean, error: a.error, at_least: a.at_least }
    }
}

/// Exact values of the ideal gas (canonical, in all orbitals), per electron.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ideal {
    /// F and E in the run's energy unit, S in k_B.
    pub f: f64,
    pub e: f64,
    pub s: f64,
}

/// F, E, K, V in the run's energy unit and S in k_B, all per electron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thermo {
    pub f: Estimate,
    pub e: Estimate,
    /// Kinetic energy after a partial integration that takes noise away, and V = E - K.
    pub k: Estimate,
    pub v: Estimate,
    pub s: Estimate,
    /// The same means from the local kinetic energy and the Coulomb sum themselves (unknown in older files).
    #[serde(default)]
    pub k_local: Estimate,
    #[serde(default)]
    pub v_local: Estimate,
}

/// What a run says at its end; `summary.json` holds exactly this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub system: String,
    /// Unit of the energies.
    pub energy_unit: String,
    pub n: usize,
    pub dim: usize,
    pub rs: f64,
    pub theta: f64,
    /// Training steps done.
    pub steps: usize,
    pub batch: usize,
    pub seconds: f64,
    /// Final averages (frozen parameters if there were evaluation steps).
    pub result: Thermo,
    /// What the averages are over, in words: "50 steps of 512 walkers with frozen parameters".
    pub averaged_over: String,
    /// What the error bars mean, in words (unknown in older files).
    #[serde(default)]
    pub errors: String,
    /// Standard deviations by which the scatter of F, E, K, V, S between the averaged steps lies above (or, negative,
    /// below) what their own errors give: the one farthest off. Null where that is no check: chains, changing parameters.
    #[serde(with = "nullable", default = "unknown")]
    pub scatter: f64,
    /// The same quantities before the first update.
    pub start: Option<Thermo>,
    pub ideal: Option<Ideal>,
    #[serde(with = "nullable")]
    pub acceptance: f64,
    /// Integrated autocorrelation time of F, in steps: 1 by construction for exact draws; null where it is not known.
    #[serde(with = "nullable")]
    pub tau: f64,
    /// Walkers left out because their local energy was not finite.
    pub nonfinite: u64,
    /// How it ended: finished, stopped by the user, numerics.
    pub ended: String,
    pub device: String,
    /// What a reader should know before quoting the numbers.
    pub notes: Vec<String>,
}

impl Ideal {
    /// The ideal gas of the settings' electrons in all orbitals: that is what "exact" means, and every variational F lies
    /// above it. In the run's own orbitals, which is what training at rs = 0 approaches, F is higher by
    /// [`Cutoffs::orbital_energy`](super::Cutoffs::orbital_energy); too hot a gas to sum all orbitals has its values there.
    pub fn of(settings: &Settings) -> Result<Ideal> {
        let (gas, units) = (settings.gas()?, settings.units());
        let (f, e, s) = match Complete::new(&gas) {
            Ok(all) => (all.free_energy, all.energy, all.entropy),
            Err(_) => {
                let own = IdealGas::new(&gas.energies(), gas.n, gas.beta())?;
                (own.free_energy, own.energy, own.entropy)
            }
        };
        Ok(Ideal { f: units.energy * f, e: units.energy * e, s: units.entropy * s })
    }
}

impl Thermo {
    /// Averages of a batch in printed units.
    pub fn new(e: &Energies, settings: &Settings) -> Thermo {
        let units = settings.units();
        let scaled = |m: &Mean, unit: f64| Estimate::new(unit * m.mean, unit * m.error);
        Thermo {
            f: scaled(&e.free_energy, units.energy),
            e: scaled(&e.energy, units.energy),
            k: scaled(&e.mixed_kinetic, units.energy),
            v: scaled(&e.mixed_potential, units.energy),
            s: scaled(&e.entropy, units.entropy),
            k_local: scaled(&e.kinetic, units.energy),
            v_local: scaled(&e.potential, units.energy),
        }
    }
}

impl Summary {
    /// A finished run of `settings` on `device`; what is not given here is unknown and may be set.
    pub fn new(settings: &Settings, device: &str, steps: usize, seconds: f64, result: Thermo, averaged_over: impl Into<String>) -> Summary {
        Summary {
            system: "electron-gas".into(),
            energy_unit: settings.units().energy_name.into(),
            n: settings.n,
            dim: settings.dim,
            rs: settings.rs,
            theta: settings.theta,
            steps,
            batch: settings.batch,
            seconds,
            result,
            averaged_over: averaged_over.into(),
            errors: String::new(),
            scatter: f64::NAN,
            start: None,
            ideal: None,
            acceptance: f64::NAN,
            tau: f64::NAN,
            nonfinite: 0,
            ended: "finished".into(),
            device: device.into(),
            notes: Vec::new(),
        }
    }
}
