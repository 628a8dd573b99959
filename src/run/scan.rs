//! A scan: runs over all combinations of listed settings, each in a folder of its own, which the same command goes on with.

use std::ffi::OsStr;
use std::path::Path;

use super::Summary;
use super::claim::file_name;
use crate::config::{Bearing, Key, Origin, Resolved, Value, list};
use crate::error::{Error, Result};
use crate::problem::{Kind, kinds, resolve};

/// Most points.
const MOST: usize = 10_000;

/// What a scan is to run over.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `key=value` and `key=v1,v2,…`.
    pub settings: Vec<String>,
    /// Groups of settings that go together, one a variant.
    pub variants: Vec<String>,
    /// Settings of the points that start from nothing.
    pub first: Vec<String>,
    /// All points do.
    pub cold: bool,
}

/// All points of a scan, in the order in which they are run.
pub struct Series {
    pub kind: &'static Kind,
    /// The listed settings.
    pub lists: Vec<&'static Key>,
    /// The one of them that the others are curves of.
    pub axis: usize,
    pub points: Vec<Point>,
}

/// One of its runs.
pub struct Point {
    /// Names its folder.
    pub name: String,
    /// Its variant as it was given; empty: there are none.
    pub variant: String,
    /// Its values of the listed settings.
    pub values: Vec<String>,
    /// Which of the curves it is on.
    pub curve: usize,
    pub resolved: Resolved,
    /// The point whose parameters it starts from.
    pub before: Option<usize>,
}

impl Point {
    /// Its value of a listed setting; not a number if it is a word.
    pub fn number(&self, list: usize) -> f64 {
        self.values[list].parse().unwrap_or(f64::NAN)
    }
}

/// A word with the values that it lists.
fn values(word: &str) -> Result<(String, Vec<String>)> {
    let Some((key, text)) = word.split_once('=') else { return Ok((word.into(), Vec::new())) };
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let whole = kinds().flat_map(|k| k.system.keys()).any(|k| plain(k.name) == plain(key) && k.kind == Vec::<f64>::KIND);
    list(text, whole).map(|values| (key.into(), values)).map_err(|why| Error::User(format!("{word}: {why}")))
}

/// One choice of each, the last one changing fastest.
fn product(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![Vec::new()], |all, n| {
        all.iter().flat_map(|chosen| (0..*n).map(|k| chosen.iter().copied().chain([k]).collect())).collect()
    })
}

impl Series {
    /// The points that a request for `target` means.
    ///
    /// # Errors
    /// [`Error::User`] for a list that is none, for no list at all, and for what is wrong with the settings of a point.
    pub fn new(target: &OsStr, request: &Request) -> Result<Series> {
        let (mut fixed, mut listed) = (Vec::new(), Vec::new());
        for word in &request.settings {
            match values(word)? {
                (key, values) if values.len() > 1 => listed.push((key, values)),
                (key, values) => fixed.push(values.first().map_or(word.clone(), |value| format!("{key}={value}"))),
            }
        }
        let variants = if request.variants.is_empty() { vec![String::new()] } else { request.variants.clone() };
        let words = |variant: &str, chosen: &[usize], listed: &[(String, Vec<String>)]| -> Vec<String> {
            let own = listed.iter().zip(chosen).map(|((key, values), k)| format!("{key}={}", values[*k]));
            fixed.iter().cloned().chain(variant.split_whitespace().map(String::from)).chain(own).collect()
        };
        let sample = resolve(target, &words(&variants[0], &vec![0; listed.len()], &listed))?;
        let kind = sample.kind();
        if listed.is_empty() {
            let example = kind.scanned.first().map_or("seed", |s| s.0);
            return Err(Error::User(format!(
                "no setting has several values: list them, for example {example}=0.5,1.0,1.5 or {example}=0.5,1.0..4.0"
            )));
        }
        let known = |name: &str| crate::config::find(kind.system, name).map_or("", |key| key.name);
        let axis = kind.scanned.iter().find_map(|(name, _)| listed.iter().position(|(key, _)| known(key) == *name));
        // the axis changes fastest, whatever the order on the command line
        let last = listed.remove(axis.unwrap_or(listed.len() - 1));
        listed.push(last);
        let lengths: Vec<usize> = [variants.len()].into_iter().chain(listed.iter().map(|(_, values)| values.len())).collect();
        let count = lengths.iter().try_fold(1usize, |n, m| n.checked_mul(*m).filter(|n| *n <= MOST));
        if count.is_none() {
            return Err(Error::User(format!("the lists have more than {MOST} combinations: shorten them")));
        }
        let lists: Vec<&'static Key> = listed.iter().filter_map(|(key, _)| crate::config::find(kind.system, key)).collect();
        let mut series = Series { kind, axis: lists.len() - 1, lists, points: Vec::new() };
        let steps = listed.last().map_or(1, |(_, values)| values.len());
        for (i, choice) in product(&lengths).into_iter().enumerate() {
            let (variant, chosen) = (&variants[choice[0]], &choice[1..]);
            let resolved = resolve(target, &words(variant, chosen, &listed))?;
            series.add(variant, resolved, i / steps, i % steps > 0, request)?;
        }
        let unit = |p: &Point| (kind.energy_unit)(&p.resolved.values);
        if let Some(other) = series.points.iter().find(|p| unit(p) != unit(&series.points[0])) {
            let (one, first) = (&series.points[0].name, unit(&series.points[0]));
            return Err(Error::User(format!(
                "energies of {} are in {}, those of {one} in {first}: scan them apart",
                other.name,
                unit(other)
            )));
        }
        Ok(series)
    }

