//! `helmholtz devices`.

use crate::error::Result;
use crate::gpu::{self, Profile};
use crate::report::say;

#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let listed = gpu::list();
    if listed.is_empty() {
        // says what to install
        return gpu::choose(None).map(|_| ());
    }
    let facts: Vec<_> = listed.iter().map(|l| l.facts()).collect();
    // a wrong variable stands in the way of a run, not of the list that helps to mend it
    let default = gpu::choose(None).and_then(|listed| Profile::of(&listed.info).map(|_| listed.index));
    let folder = gpu::cache_folder();
    let faults: Vec<String> =
        default.as_ref().err().map(|e| e.to_string()).into_iter().chain(folder.err().map(|e| e.to_string())).collect();
    let chosen = default.ok();
    if args.json {
        say(&serde_json::json!({ "devices": facts, "default": chosen, "faults": faults }).to_string());
        return Ok(());
    }
    for f in &facts {
        let mark = if Some(f.index) == chosen { "  (used when none is asked for)" } else { "" };
        say(&format!("{}  {}{mark}", f.index, f.name));
        for (name, text) in [
            ("choose with", f.select.clone()),
            ("back end", f.backend.clone()),
            ("kind", f.kind.to_string()),
            ("driver", f.driver.clone()),
            ("profile", f.profile.to_string()),
            ("storage binding", bytes(f.storage_binding_bytes)),
            ("buffer", bytes(f.buffer_bytes)),
            ("memory", f.memory_bytes.map_or("not told by the driver".into(), bytes)),
            ("workgroup memory", bytes(f.workgroup_memory_bytes.into())),
            ("invocations", format!("{} in a workgroup", f.workgroup_invocations)),
            ("storage buffers", format!("{} in a kernel", f.storage_buffers)),
            ("features", f.features.join(", ")),
        ] {
            say(&format!("   {name:17} {text}"));
        }
    }
    for fault in faults {
        say(&format!("not usable: {fault}"));
    }
    Ok(())
}

fn bytes(b: u64) -> String {
    if b >= 1 << 20 { format!("{} MiB", b >> 20) } else { format!("{} KiB", b >> 10) }
}
