//! Guide and troubleshooting stay true: commands are understood as printed, and quoted messages are those of the source.

use std::fs;
use std::path::Path;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// Commands that would compute are given a device that is not there: all else that they say has been taken by then. `.ci/guide`
/// runs them.
#[test]
fn commands_of_the_guide_are_understood() {
    let guide = document("guide.md");
    let commands: Vec<&str> = guide.lines().filter_map(|l| l.strip_prefix("    helmholtz ")).collect();
    assert!(commands.len() > 8, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    for line in commands {
        let computes = ["train", "scan"].iter().any(|c| line.starts_with(c));
        let line = if computes { format!("{line} --device none-such") } else { line.into() };
        let o = super::command(folder.path(), &line).output().unwrap();
        if computes {
            assert!(o.status.code() == Some(3) && super::err(&o).contains("no adapter matches"), "{line}: {}", super::err(&o));
        } else if ["report", "eval", "profile"].iter().any(|c| line.starts_with(c)) {
            // there is no run here
            let said = super::err(&o);
            assert!(!o.status.success() && said.contains("runs/") && !said.contains("Usage:"), "{line}: {said}");
        } else {
            assert!(o.status.success(), "{line}: {}", super::err(&o));
        }
    }
}

fn sources(folder: &Path, all: &mut String) {
    for path in fs::read_dir(folder).unwrap().flatten().map(|e| e.path()) {
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            // a text may go on in the next line
            *all += &fs::read_to_string(path).unwrap().split("\\\n").map(str::trim_start).collect::<String>();
        }
    }
}

#[test]
fn quoted_messages_are_those_of_the_program() {
    let mut source = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    let text = document("troubleshooting.md");
    let mut quoted = 0;
    for row in text.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| you see")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "symptom, cause, remedy: {row}");
        for message in cells[0].split('`').skip(1).step_by(2).flat_map(|m| m.split('…')).map(str::trim).filter(|m| m.len() > 3) {
            quoted += 1;
            assert!(source.contains(message), "{message:?} is nowhere in src/");
        }
    }
    assert!(quoted > 15, "{quoted}");
}
