//! `helmholtz keys`.

use crate::config::KEYS;
use crate::error::Result;
use crate::report::say;

#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The table of settings as text.
pub fn text() -> String {
    let mut lines = vec!["Settings (key=value, or key = value in a TOML file):".to_string()];
    let mut group = "";
    for key in KEYS {
        if key.group != group {
            group = key.group;
            lines.push(format!("  {group}"));
        }
        let default = if key.default.is_empty() { "required" } else { key.default };
        let unit = if key.unit.is_empty() { String::new() } else { format!(" [{}]", key.unit) };
        lines.push(format!("    {:15} {:10} {}{unit} ({})", key.name, default, key.meaning, key.takes()));
    }
    lines.join("\n")
}

pub fn run(args: Args) -> Result<()> {
    if !args.json {
        say(&text());
        return Ok(());
    }
    let mut map = serde_json::Map::new();
    for key in KEYS {
        let default = if key.default.is_empty() { serde_json::Value::Null } else { key.default.into() };
        map.insert(
            key.name.into(),
            serde_json::json!({ "group": key.group, "default": default, "takes": key.takes(), "unit": key.unit, "meaning": key.meaning }),
        );
    }
    say(&serde_json::Value::from(map).to_string());
    Ok(())
}
