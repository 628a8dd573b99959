//! The run directory: config.toml, manifest.json, metrics.csv, events.jsonl, summary.json.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::checkpoint::folder::{Newest, clear};
use super::claim::{Claim, MARK};
use super::lines::Lines;
use super::{StepRecord, Summary, record};
use crate::atomic_file;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::estimate::Plot;
use crate::problem::Kind;

/// Seconds since 1970, UTC.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// Writes a run's files. A failing disk does not stop the run: each file's first fault is to be said at once
/// ([`RunLog::unsaid`]), every write is tried again at its next time, and the end fails.
pub struct RunLog {
    pub path: PathBuf,
    kind: &'static Kind,
    metrics: Lines,
    events: Lines,
    manifest: serde_json::Value,
    /// First fault of each file, in order.
    faults: Vec<(PathBuf, String)>,
    said: usize,
    claim: Option<Claim>,
}

impl RunLog {
    /// Starts the logs of a run; `device` is [`crate::gpu::Gpu::manifest`]. Where that fails the claim is given back.
    pub fn start(claim: Claim, resolved: &Resolved, device: serde_json::Value) -> Result<RunLog> {
        let (path, kind) = (claim.path.clone(), resolved.kind());
        let manifest = json!({
            "program": "helmholtz",
            "version": env!("CARGO_PKG_VERSION"),
            "system": kind.name(),
            // arguments need not be text
            "command": std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            "started_unix_s": now(),
            "device": device,
            "seed": resolved.values.json("seed"),
            "ended": null,
        });
        let first = || {
            // the mark of a run comes before everything else
            write_manifest(&path, &manifest)?;
            write_settings(&path, resolved)?;
            let (mut metrics, events) = (Lines::open(path.join("metrics.csv"))?, Lines::open(path.join("events.jsonl"))?);
            metrics.append(&record::csv_header(kind, (kind.energy_unit)(&resolved.values)))?;
            Ok((metrics, events))
        };
        let (metrics, events) = match first() {
            Ok(files) => files,
            Err(e) => {
                claim.release();
                return Err(e);
            }
        };
        let mut log = RunLog { path, kind, metrics, events, manifest, faults: Vec::new(), said: 0, claim: Some(claim) };
        log.event(json!({
            "event": "start",
            "unix_s": now(),
            "per": kind.per,
            "units": record::units(kind, (kind.energy_unit)(&resolved.values)),
        }));
        Ok(log)
    }

