//! Whole runs through the command line, as small as they can be: what they print, leave and repeat.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::json;
use crate::reference_data;

pub const TINY: &str = "n=3 theta=0.5 emax=4 batch=32 eval_steps=3 \
                    spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1";

fn command(folder: &Path, line: &str) -> Command {
    super::command(folder, &line.replace("TINY", TINY))
}

fn run(folder: &Path, line: &str) -> Output {
    command(folder, line).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The columns of metrics.csv that do not tell the time.
fn numbers(run: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(run.join("metrics.csv")).expect("metrics.csv");
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let timed = |i: usize| header[i].starts_with("seconds") || header[i].starts_with("ms");
    lines.map(|cells| cells.into_iter().enumerate().filter(|(i, _)| !timed(*i)).map(|(_, c)| c).collect()).collect()
}

#[test]
fn a_run_prints_and_leaves_everything_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let o = run(folder.path(), "train electron-gas TINY rs=1 steps=5 sampler=metropolis mc_steps=3 therm_steps=6 --out a");
    assert_eq!(o.status.code(), Some(0), "{}", text(&o.stderr));
    let printed = text(&o.stdout);
    assert!(printed.starts_with("device: "), "{printed}");
    for part in ["free energy E − TS", "ideal gas, exact", "note: chains less 64 exact draws at the same parameters, Ry per electron: E "]
    {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    for name in ["config.toml", "manifest.json", "metrics.csv", "events.jsonl", "summary.json", "params.safetensors", "figures/run.svg"] {
        assert!(at("a").join(name).is_file(), "{name}");
    }
    assert_eq!(json(&at("a").join("manifest.json"))["ended"], "finished");
    assert!(numbers(&at("a")).len() >= 5);
    // the same settings and seed give the same bits; progress differs only in time
    let o = run(folder.path(), "train a/config.toml --out b --json --quiet");
    assert_eq!(o.status.code(), Some(0), "{}", text(&o.stderr));
    let summary: serde_json::Value = serde_json::from_str(text(&o.stdout).trim()).expect("stdout is one JSON object");
    assert_eq!(numbers(&at("a")), numbers(&at("b")));
    let (f, err) = (summary["result"]["f"]["value"].as_f64().unwrap(), summary["result"]["f"]["error"].as_f64().unwrap());
    assert!(f.is_finite() && err > 0.0, "{summary}");
    // one JSON object for any number of runs
    let o = run(folder.path(), "report a b --json");
    let both: serde_json::Value = serde_json::from_str(text(&o.stdout).trim()).expect("stdout is one JSON object");
    assert_eq!(both["runs"].as_array().map(Vec::len), Some(2));
    let o = run(folder.path(), "report b --json");
    let one: serde_json::Value = serde_json::from_str(text(&o.stdout).trim()).expect("stdout is one JSON object");
    assert_eq!(one, both["runs"][1]);
    // another seed gives other numbers
    run(folder.path(), "train a/config.toml seed=7 steps=1 --out c --quiet");
    assert_ne!(numbers(&at("a"))[0], numbers(&at("c"))[0]);
    // saved parameters can be trained on, and a model they do not fit is refused
    let o = run(folder.path(), "train a/config.toml steps=1 rs=2 --params a/params.safetensors --out d");
    assert_eq!(o.status.code(), Some(0), "{}", text(&o.stderr));
    let (said, notes) = ("started from parameters made at rs = 1; now rs = 2", json(&at("d").join("summary.json"))["notes"].to_string());
    assert!(text(&o.stderr).contains(said) && notes.contains(said), "{} {notes}", text(&o.stderr));
    let o = run(folder.path(), "train a/config.toml steps=1 spsize=8 --params a/params.safetensors --out e");
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("spsize = 4 in the file, 8 now: set spsize=4"), "{}", text(&o.stderr));
    // several runs in one figure: of one system, and as a scan; the ending chooses the format
    let o = run(folder.path(), "report a c --compare both.svg");
    let figure = std::fs::read_to_string(folder.path().join("both.svg")).unwrap_or_default();
    assert!(o.status.success() && figure.contains("time of training") && figure.contains("seed=7"), "{}", text(&o.stderr));
    let o = run(folder.path(), "train electron-gas TINY rs=2 steps=2 --out f --quiet");
    assert_eq!(o.status.code(), Some(0), "{}", text(&o.stderr));
    // the result alone, and where its figure is
    let said = text(&o.stdout);
    assert!(
        said.starts_with("electron gas, ")
            && said.contains("figure: f/figures/run.svg")
            && said.trim_end().ends_with("figure: f/figures/momentum_distribution.svg"),
        "{said}"
    );
    assert!(!text(&o.stderr).lines().any(|l| !l.starts_with("warning: ")), "{}", text(&o.stderr));
    let o = run(folder.path(), "report a f --compare both.pdf");
    assert!(o.status.success() && std::fs::read(at("both.pdf")).is_ok_and(|b| b.starts_with(b"%PDF")), "{}", text(&o.stderr));
    let o = run(folder.path(), "report a --figure a.png");
    assert!(o.status.success() && std::fs::read(at("a.png")).is_ok_and(|b| b.starts_with(b"\x89PNG")), "{}", text(&o.stderr));
    let o = run(folder.path(), "report a --plot run --figure b.png");
    assert!(o.status.success() && std::fs::read(at("a.png")).unwrap() == std::fs::read(at("b.png")).unwrap(), "{}", text(&o.stderr));
    // all runs on one page, which needs nothing beside it
    let o = run(folder.path(), "report a f --html both.html");
    let page = std::fs::read_to_string(at("both.html")).unwrap_or_default();
    assert!(o.status.success() && text(&o.stdout).contains("page: both.html"), "{}", text(&o.stderr));
    assert!(
        page.matches("<img ").count() == 11 && page.matches("src=\"data:image/svg+xml").count() == 11,
        "comparison, two runs and their observables"
    );
    assert!(!page.contains("src=\"http") && !page.contains("href=") && !page.contains("<script"), "{page}");
    assert!(page.contains("theta = 0.5") && page.contains("before training") && !page.contains("− exact) / error"), "{page}");
    for (bad, why) in [
        ("report a --html a.pdf", "ends in .html"),
        ("report a --figure b.png --plot q", "there is momentum_distribution, occupations, pair_distribution, run"),
        ("report a --figure a.jpg", ".svg, .png or .pdf"),
        ("report a c --figure a.png", "--compare"),
    ] {
        let o = run(folder.path(), bad);
        assert!(o.status.code() == Some(2) && text(&o.stderr).contains(why), "{bad}: {}", text(&o.stderr));
    }
    let o = run(folder.path(), "report a");
    assert!(o.status.success() && text(&o.stdout).contains("ideal gas, exact"), "{}", text(&o.stderr));
}

