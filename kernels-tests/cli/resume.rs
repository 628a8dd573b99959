//! Runs that are stopped, killed or damaged go on to the same bits; runs of other settings do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{err, json, out};

const NET: &str = "n=3 theta=0.5 emax=4 batch=32 spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1";

/// Spins in which nothing depends on the number of steps.
const EVEN: &str = "n=6 depth=1 batch=100 beta=1 anneal=0 cooling=0";

fn command(folder: &Path, line: &str) -> Command {
    super::command(folder, &line.replace("GAS", &format!("electron-gas {NET}")).replace("GLASS", &format!("sk {EVEN}")))
}

fn run(folder: &Path, line: &str) -> Output {
    command(folder, line).output().expect("the binary runs")
}

/// A run that comes to its end.
fn done(folder: &Path, line: &str) -> Output {
    let o = run(folder, line);
    assert_eq!(o.status.code(), Some(0), "{line}: {}", err(&o));
    o
}

/// The cells of metrics.csv that do not tell the time, and all of summary.json that does not.
fn result(run: &Path) -> (Vec<Vec<String>>, serde_json::Value) {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert!(text.ends_with('\n'), "torn: {text}");
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let timed: Vec<usize> = (0..header.len()).filter(|i| header[*i].starts_with("seconds") || header[*i].starts_with("ms")).collect();
    let plain = |cells: Vec<String>| cells.into_iter().enumerate().filter(|(i, _)| !timed.contains(i)).map(|(_, c)| c).collect();
    let mut summary = json(&run.join("summary.json"));
    summary["seconds"] = 0.into();
    (lines.map(plain).collect(), summary)
}

/// Steps that events.jsonl has, without anything but their numbers.
fn steps_of_events(run: &Path) -> Vec<(String, u64)> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let events = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap_or_else(|e| panic!("{e}: {l}")));
    events.filter(|e| e["event"] == "step").map(|e| (e["phase"].as_str().unwrap().into(), e["step"].as_u64().unwrap())).collect()
}

/// Everything that `a` and `b` end with is the same, bit by bit.
fn same(a: &Path, b: &Path, what: &str) {
    let ((lines, summary), (other, others)) = (result(a), result(b));
    for (x, y) in lines.iter().zip(&other) {
        assert_eq!(x, y, "{what}");
    }
    assert_eq!((lines.len(), summary), (other.len(), others), "{what}");
    assert_eq!(steps_of_events(a), steps_of_events(b), "{what}");
    assert!(fs::read(a.join("params.safetensors")).unwrap() == fs::read(b.join("params.safetensors")).unwrap(), "{what}");
    for plot in fs::read_dir(a.join("plots")).into_iter().flatten().flatten() {
        let (x, y) = (fs::read(plot.path()).unwrap(), fs::read(b.join("plots").join(plot.file_name())).unwrap());
        assert!(x == y, "{what}: {:?}", plot.file_name());
    }
}

/// Checkpoints of a run, the first first.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let rank = |path: &PathBuf| {
        ["pretraining", "training", "frozen"].iter().position(|p| path.file_name().unwrap().to_str().unwrap().starts_with(p))
    };
    let mut all: Vec<PathBuf> = fs::read_dir(run.join("checkpoints")).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
    all.sort_by_key(|path| (rank(path), path.clone()));
    all
}

/// Makes `to` what `from` would be, had it been killed after its checkpoint `name`: the logs go beyond it, their last line is torn.
fn killed(from: &Path, to: &Path, name: &str) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to.join("checkpoints")).unwrap();
    for file in ["config.toml", "manifest.json", "metrics.csv", "events.jsonl", "params.safetensors", "lock"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    for log in ["metrics.csv", "events.jsonl"] {
        let mut bytes = fs::read(to.join(log)).unwrap();
        bytes.extend(b"99,1.5");
        fs::write(to.join(log), bytes).unwrap();
    }
    for path in checkpoints(from) {
        fs::copy(&path, to.join("checkpoints").join(path.file_name().unwrap())).unwrap();
        if path.file_stem().unwrap() == name {
            return;
        }
    }
    panic!("no checkpoint {name} among {:?}", checkpoints(from));
}

