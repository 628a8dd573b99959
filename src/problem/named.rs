//! Values under the names of a kind's quantities or parameters.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::kinds;
use crate::estimate::Estimate;

/// A value for some of a kind's names, in their order; what is not among them is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(Vec<(&'static str, T)>);

impl<T> Named<T> {
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub fn set(&mut self, name: &'static str, value: T) {
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Named<serde_json::Value> {
    /// A parameter as a number; NaN if it is none.
    pub fn number(&self, name: &str) -> f64 {
        self.get(name).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN)
    }

    /// A parameter as a user writes it.
    pub fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(serde_json::Value::String(word)) => word.clone(),
            _ => self.number(name).to_string(),
        }
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<T> FromIterator<(&'static str, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (&'static str, T)>>(values: I) -> Self {
        Named(values.into_iter().collect())
    }
}

impl<T> IntoIterator for Named<T> {
    type Item = (&'static str, T);
    type IntoIter = std::vec::IntoIter<(&'static str, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T, const N: usize> From<[(&'static str, T); N]> for Named<T> {
    fn from(values: [(&'static str, T); N]) -> Self {
        Named(values.into())
    }
}

static UNKNOWN: Estimate = Estimate { value: f64::NAN, error: f64::NAN, at_least: false };

impl Index<&str> for Named<Estimate> {
    type Output = Estimate;

    fn index(&self, name: &str) -> &Estimate {
        self.get(name).unwrap_or(&UNKNOWN)
    }
}

impl IndexMut<&'static str> for Named<Estimate> {
    fn index_mut(&mut self, name: &'static str) -> &mut Estimate {
        let at = self.0.iter().position(|(n, _)| *n == name).unwrap_or_else(|| {
            self.0.push((name, UNKNOWN));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}

/// Keys in files are in lower case.
impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(&name.to_lowercase(), value)?;
        }
        map.end()
    }
}

/// The name that a key in a file stands for.
fn known(key: &str) -> Option<&'static str> {
    let parameters = kinds().flat_map(|k| k.parameters).map(|p| p.name);
    let quantities = kinds().flat_map(|k| k.quantities).map(|q| q.name);
    parameters.chain(quantities).find(|name| name.to_lowercase() == key)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Keys<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Keys<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with values under the names of quantities")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut values = Named::default();
                while let Some(key) = map.next_key::<String>()? {
                    match known(&key) {
                        Some(name) => values.set(name, map.next_value()?),
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(values)
            }
        }
        d.deserialize_map(Keys(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_unknown_ones_are_left_out() {
        let mut values = Named::from([("F", Estimate::new(-0.5, 0.25)), ("K_local", Estimate::new(1.5, 0.5))]);
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"{"f":{"value":-0.5,"error":0.25},"k_local":{"value":1.5,"error":0.5}}"#);
        let more = text.replace(r#""k_local""#, r#""another":{"deep":[1]},"k_local""#);
        assert_eq!(serde_json::from_str::<Named<Estimate>>(&more).unwrap(), values);
        assert!(values["E"].value.is_nan() && values.get("E").is_none());
        values["E"].value = 2.0;
        values["F"].value = 1.0;
        assert_eq!((values["E"].value, values["F"], values.0.len()), (2.0, Estimate::new(1.0, 0.25), 3));
        assert!(serde_json::from_str::<Named<f64>>("[1, 2]").is_err());
    }
}
