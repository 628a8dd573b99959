//! Evaluations: a run's parameters measured again with other random numbers, until an error bar is small enough.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use super::{command, err, json, out, refused};

const GLASS: &str = "sk n=8 disorder=3 beta=1 depth=1 steps=20 batch=400 eval_steps=5";
const GAS: &str = "electron-gas n=3 rs=1 theta=0.5 emax=4 spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1 batch=32 \
                   sampler=metropolis mc_steps=3 therm_steps=6 steps=1 eval_steps=1";

fn run(folder: &Path, line: &str) -> Output {
    let line = line.replace("GLASS", GLASS).replace("GAS", GAS);
    command(folder, &line).output().expect("the binary runs")
}

fn done(folder: &Path, line: &str) -> Output {
    let o = run(folder, line);
    assert_eq!(o.status.code(), Some(0), "{line}: {}", err(&o));
    o
}

fn object(folder: &Path, line: &str) -> serde_json::Value {
    let o = done(folder, line);
    serde_json::from_str(out(&o).trim()).unwrap_or_else(|e| panic!("{line}: {e}: {}", out(&o)))
}

/// F of each step, as text.
fn free_energies(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().to_string()).collect()
}

fn number(s: &serde_json::Value, a: &str, b: &str, c: &str) -> f64 {
    s[a][b][c].as_f64().unwrap_or_else(|| panic!("{a} {b} {c}: {s}"))
}

fn notes(s: &serde_json::Value) -> String {
    s["notes"].to_string()
}

/// One says what a run says, of other samples, leaves the run as it was, and goes on; its own number gives the same bits again.
#[test]
fn a_run_is_measured_again_with_numbers_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (at, path) = (folder.path(), |name: &str| folder.path().join(name));
    let trained = object(at, "train GLASS --out a --json");
    let before = ["summary.json", "params.safetensors", "metrics.csv", "manifest.json"].map(|name| fs::read(path("a").join(name)).unwrap());
    let first = object(at, "eval a --json");
    let keys = |s: &serde_json::Value| {
        let all = s.as_object().unwrap().iter();
        let deeper = |(k, v): (&String, &serde_json::Value)| (k.clone(), v.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()));
        // an evaluation has no parameters before training
        all.map(deeper).filter(|(k, _)| k != "start").collect::<Vec<_>>()
    };
    assert_eq!(keys(&first), keys(&trained));
    assert_eq!((&first["steps"], &first["batch"], &first["exact"]), (&0.into(), &400.into(), &trained["exact"]));
    assert!(first["averaged_over"].as_str().unwrap().starts_with("5 steps of 400 walkers with frozen"), "{first}");
    assert_eq!(json(&path("a/eval/summary.json")), first);
    // six errors: one in 10^9
    let off = number(&first, "result", "f", "value") - number(&trained, "result", "f", "value");
    assert!(off.abs() < 6.0 * number(&first, "result", "f", "error").hypot(number(&trained, "result", "f", "error")), "{off}");
    let printed = out(&done(at, "eval a --quiet"));
    for part in ["all states, exact", "reweighted", "measured in ", "independence Metropolis", "figure: a/eval-2/figures/run.svg"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    // no step of any of them is one of another
    let mut steps: Vec<String> = ["a", "a/eval", "a/eval-2"].iter().flat_map(|run| free_energies(&path(run))).collect();
    assert_eq!(steps.len(), 20 + 5 + 5 + 5);
    steps.sort();
    steps.dedup();
    assert_eq!(steps.len(), 35);
    for (line, run, same) in [
        ("eval a --seed 1 --out again --quiet", "again", "a/eval"),
        ("eval a --out other --quiet", "other", "other"),
        ("eval a --steps 7 --out a/eval --quiet", "a/eval", "again"),
    ] {
        done(at, line);
        let (x, y) = (free_energies(&path(run)), free_energies(&path(same)));
        assert_eq!(x[..5], y[..5], "{line}");
        assert_eq!(free_energies(&path("a/eval"))[..5] == x[..5], same != "other", "{line}");
    }
    assert_eq!(free_energies(&path("a/eval")).len(), 7);
    assert_eq!(
        before,
        ["summary.json", "params.safetensors", "metrics.csv", "manifest.json"].map(|name| fs::read(path("a").join(name)).unwrap())
    );
}