/// Runs of every kind that goes another way: before training, in it and with frozen parameters, by each optimiser and sampler.
#[test]
fn runs_that_stop_anywhere_end_alike() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let gas = "GAS rs=1 steps=4 eval_steps=3";
    let spins = "steps=8 eval_steps=3 batch=100 schedule=adaptive";
    let cases: &[(&str, &[&str])] = &[
        (
            &format!("{gas} optimizer=adam prior=none pretrain_steps=3"),
            &["pretraining-000000002", "pretraining-000000004", "training-000000002", "frozen-000000001", "frozen-000000003"],
        ),
        (&format!("{gas} prior=quasiparticle"), &["training-000000002", "frozen-000000001"]),
        (
            // five frozen steps have an R-hat
            &format!("{gas} sampler=metropolis mc_steps=3 therm_steps=9 decay=5").replace("eval_steps=3", "eval_steps=5"),
            &["pretraining-000000002", "training-000000001", "frozen-000000002"],
        ),
        (&format!("ising L=4 beta=0.44 {spins}"), &["training-000000003", "frozen-000000001", "frozen-000000003"]),
        (
            "quantum-dot n=2 Z=1 beta=2 delta_e=2 units=4 n_steps=2 tolerance=1 batch=40 steps=5 eval_steps=3",
            &["training-000000003", "frozen-000000001", "frozen-000000003"],
        ),
        (&format!("sk n=8 beta=1 depth=1 optimizer=sr cooling=0 {spins}"), &["training-000000005", "frozen-000000002"]),
        ("dual-ising L=4 T=2.3 hidden=4 couplings=2 steps=4 eval_steps=3 batch=100", &["training-000000003", "frozen-000000002"]),
    ];
    for (line, names) in cases {
        let whole = format!("train {line} --keep 99 --keep-every 1 --quiet --out a --fresh");
        done(folder.path(), &whole);
        for name in *names {
            killed(&at("a"), &at("b"), name);
            let o = done(folder.path(), &format!("train {line} --out b"));
            assert!(out(&o).contains("going on at "), "{line}: {}", out(&o));
            same(&at("a"), &at("b"), &format!("{line} from {name}"));
            let manifest = json(&at("b/manifest.json"));
            assert_eq!((&manifest["ended"], manifest["resumed"].as_array().map(Vec::len)), (&"finished".into(), Some(1)));
        }
    }
}

/// A checkpoint that is damaged: the one before stands in, which is said, and nothing else differs.
#[test]
fn damaged_checkpoints_are_found_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    done(folder.path(), "train GLASS steps=6 eval_steps=2 --keep-every 2 --quiet --out a");
    killed(&at("a"), &at("b"), "training-000000004");
    let newest = at("b/checkpoints/training-000000004.safetensors");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, &bytes).unwrap();
    let o = done(folder.path(), "train GLASS steps=6 eval_steps=2 --out b");
    let said = "training-000000004.safetensors is damaged: its checksum is ";
    assert!(err(&o).contains(said) && err(&o).contains("going on from the checkpoint before, training step 2"), "{}", err(&o));
    same(&at("a"), &at("b"), "one damaged");
    assert!(fs::read(newest.with_extension("damaged")).unwrap() == bytes);
    // another device rounds otherwise, which the result says, once
    killed(&at("a"), &at("b"), "training-000000002");
    let own = json(&at("a/manifest.json"))["device"]["profile"].as_str().unwrap().to_string();
    let other = if own == "simd" { "gpu" } else { "simd" };
    let elsewhere = |line: &str| command(folder.path(), line).env("HELMHOLTZ_PROFILE", other).output().unwrap();
    for eval_steps in [2, 3] {
        let o = elsewhere(&format!("train GLASS steps=6 eval_steps={eval_steps} --quiet --out b"));
        assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    }
    let notes = json(&at("b/summary.json"))["notes"].to_string();
    let said = ["went on at training step 2 with version ", &format!("profile {other}, before with version "), &format!("profile {own}")];
    assert!(said.iter().all(|part| notes.contains(*part)) && notes.matches("went on").count() == 1, "{notes}");
    // all of them: nothing is begun anew in silence
    killed(&at("a"), &at("b"), "training-000000004");
    for path in checkpoints(&at("b")) {
        fs::write(path, "").unwrap();
    }
    let o = run(folder.path(), "train GLASS steps=6 eval_steps=2 --out b");
    assert_eq!(o.status.code(), Some(2), "{}", err(&o));
    assert!(err(&o).contains("no checkpoint to go on from") && err(&o).contains("--fresh"), "{}", err(&o));
    done(folder.path(), "train GLASS steps=6 eval_steps=2 --quiet --out b --fresh");
    same(&at("a"), &at("b"), "anew");
}