    /// Adds a point, `along` the axis of the one before.
    fn add(&mut self, variant: &str, mut resolved: Resolved, curve: usize, along: bool, request: &Request) -> Result<()> {
        let values: Vec<String> = self.lists.iter().map(|key| resolved.values.text(key.name).to_string()).collect();
        let parts = self.lists.iter().zip(&values).map(|(key, value)| format!("{}={}", key.name, file_name(value)));
        let given = variant.split_whitespace().map(|word| word.split_once('=').unwrap_or((word, "")));
        let given = given.map(|(key, value)| format!("{key}={}", file_name(value)));
        let name = given.chain(parts).collect::<Vec<_>>().join(",");
        if let Some(twin) = self.points.iter().find(|p| p.name == name) {
            return Err(Error::User(format!(
                "two points of the scan would be {name} ({} and {}): list each value once, and give files different names",
                twin.values.join(" "),
                values.join(" ")
            )));
        }
        // a neighbour of another temperature or density, not of another seed or number of steps
        let near = self.kind.scanned.iter().any(|(name, _)| *name == self.lists[self.axis].name);
        let before = self.points.len().checked_sub(1).filter(|_| along && near && !request.cold);
        let before = match before {
            Some(i) if fits(&self.points[i].resolved, &resolved)? => Some(i),
            _ => None,
        };
        if before.is_some() {
            for (key, value) in self.kind.warm {
                if *resolved.origin(key) == Origin::Default {
                    resolved.derive(key, value, "a start from the point before");
                }
            }
        } else {
            for word in &request.first {
                let (key, value) =
                    word.split_once('=').ok_or_else(|| Error::User(format!("--first {word:?} is not of the form key=value")))?;
                let key = crate::config::find(resolved.system, key).map_or(key, |key| key.name);
                resolved = resolved.with(key, value)?;
            }
        }
        self.points.push(Point { name, variant: variant.into(), values, curve, resolved, before });
        Ok(())
    }
}

/// Whether the parameters of one are parameters of the other: of the same tables, with the same meaning.
fn fits(one: &Resolved, other: &Resolved) -> Result<bool> {
    let bearing = |key: &&Key| (other.system.bearing)(key) == Bearing::Meaning;
    if other.values.keys().filter(bearing).any(|key| one.values.text(key.name) != other.values.text(key.name)) {
        return Ok(false);
    }
    let tables = |r: &Resolved| (r.kind().tables)(&r.values);
    Ok(tables(one)?.into_iter().map(|t| t.0).eq(tables(other)?.into_iter().map(|t| t.0)))
}

/// The result of a point in its folder, if it was run there to its end.
///
/// # Errors
/// [`Error::User`] with the differences if what is there was begun with other settings.
pub fn finished(folder: &Path, point: &Point) -> Result<Option<Summary>> {
    let shown = folder.display();
    let (settings, summary) = (folder.join("config.toml"), folder.join("summary.json"));
    if !settings.is_file() {
        return Ok(None);
    }
    let then = resolve(&settings, &[])?;
    let now = &point.resolved;
    let mut other = Vec::new();
    if then.system.name != now.system.name {
        other.push(format!("system = {} then, {} now", then.system.name, now.system.name));
    } else {
        for key in now.values.keys() {
            let (was, is) = (then.values.text(key.name), now.values.text(key.name));
            // what is left to the device is settled in a run's own settings
            if !now.values.left(key.name) && was != is {
                other.push(format!("{} = {was} then, {is} now", key.name));
            }
        }
        let from = |begun: bool| if begun { "parameters of another run" } else { "nothing" };
        let starts = (then.params.is_some(), now.params.is_some() || point.before.is_some());
        if starts.0 != starts.1 {
            other.push(format!("start from {} then, from {} now", from(starts.0), from(starts.1)));
        }
    }
    if !other.is_empty() {
        return Err(Error::User(format!(
            "{shown} was begun with other settings:\n  {}\ngive the settings it was begun with, or another directory with --out",
            other.join("\n  ")
        )));
    }
    if !summary.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&summary).map_err(|e| Error::Io(format!("{}: cannot be read: {e}", summary.display())))?;
    let summary: Summary = serde_json::from_str(&text)
        .map_err(|e| Error::User(format!("{shown}/summary.json is damaged: {e}; remove {shown} to run it again")))?;
    Ok(Some(summary).filter(|s| s.ended == "finished"))
}

#[cfg(test)]
mod tests;
