//! What settings are for. What a system measures and computes is not known here.

use super::keys::{Key, Values};
use super::resolve::Resolved;

/// A system as its settings describe it.
pub struct System {
    /// As the command line and files call it.
    pub name: &'static str,
    /// Values for the required settings, as an example.
    pub example: &'static [(&'static str, &'static str)],
    /// Its own groups of settings and the shared ones it takes, in order.
    pub keys: &'static [&'static [Key]],
    /// Defaults of its own for shared settings.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Fills in what was left to the program and needs no device; the error is one more mistake.
    pub derive: fn(&mut Resolved) -> Result<(), String>,
    /// Conditions on all settings together: which values clash and what to change.
    pub mistakes: fn(&Values) -> Vec<String>,
    /// What another value of a setting means for parameters from a file.
    pub bearing: fn(&Key) -> Bearing,
}

/// What a setting is to parameters made with another value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// They would be other functions, or of other variables: not to be used.
    Meaning,
    /// They start elsewhere in the same space: to be said.
    Start,
    /// Nothing.
    None,
}

impl System {
    /// All settings in order.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().flat_map(|group| group.iter())
    }

    /// All settings at their defaults.
    ///
    /// # Panics
    /// For a table with a default that is none.
    pub fn values(&self) -> Values {
        Values::defaults(self.keys(), self.defaults).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The example as it is given on the command line.
    pub fn line(&self) -> String {
        self.example.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
