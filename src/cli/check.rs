//! `helmholtz check`.

use crate::error::Result;
use crate::gpu::{self, Gpu};
use crate::problem::memory;
use crate::report::say;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    given: super::Given,
    /// Adapter the memory is checked for: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let resolved = args.given.resolve()?;
    let (kind, values) = (resolved.kind(), &resolved.values);
    // the settings can be read without a device; what was asked for must be there
    let gpu = if args.device.is_none() && gpu::list().is_empty() { None } else { Some(Gpu::open(args.device.as_deref())?) };
    let planned = gpu.as_ref().map(|gpu| memory::fitting(gpu, &resolved)).transpose();
    let (bill, verdict) = match planned {
        Ok(bill) => (bill, Ok(())),
        // what does not fit has a bill too, unless it is too large for the kernels
        Err(e) => (gpu.as_ref().and_then(|gpu| memory::bill(gpu, kind, values).ok()), Err(e)),
    };
    let means = (kind.means)(values)?;
    if args.json {
        verdict?;
        let device = gpu.as_ref().map(Gpu::manifest);
        let object = serde_json::json!({
            "system": kind.name(), "settings": resolved.json(), "means": means.json, "device": device, "memory": bill,
        });
        say(&object.to_string());
        return Ok(());
    }
    let mut group = "";
    for key in values.keys() {
        if key.group != group {
            group = key.group;
            say(group);
        }
        say(&format!("  {:15} {:14} {:14} {}", key.name, values.toml(key.name), key.unit, resolved.origin(key.name)));
    }
    say("which means");
    means.lines.iter().for_each(|line| say(&format!("  {line}")));
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
