//! A folder for one run at a time: claimed under a lock that the system gives back when the process ends, however it ends.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::checkpoint::folder::{FOLDER, begun};
use super::duration;
use super::log::now;
use crate::error::{Error, Result};

/// What marks a directory as a run.
pub(super) const MARK: &str = "manifest.json";
/// Locked while a run lasts; holds who runs.
const LOCK: &str = "lock";
/// What a run has written before its first step. A folder with nothing else is as good as empty.
const FIRST: &[&str] = &[LOCK, MARK, "config.toml", "metrics.csv", "events.jsonl", FOLDER];
/// Starts the names of files not yet renamed ([`crate::atomic_file`]).
pub(super) const ASIDE: &str = ".tmp";
/// A folder moved away between finding and locking it is looked for again that often.
const ATTEMPTS: usize = 8;

/// What becomes of a run that is in a directory already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// The directory is refused.
    Refused,
    /// It is moved aside.
    Aside,
    /// It is gone on with.
    Resumed,
}

/// A directory fit for a run and locked for it.
#[derive(Debug)]
pub struct Claim {
    pub path: PathBuf,
    /// It holds a run to go on with.
    pub resumes: bool,
    /// This claim created its lock.
    locked_first: bool,
    /// This claim created it.
    created: bool,
    /// Why two runs could meet here: the file system has no locks.
    pub unlocked: Option<String>,
    /// Dropping it gives the lock back.
    _lock: File,
}

/// What a folder holds.
#[derive(PartialEq)]
enum Content {
    /// Nothing, or what a run leaves that made no step.
    Nothing,
    Run,
    Foreign,
}

impl Content {
    /// `unlocked`: the lock that is there is not from a run.
    fn of(path: &Path, unlocked: bool) -> std::io::Result<Content> {
        let mut names = fs::read_dir(path)?.map(|e| e.map(|e| e.file_name())).collect::<std::io::Result<Vec<OsString>>>()?;
        names.retain(|n| !unlocked || n != LOCK);
        let ours =
            |allowed: &[&str]| names.iter().all(|n| allowed.iter().any(|a| n == a) || n.to_str().is_some_and(|n| n.starts_with(ASIDE)));
        let has = |name: &str| names.iter().any(|n| n == name);
        Ok(match (names.is_empty(), has(MARK)) {
            (true, _) => Content::Nothing,
            // without the lock it is no run of this kind: nothing in it is taken for granted
            (_, true) if has(LOCK) && ours(FIRST) && !stepped(path) => Content::Nothing,
            (_, true) => Content::Run,
            (_, false) if has(LOCK) && ours(&[LOCK]) => Content::Nothing,
            (_, false) => Content::Foreign,
        })
    }
}

/// Whether a step is logged, anything beyond the header, or in a checkpoint.
fn stepped(path: &Path) -> bool {
    let logged = |t: Vec<u8>| t.iter().position(|b| *b == b'\n').is_some_and(|header| header + 1 < t.len());
    begun(path) || fs::read(path.join("metrics.csv")).is_ok_and(logged)
}

/// Creates a folder; false if it is there.
fn create(path: &Path) -> std::io::Result<bool> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

fn lock_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK))
}

/// Whether `file` is still the lock file of `path`: not so after the folder was moved away.
fn still_there(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |m: fs::Metadata| (m.dev(), m.ino());
        matches!((file.metadata().map(place), fs::metadata(path.join(LOCK)).map(place)), (Ok(a), Ok(b)) if a == b)
    }
    // elsewhere a folder with an open file cannot be moved
    #[cfg(not(unix))]
    {
        let _ = file;
        path.join(LOCK).exists()
    }
}

