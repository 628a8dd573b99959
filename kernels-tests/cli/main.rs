//! The command line as a user meets it: messages, exit codes, files.

mod browser;
mod documents;
mod eval;
#[cfg(unix)]
mod faults;
mod inputs;
mod manual;
mod peers;
mod published;
mod reader;
#[path = "../reference_data.rs"]
mod reference_data;
mod refusals;
#[cfg(unix)]
mod resume;
mod runs;
mod scan;
mod spins;
mod watch;

use std::path::Path;
use std::process::{Command, Output};

/// `helmholtz` in `folder` with the words of `line`.
fn command(folder: &Path, line: &str) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_helmholtz"));
    // a test leaves nothing in the user's folders
    c.args(line.split_whitespace()).current_dir(folder).env("HELMHOLTZ_CACHE", "off");
    c
}

/// Runs it with these words.
fn run_in(folder: &Path, words: &[&str]) -> Output {
    command(folder, "").args(words).output().expect("the binary runs")
}

/// An object of a file.
fn json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn run(line: &str) -> Output {
    let words: Vec<&str> = line.split_whitespace().collect();
    run_in(&std::env::temp_dir(), &words)
}

fn out(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}

fn err(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

/// Requires the exit code and every fragment in stderr.
fn refused(o: &Output, code: i32, fragments: &[&str], what: &str) {
    let text = err(o);
    assert_eq!(o.status.code(), Some(code), "{what}: {text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
    for fragment in fragments {
        assert!(text.contains(fragment), "{what}: no {fragment:?} in\n{text}");
    }
    assert!(out(o).is_empty(), "{what}: stdout is not empty: {}", out(o));
}

#[test]
fn files_and_arguments_mean_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run ä 1.toml");
    std::fs::write(&file, "system = \"electron-gas\"\n# a comment\nn = 13\nrs = 10\ntheta = 0.15\ntwist = [0.1, 0.25]\nlaplacian = \"hutchinson\"\nbatch = \"auto\"\n").unwrap();
    let path = file.to_string_lossy().into_owned();
    let json = |line: &[&str]| -> serde_json::Value {
        let o = run_in(folder.path(), line);
        assert!(o.status.success(), "{}", err(&o));
        serde_json::from_str(out(&o).trim()).expect("one JSON object")
    };
    let values = |v: &serde_json::Value| -> Vec<(String, serde_json::Value)> {
        v["settings"].as_object().unwrap().iter().map(|(k, s)| (k.clone(), s["value"].clone())).collect()
    };
    let a = json(&["check", &path, "rs=5", "--json"]);
    let b = json(&["check", "electron-gas", "n=13", "Theta=0.15", "rs=5.0", "twist=0.1,1/4", "laplacian=hutchinson", "--json"]);
    assert_eq!(values(&a), values(&b));
    assert_eq!(a["settings"]["rs"]["origin"], "command line");
    assert!(a["settings"]["theta"]["origin"].as_str().unwrap().ends_with("run ä 1.toml line 5"));
    assert_eq!(a["settings"]["kappa"]["origin"], "from ewald_tolerance and n");
    assert_eq!(a["settings"]["emax"]["origin"], "from n, dim, theta and twist");
    assert_eq!(a["settings"]["rs"]["unit"], "a0");
    // what `check` prints names the same origins
    let text = out(&run_in(folder.path(), &["check", &path]));
    assert!(text.contains("run ä 1.toml line 4"), "{text}");
}

/// The published model of 29 electrons has 5826 + 1074 parameters.
#[test]
fn check_says_what_the_settings_mean() {
    let o = run("check electron-gas n=29 rs=10 theta=0.15");
    let text = out(&o);
    assert!(o.status.success() && text.contains("81 orbitals"), "{text}");
    assert!(text.contains("κ = 7/L, 126 pairs of vectors with |G| ≤ 9"), "{text}");
    assert!(text.contains("above |m|² = 25 with probability 1.4e-4"), "{text}");
    let text = out(&run("check electron-gas n=29 rs=10 theta=0.3 emax=25"));
    assert!(text.contains("warning: emax=25") && text.contains("would do"), "{text}");
    assert!(text.contains("5826 parameters of the occupation network, 1074 of the flow"), "{text}");
}

/// Small enough for every adapter, and quick.
const TINY: &str = "electron-gas n=3 rs=1 theta=0.5 emax=4 spsize=4 tpsize=4 modelsize=4 nheads=2 nhidden=4 nlayers=1";

#[test]
fn check_bills_the_memory() {
    let o = run(&format!("check {TINY} batch=64 --json"));
    let json: serde_json::Value = serde_json::from_str(out(&o).trim()).expect("one JSON object");
    let memory = &json["memory"];
    assert_eq!((&memory["batch"], &memory["chunk"], &memory["fits"]), (&64.into(), &64.into(), &true.into()));
    let groups: u64 = memory["groups"].as_array().unwrap().iter().map(|g| g[1].as_u64().unwrap()).sum();
    assert_eq!(memory["total_bytes"].as_u64(), Some(groups));
    let text = out(&run(&format!("check {TINY} batch=64")));
    for part in ["memory on ", "occupation scores", "update", "for batch=64 in chunks of 64", "largest array"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Refused before anything is allocated or written, with the batch that would fit; which then does.
#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let folder = tempfile::tempdir().unwrap();
    let train = |batch: &str| format!("train {TINY} batch={batch} --out a");
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(String::from).collect() };
    for batch in ["10000000", "16777216"] {
        for line in [train(batch), format!("check {TINY} --json batch={batch}"), format!("profile {TINY} --json batch={batch}")] {
            let line = words(&line);
            let o = run_in(folder.path(), &line.iter().map(String::as_str).collect::<Vec<_>>());
            let text = err(&o);
            assert_eq!(o.status.code(), Some(3), "{line:?}: {text}");
            assert!(text.contains("does not fit") && text.contains("use batch="), "{text}");
            let fits = text.split("use batch=").nth(1).unwrap().trim();
            assert_eq!(run(&format!("check {TINY} batch={fits}")).status.code(), Some(0), "{fits}");
        }
    }
    assert!(!folder.path().join("a").exists(), "a refused run leaves a directory");
}

#[test]
fn profile_times_every_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("profile {TINY} batch=32 --json --trace t.json");
    let o = run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    assert!(o.status.success(), "{}", err(&o));
    let json: serde_json::Value = serde_json::from_str(out(&o).trim()).expect("one JSON object");
    let (p, made) = (&json["profile"], json["pipelines"].as_u64().unwrap() as usize);
    assert!(made >= p["kernels"].as_array().unwrap().len() && json["pipelines_s"].as_f64().unwrap() > 0.0, "{made} pipelines");
    let seconds = |rows: &serde_json::Value| -> f64 { rows.as_array().unwrap().iter().map(|r| r["seconds"].as_f64().unwrap()).sum() };
    let (sum, kernels, phases) = (p["sum_s"].as_f64().unwrap(), seconds(&p["kernels"]), seconds(&p["phases"]));
    assert!(sum > 0.0 && (kernels / sum - 1.0).abs() < 1e-9 && (phases / sum - 1.0).abs() < 1e-9, "{sum} {kernels} {phases}");
    assert!(p["roof"]["flops_per_s"].as_f64().unwrap() > 0.0 && p["wall_s"].as_f64().unwrap() > 0.0);
    for name in ["linear", "backflow_sums", "dpp", "newton", "krylov"] {
        assert!(p["kernels"].as_array().unwrap().iter().any(|r| r["name"] == name), "{name}");
    }
    let trace: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("t.json")).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 100);
    let text = out(&run(&format!("profile {TINY} batch=32")));
    for part in [
        "device: ",
        "pipelines made in",
        "a later one",
        "roof of this device",
        "phase",
        "an untimed step of training",
        "recording on the host",
        "linear",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let line = format!("profile {TINY} --trace nowhere/t.json");
    refused(&run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>()), 5, &["there is no folder nowhere"], "no folder");
}

