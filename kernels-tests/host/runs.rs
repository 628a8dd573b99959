//! Whole runs of the program: chains are thermalised, and the files of a run say what the table says.

use std::path::Path;
use std::process::Command;

use helmholtz::report::{read, result_table};
use helmholtz::run::Summary;

use crate::TINY;

fn train(folder: &Path, line: &str) -> Summary {
    let line = format!("train electron-gas {TINY} {line}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_helmholtz"));
    let out = command.args(line.split_whitespace()).current_dir(folder).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{line}\n{text}\n{errors}");
    serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{line}: {e}\n{text}"))
}

/// The first step after thermalisation is another than without; a run that lost its summary reports the same averages.
#[test]
fn runs_thermalise_and_report_the_same_when_killed() {
    let folder = tempfile::tempdir().unwrap();
    let line = "rs=2 batch=32 steps=1 eval_steps=2 sampler=metropolis mc_steps=3 seed=4 --json --quiet --out";
    train(folder.path(), &format!("therm_steps=0 {line} a"));
    let whole = train(folder.path(), &format!("therm_steps=9 {line} b"));
    let run = |name: &str| read(&folder.path().join(name)).unwrap();
    let (cold, warm) = (run("a"), run("b"));
    assert_ne!(cold.records[0].values["V_local"], warm.records[0].values["V_local"], "nothing was thermalised");
    assert!(whole.result["F"].at_least && result_table(&whole).contains("± ≥"), "{}", result_table(&whole));
    std::fs::remove_file(folder.path().join("b/summary.json")).unwrap();
    let killed = run("b").summary;
    // the summary was read from JSON, which keeps all digits but the last
    let digits = |s: &Summary| format!("{:.12?}", (&s.result, &s.exact, &s.start));
    assert_eq!(digits(&killed), digits(&whole));
    assert_eq!((killed.averaged_over, killed.errors, killed.steps), (whole.averaged_over, whole.errors, whole.steps));
}