/// Chains that never move keep their random start, whose V is wrong with a small error bar: refused before anything is averaged.
#[test]
fn chains_that_stand_still_give_no_result() {
    let folder = tempfile::tempdir().unwrap();
    for more in ["mc_width=1e-9", "mc_width=1e-9 mc_acceptance=0 therm_steps=0 mc_steps=3"] {
        let o = run(folder.path(), &format!("train electron-gas TINY rs=1 steps=2 sampler=metropolis {more} --out a --fresh --quiet"));
        let said = text(&o.stderr);
        assert_eq!(o.status.code(), Some(4), "{more}: {said}");
        assert!(said.contains("chains do not move") && said.contains("mc_width"), "{more}: {said}");
        assert!(!text(&o.stdout).contains("free energy"), "{more}: {}", text(&o.stdout));
    }
}

/// Without interaction the exact F is known, and the variational one cannot lie below it by more than
/// its error (6 standard errors: one false alarm in 10^9).
#[test]
fn the_ideal_gas_is_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let o = run(folder.path(), "train electron-gas TINY rs=0 steps=3 sampler=exact --out a --json --quiet");
    assert_eq!(o.status.code(), Some(0), "{}", text(&o.stderr));
    let s: serde_json::Value = serde_json::from_str(text(&o.stdout).trim()).unwrap();
    let get = |a: &str, b: &str, c: &str| s[a][b][c].as_f64().unwrap_or(f64::NAN);
    let (f, err, ideal) = (get("result", "f", "value"), get("result", "f", "error"), s["exact"]["f"].as_f64().unwrap_or(f64::NAN));
    assert!(f > ideal - 6.0 * err, "F = {f} ± {err} lies below the exact {ideal}");
    // the initial flow is nearly the identity: F is nearly exact
    assert!((f - ideal).abs() < 0.05 * ideal.abs() + 6.0 * err, "F = {f} ± {err}, exact {ideal}");
    assert_eq!(s["energy_unit"], "Ry/rs²");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_and_exits_130() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path(), "train electron-gas TINY rs=1 steps=100000 --out a")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let metrics = folder.path().join("a/metrics.csv");
    let logged = || std::fs::read_to_string(&metrics).map(|t| t.lines().count()).unwrap_or(0);
    for _ in 0..600 {
        if logged() > 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(logged() > 3, "no step within a minute");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    for name in ["summary.json", "params.safetensors"] {
        assert!(folder.path().join("a").join(name).is_file(), "{name}");
    }
    assert_eq!(json(&folder.path().join("a/manifest.json"))["ended"], "stopped by the user");
}