#[test]
fn bad_files_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("n = 13\nrs = 10\ntheta = \"hot\"\n", &["a.toml line 3: theta=hot: not a number"]),
        ("n = 13\nrs = 10\n\nthta = 0.15\n", &["a.toml line 4: unknown key \"thta\". Did you mean theta?", "theta is missing"]),
        ("n = 13\nn = 14\n", &["not valid TOML", "duplicate key"]),
        ("n = 5\nrs = 1\ntheta = 1\nN = 7\n", &["a.toml line 4: n is given twice (n=5 in a.toml line 1, then N=7): keep one"]),
        ("n = 5\nrs = 1\ntheta = 1\nmc-steps = 7\nmc_steps = 7\n", &["line 5: mc_steps is given twice (mc-steps=7 in a.toml line 4"]),
        (
            "System = \"electron-gas\"\nsystem = \"electron-gas\"\nn = 5\nrs = 1\ntheta = 1\n",
            &["line 2: system is given twice (first in line 1)"],
        ),
        ("n = \n", &["not valid TOML"]),
        ("system = \"spins\"\nn = 13\nrs = 1\ntheta = 1\n", &["line 1", "\"spins\"", "there is electron-gas"]),
        ("rs = 1\ntheta = 1\n[system]\nn = 13\n", &["system is a table", "n is missing"]),
        ("n = 1979-05-27\nrs = 1\ntheta = 1\n", &["n is a date"]),
        ("n = true\nrs = [1, 2]\ntheta = 1\n", &["n=true: not a whole number", "rs=1,2: not a number"]),
        ("", &["3 mistakes"]),
    ];
    for (text, fragments) in cases {
        std::fs::write(folder.path().join("a.toml"), text).unwrap();
        refused(&run_in(folder.path(), &["check", "a.toml"]), 2, fragments, text);
    }
    std::fs::write(folder.path().join("a.toml"), [0xff, 0xfe, 0x00]).unwrap();
    refused(&run_in(folder.path(), &["check", "a.toml"]), 2, &["a.toml is no text", "UTF-8"], "not UTF-8");
}

