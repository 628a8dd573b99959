//! The table of errors that `make planted` puts into a copy of the source, one at a time: each must make its tests fail.
//! Here: that the table still fits the source.

use std::path::Path;

/// A planted error: where, what, by what it is replaced, which test must fail.
struct Plant {
    file: &'static str,
    text: String,
    replacement: String,
    test: &'static str,
}

/// Rows of `planted.txt`: four lines, then a blank one.
fn table() -> Vec<Plant> {
    let text = include_str!("planted.txt");
    let blocks = text.split("\n\n").map(str::trim).filter(|b| !b.is_empty() && !b.starts_with('#'));
    blocks
        .map(|block| {
            let lines: Vec<&str> = block.lines().collect();
            assert_eq!(lines.len(), 4, "four lines a planted error: {block}");
            Plant { file: lines[0], text: lines[1].into(), replacement: lines[2].into(), test: lines[3] }
        })
        .collect()
}

#[test]
fn planted_errors_still_fit_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = table();
    assert!(all.len() >= 15);
    for p in all {
        let source = std::fs::read_to_string(root.join(p.file)).unwrap_or_else(|e| panic!("{}: {e}", p.file));
        assert_eq!(source.matches(&p.text).count(), 1, "{}: {:?} must occur once", p.file, p.text);
        assert_ne!(p.text, p.replacement, "{}", p.file);
        // the test that must fail is one of those here, or a unit test
        let (program, name) = p.test.split_once(' ').unwrap_or_else(|| panic!("{}: program and test", p.test));
        let folder = match program {
            "cli" => "kernels-tests/cli",
            "host" => "kernels-tests/host",
            "kernels" => "kernels-tests/kernels",
            "physics" => "kernels-tests/physics",
            "lib" => "src",
            _ => panic!("{}: cli, host, kernels, physics or lib", p.test),
        };
        assert!(declares(&root.join(folder), &format!("fn {name}()")), "{}: no such test", p.test);
    }
}

fn declares(folder: &Path, what: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).any(|path| match path.is_dir() {
        true => declares(&path, what),
        false => std::fs::read_to_string(&path).is_ok_and(|t| t.contains(what)),
    })
}