/// Whether a run lasts in `path`. Where the file system has no locks nobody knows: no.
pub fn running(path: &Path) -> bool {
    File::open(path.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn in_use(path: &Path, mut file: File) -> Error {
    let mut text = String::new();
    // a lock may forbid reading too
    let _ = file.read_to_string(&mut text);
    let holder: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let who = match (holder["pid"].as_u64(), holder["host"].as_str(), holder["started_unix_s"].as_f64()) {
        (Some(pid), Some(host), Some(since)) => format!("process {pid} on {host}, started {} ago,", duration(now() - since)),
        _ => "another process".into(),
    };
    Error::User(format!("{}: {who} is running there: choose another directory with --out, or stop that run first", path.display()))
}

/// `why` it is not gone on with follows the name of the folder.
pub(super) fn holds_run(path: &Path, why: &str) -> Error {
    Error::User(format!(
        "{} holds a run already{why}: choose another directory with --out, or --fresh to move the old run aside",
        path.display()
    ))
}

impl Claim {
    /// Claims `path`: creates it, or takes one that is empty or holds what a run left that made no step. A run already
    /// there is refused, gone on with, or moved aside to `PATH.1`, `PATH.2`, …; no step is ever deleted.
    ///
    /// # Errors
    /// [`Error::User`] where another process runs (its number and host are named), a run lies, or anything else;
    /// [`Error::Io`] where nothing can be written.
    pub fn new(path: &Path, old: Old) -> Result<Claim> {
        for _ in 0..ATTEMPTS {
            if let Some(claim) = Claim::attempt(path, old)? {
                return Ok(claim);
            }
        }
        Err(Error::Io(format!("{}: is moved away again and again; choose another directory with --out", path.display())))
    }

    /// Nothing where the folder was moved away meanwhile, by this claim or another.
    fn attempt(path: &Path, old: Old) -> Result<Option<Claim>> {
        let shown = path.display();
        let fail =
            |e: std::io::Error| Error::Io(format!("run directory {shown}: cannot be made or written: {e}; choose another with --out"));
        let created = create(path).map_err(fail)?;
        let refuse = |content: Content| match content {
            Content::Foreign => Err(Error::User(format!(
                "{shown} is not empty and holds no run (no {MARK}): nothing in it is touched; choose another directory with --out"
            ))),
            Content::Run if old == Old::Refused => Err(holds_run(path, "")),
            other => Ok(other),
        };
        if let Err(refused) = refuse(Content::of(path, false).map_err(fail)?) {
            // nothing is written here; whether it runs is worth knowing
            return Err(match File::open(path.join(LOCK)) {
                Ok(file) if running(path) => in_use(path, file),
                _ => refused,
            });
        }
        let locked_first = !path.join(LOCK).exists();
        let mut lock = match lock_file(path) {
            Ok(lock) => lock,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fail(e)),
        };
        let unlocked = match lock.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => return Err(in_use(path, lock)),
            Err(TryLockError::Error(e)) => {
                Some(format!("{shown}: its file system has no locks ({e}): take care that no other run is given this directory"))
            }
        };
        if !still_there(&lock, path) {
            return Ok(None);
        }
        // under the lock nothing changes any more
        let resumes = refuse(Content::of(path, locked_first).map_err(fail)?)? == Content::Run;
        if resumes && old == Old::Aside {
            let aside = |i: usize| {
                let mut name = path.file_name().map_or("run".into(), OsString::from);
                name.push(format!(".{i}"));
                path.with_file_name(name)
            };
            let free = (1..).map(aside).find(|p| !p.exists());
            fs::rename(path, free.unwrap_or_else(|| aside(0))).map_err(fail)?;
            return Ok(None);
        }
        let claim_text = serde_json::json!({ "pid": std::process::id(), "host": host(), "started_unix_s": now() });
        // a write that fails now is better than one that fails after an hour
        let cleared = if resumes { Ok(()) } else { clear(path) };
        let written = cleared
            .and_then(|()| lock.set_len(0))
            .and_then(|()| writeln!(lock, "{claim_text}"))
            .and_then(|()| tempfile::NamedTempFile::new_in(path)?.write_all(&[0; 4096]));
        let claim = Claim { path: path.into(), resumes, locked_first, created, unlocked, _lock: lock };
        match written {
            Ok(()) => Ok(Some(claim)),
            Err(e) => {
                claim.release();
                Err(fail(e))
            }
        }
    }

    /// Claims the first free of `NAME`, `NAME-2`, … in a folder, which it creates: no two runs find the same one free.
    pub fn free(folder: &Path, name: &str) -> Result<Claim> {
        for i in 1.. {
            let path = folder.join(if i == 1 { name.to_string() } else { format!("{name}-{i}") });
            let created = create(&path)
                .map_err(|e| Error::Io(format!("run directory {}: cannot be made: {e}; choose another with --out", path.display())))?;
            if !created {
                continue;
            }
            match Claim::new(&path, Old::Refused) {
                // another run was told to take this very folder
                Err(Error::User(_)) => {}
                done => return done.map(|claim| Claim { created: true, ..claim }),
            }
        }
        unreachable!("there is always another number")
    }

    /// Gives a directory back in which no step was made, or a run that is not gone on with as it was.
    pub fn release(&self) {
        let unused = || Content::of(&self.path, false).is_ok_and(|c| c == Content::Nothing) && clear(&self.path).is_ok();
        let unlocks = if self.resumes { self.locked_first } else { unused() };
        if unlocks {
            let _ = fs::remove_file(self.path.join(LOCK));
            if self.created {
                let _ = fs::remove_dir(&self.path);
            }
        }
    }
}