/// Other settings are refused with what is other, a finished run too; more steps go on with it.
#[test]
fn only_the_same_settings_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let line = "GLASS";
    done(folder.path(), &format!("train {line} steps=4 eval_steps=2 --quiet --out a"));
    let before = fs::read(at("a/metrics.csv")).unwrap();
    for (other, parts) in [
        ("disorder=2 steps=4 eval_steps=2", &["disorder = 1 then, 2 now", "--fork a", "--fresh"] as &[&str]),
        ("steps=3 eval_steps=2", &["steps = 4 then, 3 now (may be raised)"]),
        ("steps=5 eval_steps=2 optimizer=sr", &["optimizer = adam then, sr now"]),
        ("steps=4 eval_steps=2", &["which is finished (more steps or eval_steps go on with it)"]),
        ("steps=4 eval_steps=3 --params a/params.safetensors", &["params = no file then, "]),
        ("steps=4 eval_steps=3 --fork a", &["fork = none then, "]),
    ] {
        let o = run(folder.path(), &format!("train GLASS {other} --out a"));
        assert_eq!(o.status.code(), Some(2), "{other}: {}", err(&o));
        assert!(err(&o).contains("a holds a run already"), "{other}: {}", err(&o));
        parts.iter().for_each(|part| assert!(err(&o).contains(part), "{other}: {}", err(&o)));
    }
    let o = run(folder.path(), "train hopfield n=8 beta=1 --out a");
    assert!(o.status.code() == Some(2) && err(&o).contains("system = sk then, hopfield now"), "{}", err(&o));
    assert!(fs::read(at("a/metrics.csv")).unwrap() == before && at("a/summary.json").is_file());
    // a file that a setting names is a setting too
    let bonds = |j: f64| fs::write(at("j.csv"), format!("0,1,{j}\n1,2,-1\n0,2,0.5\n")).unwrap();
    bonds(1.0);
    done(folder.path(), "train couplings couplings=j.csv beta=1 depth=1 batch=100 steps=2 eval_steps=2 --quiet --out j");
    bonds(1.5);
    let o = run(folder.path(), "train couplings couplings=j.csv beta=1 depth=1 batch=100 steps=2 eval_steps=3 --out j");
    let part = "j.csv then, the same file with other bytes now";
    assert!(o.status.code() == Some(2) && err(&o).contains(part), "{}", err(&o));
    bonds(1.0);
    done(folder.path(), "train couplings couplings=j.csv beta=1 depth=1 batch=100 steps=2 eval_steps=3 --quiet --out j");
    // as good as a run that was given them from the start: nothing here depends on their number
    for (steps, eval_steps) in [(4, 5), (7, 5)] {
        let more = format!("train {line} steps={steps} eval_steps={eval_steps} --quiet --out");
        done(folder.path(), &format!("{more} a"));
        done(folder.path(), &format!("{more} b --fresh"));
        same(&at("a"), &at("b"), &more);
    }
}

