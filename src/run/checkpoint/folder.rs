//! The checkpoints of a run directory: which is the newest that is whole, and which are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Checkpoint, Progress};
use crate::error::{Error, Result};
use crate::run::Phase;
use crate::run::log::folder;

/// Below a run directory.
pub const FOLDER: &str = "checkpoints";
const ENDING: &str = "safetensors";
/// Ending of those that are damaged, once they were found.
const DAMAGED: &str = "damaged";

/// When checkpoints are saved, and which stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saving {
    /// Longest time between two; the first comes after a second, each next one after twice the time.
    pub every: Duration,
    /// How many of the last stay; at least one.
    pub keep: usize,
    /// One is saved after every so many steps of a phase, and stays; 0: none.
    pub keep_every: usize,
}

impl Default for Saving {
    fn default() -> Saving {
        Saving { every: Duration::from_secs(60), keep: 2, keep_every: 0 }
    }
}

/// A file, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    phase: Phase,
    step: usize,
    path: PathBuf,
}

fn name(progress: &Progress) -> String {
    format!("{}-{:09}.{ENDING}", progress.phase.name(), progress.step())
}

/// Those of a run directory, the last first.
fn entries(run: &Path) -> std::io::Result<Vec<Entry>> {
    let files = match std::fs::read_dir(run.join(FOLDER)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let mut found = Vec::new();
    for file in files {
        let path = file?.path();
        let stem = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == ENDING)).and_then(|stem| stem.to_str());
        let parts = stem.and_then(|stem| stem.rsplit_once('-'));
        if let Some((Some(phase), Ok(step))) = parts.map(|(phase, step)| (Phase::read(phase), step.parse())) {
            found.push(Entry { phase, step, path });
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

/// Whether a run directory has one of a run that did anything.
pub fn begun(run: &Path) -> bool {
    entries(run).is_ok_and(|all| all.iter().any(|e| e.step > 0 || e.phase > Phase::Pretraining))
}

/// The newest checkpoint that is whole.
pub struct Newest {
    pub path: PathBuf,
    pub checkpoint: Checkpoint,
    /// Later ones that are not, and why.
    pub damaged: Vec<(PathBuf, String)>,
}

impl Newest {
    /// What the user must hear of the damaged ones.
    pub fn warnings(&self) -> Vec<String> {
        let from = self.checkpoint.head.progress.words();
        self.damaged.iter().map(|(_, why)| format!("{why}; going on from the checkpoint before, {from}")).collect()
    }
}

/// The newest checkpoint of a run directory that is whole and of no later phase than `last`.
///
/// # Errors
/// [`Error::User`] where there is none, with what is wrong with those that are there.
pub fn newest(run: &Path, last: Phase) -> Result<Newest> {
    let shown = run.display();
    let all = entries(run).map_err(|e| Error::Io(format!("{shown}/{FOLDER}: cannot be read: {e}")))?;
    let mut damaged = Vec::new();
    for Entry { path, .. } in all.into_iter().filter(|e| e.phase <= last) {
        match Checkpoint::read(&path) {
            Ok(checkpoint) => return Ok(Newest { path, checkpoint, damaged }),
            Err(e) => damaged.push((path, e.to_string())),
        }
    }
    let why: String = damaged.iter().map(|(_, why)| format!("\n  {why}")).collect();
    Err(Error::User(format!("{shown} has no checkpoint to go on from{why}")))
}

/// Clears the way for a run that goes on from a checkpoint: those after it are of steps that will be made again, damaged ones
/// keep their bytes under another name, what was never renamed is removed.
///
/// # Errors
/// [`Error::Io`] for what cannot be renamed or removed.
pub fn clear(run: &Path, from: &Newest) -> Result<()> {
    let fail = |path: &Path, e: std::io::Error| Error::Io(format!("{}: cannot be moved out of the way: {e}", path.display()));
    for (path, _) in &from.damaged {
        std::fs::rename(path, path.with_extension(DAMAGED)).map_err(|e| fail(path, e))?;
    }
    for Entry { path, .. } in entries(run).map_err(|e| fail(run, e))?.into_iter().take_while(|e| e.path != from.path) {
        std::fs::remove_file(&path).map_err(|e| fail(&path, e))?;
    }
    for folder in [run.to_path_buf(), run.join(FOLDER)] {
        for file in std::fs::read_dir(&folder).map_err(|e| fail(&folder, e))?.flatten() {
            if file.file_name().to_str().is_some_and(|name| name.starts_with(crate::run::claim::ASIDE)) {
                std::fs::remove_file(file.path()).map_err(|e| fail(&file.path(), e))?;
            }
        }
    }
    Ok(())
}

/// Writes a checkpoint into a run directory and removes those that need not stay, once the new one is read back whole.
///
/// # Errors
/// [`Error::Io`] with the path and the bytes; all others are then still there.
pub fn save(run: &Path, checkpoint: &Checkpoint, saving: &Saving) -> Result<()> {
    if !run.join(FOLDER).is_dir() {
        folder(&run.join(FOLDER))?;
        // its own name must reach the disk; not every platform can sync a folder
        let _ = std::fs::File::open(run).and_then(|run| run.sync_all());
    }
    let path = run.join(FOLDER).join(name(&checkpoint.head.progress));
    checkpoint.write(&path)?;
    Checkpoint::read(&path).map_err(|e| Error::Io(format!("{e}, though it was just written")))?;
    let all = entries(run).map_err(|e| Error::Io(format!("{}: cannot be listed: {e}", path.display())))?;
    for Entry { path, .. } in surplus(all, saving) {
        std::fs::remove_file(&path).map_err(|e| Error::Io(format!("{}: cannot be removed: {e}", path.display())))?;
    }
    Ok(())
}

/// Which of them, the last first, need not stay. The last one of training does: with more training steps a run goes on there.
fn surplus(all: Vec<Entry>, saving: &Saving) -> Vec<Entry> {
    let trained = all.iter().find(|e| e.phase == Phase::Training).cloned();
    let stays =
        |e: &Entry| (saving.keep_every > 0 && e.step > 0 && e.step.is_multiple_of(saving.keep_every)) || Some(e) == trained.as_ref();
    all.into_iter().skip(saving.keep.max(1)).filter(|e| !stays(e)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_stay_and_every_so_many() {
        let entry = |phase: Phase, step: usize| Entry { phase, step, path: format!("{}-{step}", phase.name()).into() };
        let all: Vec<Entry> = (0..4)
            .rev()
            .map(|s| entry(Phase::Frozen, s))
            .chain((0..9).rev().map(|s| entry(Phase::Training, s)))
            .chain([entry(Phase::Pretraining, 8)])
            .collect();
        let left = |keep, keep_every| {
            let gone = surplus(all.clone(), &Saving { keep, keep_every, ..Saving::default() });
            all.iter().filter(|e| !gone.contains(e)).map(|e| e.path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left(2, 0), "frozen-3 frozen-2 training-8");
        assert_eq!(left(0, 4), "frozen-3 training-8 training-4 pretraining-8");
        assert_eq!(left(99, 0).split(' ').count(), all.len());
    }
}
