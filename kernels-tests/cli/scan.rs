//! Scans through the command line: what they print and leave, how they go on, what they refuse.

use std::path::Path;
use std::process::Output;

use super::{err, json, out, run_in};

fn scan(folder: &Path, line: &str) -> Output {
    let words: Vec<&str> = ["scan"].into_iter().chain(line.split_whitespace()).collect();
    run_in(folder, &words)
}

/// The object that a scan prints.
fn object(o: &Output) -> serde_json::Value {
    assert_eq!(o.status.code(), Some(0), "{}", err(o));
    serde_json::from_str(out(o).trim()).unwrap_or_else(|e| panic!("{e}: {}", out(o)))
}

fn number(v: &serde_json::Value) -> f64 {
    v.as_f64().unwrap_or(f64::NAN)
}

const GLASS: &str = "sk n=6 depth=1 learning_rate=0.05 batch=500 eval_steps=10 steps=20 --first steps=60 --out a --json";

/// When each run of a scan began.
fn began(folder: &Path, object: &serde_json::Value) -> Vec<f64> {
    let names = object["points"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap());
    names.map(|name| number(&json(&folder.join("a").join(name).join("manifest.json"))["started_unix_s"])).collect()
}

/// Its numbers are those of its runs, each of which started from its neighbour; the same command goes on where runs are
/// missing, and a longer list adds to them.
#[test]
fn a_scan_is_one_table_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("a").join(name);
    let line = format!("{GLASS} beta=0.5,1.0..2.0 disorder=1,2");
    let first = object(&scan(folder.path(), &line));
    let points = first["points"].as_array().unwrap();
    assert_eq!((points.len(), &first["axis"]), (8, &"beta".into()));
    let csv = std::fs::read_to_string(at("scan.csv")).unwrap();
    let table: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    let column = |head: &str| table[0].iter().position(|h| *h == head).unwrap_or_else(|| panic!("{head}: {csv}"));
    for (k, p) in points.iter().enumerate() {
        let (s, name) = (&p["summary"], p["name"].as_str().unwrap());
        assert_eq!(json(&at(name).join("summary.json")), *s);
        let (f, error, exact) = (number(&s["result"]["f"]["value"]), number(&s["result"]["f"]["error"]), number(&s["exact"]["f"]));
        assert!(f > exact - 6.0 * error && (f / exact - 1.0).abs() < 0.05, "{name}: {f} {exact}");
        assert!((number(&p["deviation"]["f"]) - (f - exact) / error).abs() < 1e-9);
        assert!(number(&s["baselines"]["naive_mean_field"]["f"]) > exact && s["baselines"]["bethe"]["starts"].as_u64() > Some(0), "{s}");
        // at a high temperature the Bethe value is near
        let bethe = &s["baselines"]["bethe"];
        let near = bethe["converged"] == bethe["starts"] && (number(&bethe["f"]) / exact - 1.0).abs() < 0.02;
        assert!(near || k % 4 > 0, "{name}: {bethe} {exact}");
        assert_eq!(number(&s["beta"]), number(&p["settings"]["beta"]));
        assert_eq!(table[k + 1][column("F [J]")].parse::<f64>().unwrap(), f);
        // the first of each curve starts from nothing, with more steps
        let settings = std::fs::read_to_string(at(name).join("config.toml")).unwrap();
        let warm = k % 4 > 0;
        assert_eq!(s["steps"], if warm { 20 } else { 60 }, "{name}");
        assert!(settings.contains("params = ") == warm && settings.contains("anneal = 0.0 ") == warm, "{settings}");
    }
    // a slope between neighbours in β F, which is E, brackets the entropy of the middle one
    let f = |k: usize| number(&points[k]["summary"]["result"]["f"]["value"]);
    let beta = |k: usize| 0.5 * (k + 1) as f64;
    let energy = (beta(2) * f(2) - beta(0) * f(0)) / (beta(2) - beta(0));
    let s = &points[1]["entropy_from_f"];
    assert!((number(&s["value"]) - beta(1) * (energy - f(1))).abs() < 1e-9 && number(&s["error"]) > 0.0, "{s}");
    assert!(points[0]["entropy_from_f"]["value"].is_null());
    for figure in ["figures/scan.svg", "figures/scan-error.svg"] {
        let svg = std::fs::read_to_string(at(figure)).unwrap();
        assert!(svg.contains("disorder = 2") && svg.contains("Bethe"), "{figure}");
    }
    // one run is lost, one was killed before it wrote its result, of one every checkpoint is damaged too
    let before = began(folder.path(), &first);
    std::fs::remove_dir_all(at("disorder=1,beta=2")).unwrap();
    std::fs::remove_file(at("disorder=2,beta=1/summary.json")).unwrap();
    std::fs::remove_file(at("disorder=2,beta=2/summary.json")).unwrap();
    for file in std::fs::read_dir(at("disorder=2,beta=2/checkpoints")).unwrap() {
        std::fs::write(file.unwrap().path(), "").unwrap();
    }
    let o = scan(folder.path(), &line);
    let second = object(&o);
    assert!(err(&o).contains("scan of 8 points in a, 5 of them finished before"), "{}", err(&o));
    let after = began(folder.path(), &second);
    let again: Vec<usize> = (0..8).filter(|k| before[*k] != after[*k]).collect();
    assert_eq!(again, [3, 7]);
    // what can go on does, what cannot is moved aside
    assert!(at("disorder=2,beta=2.1/metrics.csv").is_file() && !at("disorder=2,beta=1.1").exists());
    assert_eq!(json(&at("disorder=2,beta=1/manifest.json"))["resumed"][0]["from"], "frozen step 10");
    assert!(err(&o).contains("no checkpoint to go on from") && err(&o).contains("it is moved aside"), "{}", err(&o));
    // the same seeds and starts: the same numbers
    for k in 0..8 {
        for part in ["result", "reweighted", "metropolis", "notes"] {
            assert_eq!(first["points"][k]["summary"][part], second["points"][k]["summary"][part], "{k} {part}");
        }
    }
    // other settings are refused with what is other, and nothing is changed
    let o = scan(folder.path(), &line.replace("batch=500", "batch=400"));
    assert_eq!(o.status.code(), Some(2));
    assert!(
        err(&o).contains("disorder=1,beta=0.5 was begun with other settings") && err(&o).contains("batch = 500 then, 400 now"),
        "{}",
        err(&o)
    );
    assert_eq!(after, began(folder.path(), &second));
    // a longer list
    let longer = object(&scan(folder.path(), &line.replace("..2.0", "..2.5")));
    assert_eq!(longer["points"].as_array().map(Vec::len), Some(10));
    assert_eq!(after[..4], began(folder.path(), &longer)[..4]);
}

