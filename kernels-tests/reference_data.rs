//! Where the reference values lie: `kernels-tests/data`, which comes with every clone, and beside it the
//! folder that the environment variable `HELMHOLTZ_REFERENCE` names, with the larger published cases.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The file of that name, or `None`, said once: what needs it is not tested.
pub fn find(file: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/data");
    let given = std::env::var_os("HELMHOLTZ_REFERENCE").map(PathBuf::from);
    if let Some(folder) = &given {
        assert!(folder.is_dir(), "HELMHOLTZ_REFERENCE={}: no such folder", folder.display());
    }
    let found = given.into_iter().chain([own]).map(|p| p.join(file)).find(|p| p.is_file());
    if found.is_none() {
        static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
        if SAID.lock().unwrap().get_or_insert_default().insert(file.into()) {
            // past the capture of the test runner, which shows nothing of tests that pass
            let _ = writeln!(std::io::stderr(), "{file} is not in kernels-tests/data nor in HELMHOLTZ_REFERENCE: not tested");
        }
    }
    found
}

/// Those of the cases that are here.
#[allow(dead_code)] // not every test program has lists of cases
pub fn present(cases: &[&'static str]) -> Vec<&'static str> {
    let here: Vec<&str> = cases.iter().copied().filter(|c| find(&format!("{c}.json")).is_some()).collect();
    assert!(!cases.contains(&"n7_d3_random") || here.contains(&"n7_d3_random"), "kernels-tests/data is incomplete");
    here
}