#[test]
fn every_setting_is_documented() {
    let (table, help) = (out(&run("keys")), out(&run("train --help")));
    let json: serde_json::Value = serde_json::from_str(out(&run("keys --json")).trim()).unwrap();
    for kind in helmholtz::problem::kinds() {
        let own = out(&run(&format!("keys {}", kind.name())));
        let mut names = std::collections::BTreeSet::new();
        for key in kind.system.keys() {
            assert!(names.insert(key.name), "{}: two settings {}", kind.name(), key.name);
            for text in [&table, &own, &help] {
                assert!(text.contains(&format!(" {} ", key.name)), "{}", key.name);
            }
            assert!(!json[kind.name()][key.name]["meaning"].as_str().unwrap().is_empty());
        }
    }
    assert!(help.contains("Exit codes: 0 done"));
}

#[test]
fn devices_are_listed_with_what_chooses_them() {
    let o = run("devices --json");
    assert!(o.status.success(), "{}", err(&o));
    let json: serde_json::Value = serde_json::from_str(out(&o).trim()).expect("one JSON object");
    let first = &json["devices"][0];
    for key in ["name", "backend", "kind", "driver", "profile", "storage_binding_bytes", "workgroup_memory_bytes", "select"] {
        assert!(!first[key].is_null(), "{key}");
    }
    let text = out(&run("devices"));
    assert!(text.contains(first["select"].as_str().unwrap()) && text.contains(first["name"].as_str().unwrap()), "{text}");
}

