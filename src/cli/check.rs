//! `helmholtz check`.

use crate::config::{KEYS, Resolved};
use crate::error::Result;
use crate::report::say;

#[derive(clap::Args)]
pub struct Args {
    /// The system (electron-gas) or a TOML file
    target: String,
    /// Settings, for example n=13 rs=10 theta=0.15
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let resolved = Resolved::from_command(&args.target, &args.settings)?;
    if args.json {
        say(&serde_json::json!({ "system": "electron-gas", "settings": resolved.json() }).to_string());
        return Ok(());
    }
    let mut group = "";
    for key in KEYS {
        if key.group != group {
            group = key.group;
            say(group);
        }
        say(&format!("  {:15} {:14} {:14} {}", key.name, resolved.settings.toml(key), key.unit, resolved.origin(key.name)));
    }
    Ok(())
}
