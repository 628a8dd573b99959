//! A number with its error, as files hold it.

use serde::{Deserialize, Serialize};

use super::Average;

/// JSON has no NaN: unknown numbers are null there.
pub(crate) mod nullable {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        if v.is_finite() { s.serialize_f64(*v) } else { s.serialize_none() }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

/// A number and its standard error, autocorrelation included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean; not a number where it is unknown.
    #[serde(with = "nullable")]
    pub value: f64,
    /// One standard deviation of the mean.
    #[serde(with = "nullable")]
    pub error: f64,
    /// The error is a lower bound: what is longer is not known (see [`crate::estimate::average()`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

impl Estimate {
    /// A value with an error that is known.
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

/// A number that has no error.
impl From<f64> for Estimate {
    fn from(value: f64) -> Self {
        Estimate::new(value, 0.0)
    }
}

impl From<Average> for Estimate {
    fn from(a: Average) -> Self {
        Estimate { value: a.mean, error: a.error, at_least: a.at_least }
    }
}
