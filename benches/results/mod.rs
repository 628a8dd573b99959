//! Tables that benches leave in `benches/results/DEVICE.md`: one file a device, one section a bench.

use std::path::PathBuf;

use helmholtz::gpu::Gpu;

/// Replaces the section `title` of this device's file, or appends it; returns the file.
pub fn write(gpu: &Gpu, title: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/results").join(format!("{}.md", file_name(gpu)));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let fresh = format!(
        "# {}\n\n{cores} cores seen by the host. Made by `cargo bench --bench step -- --write` and `cargo bench --bench roofline -- --write` on a quiet machine; each section says with which arguments.\n",
        gpu.describe()
    );
    let old = std::fs::read_to_string(&path).unwrap_or(fresh);
    let head = format!("## {title}\n");
    let (before, rest) = old.split_once(&head).unwrap_or((&old, ""));
    let after = rest.find("\n## ").map_or("", |at| &rest[at + 1..]);
    let sections = [before.trim_end(), &format!("{head}\n{}", text.trim_end()), after.trim_end()];
    let kept: Vec<&str> = sections.into_iter().filter(|s| !s.is_empty()).collect();
    std::fs::write(&path, kept.join("\n\n") + "\n")?;
    Ok(path)
}

/// The device as a file name: `llvmpipe-mesa-22.3.6`.
fn file_name(gpu: &Gpu) -> String {
    let short = |text: &str| {
        text.split('(').next().unwrap_or("").trim().to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-")
    };
    format!("{}-{}", short(&gpu.info.name), short(&gpu.info.driver_info))
}
