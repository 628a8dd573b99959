//! What goes wrong around a run: two runs in one folder, full disks, readers that cannot write, signals, odd paths.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{err, json, out};

const TINY: &str = "electron-gas n=3 rs=1 theta=0.5 emax=4 batch=32 spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1";

fn command(folder: &Path, line: &str) -> Command {
    super::command(folder, &line.replace("TINY", TINY))
}

fn run(folder: &Path, line: &str) -> Output {
    command(folder, line).output().expect("the binary runs")
}

/// A run that ends when the test is through with it.
struct Running(Child);

impl Running {
    /// Starts a command and waits until `ready`.
    fn start(mut c: Command, ready: impl Fn() -> bool) -> Running {
        let running = Running(c.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs"));
        let begun = Instant::now();
        while !ready() {
            assert!(begun.elapsed() < Duration::from_secs(120), "not ready within two minutes");
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().expect("kill").success());
    }

    /// Waits for its end. What it printed fits a pipe.
    fn end(mut self) -> Output {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.0.stdout.take().map(|mut p| p.read_to_end(&mut stdout));
        self.0.stderr.take().map(|mut p| p.read_to_end(&mut stderr));
        Output { status: self.0.wait().expect("it ends"), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(run: &Path) -> usize {
    fs::read_to_string(run.join("metrics.csv")).map_or(0, |t| t.lines().count())
}

/// A column of metrics.csv.
fn column(run: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.csv")).expect("metrics.csv");
    let mut lines = text.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let at = lines.next().and_then(|h| h.iter().position(|c| c.split(" [").next() == Some(name))).expect("the column");
    lines.map(|l| l[at].to_string()).collect()
}

/// Two runs into one folder, with and without --fresh; then the first is killed, and nothing but its last second is lost.
#[test]
fn a_running_run_is_left_alone_and_a_killed_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let a = folder.path().join("a");
    let ready = || a.join("params.safetensors").is_file() && lines(&a) > 3;
    let first = Running::start(command(folder.path(), "train TINY steps=100000 --out a"), ready);
    let holder = format!("process {} on ", first.0.id());
    for line in ["train TINY steps=1 --out a", "train TINY steps=1 --out a --fresh"] {
        let o = run(folder.path(), line);
        assert!(o.status.code() == Some(2) && err(&o).contains(&holder), "{line}: {}", err(&o));
    }
    let o = run(folder.path(), "report a");
    assert!(o.status.success() && out(&o).contains("free energy"), "{}", err(&o));
    first.signal("-KILL");
    first.end();
    assert!(!folder.path().join("a.1").exists());
    let o = run(folder.path(), "report a");
    assert!(out(&o).contains("without a summary"), "{}{}", out(&o), err(&o));
    // its parameters are as good as any
    let o = run(folder.path(), "train a/config.toml steps=0 eval_steps=2 --params a/params.safetensors --out b");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    // the lock died with its process
    let o = run(folder.path(), "train TINY steps=1 eval_steps=2 --out a --fresh");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    assert!(lines(&folder.path().join("a.1")) > 2 && lines(&a) == 4);
}

/// Four runs without a name, started at once, have a folder each.
#[test]
fn default_names_do_not_collide() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<Running> =
        (0..4).map(|_| Running::start(command(folder.path(), "train TINY steps=1 eval_steps=2 --quiet"), || true)).collect();
    for r in runs {
        let o = r.end();
        assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    }
    let found: Vec<_> = fs::read_dir(folder.path().join("runs")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(found.len(), 4, "{found:?}");
    for run in found {
        assert!(lines(&run) == 4 && json(&run.join("manifest.json"))["ended"] == "finished", "{}", run.display());
    }
}

/// A quota on every file: the logs stop in the middle of a line, the run does not, and its result is printed.
#[test]
fn a_full_disk_costs_lines_but_no_result() {
    let folder = tempfile::tempdir().unwrap();
    // the limit kills a process unless it ignores the signal
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"";
    let mut c = Command::new("sh");
    c.args(["-c", script, env!("CARGO_BIN_EXE_helmholtz")]).env("HELMHOLTZ_CACHE", "off").current_dir(folder.path());
    let line = format!("train {TINY} steps=90 eval_steps=10 --out a");
    let o = c.args(line.split_whitespace()).output().expect("a shell");
    assert_eq!(o.status.code(), Some(5), "{}", err(&o));
    assert!(out(&o).contains("free energy E − TS"), "{}", out(&o));
    let text = err(&o);
    assert_eq!(text.matches("events.jsonl: a line of").count(), 2, "once when it happens, once at the end: {text}");
    assert!(text.contains("the run goes on") && text.contains("lines of"), "{text}");
    let o = run(folder.path(), "report a");
    assert!(o.status.success() && out(&o).contains("free energy"), "{}", err(&o));
}

/// The folder is moved away under the run: logs go with it, what is written by name is missed, the result is printed.
#[test]
fn a_folder_moved_away_costs_files_but_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let first = Running::start(command(folder.path(), "train TINY steps=100000 --out a"), || lines(&a) > 3);
    fs::rename(&a, &b).unwrap();
    let before = lines(&b);
    std::thread::sleep(Duration::from_millis(1500));
    first.signal("-INT");
    let o = first.end();
    assert_eq!(o.status.code(), Some(5), "{}", err(&o));
    assert!(out(&o).contains("free energy E − TS") && err(&o).contains("summary.json"), "{}{}", out(&o), err(&o));
    assert!(!out(&o).contains("figure:"), "{}", out(&o));
    assert!(lines(&b) > before && column(&b, "phase").iter().all(|p| p == "training"));
}

/// A small file system of its own, where one may be mounted.
#[cfg(target_os = "linux")]
#[test]
fn a_full_file_system_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(&disk).output().is_ok_and(|o| o.status.success());
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        eprintln!("skipped: no file system can be mounted here");
        return;
    }
    let o = run(folder.path(), "train TINY steps=90 eval_steps=10 --out disk/a");
    let report = run(folder.path(), "report disk/a");
    assert!(mount(&["umount"]));
    assert!(o.status.code() == Some(5) && out(&o).contains("free energy E − TS"), "{}{}", out(&o), err(&o));
    assert!(err(&o).contains("No space left"), "{}", err(&o));
    assert!(report.status.success() && out(&report).contains("free energy"), "{}", err(&report));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error_and_a_closed_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let o = run(folder.path(), "train TINY steps=2 eval_steps=2 --out a --quiet");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    let lines = [
        "--help",
        "keys",
        "keys --json",
        "devices",
        "check TINY",
        "check TINY --json",
        "report a",
        "train TINY steps=1 eval_steps=2 --json",
    ];
    for line in lines {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let o = command(folder.path(), line).stdout(full).output().unwrap();
        assert!(o.status.code() == Some(5) && err(&o).contains("standard output"), "{line}: {:?} {}", o.status, err(&o));
        let mut child = command(folder.path(), line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    }
    // an error keeps its own code
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(command(folder.path(), "check nothing.toml").stdout(full).status().unwrap().code(), Some(2));
}

/// A folder that may only be read is reported all the same, and a figure that was not drawn is not announced.
#[test]
fn reports_need_no_permission_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let a = folder.path().join("a");
    let o = run(folder.path(), "train TINY steps=2 eval_steps=2 --out a");
    assert!(out(&o).contains("figure: a/figures/run.svg"), "{}", out(&o));
    // for root, who may write everywhere, a file stands in the way
    fs::remove_dir_all(a.join("figures")).unwrap();
    fs::write(a.join("figures"), "in the way").unwrap();
    for line in ["report a", "report a --json"] {
        let o = run(folder.path(), line);
        let printed = out(&o);
        assert!(o.status.success() && (printed.contains("free energy") || printed.starts_with('{')), "{line}: {printed}{}", err(&o));
        assert!(!printed.contains("figure:") && err(&o).contains("warning: a/figures"), "{line}: {printed}{}", err(&o));
    }
}