/// A user's files are listed like anything else, and name the folders.
#[test]
fn files_are_scanned_over() {
    let folder = tempfile::tempdir().unwrap();
    for (name, coupling) in [("a.csv", 1.0), ("b.csv", -0.5)] {
        std::fs::write(folder.path().join(name), format!("i,j,J\n0,1,{coupling}\n1,2,{coupling}\n0,2,{coupling}\n")).unwrap();
    }
    let line = "couplings couplings=a.csv,b.csv beta=0.5,1 depth=1 batch=500 steps=20 eval_steps=5 --out s --quiet";
    let o = scan(folder.path(), line);
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    for name in ["couplings=a,beta=0.5", "couplings=a,beta=1", "couplings=b,beta=0.5", "couplings=b,beta=1"] {
        assert!(folder.path().join("s").join(name).join("summary.json").is_file(), "{name}");
    }
    let said = out(&o);
    assert!(said.trim_start().starts_with("couplings: values per spin") && said.contains("figure: s/figures/scan.svg"), "{said}");
    std::fs::create_dir(folder.path().join("more")).unwrap();
    std::fs::copy(folder.path().join("b.csv"), folder.path().join("more/a.csv")).unwrap();
    let o = scan(folder.path(), "couplings couplings=a.csv,more/a.csv beta=0.5");
    assert!(o.status.code() == Some(2) && err(&o).contains("give files different names"), "{}", err(&o));
}

