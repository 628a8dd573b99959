//! A second WGSL compiler: Tint, Dawn's and Chrome's, must accept every kernel in every variant. It refuses what naga lets
//! pass, above all barriers that some invocations of a workgroup may not reach.
//!
//! Runs where node and the npm package are; `HELMHOLTZ_TINT=required` makes their absence a failure.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use helmholtz::kernels;

/// Where the package lies: beside what cargo builds.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tint")
}

/// Writes the shaders to a folder and has them checked; what Tint refuses, or `None` where it cannot run.
fn refused(shaders: impl Iterator<Item = (String, String)>) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in shaders {
        std::fs::write(folder.path().join(format!("{name}.wgsl")), text).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/tint.mjs");
    let answer = Command::new("node").arg(script).arg(packages()).arg(folder.path()).output();
    let why = match &answer {
        Ok(out) if matches!(out.status.code(), Some(0 | 1)) => return Some(String::from_utf8_lossy(&out.stdout).into_owned()),
        Ok(out) => String::from_utf8_lossy(&out.stderr).trim().to_string(),
        Err(e) => format!("node: {e}"),
    };
    let text = format!(
        "Tint cannot run ({why}): not tested; to test it, install node 18 or later and\n  npm install --ignore-scripts --prefix {} webgpu@0.6.2",
        packages().display()
    );
    assert!(std::env::var("HELMHOLTZ_TINT").as_deref() != Ok("required"), "{text}");
    // past the capture of the test runner
    let _ = writeln!(std::io::stderr(), "{text}");
    None
}

#[test]
fn tint_accepts_every_kernel() {
    let variants = kernels::ALL.iter().flat_map(|k| k.variants.iter().map(move |v| (k, *v)));
    let named = variants.enumerate().map(|(i, (k, v))| {
        let constants: Vec<String> = v.iter().map(|(name, value)| format!("{name}-{value}")).collect();
        (format!("{}.{i}.{}", k.name, constants.join(".")), k.wgsl(v))
    });
    if let Some(text) = refused(named) {
        assert!(text.is_empty(), "{text}");
    }
}

/// The check must be able to fail, where naga sees nothing: a barrier behind a branch on the invocation's index; and
/// where the language is right but a default limit is not kept.
#[test]
fn tint_refuses_barriers_in_branches() {
    let kernel = |body: &str| {
        format!(
            "var<workgroup> w: array<u32, 64>; @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
        )
    };
    let early = kernel("if (i > 3u) { return; } w[i] = i; workgroupBarrier();");
    assert!(super::parse(&early).is_ok(), "naga has learnt it");
    let shaders = [
        ("branch", kernel("if (i > 3u) { workgroupBarrier(); }")),
        ("early", early),
        ("large", kernel("w[i] = i;").replace("64>", "5000>")),
        ("right", kernel("w[i] = i; workgroupBarrier();")),
    ];
    if let Some(text) = refused(shaders.map(|(name, text)| (name.to_string(), text)).into_iter()) {
        for name in ["branch", "early", "large"] {
            assert!(text.lines().any(|l| l.starts_with(&format!("{name}.wgsl: "))), "{name}: {text}");
        }
        assert!(!text.contains("right.wgsl"), "{text}");
    }
}
