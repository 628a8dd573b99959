//! Sizes, limits and parameter files, as the command line answers them.

use std::ffi::OsStr;
use std::process::{Command, Output};

use helmholtz::Resolved;
use helmholtz::model::file::{ParameterFile, Part};
use helmholtz::model::parameters::Table;
use helmholtz::problem::initial::provenance;
use helmholtz::problem::{memory, resolve};

use super::{TINY, err, out, refused, run, run_in};

/// Refused within a second, from sizes alone, with the setting to blame and its largest value; which then fits.
#[test]
fn sizes_beyond_the_memory_are_named() {
    for (line, key) in [
        ("n=13 modelsize=4096", "modelsize"),
        ("n=13 spsize=1024", "spsize"),
        ("n=13 nhidden=4096 modelsize=128", "modelsize"),
        ("n=13 optimizer=adam nlayers=64 nhidden=8192", "nhidden"),
    ] {
        let begun = std::time::Instant::now();
        let o = run(&format!("check electron-gas rs=10 theta=0.15 {line} --json"));
        // the target is a second; tests may share a busy machine
        assert!(begun.elapsed().as_secs_f64() < 5.0, "{line}: {:?}", begun.elapsed());
        refused(&o, 3, &["does not fit", "in one array, of at most"], line);
        let text = err(&o);
        let fits = text.split(&format!("use {key}=")).nth(1).unwrap_or_else(|| panic!("{line}: no {key} in {text}")).trim();
        let words: Vec<String> =
            line.split_whitespace().map(|w| if w.starts_with(key) { format!("{key}={fits}") } else { w.into() }).collect();
        let o = run(&format!("check electron-gas rs=10 theta=0.15 {} --json", words.join(" ")));
        assert_eq!(o.status.code(), Some(0), "{line}: {key}={fits}: {}", err(&o));
    }
    let o = run("check electron-gas n=13 rs=10 theta=0.15 nlayers=64 modelsize=4096 nhidden=8192 --json");
    refused(&o, 3, &["n=13 nlayers=64 modelsize=4096 nhidden=8192 does not fit", "use smaller ones"], "all at once");
}

/// The most electrons of each sampler and dimension in both profiles, as `keys` says, and one more.
#[test]
fn the_largest_n_is_named() {
    let check = |profile: &str, line: &str| -> Output {
        let line = format!("check electron-gas rs=1 theta=0.1 batch=16 {line} --json");
        let mut c = Command::new(env!("CARGO_BIN_EXE_helmholtz"));
        c.args(line.split_whitespace()).env("HELMHOLTZ_PROFILE", profile).env("HELMHOLTZ_CACHE", "off").output().unwrap()
    };
    let keys = out(&run("keys"));
    for profile in ["simd", "gpu"] {
        for (more, most) in [("dim=2", 192), ("dim=2 sampler=metropolis", 256), ("dim=3", 170), ("dim=3 sampler=metropolis", 170)] {
            let o = check(profile, &format!("n={most} {more}"));
            assert_eq!(o.status.code(), Some(0), "{profile} {more}: {}", err(&o));
            let o = check(profile, &format!("n={} {more}", most + 1));
            let limit = if most == 256 { "from 1 to 256".to_string() } else { format!("n is at most {most}: use n={most}") };
            refused(&o, 2, &[&format!("n={}", most + 1), &limit], more);
            assert!(keys.contains(&most.to_string()), "{most}");
        }
    }
}

/// Planning a run makes no array on the device.
#[test]
fn planning_allocates_nothing() {
    let gpu = helmholtz::Gpu::open(None).unwrap();
    for line in ["n=13", "n=13 prior=none optimizer=adam modelsize=64", "n=7 dim=3 sampler=metropolis laplacian=hutchinson"] {
        let words: Vec<String> = format!("rs=10 theta=0.15 {line}").split_whitespace().map(String::from).collect();
        let resolved = resolve(OsStr::new("electron-gas"), &words).unwrap();
        let bill = memory::fitting(&gpu, &resolved).unwrap();
        assert!(bill.total_bytes > 1 << 20 && gpu.allocated() == 0, "{line}: {} bytes", gpu.allocated());
    }
}

