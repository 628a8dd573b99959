//! Settings: a table of keys with default, range, unit and meaning beside whoever needs them, and their values.

use super::value::{Range, Value, compact};

/// One row of a table of settings.
#[derive(Debug)]
pub struct Key {
    pub group: &'static str,
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: &'static str,
    /// Text of the default; empty: must be given; `auto`: derived from other settings or the device; `none`: may be left out.
    pub default: &'static str,
    pub range: Range,
    pub unit: &'static str,
    pub meaning: &'static str,
    /// Reads a text; made by `settings!`.
    pub read: fn(&str) -> Result<Parsed, String>,
}

/// A value as it was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// As it is given in `key=value`, in one way of several.
    pub text: String,
    pub toml: String,
    /// The numbers a [`Range`] applies to.
    pub numbers: Vec<f64>,
}

/// Understands a text as a `T`.
pub fn read<T: Value>(text: &str) -> Result<Parsed, String> {
    let value = T::parse(text)?;
    Ok(Parsed { text: value.text(), toml: value.toml(), numbers: value.numbers() })
}

impl Key {
    /// What it takes, in words.
    pub fn takes(&self) -> String {
        let range = self.range.text();
        let or = if ["auto", "none"].contains(&self.default) { format!(" or {}", self.default) } else { String::new() };
        format!("{}{}{range}{or}", self.kind, if range.is_empty() { "" } else { " " })
    }

    /// Whether it is left to the program (`auto`) or out (`none`).
    fn left(&self, text: &str) -> bool {
        ["auto", "none"].contains(&self.default) && text.trim() == self.default
    }

    fn parse(&self, text: &str) -> Result<Parsed, String> {
        if self.left(text) {
            return Ok(Parsed { text: self.default.into(), toml: format!("{:?}", self.default), numbers: Vec::new() });
        }
        let parsed = (self.read)(text)?;
        match parsed.numbers.iter().find(|v| !self.range.holds(**v)) {
            Some(v) => Err(format!("{} is out of range", compact(*v))),
            None => Ok(parsed),
        }
    }
}

/// The values of a system's settings.
#[derive(Clone, Debug)]
pub struct Values(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    key: &'static Key,
    /// The system's own default, or that of the key.
    default: &'static str,
    value: Parsed,
}

impl PartialEq for Values {
    fn eq(&self, other: &Values) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.key.name == b.key.name && a.value == b.value)
    }
}

impl Values {
    /// The defaults of keys, those in `own` replaced; what must be given is empty.
    ///
    /// # Errors
    /// A default that is none, which is a mistake in the table.
    pub fn defaults(keys: impl Iterator<Item = &'static Key>, own: &[(&str, &'static str)]) -> Result<Values, String> {
        let entry = |key: &'static Key| {
            let default = own.iter().find(|(name, _)| *name == key.name).map_or(key.default, |(_, text)| text);
            let value = match default {
                "" => Parsed { text: String::new(), toml: String::new(), numbers: Vec::new() },
                text => key.parse(text).map_err(|e| format!("default of {}: {e}", key.name))?,
            };
            Ok(Entry { key, default, value })
        };
        Ok(Values(keys.map(entry).collect::<Result<_, String>>()?))
    }

    /// Every setting, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.0.iter().map(|e| e.key)
    }

    /// The setting of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    fn of(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|e| e.key.name == name)
    }

    /// The default of one; empty: it must be given.
    pub fn default_of(&self, name: &str) -> &'static str {
        self.of(name).map_or("", |e| e.default)
    }

    /// Sets one from text; the error says what is wrong with it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let entry = self.0.iter_mut().find(|e| e.key.name == name).ok_or("unknown key")?;
        entry.value = entry.key.parse(text)?;
        Ok(())
    }

    /// One as it is given in `key=value`; empty if there is none of this name.
    pub fn text(&self, name: &str) -> &str {
        self.of(name).map_or("", |e| &e.value.text)
    }

    /// One as TOML.
    pub fn toml(&self, name: &str) -> &str {
        self.of(name).map_or("", |e| &e.value.toml)
    }

    /// One as JSON.
    pub fn json(&self, name: &str) -> serde_json::Value {
        let parsed: Option<toml::Table> = toml::from_str(&format!("v = {}", self.toml(name))).ok();
        parsed.and_then(|mut t| t.remove("v")).and_then(|v| serde_json::to_value(v).ok()).unwrap_or_default()
    }

    /// Whether one is left to the program (`auto`), or out (`none`).
    pub fn left(&self, name: &str) -> bool {
        self.of(name).is_some_and(|e| e.key.left(&e.value.text))
    }

    /// One as a value; the default of its type if it is left to the program, or if there is none of this name.
    pub fn get<T: Value>(&self, name: &str) -> T {
        let given = self.of(name).filter(|_| !self.left(name));
        given.and_then(|e| T::parse(&e.value.text).ok()).unwrap_or_default()
    }

    /// Whether `text` gives the value that is set.
    pub fn reads_as(&self, name: &str, text: &str) -> bool {
        self.of(name).is_some_and(|e| e.key.parse(text).as_ref() == Ok(&e.value))
    }

    /// The settings that `then` does not give as they are, with what it gives.
    pub fn changed<'t>(&self, then: impl Fn(&str) -> Option<&'t str>) -> Vec<(&'static Key, Option<&'t str>)> {
        let given = self.keys().map(|key| (key, then(key.name)));
        // a value may be written in several ways
        given.filter(|(key, text)| !text.is_some_and(|text| self.reads_as(key.name, text))).collect()
    }

    /// Whether a setting was moved from its default.
    pub fn moved(&self, name: &str) -> bool {
        self.of(name).is_some_and(|e| !self.reads_as(name, e.default))
    }
}

