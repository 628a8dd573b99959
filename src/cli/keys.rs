//! `helmholtz keys`.

use crate::error::{Error, Result};
use crate::problem::{Kind, kind, kinds};
use crate::report::say;

#[derive(clap::Args)]
pub struct Args {
    /// The system whose settings are listed; without it those of all
    system: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A system's table of settings as text.
fn text(kind: &Kind) -> String {
    let mut lines = vec![format!("Settings of {} (key=value, or key = value in a TOML file):", kind.name())];
    let values = kind.system.values();
    let mut group = "";
    for key in kind.system.keys() {
        if key.group != group {
            group = key.group;
            lines.push(format!("  {group}"));
        }
        let default = match values.default_of(key.name) {
            "" => "required",
            text => text,
        };
        let unit = if key.unit.is_empty() { String::new() } else { format!(" [{}]", key.unit) };
        lines.push(format!("    {:15} {:10} {}{unit} ({})", key.name, default, key.meaning, key.takes()));
    }
    lines.join("\n")
}

/// Those of all systems.
pub fn all() -> String {
    kinds().map(text).collect::<Vec<_>>().join("\n")
}

fn json(kind: &Kind) -> serde_json::Value {
    let values = kind.system.values();
    let key = |key: &crate::config::Key| {
        let default = Some(values.default_of(key.name)).filter(|text| !text.is_empty());
        serde_json::json!({ "group": key.group, "default": default, "takes": key.takes(), "unit": key.unit, "meaning": key.meaning })
    };
    kind.system.keys().map(|k| (k.name.to_string(), key(k))).collect::<serde_json::Map<_, _>>().into()
}

pub fn run(args: Args) -> Result<()> {
    let chosen = match &args.system {
        None => None,
        Some(name) => Some(kind(name).ok_or_else(|| {
            let names: Vec<_> = kinds().map(Kind::name).collect();
            let near = crate::config::nearest(name, names.iter().copied());
            let hint = near.map_or_else(|| format!("there is {}", names.join(", ")), |near| format!("did you mean {near}?"));
            Error::User(format!("{name:?} is no system: {hint}"))
        })?),
    };
    say(&match (chosen, args.json) {
        (Some(kind), false) => text(kind),
        (Some(kind), true) => json(kind).to_string(),
        (None, false) => all(),
        (None, true) => {
            serde_json::Value::from(kinds().map(|k| (k.name().to_string(), json(k))).collect::<serde_json::Map<_, _>>()).to_string()
        }
    });
    Ok(())
}