/// A value of a setting in the name of a folder: of a path its stem.
pub fn file_name(text: &str) -> String {
    let stem = if text.contains(std::path::is_separator) { Path::new(text).file_stem() } else { None };
    let plain = stem.map_or(text.to_string(), |stem| stem.to_string_lossy().into_owned());
    plain.chars().map(|c| if c.is_alphanumeric() || "+-._".contains(c) { c } else { '_' }).collect()
}

/// Removes what a run left that made no step, but the lock.
fn clear(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.file_name() {
            name if name == LOCK => {}
            name if name == FOLDER && entry.file_type()?.is_dir() => fs::remove_dir_all(entry.path())?,
            _ => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Name of this machine.
fn host() -> String {
    let told = || std::process::Command::new("hostname").output().ok().map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(told).unwrap_or_default();
    if name.trim().is_empty() { "a host without a name".into() } else { name.trim().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(claim: Result<Claim>) -> String {
        claim.map_or_else(|e| format!("{}: {e}", e.exit_code()), |_| "claimed".into())
    }

    #[test]
    fn a_folder_is_one_runs_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b").join("rün");
        let first = Claim::new(&path, Old::Refused).unwrap();
        for fresh in [false, true] {
            let refused = text(Claim::new(&path, if fresh { Old::Aside } else { Old::Refused }));
            let who = format!("process {} on {}", std::process::id(), host());
            assert!(refused.starts_with("2: ") && refused.contains(&who), "{refused}");
        }
        // what a process leaves that dies here is taken again
        drop(first);
        assert_eq!(text(Claim::new(&path, Old::Refused)), "claimed");
        assert_eq!(text(Claim::new(&path, Old::Aside)), "claimed");
    }

    /// Whatever lies there of a run without a step, in any combination, is taken; a step or a stranger's file is not.
    #[test]
    fn runs_that_made_no_step_are_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let write = |names: &[&str]| {
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            names.iter().for_each(|n| fs::write(path.join(n), "step,F\n").unwrap());
        };
        for count in 1..=FIRST.len() {
            write(&FIRST[..count]);
            fs::write(path.join(".tmpx"), "half").unwrap();
            assert_eq!(text(Claim::new(&path, Old::Refused)), "claimed", "{count}");
        }
        write(&[MARK]);
        assert!(text(Claim::new(&path, Old::Refused)).contains("holds a run already"));
        // nothing of it is taken for granted; where it is not gone on with it is as it was
        let claim = Claim::new(&path, Old::Resumed).unwrap();
        assert!(claim.resumes && path.join(LOCK).exists());
        claim.release();
        assert!(path.join(MARK).exists() && !path.join(LOCK).exists());
        write(&["notes.txt"]);
        assert!(text(Claim::new(&path, Old::Aside)).contains("nothing in it is touched"));
        assert!(!path.join(LOCK).exists());
        write(FIRST);
        fs::write(path.join("metrics.csv"), "step,F\n0,").unwrap();
        assert!(text(Claim::new(&path, Old::Refused)).contains("holds a run already"));
        assert_eq!(text(Claim::new(&path, Old::Aside)), "claimed");
        assert_eq!(fs::read(folder.path().join("run.1/metrics.csv")).unwrap(), b"step,F\n0,");
    }

    /// Many claims of one folder at once: one gets it. With `fresh` over an old run likewise, and the old run is kept.
    #[test]
    fn of_many_claims_at_once_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        for (round, fresh) in [(0, false), (1, true), (2, false), (3, true)] {
            let path = folder.path().join(format!("run{round}"));
            if fresh {
                fs::create_dir(&path).unwrap();
                fs::write(path.join(MARK), "{}").unwrap();
                fs::write(path.join("metrics.csv"), "step,F\n0,1\n").unwrap();
            }
            let claims: Vec<Result<Claim>> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| Claim::new(&path, if fresh { Old::Aside } else { Old::Refused }))).collect();
                threads.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(claims.iter().filter(|c| c.is_ok()).count(), 1, "{claims:?}");
            assert_eq!(folder.path().join(format!("run{round}.1")).exists(), fresh);
            assert!(!folder.path().join(format!("run{round}.2")).exists());
        }
    }

    #[test]
    fn unused_folders_are_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        Claim::new(&path, Old::Refused).unwrap().release();
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        Claim::new(&path, Old::Refused).unwrap().release();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
}
