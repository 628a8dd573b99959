//! The run directory: config.toml, manifest.json, metrics.csv, events.jsonl, summary.json.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{StepRecord, Summary, record};
use crate::atomic_file;
use crate::config::Resolved;
use crate::error::{Error, Result};

/// A directory found fit for a run, before anything is in it.
#[derive(Debug)]
pub struct Claim {
    pub path: PathBuf,
    /// This claim created it.
    created: bool,
}

/// What marks a directory as a run.
const MARK: &str = "manifest.json";

impl Claim {
    /// Claims `path`: creates it, or takes an empty one. A run already there is refused, or with
    /// `fresh` moved aside to `PATH.1`, `PATH.2`, …; nothing is ever deleted.
    pub fn new(path: &Path, fresh: bool) -> Result<Claim> {
        let shown = path.display();
        let fail =
            |e: std::io::Error| Error::Io(format!("run directory {shown}: cannot be made or written: {e}; choose another with --out"));
        if path.exists() {
            let mut entries = fs::read_dir(path).map_err(fail)?;
            if entries.next().is_some() {
                if !path.join(MARK).is_file() {
                    return Err(Error::User(format!(
                        "{shown} is not empty and holds no run (no {MARK}): nothing in it is touched; choose another directory with --out"
                    )));
                }
                if !fresh {
                    return Err(Error::User(format!(
                        "{shown} holds a run already: choose another directory with --out, or --fresh to move the old run aside"
                    )));
                }
                let aside = (1..).map(|i| path.with_file_name(format!("{}.{i}", name_of(path)))).find(|p| !p.exists());
                if let Some(aside) = aside {
                    fs::rename(path, &aside).map_err(fail)?;
                }
            }
        }
        let created = !path.exists();
        fs::create_dir_all(path).map_err(fail)?;
        let claim = Claim { path: path.into(), created };
        // a write that fails now is better than one that fails after an hour
        if let Err(e) = tempfile::NamedTempFile::new_in(path).and_then(|mut f| f.write_all(&[0; 4096])) {
            claim.release();
            return Err(fail(e));
        }
        Ok(claim)
    }

    /// Claims the first free of `runs/NAME`, `runs/NAME-2`, …
    pub fn free(name: &str) -> Result<Claim> {
        let taken = |p: &Path| fs::read_dir(p).map(|mut d| d.next().is_some()).unwrap_or(p.exists());
        let candidates = (1..).map(|i| Path::new("runs").join(if i == 1 { name.to_string() } else { format!("{name}-{i}") }));
        let path = candidates.into_iter().find(|p| !taken(p)).unwrap_or_else(|| Path::new("runs").join(name));
        Claim::new(&path, false)
    }