/// Error bars that are asked for are reached, and hardly passed; where steps end it before, the result says so.
#[test]
fn it_goes_on_until_an_error_is_small_enough() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    object(at, "train GLASS --out a --json");
    for (asked, name, error) in [("3e-4", "f", 3e-4), ("m2=1e-3", "m2", 1e-3)] {
        let s = object(at, &format!("eval a --until-error {asked} --json"));
        let got = number(&s, "result", name, "error");
        assert!(got <= error && got > 0.9 * error && !notes(&s).contains("stopped before"), "{asked}: {s}");
    }
    // a large error is believed after ten steps
    let s = object(at, "eval a --until-error 1 --batch 100 --json");
    assert!(s["averaged_over"].as_str().unwrap().starts_with("10 steps of 100 walkers"), "{s}");
    let s = object(at, "eval a --until-error E=1e-9 --steps 12 --json");
    let text = notes(&s);
    assert!(text.contains("stopped before the error of E was 1.0e-9 J: it is ") && text.contains("steps would do"), "{text}");
    let o = run(at, "eval a --until-error 1e-9 --time-limit 2s --out late --quiet");
    assert_eq!(o.status.code(), Some(130), "{}", err(&o));
    assert!(err(&o).contains("to go on: helmholtz eval a --until-error 1e-9 --out late"), "{}", err(&o));
    assert!(notes(&json(&at.join("late/summary.json"))).contains("stopped before the error of F"));
}

/// Chains begin anew and forget their start before anything is measured.
#[test]
fn chains_are_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(at, "train GAS --out g --quiet");
    let o = done(at, "eval g --steps 8");
    let printed = out(&o);
    for part in
        ["thermalising 2/2", "ideal gas, exact", "8 steps of 32 walkers", "note: chains less 64 exact draws", "are lower bounds: 8 steps"]
    {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains("by blocking"), "{printed}");
    // chains that are long enough to know their error know it in two ways, and have mixed
    let s = object(at, "eval g --steps 150 --json");
    let (error, blocked, r_hat) = (number(&s, "result", "f", "error"), s["blocked"].as_f64().unwrap(), s["r_hat"].as_f64().unwrap());
    // of 18 blocks of 8 steps: 17 %, four of them
    assert!((blocked / error - 1.0).abs() < 0.7 && (0.98..1.02).contains(&r_hat), "{s}");
    let printed = out(&done(at, "report g/eval-2"));
    assert!(printed.contains("chains: error of F by blocking ") && printed.contains(", split R-hat of F "), "{printed}");
    let s = object(at, "eval g --until-error 1 --steps 9 --json");
    assert!(notes(&s).contains("stopped before the error of F was 1.0e0 Ry: 9 steps are too few"), "{s}");
}

