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

/// `-0.16812 ± 0.00034`: two digits of error, `± ≥ 0.00034` where it is a lower bound, `± ?` where it is unknown.
pub fn plus_minus(e: Estimate) -> String {
    if !e.value.is_finite() {
        return "–".into();
    }
    if !e.error.is_finite() {
        return format!("{} ± ?", plain(e.value));
    }
    if e.error <= 0.0 {
        return format!("{} ± 0", plain(e.value));
    }
    let sign = if e.at_least { "≥ " } else { "" };
    // 0.0996 rounds to 0.10
    let digits = 1 - format!("{:.1e}", e.error).split('e').nth(1).and_then(|d| d.parse::<i32>().ok()).unwrap_or(0);
    if digits > 12 || e.value.abs() >= LARGE {
        let digits = (e.value.abs() / e.error).log10().clamp(0.0, 14.0).round() as usize + 1;
        return format!("{:.digits$e} ± {sign}{:.1e}", e.value, e.error);
    }
    let digits = digits.max(0) as usize;
    format!("{:.digits$} ± {sign}{:.digits$}", e.value, e.error)
}

/// From here on numbers are written with an exponent.
const LARGE: f64 = 1e7;

pub(crate) fn plain(v: f64) -> String {
    if v.abs() >= LARGE { format!("{v:.6e}") } else { format!("{v:.6}") }
}
