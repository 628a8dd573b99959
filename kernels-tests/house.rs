//! Rules of the house that a compiler does not know: a kernel is whole only with its shader, host
//! side, double-precision twin, test and mutant; files stay short.

use std::fs;
use std::path::{Path, PathBuf};

use helmholtz::kernels;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with one of the endings, with their text.
fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(at) = folders.pop() {
        let Ok(entries) = fs::read_dir(&at) else { continue };
        for path in entries.flatten().map(|e| e.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|x| e == *x)) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The host file that declares the kernel, and the names its static goes by: `static NAME: Kernel`
/// followed by the quoted kernel name, a row `NAME "kernel" …` of a table, `stem::NAME as OTHER`.
fn host(kernel: &str, hosts: &[(PathBuf, String)]) -> Option<(PathBuf, Vec<String>)> {
    let quoted = format!("\"{kernel}\"");
    hosts.iter().find_map(|(path, text)| {
        let row = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).find(|w| w.get(1) == Some(&quoted.as_str()));
        let name = match row {
            Some(words) if words[0].chars().all(|c| c.is_ascii_uppercase() || c == '_') => words[0].to_string(),
            _ => {
                let declared = |at: &usize| ["name:", "kernel!("].iter().any(|end| text[..*at].trim_end().ends_with(end));
                let at = text.match_indices(&quoted).map(|(at, _)| at).find(declared)?;
                text[..at].rsplit("static ").next()?.split(':').next()?.trim().to_string()
            }
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let renamed = format!("{stem}::{name} as ");
        let others = hosts.iter().filter_map(|(_, t)| t.split(&renamed).nth(1)).filter_map(|t| t.split([';', ',', '}']).next());
        let others: Vec<String> = others.map(|t| t.trim().to_string()).collect();
        Some((path.clone(), [vec![name], others].concat()))
    })
}

/// The module of a host file: the first name below src/kernels.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src/kernels")).unwrap_or(path);
    let first = inside.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_string()
}

