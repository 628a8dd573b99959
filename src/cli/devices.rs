//! `helmholtz devices`.

use crate::error::Result;
use crate::gpu;
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
    let facts = listed.iter().map(|l| l.facts()).collect::<Result<Vec<_>>>()?;
    let chosen = gpu::choose(None)?.index;
    if args.json {
        say(&serde_json::json!({ "devices": facts, "default": chosen }).to_string());
        return Ok(());
    }
    for f in &facts {
        let mark = if f.index == chosen { "  (used when none is asked for)" } else { "" };
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
    Ok(())
}

fn bytes(b: u64) -> String {
    if b >= 1 << 20 { format!("{} MiB", b >> 20) } else { format!("{} KiB", b >> 10) }
}
