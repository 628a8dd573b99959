//! `examples/helmholtz_run.py`, which reads a run with numpy alone. Where python3 has no numpy this says so and tests nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use safetensors::SafeTensors;

const ASK: &str = "
import json, sys
from helmholtz_run import Run
run = Run('a')
frozen = run.steps('frozen')
print(json.dumps({
    'result': run.summary['result'],
    'f': [float(f) for f in frozen['F']],
    'unit': run.units['F'],
    'steps': len(run.metrics['step']),
    'parameters': {n: [list(a.shape), float(a.astype('f8').sum())] for n, a in run.parameters.items()},
    'curves': {n: {c: float(x['P'].sum()) for c, x in p.items()} for n, p in run.plots.items() if n == 'overlaps'},
}))
";

/// Whether python3 has numpy; if not, says past the capture of the test runner what is not tested.
pub fn numpy(what: &str) -> bool {
    let there = Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success());
    if !there {
        let _ = writeln!(std::io::stderr(), "{what}: python3 has no numpy, not tested; to test it, install python3-numpy");
    }
    there
}

/// What python3 says to `script` in `folder`, as JSON.
fn python(folder: &Path, script: &str) -> serde_json::Value {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut python = Command::new("python3");
    python.args(["-c", script]).env("PYTHONPATH", examples).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
    let o = python.output().expect("python3");
    assert!(o.status.success(), "{}", super::err(&o));
    serde_json::from_str(super::out(&o).trim()).expect("one JSON object")
}

const TABLES: &str = "
import json, numpy
from helmholtz_run import table
found = {}
for name in ('metrics', 'results', 'overlaps'):
    array = numpy.load(f't/{name}.npy')
    columns, units = table(f't/{name}.csv')
    assert array.dtype.names == tuple(columns), (array.dtype, list(columns))
    for column, values in columns.items():
        assert numpy.array_equal(array[column], values, equal_nan=values.dtype.kind == 'f'), (name, column)
    found[name] = len(array)
a = numpy.load('t/metrics.npy')
r = numpy.load('t/results.npy')
f = r[r['quantity'] == 'F'][0]
print(json.dumps({'rows': found, 'f': float(a['F'][a['phase'] == 'frozen'].mean()), 'kind': a['F'].dtype.str,
    'unit': str(f['unit']), 'value': float(f['value']), 'distance': float(f['distance']),
    'off': float((f['value'] - f['exact']) / f['error'])}))
";

#[test]
fn runs_are_read_with_numpy_alone() {
    if !numpy("examples/helmholtz_run.py, report --tables") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let o = super::command(folder.path(), "train sk n=8 disorder=3 beta=1 depth=1 steps=6 batch=400 eval_steps=4 --out a --quiet").output();
    assert!(o.is_ok_and(|o| o.status.success()));
    // as a run that was killed in the middle of a line
    let whole = fs::read_to_string(at("a/metrics.csv")).unwrap();
    fs::write(at("a/metrics.csv"), format!("{whole}10,0.5,-0.9")).unwrap();
    let told = python(folder.path(), ASK);
    assert_eq!(told["result"], super::json(&at("a/summary.json"))["result"]);
    assert!(told["unit"] == "J" && told["steps"] == 10, "{told}");
    let f: Vec<f64> = told["f"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let (mean, result) = (f.iter().sum::<f64>() / 4.0, told["result"]["f"]["value"].as_f64().unwrap());
    // the result is the mean of all walkers of four equal batches
    assert!(f.len() == 4 && (mean - result).abs() < 1e-12, "{mean} {result}");

    let bytes = fs::read(at("a/params.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(told["parameters"].as_object().map(|p| p.len()), Some(file.len()));
    for (name, tensor) in file.tensors() {
        let sum: f64 = tensor.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()) as f64).sum();
        let (shape, read) = (&told["parameters"][&name][0], told["parameters"][&name][1].as_f64().unwrap());
        assert!(*shape == serde_json::json!(tensor.shape()) && (read - sum).abs() < 1e-9 * (1.0 + sum.abs()), "{name}: {read} {sum}");
    }
    let curves = told["curves"]["overlaps"].as_object().expect("overlaps");
    // a probability density over bins of 0.2 or so: its columns were found and are numbers
    assert!(curves.len() == 2 && curves.values().all(|v| v.as_f64().is_some_and(|v| v > 1.0)), "{told}");

    // the same as arrays; the torn line is in none
    let o = super::command(folder.path(), "report a --tables t").output().unwrap();
    assert!(o.status.success() && super::out(&o).contains("tables: t"), "{}", super::err(&o));
    let tables = python(folder.path(), TABLES);
    assert!(tables["rows"]["metrics"] == 10 && tables["rows"]["overlaps"].as_u64() > Some(10), "{tables}");
    assert!(tables["kind"] == "<f8" && tables["unit"] == "J" && tables["value"] == told["result"]["f"]["value"], "{tables}");
    let near = |a: &serde_json::Value, b: &serde_json::Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9;
    assert!(near(&tables["f"], &tables["value"]) && near(&tables["distance"], &tables["off"]), "{tables}");
}