    /// Gives an unused directory back.
    pub fn release(&self) {
        if self.created {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or("run".into(), |n| n.to_string_lossy().into_owned())
}

/// Seconds since 1970, UTC.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// Writes a run's files. A failing disk does not stop the run: the first fault is kept and
/// reported at the end.
pub struct RunLog {
    pub path: PathBuf,
    metrics: File,
    events: File,
    manifest: serde_json::Value,
    fault: Option<Error>,
}

impl RunLog {
    /// Starts the logs of a run; `device` is [`crate::gpu::Gpu::manifest`].
    pub fn start(claim: Claim, resolved: &Resolved, device: serde_json::Value) -> Result<RunLog> {
        let path = claim.path;
        let open = |name: &str| {
            let at = path.join(name);
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&at)
                .map_err(|e| Error::Io(format!("{}: cannot be opened: {e}", at.display())))
        };
        let manifest = json!({
            "program": "helmholtz",
            "version": env!("CARGO_PKG_VERSION"),
            "system": "electron-gas",
            "command": std::env::args().collect::<Vec<_>>(),
            "started_unix_s": now(),
            "device": device,
            "seed": resolved.settings.seed,
            "ended": null,
        });
        let (metrics, events) = (open("metrics.csv")?, open("events.jsonl")?);
        let mut log = RunLog { path, metrics, events, manifest, fault: None };
        log.write_settings(resolved)?;
        log.write_manifest()?;
        let header = record::csv_header(resolved.settings.units().energy_name);
        writeln!(log.metrics, "{header}").map_err(|e| Error::Io(format!("{}: {e}", log.path.join("metrics.csv").display())))?;
        log.event(json!({
            "event": "start",
            "unix_s": now(),
            "per": "electron",
            "units": units(resolved.settings.units().energy_name),
        }));
        Ok(log)
    }

    /// Writes `config.toml` (again, once values left to the program are known).
    pub fn write_settings(&self, resolved: &Resolved) -> Result<()> {
        let head = "# All settings of this run and where each came from; `helmholtz train config.toml` repeats it.\n";
        atomic_file::write(&self.path.join("config.toml"), format!("{head}{}", resolved.toml()).as_bytes())
    }

    fn write_manifest(&self) -> Result<()> {
        atomic_file::write(&self.path.join(MARK), format!("{:#}\n", self.manifest).as_bytes())
    }

    /// Adds a fact to `manifest.json`.
    pub fn note(&mut self, key: &str, value: serde_json::Value) {
        self.manifest[key] = value;
        let done = self.write_manifest();
        self.keep(done);
    }

    fn keep(&mut self, done: Result<()>) {
        if let (Err(e), None) = (done, &self.fault) {
            self.fault = Some(e);
        }
    }

    /// Appends one step to `metrics.csv` and `events.jsonl`.
    pub fn step(&mut self, r: &StepRecord) {
        // one write a line, so that a killed run leaves at most one torn line
        let done = self.metrics.write_all(format!("{}\n", record::csv_line(r)).as_bytes());
        let done =
            done.map_err(|e| Error::Io(format!("{}: step {} cannot be logged: {e}", self.path.join("metrics.csv").display(), r.step)));
        self.keep(done);
        self.event(record::json(r));
    }

    /// Appends an object to `events.jsonl`.
    pub fn event(&mut self, object: serde_json::Value) {
        let done = self.events.write_all(format!("{object}\n").as_bytes());
        let done = done.map_err(|e| Error::Io(format!("{}: an event cannot be logged: {e}", self.path.join("events.jsonl").display())));
        self.keep(done);
    }

    /// Appends a warning to `events.jsonl`.
    pub fn warning(&mut self, text: &str) {
        self.event(json!({ "event": "warning", "text": text }));
    }

    /// Writes `summary.json` and closes the logs; fails if anything could not be written.
    pub fn finish(&mut self, summary: &Summary) -> Result<()> {
        let text = serde_json::to_string_pretty(summary).map_err(|e| Error::Io(format!("summary.json: {e}")))?;
        let done = atomic_file::write(&self.path.join("summary.json"), format!("{text}\n").as_bytes());
        self.keep(done);
        self.close(&summary.ended)
    }

    /// Closes the logs; `ended` says why.
    pub fn close(&mut self, ended: &str) -> Result<()> {
        self.event(json!({ "event": "end", "unix_s": now(), "ended": ended }));
        self.manifest["ended_unix_s"] = now().into();
        self.note("ended", ended.into());
        let done = self.metrics.sync_all().and_then(|()| self.events.sync_all());
        let done = done.map_err(|e| Error::Io(format!("{}: the logs cannot be synced: {e}", self.path.display())));
        self.keep(done);
        self.fault.take().map_or(Ok(()), Err)
    }
}

/// Unit of each column.
fn units(energy: &str) -> serde_json::Value {
    let mut map = serde_json::Map::new();
    for c in super::COLUMNS.iter() {
        map.insert(c.name.into(), if c.unit == "Ry" { energy.into() } else { c.unit.into() });
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    fn resolved() -> Resolved {
        let settings = ["n=3", "rs=2", "theta=0.5", "seed=7"].map(String::from);
        Resolved::from_command("electron-gas", &settings).unwrap()
    }

    fn start(path: &Path) -> RunLog {
        RunLog::start(Claim::new(path, false).unwrap(), &resolved(), json!({ "name": "test" })).unwrap()
    }

    fn record(step: usize) -> StepRecord {
        StepRecord { step, seconds: step as f64, f: -0.5 + 0.001 * step as f64, f_err: 0.01, s: 0.3, ..Default::default() }
    }

    #[test]
    fn a_run_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b").join("rün");
        let mut log = start(&path);
        for step in 0..40 {
            log.step(&record(step));
        }
        log.warning("a warning");
        log.close("numerics: a test").unwrap();
        let run = report::read(&path).unwrap();
        assert_eq!(run.resolved.settings, resolved().settings);
        assert_eq!((run.records.len(), run.records[7].f), (40, record(7).f));
        assert!(run.summary.ended.contains("without a summary") && (run.summary.result.f.value + 0.4705).abs() < 1e-12);
        let events = fs::read_to_string(path.join("events.jsonl")).unwrap();
        let events: Vec<serde_json::Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(events[0]["units"]["F"], "Ry");
        assert_eq!((events.len(), &events[41]["event"]), (43, &json!("warning")));
        let manifest: serde_json::Value = serde_json::from_str(&fs::read_to_string(path.join(MARK)).unwrap()).unwrap();
        assert_eq!((&manifest["ended"], &manifest["seed"]), (&json!("numerics: a test"), &json!(7)));
    }

    /// A run killed in the middle of a line is still readable.
    #[test]
    fn a_torn_log_is_read_up_to_the_tear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut log = start(&path);
        (0..5).for_each(|step| log.step(&record(step)));
        let whole = fs::read(path.join("metrics.csv")).unwrap();
        let header = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in header..whole.len() {
            fs::write(path.join("metrics.csv"), &whole[..cut]).unwrap();
            match report::read(&path) {
                Ok(run) => assert!(run.records.len() <= 5),
                Err(e) => assert_eq!(e.exit_code(), 2, "{e}"),
            }
        }
    }

    #[test]
    fn old_runs_are_moved_aside_not_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        for i in 0..3 {
            let mut log = RunLog::start(Claim::new(&path, true).unwrap(), &resolved(), json!(null)).unwrap();
            log.step(&record(i));
            log.close("finished").unwrap();
        }
        for name in ["run", "run.1", "run.2"] {
            assert!(folder.path().join(name).join(MARK).is_file(), "{name}");
        }
        assert_eq!(Claim::new(&path, false).unwrap_err().exit_code(), 2);
    }

    /// A full disk neither stops the run nor passes unnoticed.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let claim = Claim::new(&path, false).unwrap();
        std::os::unix::fs::symlink("/dev/full", path.join("events.jsonl")).unwrap();
        let mut log = RunLog::start(claim, &resolved(), json!(null)).unwrap();
        (0..3).for_each(|step| log.step(&record(step)));
        let error = log.close("finished").unwrap_err();
        assert!(error.exit_code() == 5 && error.to_string().contains("events.jsonl"), "{error}");
        assert_eq!(report::read(&path).unwrap().records.len(), 3);
    }
}