    /// Goes on with the logs of a run from one of its checkpoints: what was logged after it is cut off, those steps are made again.
    ///
    /// # Errors
    /// [`Error::Io`] for files that cannot be written or removed.
    pub fn resume(claim: Claim, resolved: &Resolved, device: serde_json::Value, from: &Newest) -> Result<RunLog> {
        let (path, kind) = (claim.path.clone(), resolved.kind());
        let text = std::fs::read_to_string(path.join(MARK)).unwrap_or_default();
        let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "program": "helmholtz" }));
        let at = from.checkpoint.head.progress.words();
        let resumed = json!({
            "unix_s": now(), "version": env!("CARGO_PKG_VERSION"), "device": device, "from": at,
            "command": std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        });
        manifest["ended"] = serde_json::Value::Null;
        match manifest["resumed"].as_array_mut() {
            Some(before) => before.push(resumed),
            None => manifest["resumed"] = json!([resumed]),
        }
        clear(&path, from)?;
        // it is of the steps so far
        let _ = std::fs::remove_file(path.join("summary.json"));
        write_manifest(&path, &manifest)?;
        write_settings(&path, resolved)?;
        let [first, second] = from.checkpoint.head.logs;
        let (metrics, events) = (Lines::cut(path.join("metrics.csv"), first)?, Lines::cut(path.join("events.jsonl"), second)?);
        let lacks = [("metrics.csv", metrics.1), ("events.jsonl", events.1)];
        let (metrics, events) = (metrics.0, events.0);
        let mut log = RunLog { path, kind, metrics, events, manifest, faults: Vec::new(), said: 0, claim: Some(claim) };
        for (name, bytes) in lacks.into_iter().filter(|(_, bytes)| *bytes > 0) {
            let shown = log.path.join(name);
            log.keep(name, Err(Error::Io(format!("{}: lacks {bytes} bytes that it had at the checkpoint", shown.display()))));
        }
        if lacks[0].1 == first {
            let done = log.metrics.append(&record::csv_header(kind, (kind.energy_unit)(&resolved.values)));
            log.keep("metrics.csv", done);
        }
        log.event(json!({ "event": "resume", "unix_s": now(), "from": at }));
        Ok(log)
    }

    /// Goes back to a checkpoint of the run that is being logged, as [`RunLog::resume`]; faults of files stay known.
    ///
    /// # Errors
    /// As [`RunLog::resume`].
    pub fn rewind(&mut self, resolved: &Resolved, device: serde_json::Value, from: &Newest) -> Result<()> {
        let claim = self.claim.take().ok_or_else(|| Error::Io(format!("{}: is not held any more", self.path.display())))?;
        let (faults, said) = (std::mem::take(&mut self.faults), self.said);
        *self = RunLog { faults, said, ..RunLog::resume(claim, resolved, device, from)? };
        Ok(())
    }

    /// Bytes of both logs, for a checkpoint to say how far they go.
    pub fn lengths(&mut self) -> [u64; 2] {
        [("metrics.csv", self.metrics.synced()), ("events.jsonl", self.events.synced())].map(|(name, (bytes, done))| {
            self.keep(name, done);
            bytes
        })
    }

    /// Writes `config.toml` (again, once values left to the program are known).
    pub fn write_settings(&mut self, resolved: &Resolved) {
        let done = write_settings(&self.path, resolved);
        self.keep("config.toml", done);
    }

    /// Adds a fact to `manifest.json`.
    pub fn note(&mut self, key: &str, value: serde_json::Value) {
        self.manifest[key] = value;
        let done = write_manifest(&self.path, &self.manifest);
        self.keep(MARK, done);
    }

    /// Keeps the first fault of a file.
    pub fn keep(&mut self, name: &str, done: Result<()>) {
        let path = self.path.join(name);
        if let Err(e) = done
            && !self.faults.iter().any(|(p, _)| *p == path)
        {
            self.faults.push((path, e.to_string()));
        }
    }

    /// Forgets the fault of a file that is whole now.
    pub fn mended(&mut self, name: &str) {
        let path = self.path.join(name);
        if let Some(at) = self.faults.iter().position(|(p, _)| *p == path) {
            self.faults.remove(at);
            self.said -= usize::from(at < self.said);
        }
    }

    /// The faults since the last call, for the user to hear at once.
    pub fn unsaid(&mut self) -> Vec<String> {
        let new = self.faults[self.said..].iter().map(|(_, text)| format!("{text}; the run goes on")).collect();
        self.said = self.faults.len();
        new
    }

    /// Appends one step to `metrics.csv` and `events.jsonl`.
    pub fn step(&mut self, r: &StepRecord) {
        let done = self.metrics.append(&record::csv_line(self.kind, r));
        self.keep("metrics.csv", done);
        self.event(record::json(self.kind, r));
    }

    /// Appends an object to `events.jsonl`.
    pub fn event(&mut self, object: serde_json::Value) {
        let done = self.events.append(&object.to_string());
        self.keep("events.jsonl", done);
    }

    /// Appends a warning to `events.jsonl`.
    pub fn warning(&mut self, text: &str) {
        self.event(json!({ "event": "warning", "text": text }));
    }

    /// Writes `summary.json`.
    pub fn summary(&mut self, summary: &Summary) {
        let text = serde_json::to_string_pretty(summary).map_err(|e| Error::Io(format!("summary.json: {e}")));
        let done = text.and_then(|text| atomic_file::write(&self.path.join("summary.json"), format!("{text}\n").as_bytes()));
        self.keep("summary.json", done);
    }

    /// Writes `plots/NAME.csv`.
    pub fn plot(&mut self, plot: &Plot) {
        let name = format!("plots/{}.csv", plot.name);
        let done = folder(&self.path.join("plots")).and_then(|()| atomic_file::write(&self.path.join(&name), plot.csv().as_bytes()));
        self.keep(&name, done);
    }

    /// Closes the logs; `ended` says why.
    ///
    /// # Errors
    /// [`Error::Io`] with every file that could not be written at some time, and the lines that are lost.
    pub fn close(&mut self, ended: &str) -> Result<()> {
        self.event(json!({ "event": "end", "unix_s": now(), "ended": ended }));
        self.manifest["ended_unix_s"] = now().into();
        self.note("ended", ended.into());
        for name in ["metrics.csv", "events.jsonl"] {
            let lines = if name == "metrics.csv" { &self.metrics } else { &self.events };
            let done = lines.file.sync_all().map_err(|e| Error::Io(format!("{}: cannot be synced: {e}", lines.path.display())));
            self.keep(name, done);
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        let files: Vec<String> = self.faults.iter().map(|(_, text)| text.clone()).collect();
        let lost = |l: &Lines| (l.lost > 0).then(|| format!("{} lines of {} are lost", l.lost, l.path.display()));
        let lost: Vec<String> = [&self.metrics, &self.events].into_iter().filter_map(lost).collect();
        Err(Error::Io(format!("not everything could be written:\n  {}", [files, lost].concat().join("\n  "))))
    }
}

