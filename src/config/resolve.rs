//! Lays sources over one another and reports every mistake at once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Group, Key, System, Values, nearest};
use crate::error::{Error, Result};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    CommandLine,
    /// Computed; the text says from what.
    Derived(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File { path, line } => write!(f, "{} line {line}", path.display()),
            Origin::CommandLine => write!(f, "command line"),
            Origin::Derived(why) => write!(f, "{why}"),
        }
    }
}

/// One assignment before it is understood.
#[derive(Clone, Debug)]
pub struct Source {
    pub key: String,
    pub text: String,
    pub origin: Origin,
}

/// All settings with their origins.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub system: &'static System,
    pub values: Values,
    pub origins: BTreeMap<&'static str, Origin>,
    /// File of the parameters that a run starts from, with where it was named.
    pub params: Option<(PathBuf, Origin)>,
    /// What was given, before others were derived from it.
    given: Vec<Source>,
}

/// The key of [`Resolved::params`].
const PARAMS: &str = "params";

/// The key that a user means; names are the field's symbols, of which some differ in case alone.
pub fn find(system: &'static System, name: &str) -> Option<&'static Key> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    system.keys().find(|k| k.name == name).or_else(|| system.keys().find(|k| plain(k.name) == plain(name)))
}

fn names(systems: &[&'static System]) -> Vec<&'static str> {
    systems.iter().map(|s| s.name).collect()
}

/// The assignments of a TOML file, flat `key = value` with an optional `system = "NAME"`, the first of all if there is none.
fn read_file(systems: &[&'static System], path: &Path, mistakes: &mut Vec<String>) -> Result<(&'static System, Vec<Source>)> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::User(format!("{shown}: no such file")),
        std::io::ErrorKind::InvalidData => Error::User(format!("{shown} is no text: settings are TOML, in UTF-8")),
        _ => Error::Io(format!("{shown}: cannot be read: {e}")),
    })?;
    let table: BTreeMap<toml::Spanned<String>, toml::Spanned<toml::Value>> =
        toml::from_str(&text).map_err(|e| Error::User(format!("{shown} is not valid TOML:\n{}", e.to_string().trim_end())))?;
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(k, _)| k.span().start);
    let (mut sources, mut system, mut named) = (Vec::new(), systems[0], None);
    for (key, value) in entries {
        let line = 1 + text[..key.span().start].matches('\n').count();
        let name = key.into_inner();
        let plain = match value.into_inner() {
            toml::Value::String(s) => Ok(s),
            toml::Value::Integer(i) => Ok(i.to_string()),
            toml::Value::Float(f) => Ok(format!("{f:?}")),
            toml::Value::Boolean(b) => Ok(b.to_string()),
            toml::Value::Array(a) => Ok(a.iter().map(|v| v.as_str().map_or(v.to_string(), str::to_string)).collect::<Vec<_>>().join(",")),
            toml::Value::Table(_) => Err("a table; settings are flat: key = value"),
            toml::Value::Datetime(_) => Err("a date, which no setting takes"),
        };
        match plain {
            Ok(given) if name.eq_ignore_ascii_case("system") => {
                if let Some(first) = named.replace(line) {
                    mistakes.push(format!("{shown} line {line}: system is given twice (first in line {first}): keep one"));
                }
                match systems.iter().find(|s| s.name == given) {
                    Some(known) => system = known,
                    None => {
                        // its settings mean nothing as those of another
                        let there = names(systems).join(", ");
                        return Err(Error::User(format!("{shown} line {line}: system = {given:?}: unknown; there is {there}")));
                    }
                }
            }
            Ok(text) => sources.push(Source { key: name, text, origin: Origin::File { path: path.into(), line } }),
            Err(what) => mistakes.push(format!("{shown} line {line}: {name} is {what}")),
        }
    }
    Ok((system, sources))
}

/// The file that `params` names: relative to the settings file it stands in.
fn named(text: &str, place: &Origin) -> PathBuf {
    match place {
        Origin::File { path, .. } => path.parent().unwrap_or(Path::new("")).join(text),
        _ => PathBuf::from(text),
    }
}