/// Parameters of another model or with other tensors, and bits that flipped on the way.
#[test]
fn foreign_parameter_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.safetensors");
    let settings = |more: &str| -> Resolved {
        let words: Vec<String> = format!("{TINY} {more}").split_whitespace().skip(1).map(String::from).collect();
        resolve(OsStr::new("electron-gas"), &words).unwrap()
    };
    let write = |more: &str, foreign: &[&str]| {
        let s = settings(more);
        let tables = (s.kind().tables)(&s.values).unwrap();
        let (van, flow) = (&tables[0].0, &tables[1].0);
        let prior = tables.get(2).map(|t| &t.0);
        let other = Table::new(foreign.iter().map(|name| (name.to_string(), vec![1])).collect());
        let (a, b, c) = (vec![0.1; van.len()], vec![0.2; flow.len()], vec![0.3; other.len()]);
        let part = |table, prefix, values| Part { table, prefix, values };
        let networks = [part(van, "van/", &a), part(flow, "flow/", &b), part(&other, "", &c)];
        let parts: Vec<Part> = networks.into_iter().chain(prior.map(|table| part(table, "prior/", &[1.5]))).collect();
        ParameterFile::write(&path, &parts, &provenance(&s, 1)).unwrap();
    };
    let line = format!("train {TINY} --params p.safetensors");
    let train = || run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    for (more, fragment) in [
        ("prior=none", "prior = none in the file, quasiparticle now: set prior=none"),
        ("feature=legacy", "feature = legacy in the file, half now: set feature=legacy"),
        ("twist=0", "twist = 0,0 in the file, 0.25,0.25 now: set twist=0,0"),
    ] {
        write(more, &[]);
        refused(&train(), 2, &["p.safetensors was made with other settings", fragment], more);
    }
    write("", &["van/more/b", "momentum"]);
    refused(&train(), 2, &["van/more/b belongs to no layer", "momentum belongs to no layer"], "unknown tensors");
    write("", &[]);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    refused(&train(), 2, &["p.safetensors: it is damaged: its checksum is"], "a flipped bit");
    // the checksum is not lost with its name
    let at = bytes.windows(11).position(|w| w == b"\"helmholtz\"").unwrap();
    bytes[at + 1] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    refused(&train(), 2, &["p.safetensors: it is damaged: its checksum is"], "another name of the settings");
    assert!(!folder.path().join("runs").exists(), "a refused run leaves a directory");
}

/// Couplings that are none, in every form a user may bring: refused with the place of the fault, before a folder is made.
#[test]
fn wrong_couplings_are_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, parts) in [
        ("ragged.csv", "0,1,2\n1,0\n2,1,0\n0,0,0\n", &["ragged.csv", "line"][..]),
        ("asymmetric.csv", "0,1,2,3\n1,0,1,1\n2,1,0,1\n3,1,9,0\n", &["asymmetric.csv", "9"]),
        ("nan.csv", "0,nan,1,1\n1,0,1,1\n1,1,0,1\n1,1,1,0\n", &["nan.csv"]),
        ("diagonal.csv", "1,1,1,1\n1,0,1,1\n1,1,0,1\n1,1,1,0\n", &["diagonal.csv", "diagonal"]),
        ("twice.csv", "0,1,0.5\n1,2,0.5\n2,3,1\n1,0,0.5\n", &["twice.csv", "line 4"]),
        ("empty.csv", "", &["empty.csv", "empty"]),
        ("j.json", "{\"n\": 3, \"J\": [[0, 1], [1, 0]]}", &["j.json"]),
        ("j.doc", "0,1", &["j.doc", ".csv"]),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
        let o = run_in(folder.path(), &["train", "couplings", &format!("couplings={name}"), "beta=1"]);
        refused(&o, 2, parts, name);
    }
    // a file takes the place of what it settles
    std::fs::write(folder.path().join("good.csv"), "0,1,0.5\n1,2,-0.5\n2,3,1\n").unwrap();
    for (given, said) in [("disorder=3", "disorder=3 has no use with a file of couplings"), ("n=12", "has 4 spins; drop n")] {
        refused(&run_in(folder.path(), &["train", "sk", "couplings=good.csv", "beta=1", given]), 2, &[said], given);
    }
    assert!(!folder.path().join("runs").exists(), "a refused run leaves a directory");
    // a settings file names couplings beside it, from wherever it is read
    std::fs::create_dir(folder.path().join("set")).unwrap();
    std::fs::write(folder.path().join("set/j.csv"), "0,1,0.5\n1,2,-0.5\n2,3,1\n").unwrap();
    std::fs::write(folder.path().join("set/run.toml"), "system = \"couplings\"\ncouplings = \"j.csv\"\nbeta = 1.0\n").unwrap();
    let o = run_in(folder.path(), &["check", "set/run.toml"]);
    assert!(o.status.success() && out(&o).contains("4 spins, 3 couplings"), "{}{}", out(&o), err(&o));
    // a run is named after the file, not after where it lies
    let small = ["steps=1", "eval_steps=1", "batch=8", "width=1"];
    let o = run_in(folder.path(), &[&["train", "set/run.toml"], &small[..]].concat());
    assert!(o.status.success() && folder.path().join("runs/couplings-j-beta1").is_dir(), "{}{}", out(&o), err(&o));
}