#[test]
fn any_path_the_system_allows() {
    let folder = tempfile::tempdir().unwrap();
    let params = folder.path().join("p");
    for (i, name) in [&b"rs=1 theta=0.5"[..], "Läufe/ü".as_bytes(), b"not \xff text"].iter().enumerate() {
        let name = OsStr::from_bytes(name);
        if fs::create_dir_all(folder.path().join(name)).is_err() {
            eprintln!("skipped: this file system does not take {name:?}");
            continue;
        }
        let mut train = command(folder.path(), "train TINY steps=1 eval_steps=2 --quiet --out");
        train.arg(name);
        if i > 0 {
            train.arg("--params").arg(&params);
        }
        let o = train.output().unwrap();
        assert_eq!(o.status.code(), Some(0), "{name:?}: {}", err(&o));
        let run = folder.path().join(name);
        assert!(run.join("figures/run.svg").is_file(), "{name:?}");
        // the next one starts from a file in a folder of this name
        let _ = fs::remove_file(&params);
        std::os::unix::fs::symlink(run.join("params.safetensors"), &params).unwrap();
        let config = Path::new(name).join("config.toml");
        for (line, path) in [("report", Path::new(name)), ("check", config.as_path())] {
            let o = command(folder.path(), line).arg(path).output().unwrap();
            assert_eq!(o.status.code(), Some(0), "{line} {name:?}: {}", err(&o));
        }
        let o = command(folder.path(), "train").arg(&config).args(["--quiet", "--params"]).arg(run.join("params.safetensors")).output();
        assert_eq!(o.unwrap().status.code(), Some(0), "{name:?}");
    }
}