/// Another run's state, in a run of its own that counts from 0, with the difference in its notes.
#[test]
fn forks_begin_where_another_run_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    done(folder.path(), "train GLASS steps=4 eval_steps=2 --quiet --out a --keep-every 2");
    let line = "train GLASS steps=2 eval_steps=2";
    let o = done(folder.path(), &format!("{line} learning_rate=0.02 --fork a --out b"));
    let said = "started from the state of a at its frozen step 2: learning_rate = 0.01 then, 0.02 now";
    let notes = json(&at("b/summary.json"))["notes"].to_string();
    assert!(err(&o).contains(said) && notes.contains(said), "{} {notes}", err(&o));
    let (lines, _) = result(&at("b"));
    assert_eq!(lines.iter().map(|l| l[0].clone()).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    // Adam goes on with its moments: in a run from the parameters alone the second step is another one
    done(folder.path(), &format!("{line} learning_rate=0.02 --params a/params.safetensors --quiet --out c"));
    assert_ne!(result(&at("c")).0[0], lines[0], "other random numbers");
    // from a file; the same state and settings make the steps that the run itself made
    done(folder.path(), &format!("{line} --fork a/checkpoints/training-000000002.safetensors --quiet --out d"));
    let whole = result(&at("a")).0;
    let (forked, _) = result(&at("d"));
    assert_eq!((&forked[0][1..], &forked[1][1..]), (&whole[2][1..], &whole[3][1..]));
    // a fork that was stopped goes on like any other run
    done(folder.path(), &format!("{line} --fork a/checkpoints/training-000000002.safetensors --quiet --out e --keep-every 1 --keep 9"));
    // by the same command, or without the name of the other run
    for (name, command) in
        [("training-000000001", format!("{line} --fork a/checkpoints/training-000000002.safetensors")), ("frozen-000000001", line.into())]
    {
        killed(&at("e"), &at("f"), name);
        done(folder.path(), &format!("{command} --quiet --out f"));
        same(&at("e"), &at("f"), "a fork");
    }
    for (more, part) in [
        ("--fork a fields=no", "fields = yes in the file, no now: set fields=yes"),
        ("--fork nothing", "nothing: no such run directory or checkpoint"),
        ("--fork a/params.safetensors", "is no checkpoint"),
        ("--fork a/figures", "has no checkpoint to go on from"),
        ("--fork a --params a/params.safetensors", "cannot be used with"),
    ] {
        let o = run(folder.path(), &format!("{line} {more} --out x"));
        assert!(o.status.code() == Some(2) && err(&o).contains(part), "{more}: {}", err(&o));
        assert!(!at("x").exists(), "{more}");
    }
    let o = run(folder.path(), &format!("{line} --fork a --out b"));
    assert!(o.status.code() == Some(2) && err(&o).contains("b holds a run already"), "{}", err(&o));
}

/// The walkers do not fit a file of 16 kB: said with path and bytes once, and again at the end; the run goes on and has its result.
#[cfg(unix)]
#[test]
fn a_full_disk_at_a_checkpoint_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"";
    let line =
        format!("train electron-gas {NET} rs=1 sampler=metropolis mc_steps=2 therm_steps=2 steps=2 eval_steps=2 --out a --save-every 0s");
    let line = line.replace("batch=32", "batch=1024");
    let mut c = Command::new("sh");
    c.args(["-c", script, env!("CARGO_BIN_EXE_helmholtz")]).env("HELMHOLTZ_CACHE", "off").current_dir(folder.path());
    let o = c.args(line.split_whitespace()).output().expect("a shell");
    assert_eq!(o.status.code(), Some(5), "{}", err(&o));
    assert!(out(&o).contains("free energy E − TS"), "{}", out(&o));
    let said = err(&o);
    let faults: Vec<&str> = said.lines().filter(|l| l.contains("a/checkpoints/")).collect();
    assert!(faults.len() == 2 && faults[0].contains("cannot be written (") && faults[0].contains(" bytes)"), "{said}");
    assert!(faults[0].contains("the run goes on"), "{said}");
    let left = fs::read_dir(folder.path().join("a/checkpoints")).unwrap().count();
    assert_eq!(left, 0, "half a file is left");
}

/// A run that ends with the test.
struct Running(Child);