/// A group of settings as values of their types.
pub trait Group: Sized {
    /// From what was given.
    fn read(values: &Values) -> Self;
    /// Puts its own back.
    fn write(&self, values: &mut Values);
}

/// A table of settings, as a structure with a field for each and a static table of [`Key`]s; other groups can be fields of it.
///
/// A row is `name: type = default, range, unit, meaning;` (see [`Key`]). Every type is a [`Value`].
#[macro_export]
macro_rules! settings {
    (
        $(#[$doc:meta])* pub struct $Settings:ident, $KEYS:ident
        $($group:literal { $($name:ident: $type:ty = $default:literal, $range:expr, $unit:literal, $meaning:literal;)* })*
        $(and { $($(#[$also:meta])* $field:ident: $Other:ty),* $(,)? })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $Settings {
            $($(#[doc = $meaning] #[doc = concat!("(unit: ", $unit, ")")] pub $name: $type,)*)*
            $($($(#[$also])* pub $field: $Other,)*)?
        }

        /// Its own settings with default, range, unit and meaning.
        pub static $KEYS: &[$crate::config::Key] = &[$($($crate::config::Key {
            group: $group, name: stringify!($name), kind: <$type as $crate::config::Value>::KIND, default: $default,
            range: $range, unit: $unit, meaning: $meaning, read: $crate::config::read::<$type>,
        },)*)*];

        impl $crate::config::Group for $Settings {
            fn read(values: &$crate::config::Values) -> Self {
                $Settings {
                    $($($name: values.get(stringify!($name)),)*)*
                    $($($field: <$Other as $crate::config::Group>::read(values),)*)?
                }
            }

            fn write(&self, values: &mut $crate::config::Values) {
                $($(
                    // a value that is out of range, as 0 for what is left to the program, changes nothing
                    let _ = values.set(stringify!($name), &$crate::config::Value::text(&self.$name));
                )*)*
                $($($crate::config::Group::write(&self.$field, values);)*)?
            }
        }
    };
}

/// An enumeration of the words a setting can be.
#[macro_export]
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $kind:literal: $($(#[$mark:meta])* $variant:ident = $text:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$mark])* $variant),* }

        impl $crate::config::Value for $name {
            const KIND: &'static str = $kind;
            fn parse(text: &str) -> std::result::Result<Self, String> {
                match text.trim().to_lowercase().as_str() {
                    $($text => Ok($name::$variant),)*
                    other => Err(match $crate::config::nearest(other, [$($text),*]) {
                        Some(near) => format!("unknown; did you mean {near}?"),
                        None => "unknown".to_string(),
                    }),
                }
            }
            fn toml(&self) -> String {
                match self { $($name::$variant => format!("{:?}", $text)),* }
            }
        }
    };
}