/// A run from parameters says where they are from, repeats bit by bit, and does not draw what the run before drew.
#[test]
fn runs_from_parameters_draw_anew_and_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let o = run(folder.path(), "train TINY steps=0 eval_steps=3 --out a");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    let o = run(folder.path(), "train TINY steps=0 eval_steps=3 --params a/params.safetensors --out b");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    // the same parameters and seed
    let (first, second) = (column(&at("a"), "F"), column(&at("b"), "F"));
    assert!(first.iter().zip(&second).all(|(x, y)| x != y), "{first:?} {second:?}");
    let text = out(&o);
    for absent in ["before training", "too few", "4/3"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    assert!(text.contains("measuring     3/3"), "{text}");
    let o = run(folder.path(), "train b/config.toml --out c");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    assert_eq!(column(&at("c"), "F"), second);
    // a settings file names them relative to itself
    fs::write(at("a/own.toml"), "params = \"params.safetensors\"\n".to_string() + &fs::read_to_string(at("a/config.toml")).unwrap())
        .unwrap();
    let o = run(folder.path(), "train a/own.toml --out d");
    assert_eq!((o.status.code(), column(&at("d"), "F")), (Some(0), second), "{}", err(&o));
}

/// Every step is logged with what it did.
#[test]
fn logs_tell_the_phases() {
    let folder = tempfile::tempdir().unwrap();
    let o = run(folder.path(), "train TINY prior=none pretrain_steps=3 steps=2 eval_steps=4 --out a");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    let expected = [vec!["pretraining"; 3], vec!["training"; 2], vec!["frozen"; 4]].concat();
    let a = folder.path().join("a");
    assert_eq!(column(&a, "phase"), expected);
    let events = fs::read_to_string(a.join("events.jsonl")).unwrap();
    let events = events.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let phases: Vec<String> =
        events.filter(|e| e["event"] == "step").map(|e| e["phase"].as_str().unwrap_or_default().to_string()).collect();
    assert_eq!(phases, expected);
    // pretraining is no part of the result
    let summary = json(&a.join("summary.json"));
    assert_eq!((&summary["steps"], &summary["averaged_over"]), (&2.into(), &"4 steps of 32 walkers with frozen parameters".into()));
    for part in ["pretraining     1/3", "training     1/2", "measuring     4/4"] {
        assert!(out(&o).contains(part), "{part}: {}", out(&o));
    }
}

/// A signal while a driver compiles with an empty cache is answered within ten seconds, and leaves nothing in the way.
#[test]
fn a_signal_is_answered_while_kernels_compile() {
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let a = folder.path().join("a");
    let mut c = command(folder.path(), "train electron-gas n=13 rs=10 theta=0.15 batch=32 steps=100000 --out a");
    c.env("MESA_SHADER_CACHE_DIR", cache.path());
    let first = Running::start(c, || a.join("metrics.csv").is_file());
    std::thread::sleep(Duration::from_secs(2));
    let begun = Instant::now();
    first.signal("-TERM");
    let o = first.end();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(o.status.code(), Some(130), "{}{}", out(&o), err(&o));
    assert_eq!(json(&a.join("manifest.json"))["ended"], "stopped by the user");
    let o = run(folder.path(), "train TINY steps=1 eval_steps=2 --quiet --out a");
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
}