impl Running {
    fn start(folder: &Path, line: &str) -> Running {
        Running(command(folder, line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs"))
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().expect("kill").success());
    }

    /// Waits until `ready`.
    fn wait(&mut self, ready: impl Fn() -> bool) {
        let begun = Instant::now();
        while !ready() {
            assert!(begun.elapsed() < Duration::from_secs(120), "not ready within two minutes");
            assert!(self.0.try_wait().unwrap().is_none(), "it ended");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> Output {
        let mut stderr = Vec::new();
        self.0.stderr.take().map(|mut p| std::io::Read::read_to_end(&mut p, &mut stderr));
        Output { status: self.0.wait().expect("it ends"), stdout: Vec::new(), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// SIGTERM and a time limit save, exit 130 and say how to go on; that command ends as if nothing had been.
#[cfg(unix)]
#[test]
fn what_stops_a_run_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let line = "train sk n=6 depth=1 batch=100 beta=1 steps=400 eval_steps=5 --quiet --out";
    done(folder.path(), &format!("{line} a"));
    let lines = || fs::read_to_string(at("b c/metrics.csv")).map_or(0, |t| t.lines().count());
    let mut first = Running(command(folder.path(), line).arg("b c").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    first.wait(|| lines() > 20);
    first.signal("-TERM");
    let o = first.end();
    assert_eq!(o.status.code(), Some(130), "{}", err(&o));
    assert!(err(&o).contains("to go on: helmholtz train 'b c/config.toml' --out 'b c'"), "{}", err(&o));
    assert_eq!(json(&at("b c/manifest.json"))["ended"], "stopped by the user");
    let stopped = lines();
    assert!(stopped < 400 && at("b c/summary.json").is_file());
    // an instant: no step more than the first is made
    let words = ["train", "b c/config.toml", "--out", "b c", "--quiet"];
    let o = super::run_in(folder.path(), &[&words[..], &["--time-limit", "0s"]].concat());
    assert_eq!(o.status.code(), Some(130), "{}", err(&o));
    assert!(err(&o).contains("stopped by its time limit; the run so far is saved") && lines() == stopped, "{}", err(&o));
    let o = super::run_in(folder.path(), &words);
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    same(&at("a"), &at("b c"), "stopped twice");
    let o = run(folder.path(), &format!("{line} d --time-limit soon"));
    assert!(o.status.code() == Some(2) && err(&o).contains("no time; give for example 90s"), "{}", err(&o));
    // two signals: the second one does not wait
    let mut impatient = Running::start(folder.path(), "train sk n=6 depth=1 batch=100 beta=1 steps=1000000 --quiet --out f");
    impatient.wait(|| fs::read_to_string(at("f/metrics.csv")).is_ok_and(|t| t.lines().count() > 3));
    impatient.signal("-INT");
    impatient.signal("-INT");
    assert_eq!(impatient.end().status.code(), Some(130));
    // there is time for some steps, not for all
    let begun = Instant::now();
    let o = run(folder.path(), "train sk n=6 depth=1 batch=100 beta=1 steps=1000000 --quiet --time-limit 4s --out e");
    assert!(o.status.code() == Some(130) && begun.elapsed() < Duration::from_secs(10), "{:?} {}", begun.elapsed(), err(&o));
    assert_eq!(json(&at("e/manifest.json"))["ended"], "stopped by its time limit");
}

/// kill -9 at moments that follow from a seed, saving among them (there is a checkpoint after every step): each time the run goes on
/// from a whole checkpoint, at most one step before its end, and at last it is the run that nobody killed.
/// `HELMHOLTZ_KILLS=200` kills more often.
#[test]
fn killed_runs_go_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let kills: usize = std::env::var("HELMHOLTZ_KILLS").map_or(6, |k| k.parse().expect("a number"));
    let steps = 150 * kills;
    let line = format!("train sk n=6 depth=1 batch=100 beta=1 steps={steps} eval_steps=20 --quiet --out");
    done(folder.path(), &format!("{line} a"));
    let lines = || fs::read_to_string(at("b/metrics.csv")).map_or(0, |t| t.lines().count());
    // steps in the last checkpoint; frozen ones count after all others
    let saved = || {
        let all = if at("b/checkpoints").is_dir() { checkpoints(&at("b")) } else { Vec::new() };
        let name = all.last().map_or(String::new(), |path| path.file_stem().unwrap().to_string_lossy().into_owned());
        let step = name.rsplit_once('-').map_or(0, |(_, step)| step.parse::<usize>().unwrap());
        if name.starts_with("frozen") {
            steps + step
        } else if name.starts_with("training") {
            step
        } else {
            0
        }
    };
    let (mut seed, mut lost, mut early) = (12345u64, 0, 0);
    for kill in 0..kills {
        let mut child = Running::start(folder.path(), &format!("{line} b --save-every 0s"));
        let before = lines().max(1);
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // some while it starts, most after a step
        let begun = Instant::now();
        while kill % 5 > 0 && lines() <= before && child.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(120), "no step");
            std::thread::sleep(Duration::from_millis(2));
        }
        early += usize::from(kill % 5 == 0);
        std::thread::sleep(Duration::from_micros((seed >> 33) % 300_000));
        let _ = child.0.kill();
        let o = child.end();
        assert!(err(&o).is_empty(), "kill {kill}: {}", err(&o));
        lost = lost.max(lines().saturating_sub(1).saturating_sub(saved()));
    }
    let ended = saved();
    done(folder.path(), &format!("{line} b"));
    same(&at("a"), &at("b"), "killed");
    let resumed = json(&at("b/manifest.json"))["resumed"].as_array().map_or(0, Vec::len);
    eprintln!("{kills} kills, {early} of them at the start: {resumed} times gone on, {ended} steps by then, {lost} made again at most");
    assert!(lost <= 1 && resumed > kills / 2 && ended > 0, "{lost} {resumed} {ended}");
}
