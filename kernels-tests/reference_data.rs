//! Where the reference values lie: the full set in `../shared/reference` beside the repository where it
//! is, else the small part of it in `kernels-tests/data`, which comes with every clone.

use std::path::{Path, PathBuf};

/// The file of that name, or `None` with a printed line: what needs it is not tested.
pub fn find(file: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [root.join("../shared/reference/coulombgas"), root.join("kernels-tests/data")];
    let found = places.iter().map(|p| p.join(file)).find(|p| p.is_file());
    if found.is_none() {
        println!("{file}: not among the reference data here, not tested");
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
