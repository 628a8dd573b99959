//! A folder with an unfinished run: whether a command is the one it was begun with, and from which checkpoint it goes on.

use std::collections::BTreeMap;
use std::path::Path;

use super::Phase;
use super::checkpoint::folder::{Newest, newest};
use super::checkpoint::{Checkpoint, Head};
use super::claim::{MARK, holds_run};
use crate::checksum::Checksum;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::problem::initial::compare;

/// Settings of which a run may get more.
const RAISED: [&str; 2] = ["steps", "eval_steps"];

/// A path as heads of checkpoints name it.
pub fn named(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

/// The file of parameters that settings name.
pub fn params(resolved: &Resolved) -> Option<String> {
    resolved.params.as_ref().map(|(path, _)| named(path))
}

/// Checksums of the files that settings name; paths in settings are absolute.
pub fn files(resolved: &Resolved) -> BTreeMap<String, String> {
    let sum = |text: &str| {
        let bytes = Some(Path::new(text)).filter(|path| path.is_absolute()).and_then(|path| std::fs::read(path).ok())?;
        Some(format!("{:016x}", Checksum::of(&bytes).value()))
    };
    resolved.values.keys().filter_map(|key| Some((key.name.to_string(), sum(resolved.values.text(key.name))?))).collect()
}

/// A setting that is other than when a run was begun.
struct Difference {
    text: String,
    /// A run may get more of it.
    raisable: bool,
    /// And does.
    raised: bool,
}

/// Whether a run had to make its chunks smaller than it was told to (see [`super::recovery`]), which changes no draw, and sums by their
/// rounding alone.
fn halved(name: &str, then: Option<&str>, now: &Resolved) -> bool {
    name == "chunk" && then.and_then(|then| then.parse().ok()).is_some_and(|then: usize| then < now.values.get(name))
}

/// All of them.
fn differences(head: &Head, now: &Resolved) -> Vec<Difference> {
    let plain = |text: String| Difference { text, raisable: false, raised: false };
    if head.made.system != now.system.name {
        return vec![plain(format!("system = {} then, {} now", head.made.system, now.system.name))];
    }
    let mut other = Vec::new();
    for (key, then) in now.values.changed(|name| head.made.settings.get(name).map(String::as_str)) {
        // what is left to the device was settled when the run began
        if (now.values.left(key.name) && then.is_some()) || halved(key.name, then, now) {
            continue;
        }
        let text = format!("{} = {} then, {} now", key.name, then.unwrap_or("not told"), now.values.text(key.name));
        let raisable = RAISED.contains(&key.name);
        let more = |then: &str| then.parse::<usize>().is_ok_and(|then| now.values.get::<usize>(key.name) > then);
        other.push(Difference { text, raisable, raised: raisable && then.is_some_and(more) });
    }
    for (name, sum) in files(now) {
        if head.made.settings.get(&name).is_some_and(|then| then == now.values.text(&name)) && head.files.get(&name) != Some(&sum) {
            other.push(plain(format!("{name} = {} then, the same file with other bytes now", now.values.text(&name))));
        }
    }
    let begun = (&head.params, params(now));
    if *begun.0 != begun.1 {
        let shown = |params: Option<&String>| params.cloned().unwrap_or("no file".into());
        other.push(plain(format!("params = {} then, {} now", shown(begun.0.as_ref()), shown(begun.1.as_ref()))));
    }
    other
}

/// Whether a run came to its end, its result included.
fn finished(run: &Path) -> bool {
    if !run.join("summary.json").is_file() {
        return false;
    }
    let manifest = std::fs::read_to_string(run.join(MARK)).unwrap_or_default();
    serde_json::from_str(&manifest).is_ok_and(|m: serde_json::Value| m["ended"] == "finished")
}

/// The checkpoint that the run in a folder goes on from with these settings, in which what was left to the device is settled as
/// it was then; `fork` is the run that a command names as its start, if it does.
///
/// # Errors
/// [`Error::User`] where there is no whole one, the run is finished, or settings are other ones: these are shown.
pub fn resume(run: &Path, resolved: &mut Resolved, fork: Option<&Path>) -> Result<Newest> {
    let refuse = |why: String| Err(holds_run(run, &why));
    let mut found = match newest(run, Phase::Frozen) {
        Ok(found) => found,
        Err(Error::User(why)) => return refuse(format!(", and {why}")),
        Err(e) => return Err(e),
    };
    let head = &found.checkpoint.head;
    let all = differences(head, resolved);
    let raised = all.iter().any(|d| d.raised);
    let shown = |d: Difference| if d.raisable { format!("{} (may be raised)", d.text) } else { d.text };
    let mut other: Vec<String> = all.into_iter().filter(|d| !d.raised).map(shown).collect();
    if let Some(from) = fork.map(named).filter(|from| head.fork.as_ref() != Some(from)) {
        other.push(format!("fork = {} then, {from} now", head.fork.as_deref().unwrap_or("none")));
    }
    if !other.is_empty() {
        let shown = run.display();
        return refuse(format!(
            ", begun with other settings:\n  {}\ngive those to go on with it, or --fork {shown} to start another run from its state",
            other.join("\n  ")
        ));
    }
    if !raised && finished(run) {
        return refuse(", which is finished (more steps or eval_steps go on with it)".into());
    }
    let steps: usize = resolved.values.get("steps");
    if head.progress.phase == Phase::Frozen && steps > head.progress.training {
        // measured at parameters that are trained on
        found = newest(run, Phase::Training).map_err(|e| holds_run(run, &format!(", and {e}")))?;
    }
    for name in ["batch", "chunk"] {
        let then = found.checkpoint.head.made.settings.get(name);
        if let Some(then) = then.filter(|then| resolved.values.left(name) || halved(name, Some(then), resolved)) {
            resolved.derive(name, then, "as the run began");
        }
    }
    Ok(found)
}

/// Another run's state, to start a new one from.
pub struct Fork {
    pub checkpoint: Checkpoint,
    /// What is other now, for the result.
    pub remark: String,
    pub warnings: Vec<String>,
}

/// The state of a run directory, or of one of its checkpoints, for a run of other settings.
///
/// # Errors
/// [`Error::User`] where there is no whole checkpoint, or settings without which its parameters mean something else are other ones.
pub fn fork(from: &Path, resolved: &Resolved) -> Result<Fork> {
    let (path, checkpoint, warnings) = if from.is_file() {
        (from.to_path_buf(), Checkpoint::read(from)?, Vec::new())
    } else if from.is_dir() {
        let found = newest(from, Phase::Frozen)?;
        let warnings = found.warnings();
        (found.path, found.checkpoint, warnings)
    } else {
        return Err(Error::User(format!("{}: no such run directory or checkpoint", from.display())));
    };
    compare(&path, Some(&checkpoint.head.made), resolved)?;
    checkpoint.parameters(&(resolved.kind().tables)(&resolved.values)?)?;
    // it counts its own steps, and begins with the state, whatever that began with
    let counts = |d: &Difference| !d.raisable && !d.text.starts_with("params = ");
    let all: Vec<String> = differences(&checkpoint.head, resolved).into_iter().filter(counts).map(|d| d.text).collect();
    let at = checkpoint.head.progress.words();
    let same = if all.is_empty() { "the same settings".into() } else { all.join(", ") };
    let remark = format!("started from the state of {} at its {at}: {same}", from.display());
    Ok(Fork { checkpoint, remark, warnings })
}