#[test]
fn without_a_driver_the_user_hears_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    for line in [&["devices"][..], &["train", "electron-gas", "n=3", "rs=1", "theta=1", "--out", "a"]] {
        let o = Command::new(env!("CARGO_BIN_EXE_helmholtz"))
            .args(line)
            .current_dir(folder.path())
            .env("VK_ICD_FILENAMES", "/nonexistent.json")
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .output()
            .unwrap();
        if cfg!(target_os = "linux") {
            refused(&o, 3, &["no GPU adapter found", "mesa-vulkan-drivers"], "no driver");
        }
    }
    assert!(!folder.path().join("a").exists(), "an unused run directory is left behind");
    let check = |more: &str| {
        let line = format!("check {TINY} {more}");
        let mut c = Command::new(env!("CARGO_BIN_EXE_helmholtz"));
        c.args(line.split_whitespace()).env("VK_ICD_FILENAMES", "/nonexistent.json").env("VK_DRIVER_FILES", "/nonexistent.json");
        c.output().unwrap()
    };
    if cfg!(target_os = "linux") {
        // settings are read without a device, unless one is asked for
        assert!(out(&check("")).contains("memory: not checked, no adapter"));
        refused(&check("--device 0"), 3, &["no GPU adapter found"], "no driver");
    }
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let o = run_in(folder.path(), &["train", "electron-gas", "n=3", "rs=1", "theta=1", "--device", "voodoo"]);
    refused(&o, 3, &["--device voodoo", "there are: 0 = "], "unknown device");
    // a variable that is wrong is named, stops a run and leaves the list of devices, which helps to mend it
    std::fs::write(folder.path().join("file"), "").unwrap();
    let cache = folder.path().join("file").join("below");
    for (name, value, code, fragment) in [
        ("HELMHOLTZ_DEVICE", "voodoo", 3, "no adapter matches HELMHOLTZ_DEVICE=voodoo; there are: 0 = "),
        ("HELMHOLTZ_PROFILE", "fast", 2, "HELMHOLTZ_PROFILE=fast: unknown profile; use simd or gpu"),
        ("HELMHOLTZ_CACHE", cache.to_str().unwrap(), 2, "is no folder; give a folder, or off"),
    ] {
        let with = |line: &str| {
            let mut c = Command::new(env!("CARGO_BIN_EXE_helmholtz"));
            c.args(line.split_whitespace()).env(name, value).current_dir(folder.path()).output().unwrap()
        };
        refused(&with("train electron-gas n=3 rs=1 theta=1 --out a"), code, &[fragment, name], name);
        assert!(!folder.path().join("a").exists(), "{name}: an unused run directory is left behind");
        let o = with("devices");
        assert!(o.status.success() && out(&o).contains("choose with") && out(&o).contains(fragment), "{name}: {}{}", out(&o), err(&o));
        let json: serde_json::Value = serde_json::from_str(out(&with("devices --json")).trim()).expect("one JSON object");
        assert!(json["faults"][0].as_str().unwrap().contains(fragment), "{json}");
    }
}

#[test]
fn run_directories_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let train = |dir: &str| run_in(folder.path(), &["train", "electron-gas", "n=3", "rs=1", "theta=1", "--out", dir]);
    std::fs::create_dir(at("thesis")).unwrap();
    std::fs::write(at("thesis").join("chapter"), "1").unwrap();
    refused(&train("thesis"), 2, &["thesis is not empty and holds no run", "--out"], "foreign directory");
    std::fs::create_dir(at("old")).unwrap();
    std::fs::write(at("old").join("manifest.json"), "{}").unwrap();
    refused(&train("old"), 2, &["holds a run already", "--fresh"], "old run");
    std::fs::write(at("file"), "").unwrap();
    refused(&train("file"), 5, &["file", "--out"], "a file");
    refused(&train("file/below"), 5, &["file/below", "--out"], "below a file");
    assert_eq!(std::fs::read_to_string(at("thesis").join("chapter")).unwrap(), "1");
}

#[test]
fn damaged_parameter_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.safetensors"), "no tensors").unwrap();
    let o = run_in(folder.path(), &["train", "electron-gas", "n=3", "rs=1", "theta=1", "--params", "p.safetensors"]);
    refused(&o, 2, &["p.safetensors is not a safetensors file, or is damaged"], "damaged parameters");
    assert!(!folder.path().join("runs").exists());
}
