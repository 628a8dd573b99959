//! `report --watch`: a run whose log grows while it is looked at, until its lock is given back.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use helmholtz::run::Claim;
use helmholtz::run::claim::Old;

#[test]
fn a_run_is_followed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let o = super::command(folder.path(), "train sk n=8 disorder=3 beta=1 depth=1 steps=6 batch=400 eval_steps=4 --out a --quiet").output();
    assert!(o.is_ok_and(|o| o.status.success()));
    let (log, summary) = (fs::read_to_string(at("a/metrics.csv")).unwrap(), fs::read(at("a/summary.json")).unwrap());
    let lines: Vec<&str> = log.lines().collect();
    // as it was after two of its ten steps, held by this process
    fs::remove_file(at("a/summary.json")).unwrap();
    fs::write(at("a/metrics.csv"), lines[..3].join("\n") + "\n").unwrap();
    let claim = Claim::new(&at("a"), Old::Resumed).unwrap();
    let mut watch = super::command(folder.path(), "report a --watch=0.3 --html page.html").stdout(Stdio::piped()).spawn().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let waits = |what: &str, done: &dyn Fn() -> bool| {
                assert!(
                    (0..600).any(|_| done() || {
                        thread::sleep(Duration::from_millis(50));
                        false
                    }),
                    "{what}"
                );
            };
            let page = || fs::read_to_string(at("page.html")).unwrap_or_default();
            waits("no page of a run that goes on", &|| page().contains("goes on"));
            let mut file = OpenOptions::new().append(true).open(at("a/metrics.csv")).unwrap();
            for line in &lines[3..] {
                // in two pieces, so that a look may come between
                let (head, tail) = line.split_at(line.len() / 2);
                write!(file, "{head}").unwrap();
                thread::sleep(Duration::from_millis(100));
                writeln!(file, "{tail}").unwrap();
                thread::sleep(Duration::from_millis(300));
            }
            fs::write(at("a/summary.json"), &summary).unwrap();
            drop(claim);
        });
        watch.wait().unwrap()
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut watch.stdout.take().unwrap(), &mut said).unwrap();
    let steps: Vec<&str> = said.lines().filter(|l| l.starts_with("step ") && l.contains(": F = ")).collect();
    let unlike: std::collections::BTreeSet<&str> = steps.iter().copied().collect();
    assert!(steps[0].starts_with("step 1 (training)") && unlike.len() > 3, "{said}");
    assert!(steps.last().unwrap().starts_with("step 9 (frozen)") && !said.contains("torn") && !said.contains("killed"), "{said}");
    // it ends with the table of the finished run, on the page too
    let table = super::out(&super::command(folder.path(), "report a").output().unwrap());
    let end = |text: &str| text.lines().rev().find(|l| l.contains("free energy")).unwrap().to_string();
    assert_eq!(end(&said), end(&table));
    assert!(fs::read_to_string(at("page.html")).unwrap().contains("finished"), "{said}");
    super::refused(&super::command(folder.path(), "report a --watch=0").output().unwrap(), 2, &["--watch=0", "at least 0.1"], "no pause");
}