/// Walkers of the last step agree with float64; where the couplings change under an evaluation they do not, and it fails.
#[test]
fn walkers_are_computed_again_in_float64() {
    let folder = tempfile::tempdir().unwrap();
    let (at, path) = (folder.path(), |name: &str| folder.path().join(name));
    done(at, "train GLASS --out a --quiet");
    let s = object(at, "eval a --audit 9 --json --out e");
    assert_eq!((&s["audit"]["pass"], s["audit"]["quantities"].as_array().map(Vec::len)), (&true.into(), Some(3)), "{s}");
    assert!(notes(&s).contains("9 walkers in float64 differ from the device by at most: ln q ") && notes(&s).contains("F "), "{s}");
    assert!(json(&path("e/summary.json"))["audit"].is_null() && notes(&json(&path("e/summary.json"))) == notes(&s));
    refused(&run(at, "eval a --audit 401 --quiet"), 2, &["--audit 401: a batch has 400 walkers"], "too many");
    assert!(!path("a/eval").exists());
    let o = done(at, "eval a --out late --steps 3 --quiet --audit 2 --seed 5");
    assert!(out(&o).contains("2 walkers in float64: 3 quantities compared, all agree"), "{}", out(&o));
    // couplings that are others when the walkers are computed again
    let bonds = |j: f64| fs::write(path("J.csv"), format!("0,1,{j}\n1,2,-1.0\n0,2,0.5\n2,3,1.0\n")).unwrap();
    bonds(1.0);
    done(at, "train couplings couplings=J.csv beta=1 depth=1 steps=5 batch=100 eval_steps=2 --out c --quiet");
    let child = command(at, "eval c --out f --steps 3000 --audit 9 --quiet").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let steps = || fs::read_to_string(path("f/metrics.csv")).map_or(0, |text| text.lines().count());
    for _ in 0..600 {
        if steps() > 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!((4..2900).contains(&steps()), "{} steps", steps());
    bonds(1.1);
    let o = child.wait_with_output().unwrap();
    assert_eq!(o.status.code(), Some(4), "{}", err(&o));
    assert!(err(&o).contains("off: ") && err(&o).contains("E, F") && err(&o).contains("quote nothing"), "{}", err(&o));
    assert!(out(&o).contains("FAIL") && notes(&json(&path("f/summary.json"))).contains("9 walkers in float64 differ"), "{}", out(&o));
}

/// An evaluation does not go on with parameters that the run has no more.
#[test]
fn other_parameters_are_another_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(at, "train GLASS --out a --quiet");
    done(at, "eval a --out e --quiet");
    done(at, "train GLASS seed=8 --out b --quiet");
    fs::copy(at.join("b/params.safetensors"), at.join("a/params.safetensors")).unwrap();
    let o = run(at, "eval a --out e --steps 8 --quiet");
    refused(&o, 2, &["e is of other parameters than a has now", "--fresh"], "other parameters");
    assert_eq!(free_energies(&at.join("e")).len(), 5);
    done(at, "eval a --out e --steps 8 --quiet --fresh");
    assert_eq!((free_energies(&at.join("e")).len(), free_energies(&at.join("e.1")).len()), (8, 5));
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (at, path) = (folder.path(), |name: &str| folder.path().join(name));
    done(at, "train GLASS --out a --quiet");
    fs::create_dir(path("empty")).unwrap();
    for (line, fragments) in [
        ("eval nowhere", &["nowhere is no run directory", "config.toml"][..]),
        ("eval empty", &["empty is no run directory"]),
        ("eval a --until-error 0", &["--until-error 0: not a positive number", "F=1e-4"]),
        ("eval a --until-error Q=1", &["--until-error Q: no average of this system; there is F, E, S, m2"]),
        ("eval a --out a", &["--out a: the run itself"]),
        ("eval a --batch 1", &["batch=1", "out of range"]),
        ("eval a --steps 0", &["--steps"]),
        ("eval a --seed 0", &["--seed"]),
    ] {
        refused(&run(at, line), 2, fragments, line);
    }
    assert!(!path("a/eval").exists() && fs::read_dir(path("empty")).unwrap().next().is_none());
    // parameters of another system, damaged ones, none
    let file = path("a/params.safetensors");
    let good = fs::read(&file).unwrap();
    done(at, "train sk n=6 disorder=3 beta=1 depth=1 steps=1 batch=100 eval_steps=1 --out b --quiet");
    fs::copy(path("b/params.safetensors"), &file).unwrap();
    refused(&run(at, "eval a"), 2, &["a/params.safetensors does not fit the settings"], "parameters of another size");
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    fs::write(&file, &bad).unwrap();
    let o = done(at, "eval a --out checkpoint --quiet");
    assert!(
        err(&o).contains("checksum") && err(&o).contains("the parameters are those of the checkpoint a/checkpoints/frozen-"),
        "{}",
        err(&o)
    );
    fs::remove_file(&file).unwrap();
    fs::rename(path("a/checkpoints"), path("away")).unwrap();
    refused(&run(at, "eval a"), 2, &["a has no parameters to evaluate", "params.safetensors is missing"], "no parameters");
    // a run that was stopped
    let config = fs::read_to_string(path("a/config.toml")).unwrap();
    fs::write(path("a/config.toml"), config.replace("\nsteps = 20", "\nsteps = 30")).unwrap();
    fs::write(&file, &good).unwrap();
    let o = done(at, "eval a --out stopped --quiet");
    let said = "the run is not finished: its parameters are those after 20 of 30 training steps";
    assert!(err(&o).contains(said) && notes(&json(&path("stopped/summary.json"))).contains(said), "{}", err(&o));
    fs::write(path("a/config.toml"), config).unwrap();
    // the checkpoint had the same parameters
    fs::write(&file, &good).unwrap();
    done(at, "eval a --seed 9 --out whole --quiet");
    fs::remove_file(&file).unwrap();
    fs::rename(path("away"), path("a/checkpoints")).unwrap();
    done(at, "eval a --seed 9 --out saved --quiet");
    assert_eq!(free_energies(&path("whole")), free_energies(&path("saved")));
    assert!(!path("a/eval").exists());
}
