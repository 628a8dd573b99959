//! `examples/coulombgas.py`: parameters and logs of the published code, with numpy alone; where python3 has none this says so.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::reader::numpy;

fn script(folder: &Path, words: &[&str]) -> Output {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut python = Command::new("python3");
    python.args(words).env("PYTHONPATH", &examples).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
    python.output().expect("python3")
}

fn converter() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/coulombgas.py").display().to_string()
}

/// A checkpoint as the published code leaves it: arrays of jax, mappings of haiku, the state of an optimiser; and, last, a call
/// that must not be made when it is read.
const PICKLE: &str = r#"
import os, pickle, sys, types
import numpy as np
from helmholtz_run import tensors

def module(name, **names):
    sys.modules[name] = types.ModuleType(name)
    for key, value in names.items():
        value.__module__, value.__qualname__, value.__name__ = name, key, key
        setattr(sys.modules[name], key, value)
    return sys.modules[name]

def rebuild(*_): raise SystemExit("no jax here")
class Array:
    def __init__(self, array): self.array = array
    def __reduce__(self):
        make, arguments, state = self.array.__reduce__()
        return rebuild, (make, arguments, state, {"weak_type": False})
class FlatMapping(dict):
    def __reduce__(self): return FlatMapping, (dict(self),)
class EmptyState(tuple): pass
class Call:
    def __reduce__(self): return os.system, ("touch called",)
module("jax"); module("jax._src"); module("jax._src.array", _reconstruct_array=rebuild)
module("haiku"); module("haiku._src"); module("haiku._src.data_structures", FlatMapping=FlatMapping)
module("optax", EmptyState=EmptyState)
trees = {"van": {}, "flow": {}}
for name, array in tensors("c.params.safetensors")[0].items():
    prefix, rest = name.split("/", 1)
    layer, leaf = rest.rsplit("/", 1)
    trees[prefix].setdefault(layer, {})[leaf] = Array(array.copy())
saved = {"keys": Array(np.zeros((8, 2), "u4")), "x": Array(np.zeros((8, 2, 7, 3))), "params_van": FlatMapping(trees["van"]),
    "params_flow": trees["flow"], "opt_state": EmptyState(), "more": Call()}
pickle.dump(saved, open("epoch_003000.pkl", "wb"))
"#;

/// The kernels reproduce the published numbers with parameters that went through a pickle.
#[test]
fn published_checkpoints_become_parameter_files() {
    if !numpy("examples/coulombgas.py") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let case = crate::reference_data::find("n7_d3_random.json").expect("it comes with the repository");
    fs::copy(&case, at("c.json")).unwrap();
    for part in ["params", "samples"] {
        fs::copy(case.with_file_name(format!("n7_d3_random.{part}.safetensors")), at(&format!("c.{part}.safetensors"))).unwrap();
    }
    let o = script(folder.path(), &["-c", PICKLE]);
    assert!(o.status.success(), "{}", super::err(&o));
    fs::remove_file(at("c.params.safetensors")).unwrap();
    let o = script(folder.path(), &[&converter(), "parameters", "epoch_003000.pkl", "c.params.safetensors"]);
    assert!(o.status.success(), "{}", super::err(&o));
    assert!(!at("called").exists(), "a pickle ran a program");
    let o = super::command(folder.path(), "verify c.json --json").output().unwrap();
    assert!(o.status.success() && super::out(&o).contains("\"pass\":true"), "{} {}", super::out(&o), super::err(&o));
}

/// Twelve columns of totals, as the published code writes them.
#[test]
fn logs_have_the_twelve_columns() {
    if !numpy("examples/coulombgas.py") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let line = format!("train electron-gas {} rs=2 steps=3 --out a --quiet", crate::runs::TINY);
    let o = super::command(folder.path(), &line).output().unwrap();
    assert!(o.status.success(), "{}", super::err(&o));
    let o = script(folder.path(), &[&converter(), "log", "a"]);
    assert!(o.status.success(), "{}", super::err(&o));
    let text = super::out(&o);
    let rows: Vec<Vec<f64>> = text.lines().map(|l| l.split_whitespace().map(|w| w.parse().unwrap()).collect()).collect();
    assert!(rows.len() == 3 && rows.iter().all(|r| r.len() == 12), "{text}");
    let metrics = fs::read_to_string(folder.path().join("a/metrics.csv")).unwrap();
    let lines: Vec<Vec<&str>> = metrics.lines().map(|l| l.split(',').collect()).collect();
    let n: f64 = super::json(&folder.path().join("a/summary.json"))["n"].as_f64().unwrap();
    for (k, name) in ["F", "F_err", "E", "E_err", "K", "K_err", "V", "V_err", "S", "S_err"].iter().enumerate() {
        let column = lines[0].iter().position(|h| h.split(" [").next() == Some(name)).unwrap();
        for (row, line) in rows.iter().zip(lines.iter().filter(|l| l.last() == Some(&"training"))) {
            assert!((row[k + 1] - n * line[column].parse::<f64>().unwrap()).abs() < 1e-6, "{name}: {text}");
        }
    }
}