/// A point without a result takes those with it that would start from it, and no others.
#[test]
fn a_point_that_fails_is_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let gas = "electron-gas n=3 rs=1,2 theta=0.5 emax=4 batch=32 eval_steps=3 spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1";
    let more = "steps=2 sampler=metropolis mc_acceptance=0 therm_steps=0 mc_steps=3 mc_width=1e-9,0.1 --out a";
    let o = scan(folder.path(), &format!("{gas} {more}"));
    assert_eq!(o.status.code(), Some(4), "{}", err(&o));
    for part in ["warning: mc_width=1e-9,rs=1: ", "warning: mc_width=1e-9,rs=2: left out", "error: no result of mc_width=1e-9,rs=1: "] {
        assert!(err(&o).contains(part), "{part}: {}", err(&o));
    }
    assert!(out(&o).contains("mc_width=0.1,rs=2: F = "), "{}", out(&o));
    assert_eq!(std::fs::read_to_string(folder.path().join("a/scan.csv")).unwrap().lines().count(), 3);
}

#[test]
fn what_is_no_scan_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/notes.txt"), "").unwrap();
    for (line, why) in [
        ("sk n=6 beta=1", "no setting has several values: list them, for example beta=0.5,1.0,1.5"),
        ("sk n=6 beta=0.1..1", "0.1..1 has no step"),
        ("sk n=6 beta=0.1,0.3..1", "does not end at 1.0 in steps of 0.2"),
        ("sk n=6 beta=0.5,x", "beta=x: not a number"),
        ("sk n=6 beta=0.5,1 --first steps", "--first \"steps\" is not of the form key=value"),
        ("sk n=6 beta=0.5,1 --variant stps=3", "Did you mean steps?"),
        ("sk n=6 beta=0.5,1 --against n", "n has one value; several have beta"),
        ("sk n=6 beta=0.5,1 --pictures gif", "svg, png, pdf"),
        ("sk n=6 beta=0.5,1 --out mine", "holds no scan (no scan.json): nothing in it is touched"),
        ("nothing beta=0.5,1", "\"nothing\" is no system"),
    ] {
        let o = scan(folder.path(), line);
        assert_eq!(o.status.code(), Some(2), "{line}: {}", err(&o));
        assert!(err(&o).contains(why) && out(&o).is_empty(), "{line}: {}", err(&o));
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

/// What was finished before an interrupt stays and is shown.
#[cfg(unix)]
#[test]
fn an_interrupted_scan_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let line = "scan sk n=6 depth=1 batch=500 beta=0.5,1 eval_steps=5 steps=1000000 --first steps=20 --out a";
    let child = super::command(folder.path(), line).stdout(std::process::Stdio::piped()).spawn().expect("the binary runs");
    let logged = || std::fs::read_to_string(folder.path().join("a/beta=1/metrics.csv")).map_or(0, |t| t.lines().count());
    for _ in 0..1200 {
        if logged() > 3 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(logged() > 3, "no step of the second point within two minutes");
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    let o = child.wait_with_output().expect("it ends");
    assert_eq!(o.status.code(), Some(130));
    assert!(out(&o).contains("beta=0.5: F = ") && !out(&o).contains("beta=1: F = "), "{}", out(&o));
    assert_eq!(std::fs::read_to_string(folder.path().join("a/scan.csv")).unwrap().lines().count(), 2);
    assert_eq!(json(&folder.path().join("a/beta=1/manifest.json"))["ended"], "stopped by the user");
    assert_eq!(json(&folder.path().join("a/beta=0.5/summary.json"))["ended"], "finished");
    // the same command goes on in the middle of the point
    let line = line.strip_prefix("scan ").unwrap();
    let o = scan(folder.path(), &format!("{line} --time-limit 3s"));
    assert_eq!(o.status.code(), Some(130), "{}", err(&o));
    let resumed = json(&folder.path().join("a/beta=1/manifest.json"))["resumed"].to_string();
    assert!(resumed.contains("training step ") && err(&o).contains("stopped by its time limit"), "{resumed} {}", err(&o));
}
