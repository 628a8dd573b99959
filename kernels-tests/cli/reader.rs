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

#[test]
fn runs_are_read_with_numpy_alone() {
    if !Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success()) {
        // past the capture of the test runner
        let _ =
            writeln!(std::io::stderr(), "examples/helmholtz_run.py: python3 has no numpy, not tested; to test it, install python3-numpy");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let o = super::command(folder.path(), "train sk n=8 disorder=3 beta=1 depth=1 steps=6 batch=400 eval_steps=4 --out a --quiet").output();
    assert!(o.is_ok_and(|o| o.status.success()));
    // as a run that was killed in the middle of a line
    let whole = fs::read_to_string(at("a/metrics.csv")).unwrap();
    fs::write(at("a/metrics.csv"), format!("{whole}10,0.5,-0.9")).unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut python = Command::new("python3");
    python.args(["-c", ASK]).env("PYTHONPATH", examples).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder.path());
    let o = python.output().expect("python3");
    assert!(o.status.success(), "{}", super::err(&o));
    let told: serde_json::Value = serde_json::from_str(super::out(&o).trim()).expect("one JSON object");

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
}