/// Published parameters: every quantity agrees with the double-precision reference.
#[test]
fn reference_cases_agree() {
    let case = reference_data::find("n7_d3_random.json").expect("it comes with the repository");
    let folder = case.parent().expect("a folder").to_path_buf();
    let o = run(&folder, "verify n7_d3_random.json --json");
    assert_eq!(o.status.code(), Some(0), "{}\n{}", text(&o.stdout), text(&o.stderr));
    let report: serde_json::Value = serde_json::from_str(text(&o.stdout).trim()).expect("one JSON object");
    assert!(report["pass"] == true && report["quantities"].as_array().is_some_and(|q| q.len() > 5), "{report}");
    // a case with one wrong number fails
    let to = tempfile::tempdir().unwrap();
    for part in ["json", "params.safetensors", "samples.safetensors"] {
        std::fs::copy(folder.join(format!("n7_d3_random.{part}")), to.path().join(format!("c.{part}"))).unwrap();
    }
    let json = std::fs::read_to_string(to.path().join("c.json")).unwrap().replace("\"rs\": 2.0", "\"rs\": 2.1");
    std::fs::write(to.path().join("c.json"), json).unwrap();
    let o = run(to.path(), "verify c.json");
    assert_eq!(o.status.code(), Some(4), "{}", text(&o.stdout));
    assert!(text(&o.stdout).contains("FAIL"), "{}", text(&o.stdout));
}

/// A system that another program adds is trained by the library's loop, and by every command of the command line.
#[test]
fn a_system_of_ones_own_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_helmholtz")).with_file_name("examples").join("own_system");
    assert!(program.is_file(), "{} is not built: `cargo test` builds the examples", program.display());
    let own = |line: &str| {
        let o = std::process::Command::new(&program).args(line.split_whitespace()).current_dir(folder.path()).output().unwrap();
        assert!(o.status.success(), "{line}: {}", text(&o.stderr));
        text(&o.stdout)
    };
    // each plaquette is free: ln Z is known; 25 standard errors of the last step are no more than what is left to learn
    let loop_ = own("");
    let last: Vec<&str> = loop_.lines().rev().take(2).collect();
    let f = |line: &str| line.split("F = ").nth(1).unwrap().split_whitespace().next().unwrap().parse::<f64>().unwrap();
    assert!((f(last[0]) - -1.172_84).abs() < 1e-5, "{loop_}");
    assert!((f(last[0])..f(last[0]) + 0.05).contains(&f(last[1])), "{loop_}");
    let s: serde_json::Value =
        serde_json::from_str(own("train plaquettes L=4 beta=0.3 steps=120 batch=500 --out a --json").trim()).unwrap();
    let (f, exact) = (s["result"]["f"]["value"].as_f64().unwrap(), s["exact"]["f"].as_f64().unwrap());
    assert!(f > exact - 6.0 * s["result"]["f"]["error"].as_f64().unwrap() && f - exact < 0.05 * exact.abs(), "{s}");
    let r = &s["reweighted"]["f"];
    assert!((r["value"].as_f64().unwrap() - exact).abs() < 6.0 * r["error"].as_f64().unwrap(), "{s}");
    for (line, part) in [
        ("report a", "free plaquettes, exact"),
        ("eval a --steps 3", "3 steps of 500 walkers with frozen parameters"),
        ("check plaquettes L=4 beta=0.7", "16 spins"),
        ("profile plaquettes L=4 beta=0.7 batch=100", "plaquettes"),
        ("keys plaquettes", "sites of a row"),
        ("keys sk", "seed of the couplings"),
        ("scan plaquettes L=4 beta=0.2,0.3 batch=500 steps=20 eval_steps=5 --out s", "beta=0.3: F = "),
    ] {
        assert!(own(line).contains(part), "{line}");
    }
    let o = std::process::Command::new(&program).args(["eval", "a", "--audit", "2"]).current_dir(folder.path()).output().unwrap();
    assert!(o.status.code() == Some(2) && text(&o.stderr).contains("--audit: plaquettes has no energy in float64"), "{}", text(&o.stderr));
}

/// Spins with known values: all states are summed on the device. A value that is off by 1e-4 fails its row.
#[test]
fn cases_of_spins_agree() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/data");
    let o = run(&data, "verify sk_n20_seed1.json");
    let table = text(&o.stdout);
    assert!(o.status.success() && table.contains("5 quantities compared, all agree") && !table.contains("warn"), "{table}");
    let whole = std::fs::read_to_string(data.join("sk_n10_seed4.json")).unwrap();
    let mut case: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (key, row) in [("lnZ", 0), ("E_per_site", 1), ("S_per_site", 2), ("C_per_site", 3)] {
        let good = case["rows"][row][key].clone();
        case["rows"][row][key] = (good.as_f64().unwrap() * 1.0001).into();
        std::fs::write(folder.path().join("c.json"), case.to_string()).unwrap();
        let o = run(folder.path(), "verify c.json");
        let table = text(&o.stdout);
        let off: Vec<&str> = table.lines().filter(|l| l.contains("FAIL")).map(|l| l.split_whitespace().next().unwrap()).collect();
        assert_eq!((o.status.code(), off), (Some(4), vec![key]), "{table}");
        case["rows"][row][key] = good;
    }
    std::fs::write(folder.path().join("c.json"), r#"{"J": [[0, 1], [1, 0]]}"#).unwrap();
    let o = run(folder.path(), "verify c.json");
    assert!(o.status.code() == Some(2) && text(&o.stderr).contains("\"rows\""), "{}", text(&o.stderr));
}