/// `key=value` arguments.
fn read_arguments(arguments: &[String], mistakes: &mut Vec<String>) -> Vec<Source> {
    let mut sources = Vec::new();
    for argument in arguments {
        match argument.split_once('=') {
            Some((key, text)) if !key.trim().is_empty() => {
                sources.push(Source { key: key.trim().into(), text: text.into(), origin: Origin::CommandLine });
            }
            _ => mistakes.push(format!("command line: {argument:?} is not of the form key=value")),
        }
    }
    sources
}

impl Resolved {
    /// Resolves `target` (the name of one of the systems, or the path of a TOML file) and `key=value` arguments. The error
    /// lists everything that is wrong.
    pub fn from_command(systems: &[&'static System], target: impl AsRef<OsStr>, arguments: &[String]) -> Result<Resolved> {
        let mut mistakes = Vec::new();
        let (mut system, mut sources) = (systems[0], Vec::new());
        // any path the system allows: text is for showing only
        let path = Path::new(target.as_ref());
        let target = path.to_string_lossy();
        if path.is_file() || path.extension().is_some_and(|e| e == "toml") {
            (system, sources) = read_file(systems, path, &mut mistakes)?;
        } else if target.contains('=') {
            return Err(Error::User(format!(
                "{target:?} stands where the system or a TOML file belongs; for example: helmholtz train {} {}",
                system.name,
                system.line()
            )));
        } else if let Some(known) = systems.iter().find(|s| s.name == target) {
            system = known;
        } else {
            let hint = nearest(&target, names(systems)).map_or_else(
                || format!("there is {}; a settings file ends in .toml", names(systems).join(", ")),
                |near| format!("did you mean {near}?"),
            );
            return Err(Error::User(format!("{target:?} is no system: {hint}")));
        }
        sources.extend(read_arguments(arguments, &mut mistakes));
        Resolved::from_sources(system, &sources, mistakes)
    }

    /// Lays `sources` over the system's defaults; `mistakes` are those found so far.
    pub fn from_sources(system: &'static System, sources: &[Source], mut mistakes: Vec<String>) -> Result<Resolved> {
        let mut values = system.values();
        let required = |key: &&'static Key| values.default_of(key.name).is_empty();
        let required: Vec<&'static Key> = system.keys().filter(required).collect();
        let known = system.keys().filter(|key| !values.default_of(key.name).is_empty());
        let mut origins: BTreeMap<&'static str, Origin> = known.map(|key| (key.name, Origin::Default)).collect();
        let find = |name: &str| find(system, name);
        let mut attempted: Vec<&Source> = Vec::new();
        let mut params = None;
        for source in sources {
            let place = &source.origin;
            if source.key.eq_ignore_ascii_case(PARAMS) {
                if source.text.trim().is_empty() {
                    mistakes.push(format!("{place}: {PARAMS} is empty: give the path of a parameter file, or leave it out"));
                }
                let before = params.replace((named(&source.text, place), place.clone()));
                if let Some((_, first)) = before.filter(|(_, first)| (*first == Origin::CommandLine) == (*place == Origin::CommandLine)) {
                    mistakes.push(format!("{place}: {PARAMS} is given twice (first in {first}): keep one"));
                }
                continue;
            }
            let Some(key) = find(&source.key) else {
                let near = nearest(&source.key, system.keys().map(|k| k.name));
                let hint = near.map_or(String::new(), |near| format!(" Did you mean {near}?"));
                mistakes.push(format!("{place}: unknown key {:?}.{hint} `helmholtz keys {}` lists them all", source.key, system.name));
                continue;
            };
            // a file may be overridden by the command line, but nothing by itself
            let twin = |other: &&&Source| (place == &Origin::CommandLine) == (other.origin == Origin::CommandLine);
            if let Some(first) = attempted.iter().filter(|s| find(&s.key).is_some_and(|k| k.name == key.name)).find(twin) {
                let at = if *place == Origin::CommandLine { String::new() } else { format!(" in {}", first.origin) };
                mistakes.push(format!(
                    "{place}: {} is given twice ({}={}{at}, then {}={}): keep one",
                    key.name, first.key, first.text, source.key, source.text
                ));
            }
            attempted.push(source);
            let left = ["auto", "none"].contains(&key.default) && source.text.trim() == key.default;
            match values.set(key.name, &source.text) {
                Ok(()) => {
                    origins.insert(key.name, if left { Origin::Default } else { source.origin.clone() });
                }
                Err(why) => mistakes.push(format!("{place}: {}={}: {why}; takes {}", key.name, source.text, key.takes())),
            }
        }
        for key in required {
            if !attempted.iter().any(|s| find(&s.key).is_some_and(|k| k.name == key.name)) {
                let example = system.example.iter().find(|(name, _)| *name == key.name).map_or("", |(_, value)| value);
                mistakes.push(format!("{} is missing: {}; for example {}={example}", key.name, key.meaning, key.name));
            }
        }
        let mut resolved = Resolved { system, values, origins, params, given: sources.to_vec() };
        if mistakes.is_empty() {
            mistakes.extend((system.derive)(&mut resolved).err());
        }
        if mistakes.is_empty() {
            mistakes.extend((system.mistakes)(&resolved.values));
        }
        match mistakes.as_slice() {
            [] => Ok(resolved),
            [one] => Err(Error::User(one.clone())),
            many => Err(Error::User(format!("{} mistakes in the settings:\n  {}", many.len(), many.join("\n  ")))),
        }
    }

    /// The settings of one group.
    pub fn read<T: Group>(&self) -> T {
        T::read(&self.values)
    }

    /// The same with another value of one setting, from which others follow again.
    ///
    /// # Errors
    /// [`Error::User`] if it is out of range, or clashes with another one.
    pub fn with(&self, name: &str, text: &str) -> Result<Resolved> {
        let other = |s: &&Source| find(self.system, &s.key).is_none_or(|key| key.name != name);
        let mut sources: Vec<Source> = self.given.iter().filter(other).cloned().collect();
        sources.push(Source { key: name.into(), text: text.into(), origin: Origin::CommandLine });
        Resolved::from_sources(self.system, &sources, Vec::new())
    }

    /// Starts from the parameters of `path` instead of those a file named.
    pub fn start_from(&mut self, path: PathBuf) {
        self.params = Some((path, Origin::CommandLine));
    }

    /// Where a setting came from.
    pub fn origin(&self, name: &str) -> &Origin {
        self.origins.get(name).unwrap_or(&Origin::Default)
    }

    /// Says what `auto` stands for, where that needs no explanation.
    pub fn set_default(&mut self, name: &str, value: &str) {
        let _ = self.values.set(name, value);
    }

    /// Replaces a value that was left to the program (`batch`, `chunk`); `why` names what decided.
    pub fn derive(&mut self, name: &str, value: &str, why: impl Into<String>) {
        if let Some(key) = self.values.key(name)
            && self.values.set(name, value).is_ok()
        {
            self.origins.insert(key.name, Origin::Derived(why.into()));
        }
    }

    /// The settings as TOML, each with its unit and origin; reads back to the same settings.
    pub fn toml(&self) -> String {
        let mut text = format!("system = \"{}\"\n", self.system.name);
        if let Some((path, origin)) = &self.params {
            // wherever the settings are read later; TOML is text, a path need not be
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            match path.to_str() {
                Some(path) => text.push_str(&format!("{PARAMS} = {} # {origin}\n", toml::Value::from(path))),
                None => text.push_str(&format!("# --params {path:?} cannot be written here: its name is no text\n")),
            }
        }
        let mut group = "";
        for key in self.values.keys() {
            if key.group != group {
                group = key.group;
                text.push_str(&format!("\n# {group}\n"));
            }
            let unit = if key.unit.is_empty() { String::new() } else { format!("[{}] ", key.unit) };
            text.push_str(&format!("{:32} # {unit}{}\n", format!("{} = {}", key.name, self.values.toml(key.name)), self.origin(key.name)));
        }
        text
    }

    /// The settings as JSON: `{"rs": {"value": 10, "unit": "a0", "origin": "command line"}, …}`.
    pub fn json(&self) -> serde_json::Value {
        let mut map = serde_json::Map::new();
        for key in self.values.keys() {
            map.insert(
                key.name.into(),
                serde_json::json!({
                    "value": self.values.json(key.name), "unit": key.unit, "origin": self.origin(key.name).to_string(),
                }),
            );
        }
        map.into()
    }
}
