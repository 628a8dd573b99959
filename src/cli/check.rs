//! `helmholtz check`.

use std::ffi::OsString;

use crate::config::{KEYS, Resolved};
use crate::error::Result;
use crate::gpu::{self, Gpu};
use crate::report::say;
use crate::run::{Cutoffs, memory};

#[derive(clap::Args)]
pub struct Args {
    /// The system (electron-gas) or a TOML file
    target: OsString,
    /// Settings, for example n=13 rs=10 theta=0.15
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Adapter the memory is checked for: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let resolved = Resolved::from_command(&args.target, &args.settings)?;
    let s = &resolved.settings;
    let gas = s.gas()?;
    // the settings can be read without a device; what was asked for must be there
    let gpu = if args.device.is_none() && gpu::list().is_empty() { None } else { Some(Gpu::open(args.device.as_deref())?) };
    let verdict = gpu.as_ref().map_or(Ok(()), |gpu| memory::fitting(gpu, s).map(|_| ()));
    // what is too large for the kernels has no bill
    let bill = gpu.as_ref().and_then(|gpu| memory::bill(gpu, s).ok());
    let orbitals = gas.orbital_count();
    let (occupation, flow) = (s.occupation(orbitals).parameters().len(), s.backflow().table().len());
    if args.json {
        verdict?;
        let means = serde_json::json!({
            "orbitals": orbitals, "box_side_rs_a0": gas.length(), "beta_per_Ry_rs2": gas.beta(), "closed_shell": gas.closed_shell(),
            "cutoffs": Cutoffs::new(s, &gas).json(), "parameters": { "occupation": occupation, "flow": flow },
        });
        let device = gpu.as_ref().map(Gpu::manifest);
        let object = serde_json::json!({
            "system": "electron-gas", "settings": resolved.json(), "means": means, "device": device, "memory": bill,
        });
        say(&object.to_string());
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
    let cutoffs = Cutoffs::new(s, &gas);
    cutoffs.lines().iter().for_each(|line| say(&format!("  {line}")));
    cutoffs.warnings().iter().for_each(|line| say(&format!("  warning: {line}")));
    if !gas.closed_shell() {
        say("  an open shell: the ground state of the ideal gas is degenerate");
    }
    match (&gpu, &bill) {
        (Some(gpu), Some(bill)) => {
            say(&format!("memory on {}", gpu.info.name));
            bill.text().iter().for_each(|line| say(line));
        }
        (Some(_), None) => {}
        _ => say("memory: not checked, no adapter found here (see `helmholtz devices`)"),
    }
    verdict
}
