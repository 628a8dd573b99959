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
    let s = &resolved.settings;
    let gas = s.gas()?;
    let orbitals = gas.orbital_count();
    let (occupation, flow) = (s.occupation(orbitals).parameters().len(), s.backflow().table().len());
    if args.json {
        let means = serde_json::json!({
            "orbitals": orbitals, "box_side_rs_a0": gas.length(), "beta_per_Ry_rs2": gas.beta(), "closed_shell": gas.closed_shell(),
            "parameters": { "occupation": occupation, "flow": flow },
        });
        say(&serde_json::json!({ "system": "electron-gas", "settings": resolved.json(), "means": means }).to_string());
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
    say("which means");
    say(&format!("  {orbitals} orbitals, a box of side {:.4} rs a0, β = {:.4} rs²/Ry", gas.length(), gas.beta()));
    say(&format!("  {occupation} parameters of the occupation network, {flow} of the flow"));
    if !gas.closed_shell() {
        say("  an open shell: the ground state of the ideal gas is degenerate");
    }
    Ok(())
}