/// Makes a folder within a run's, but not that one: a run directory that was moved away is not made again.
pub fn folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir(path).map_err(|e| Error::Io(format!("{}: cannot be made: {e}", path.display())))
}

fn write_manifest(folder: &Path, manifest: &serde_json::Value) -> Result<()> {
    atomic_file::write(&folder.join(MARK), format!("{manifest:#}\n").as_bytes())
}

fn write_settings(folder: &Path, resolved: &Resolved) -> Result<()> {
    let head = "# All settings of this run and where each came from; `helmholtz train config.toml` repeats it.\n";
    atomic_file::write(&folder.join("config.toml"), format!("{head}{}", resolved.toml()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::claim::Old;
    use super::*;
    use crate::estimate::Estimate;
    use crate::report;
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    fn resolved() -> Resolved {
        crate::problem::given("n=3 rs=2 theta=0.5 seed=7")
    }

    fn start(path: &Path) -> RunLog {
        RunLog::start(Claim::new(path, Old::Refused).unwrap(), &resolved(), json!({ "name": "test" })).unwrap()
    }

    fn record(step: usize) -> StepRecord {
        let values = [("F", Estimate::new(-0.5 + 0.001 * step as f64, 0.01)), ("S", 0.3.into())].into();
        StepRecord { step, seconds: step as f64, values, ..Default::default() }
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
        assert_eq!(run.resolved.values, resolved().values);
        assert_eq!((run.records.len(), run.records[7].values["F"]), (40, record(7).values["F"]));
        assert!(run.summary.ended.contains("without a summary") && (run.summary.result["F"].value + 0.4705).abs() < 1e-12);
        let events = fs::read_to_string(path.join("events.jsonl")).unwrap();
        let events: Vec<serde_json::Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(events[0]["units"]["F"], "Ry");
        assert_eq!((events.len(), &events[41]["event"]), (43, &json!("warning")));
        let manifest: serde_json::Value = serde_json::from_str(&fs::read_to_string(path.join(MARK)).unwrap()).unwrap();
        assert_eq!((&manifest["ended"], &manifest["seed"]), (&json!("numerics: a test"), &json!(7)));
    }

    /// A run killed in the middle of a line is still readable: each whole line counts, wherever the last one is cut.
    #[test]
    fn a_torn_log_is_read_up_to_the_tear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut log = start(&path);
        (0..5).for_each(|step| log.step(&record(step)));
        let whole = fs::read(path.join("metrics.csv")).unwrap();
        let lines: Vec<usize> = (0..whole.len()).filter(|i| whole[*i] == b'\n').collect();
        for cut in lines[1] + 1..whole.len() {
            fs::write(path.join("metrics.csv"), &whole[..cut]).unwrap();
            let run = report::read(&path).unwrap();
            let (ends, torn) = (lines.iter().filter(|i| **i < cut).count() - 1, usize::from(whole[cut - 1] != b'\n'));
            assert_eq!((run.records.len(), run.torn), (ends, torn), "{cut}");
        }
        fs::write(path.join("metrics.csv"), &whole[..lines[0] + 9]).unwrap();
        assert_eq!(report::read(&path).err().map(|e| e.exit_code()), Some(2));
    }

    #[test]
    fn old_runs_are_moved_aside_not_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        for i in 0..3 {
            let mut log = RunLog::start(Claim::new(&path, Old::Aside).unwrap(), &resolved(), json!(null)).unwrap();
            log.step(&record(i));
            log.close("finished").unwrap();
        }
        for name in ["run", "run.1", "run.2"] {
            assert!(folder.path().join(name).join(MARK).is_file(), "{name}");
        }
        assert_eq!(Claim::new(&path, Old::Refused).unwrap_err().exit_code(), 2);
    }

    /// A full disk neither stops the run nor passes unnoticed: said once and at once, and again at the end.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_once_and_reported_at_the_end() {
        for full in ["metrics.csv", "events.jsonl"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("run");
            let mut log = start(&path);
            let lines = if full == "metrics.csv" { &mut log.metrics } else { &mut log.events };
            lines.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
            (0..3).for_each(|step| log.step(&record(step)));
            let said = log.unsaid();
            assert!(said.len() == 1 && said[0].contains(full) && said[0].contains("bytes"), "{said:?}");
            log.step(&record(3));
            assert!(log.unsaid().is_empty());
            let error = log.close("finished").unwrap_err();
            let lost = if full == "metrics.csv" { "4 lines of" } else { "5 lines of" };
            assert!(error.exit_code() == 5 && error.to_string().contains(full) && error.to_string().contains(lost), "{error}");
            if full == "events.jsonl" {
                assert_eq!(report::read(&path).unwrap().records.len(), 4);
            }
        }
    }

    /// A file that replaces another cannot be written: the rest of the log is whole.
    #[test]
    fn a_summary_that_cannot_be_written_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut log = start(&path);
        log.step(&record(0));
        fs::create_dir_all(path.join("summary.json/in the way")).unwrap();
        log.summary(&Summary::of_records(resolved().kind(), &resolved().values, "", &[record(0)]).unwrap());
        assert!(log.unsaid()[0].contains("summary.json"));
        assert_eq!(log.close("finished").unwrap_err().exit_code(), 5);
    }

    /// Pictures of a result lie beside it as numbers; one that cannot be written is said.
    #[test]
    fn plots_are_left_as_tables() {
        use crate::estimate::plot::{Axis, Graph, Plot, Style};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut log = start(&path);
        let graph = Graph::new(Axis::new("m", "*m*", ""), Axis::new("P", "*P*", "")).with("P(m)", Style::Steps, vec![[0.5, 2.0, 0.25]]);
        for name in ["a", "b"] {
            log.plot(&Plot::graph(name, "", "", graph.clone()));
        }
        assert_eq!(fs::read_to_string(path.join("plots/b.csv")).unwrap(), "curve,m,P,P_err\nP(m),0.5,2,0.25\n");
        fs::create_dir_all(path.join("plots/c.csv/in the way")).unwrap();
        log.plot(&Plot::graph("c", "", "", graph));
        assert!(log.unsaid()[0].contains("c.csv"));
        assert_eq!(log.close("finished").unwrap_err().exit_code(), 5);
    }

    /// After a write that tore a line the next one begins afresh.
    #[test]
    fn torn_lines_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut log = start(&path);
        log.step(&record(0));
        // half a line, as a disk that fills up leaves it
        let half = &record::csv_line(log.kind, &record(1))[..20];
        log.metrics.file.write_all(half.as_bytes()).unwrap();
        log.metrics.lose(half.len(), half, "a test");
        log.step(&record(2));
        let run = report::read(&path).unwrap();
        assert_eq!((run.records.iter().map(|r| r.step).collect::<Vec<_>>(), run.torn), (vec![0, 2], 1));
    }

    /// A run that could not start leaves nothing in the way.
    #[test]
    fn what_could_not_start_can_be_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        for blocked in FIRST_FILES {
            let claim = Claim::new(&path, Old::Refused).unwrap();
            fs::create_dir_all(path.join(blocked).join("in the way")).unwrap();
            let error = RunLog::start(claim, &resolved(), json!(null)).err().expect("it cannot start");
            assert_eq!(error.exit_code(), 5, "{blocked}: {error}");
            fs::remove_dir_all(path.join(blocked)).unwrap();
            Claim::new(&path, Old::Refused).unwrap_or_else(|e| panic!("{blocked}: {e}"));
        }
    }

    const FIRST_FILES: [&str; 4] = ["manifest.json", "config.toml", "metrics.csv", "events.jsonl"];
}