#[test]
fn every_kernel_is_whole() {
    let (hosts, twins) = (files("src/kernels", &["rs"]), files("src/reference", &["rs"]));
    let tests: String = files("kernels-tests/kernels", &["rs"]).iter().map(|(_, t)| t.split_whitespace().collect::<String>()).collect();
    let mut missing = Vec::new();
    for kernel in kernels::ALL {
        let name = kernel.name;
        let mut lacks = |what: String| missing.push(format!("{name}: {what}"));
        let shader = root().join(format!("shaders/{name}.wgsl"));
        if fs::read_to_string(&shader).ok().as_deref() != Some(kernel.source) {
            lacks(format!("shaders/{name}.wgsl is missing, or is not its source"));
        }
        if !kernel.source.starts_with(&format!("// {name}: ")) {
            lacks(format!("its shader does not start with `// {name}: ` and the formula"));
        }
        let loops = ["for (", "while (", "loop {"].iter().any(|w| kernel.source.contains(w));
        if loops && !kernel.source.contains("rips") {
            lacks("its shader has loops and does not state their trips".into());
        }
        let Some((path, names)) = host(name, &hosts) else {
            lacks("no file in src/kernels declares it".into());
            continue;
        };
        let module = module(&path);
        let host_text = hosts.iter().find(|(p, _)| *p == path).map_or("", |(_, t)| t);
        let twin = twins
            .iter()
            .any(|(p, t)| p.file_stem().is_some_and(|s| s == name || s == module.as_str()) || t.contains(&format!("pub fn {name}")));
        if !twin && !host_text.contains("Twin: ") {
            lacks(format!("no twin: src/reference/{module}.rs, a function {name} in src/reference, or `Twin: …` in {}", shown(&path)));
        }
        let breaks = |call: &str| {
            names.iter().any(|n| {
                // a bare KERNEL would be any kernel's
                let bare = n != "KERNEL" && tests.contains(&format!("{call}&{n},"));
                bare || tests.contains(&format!("{call}&{module}::{n},"))
            })
        };
        // the profiles may give a kernel different text; some kernels belong to one profile
        let [simd, wide] = ["Simd", "Gpu"].map(|p| breaks(&format!("mutant_in(Profile::{p},")));
        let broken = match name {
            "lu_lane_real" | "lu_lane_complex" | "ancestral" | "trap_flow_lane" | "trap_energy_lane" | "trap_scores_lane" => simd,
            "lu_tile_real" | "lu_tile_complex" | "ancestral_group" => wide,
            _ => breaks("mutant(") || (simd && wide),
        };
        if !broken {
            lacks(format!("no test breaks it in each profile: `mutant(&{module}::{}, …)` in kernels-tests/kernels", names[0]));
        }
    }
    for (fragment, _) in helmholtz::gpu::SHARED {
        if !tests.contains(&format!("fragment(\"{fragment}\",")) {
            missing
                .push(format!("shaders/shared/{fragment}.wgsl: no test breaks it: `fragment(\"{fragment}\", …)` in kernels-tests/kernels"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Rows of docs/kernels.md: kernels in the first cell, the test that holds the error bound, `file::function`, in the last.
#[test]
fn every_kernel_is_in_the_table() {
    let table = fs::read_to_string(root().join("docs/kernels.md")).unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    let mut listed = Vec::new();
    for row in table.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert!(cells.len() == 5 && cells.iter().all(|c| !c.trim().is_empty()), "not five cells: {row}");
        listed.extend(names(cells[0]));
        for test in names(cells[4]) {
            let (file, function) = test.split_once("::").unwrap_or_default();
            let text = fs::read_to_string(root().join(format!("kernels-tests/kernels/{file}.rs"))).unwrap_or_default();
            assert!(text.contains(&format!("#[test]\nfn {function}()")), "docs/kernels.md: no test {test}");
        }
    }
    listed.sort_unstable();
    let mut all: Vec<&str> = kernels::ALL.iter().map(|k| k.name).collect();
    all.sort_unstable();
    assert_eq!(listed, all, "docs/kernels.md has each kernel in one row");
}

#[test]
fn every_shader_is_registered_once() {
    let mut names: Vec<&str> = kernels::ALL.iter().map(|k| k.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a kernel is listed twice in kernels::ALL");
    for (path, _) in files("shaders", &["wgsl"]) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let fragment = path.parent().is_some_and(|p| p.ends_with("shared"));
        let known = if fragment { helmholtz::gpu::SHARED.iter().any(|(n, _)| *n == name) } else { names.contains(&name.as_str()) };
        assert!(known, "{} is not registered", shown(&path));
    }
}

#[test]
fn files_stay_short() {
    let mut long = Vec::new();
    for (folder, ending, most) in [("src", "rs", 450), ("kernels-tests", "rs", 450), ("shaders", "wgsl", 250), ("examples", "rs", 200)] {
        for (path, text) in files(folder, &[ending]) {
            let lines = text.lines().count();
            if lines > most {
                long.push(format!("{}: {lines} lines, at most {most}", shown(&path)));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
    let (count, total) = files("src", &["rs"]).iter().fold((0, 0), |(c, t), (_, text)| (c + 1, t + text.lines().count()));
    assert!(total < 200 * count, "files of src/ have {} lines on average, at most 200", total / count);
}

#[test]
fn nothing_is_left_lying_about() {
    // written in two parts so that this file does not find itself
    let words: Vec<String> = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X:"),
        ("to", "do!("),
        ("unimple", "mented!("),
        ("db", "g!("),
        ("<<<<", "<<<"),
        (">>>>", ">>>"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/wo", "rk/"),
        // tests read nothing beside the repository
        ("../sha", "red/"),
    ]
    .iter()
    .map(|(a, b)| format!("{a}{b}"))
    .collect();
    let mut found = Vec::new();
    for folder in ["src", "shaders", "kernels-tests", "examples", "benches", "docs"] {
        for (path, text) in files(folder, &["rs", "wgsl", "md"]) {
            for (number, line) in text.lines().enumerate() {
                found.extend(words.iter().filter(|w| line.contains(w.as_str())).map(|w| format!("{}:{}: {w}", shown(&path), number + 1)));
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if ["utils", "util", "common", "helpers", "manager", "misc"].contains(&stem.as_str()) {
                found.push(format!("{}: a name that does not say what is inside", shown(&path)));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_gpu_room_knows_wgpu() {
    for (path, text) in files("src", &["rs"]) {
        let inside = path.starts_with(root().join("src/gpu"));
        // a user's own buffers come as wgpu's, so the word may stand in comments
        let used = text.lines().any(|l| l.contains("wgpu::") && !l.trim_start().starts_with("//"));
        assert!(inside || !used, "{} uses wgpu", shown(&path));
    }
}

/// The rooms of src/ from the door to the ground: a room knows those in lines below its own, and no others. `run` tells what
/// happens to whoever listens; `system` and `model` are what kernels compute with: sizes and numbers, no device.
const ROOMS: &[&[&str]] = &[
    &["cli"],
    &["report", "verify"],
    &["run"],
    &["problem"],
    &["reference"],
    &["sample", "estimate", "optimize"],
    &["wave_function"],
    &["network"],
    &["kernels"],
    &["system", "model", "archive"],
    &["gpu"],
    &["number", "atomic_file", "config", "tensors"],
    &["error", "checksum"],
];

/// Rooms that only these know, beside tests.
const ONLY: &[(&str, &[&str])] = &[("reference", &["verify"]), ("report", &["cli"]), ("verify", &["cli"])];

/// Names after `crate::` in the code before a file's tests.
fn known(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text).split("#[cfg(test)]\npub(crate) mod tests").next();
    let lines = code.unwrap_or(text).lines().filter(|l| !l.trim_start().starts_with("//"));
    let names = lines.flat_map(|l| l.split("crate::").skip(1)).filter(|rest| !rest.starts_with("{choice, settings}"));
    names.map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default())
}

#[test]
fn imports_lead_down() {
    let height = |room: &str| ROOMS.iter().position(|r| r.contains(&room));
    let mut against = Vec::new();
    for (path, text) in files("src", &["rs"]) {
        let inside = path.strip_prefix(root().join("src")).unwrap().with_extension("");
        let room = inside.iter().next().unwrap().to_string_lossy().into_owned();
        if ["main", "lib"].contains(&room.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        let Some(here) = height(&room) else {
            against.push(format!("{}: {room} has no place in ROOMS", shown(&path)));
            continue;
        };
        for name in known(&text).filter(|name| *name != room) {
            // a name of lib.rs hides the room, `crate::{` several of them
            let down = height(name).is_some_and(|there| there > here);
            let admitted = ONLY.iter().all(|(closed, to)| *closed != name || to.contains(&room.as_str()));
            if !(down && admitted) {
                against.push(format!("{}: {room} uses crate::{name}", shown(&path)));
            }
        }
    }
    assert!(against.is_empty(), "{}", against.join("\n"));
}

/// Code that the README shows runs as a documentation test of the library.
#[test]
fn code_in_the_readme_is_tested() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    // lines that documentation hides
    let lines = read("src/lib.rs")
        .lines()
        .filter_map(|l| l.strip_prefix("//!"))
        .map(|l| l.strip_prefix(' ').unwrap_or(l).to_string())
        .collect::<Vec<_>>();
    let tested = lines.into_iter().filter(|l| !l.starts_with("# ")).collect::<Vec<_>>().join("\n");
    let readme = read("README.md");
    let shown: Vec<&str> = readme.split("```rust\n").skip(1).filter_map(|t| t.split("```").next()).collect();
    assert!(!shown.is_empty() && shown.iter().all(|code| tested.contains(code)), "README.md shows code that src/lib.rs does not test");
}
