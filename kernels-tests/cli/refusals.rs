//! Bad input of every kind and the message that each of them gets, word by word: `refused.txt`.
//!
//! `HELMHOLTZ_SNAPSHOTS=write cargo test --release --test cli refusals` writes the messages anew; read the difference then. The
//! place where a message differs is a question to the reader: does it say what is wrong, where, with which value, and what to do?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{command, err, out};

/// Before a line of a message.
const SAID: &str = "    ";

/// One input: files that are there, a command line, and what it is answered.
#[derive(Default)]
struct Case {
    files: Vec<(String, String)>,
    line: String,
    message: String,
}

/// Cases and the comments between them, in order: `NAME| a line of a file`, `$ command`, `    a line of the message`.
fn read(text: &str) -> Vec<Result<Case, String>> {
    let (mut parts, mut case) = (Vec::new(), Case::default());
    for line in text.lines() {
        if !case.line.is_empty() && !line.starts_with(SAID) {
            parts.push(Ok(std::mem::take(&mut case)));
        }
        if let Some(said) = line.strip_prefix(SAID) {
            case.message += &format!("{said}\n");
        } else if let Some(command) = line.strip_prefix("$ ") {
            case.line = command.into();
        } else if let Some((name, content)) = line.split_once("| ") {
            match case.files.iter_mut().find(|(known, _)| known == name) {
                Some((_, text)) => *text += &format!("{content}\n"),
                None => case.files.push((name.into(), format!("{content}\n"))),
            }
        } else {
            parts.push(Err(line.into()));
        }
    }
    if !case.line.is_empty() {
        parts.push(Ok(case));
    }
    parts
}

/// As [`read`] takes it.
fn written(case: &Case) -> String {
    let files = case.files.iter().flat_map(|(name, text)| text.lines().map(move |line| format!("{name}| {line}\n")));
    let message = case.message.lines().map(|line| format!("{SAID}{line}\n"));
    files.chain([format!("$ {}\n", case.line)]).chain(message).collect()
}

/// What the program says; whatever it does, it is a user's mistake (2), without a panic, a word on stdout, or a file left behind.
fn answer(case: &Case) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in &case.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let o = command(folder.path(), &case.line).output().expect("the binary runs");
    let text = err(&o);
    assert_eq!(o.status.code(), Some(2), "{}: {text}", case.line);
    assert!(!text.contains("panicked") && out(&o).is_empty(), "{}: {text}{}", case.line, out(&o));
    assert!(!folder.path().join("runs").exists(), "{}: a refused run leaves a directory", case.line);
    // paths that are made absolute
    let real = folder.path().canonicalize().unwrap();
    [real.as_path(), folder.path()].iter().fold(text, |text, at: &&Path| text.replace(&at.display().to_string(), "FOLDER"))
}

#[test]
fn bad_input_is_answered_word_by_word() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/cli/refused.txt");
    let parts = read(&fs::read_to_string(&path).unwrap());
    let cases: Vec<&Case> = parts.iter().flatten().collect();
    let lines: BTreeSet<String> = cases.iter().map(|case| format!("{:?}{}", case.files, case.line)).collect();
    assert!(cases.len() >= 100 && lines.len() == cases.len(), "{} cases, {} of them different", cases.len(), lines.len());
    let (mut text, mut wrong) = (String::new(), String::new());
    for part in &parts {
        match part {
            Err(comment) => text += &format!("{comment}\n"),
            Ok(case) => {
                let message = answer(case);
                if message != case.message {
                    wrong += &format!("$ {}\nexpected:\n{}said:\n{message}\n", case.line, case.message);
                }
                text += &written(&Case { files: case.files.clone(), line: case.line.clone(), message });
            }
        }
    }
    if std::env::var_os("HELMHOLTZ_SNAPSHOTS").is_some_and(|v| v == "write") {
        fs::write(&path, text).unwrap();
    } else {
        assert!(wrong.is_empty(), "{wrong}HELMHOLTZ_SNAPSHOTS=write takes what is said now");
    }
}
