//! `helmholtz verify`.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::report::say;
use crate::verify::Reference;

#[derive(clap::Args)]
pub struct Args {
    /// The case's JSON file: walkers, with .params.safetensors and .samples.safetensors beside it, or spins, with J and rows
    case: PathBuf,
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Run kernels with bounds checks and poisoned buffers, and make sure that every launch ran
    #[arg(long)]
    checked: bool,
}

pub fn run(args: Args) -> Result<()> {
    let case = Reference::read(&args.case)?;
    let gpu = super::open(args.device.as_deref(), args.checked, super::teller(args.json))?;
    let report = case.evaluate(&gpu)?;
    if args.json {
        let text = serde_json::to_string(&report).map_err(|e| Error::Io(format!("the report cannot be encoded: {e}")))?;
        say(&text);
    } else {
        say(&report.text());
    }
    if report.pass { Ok(()) } else { Err(Error::Numerics(format!("{}: not every quantity agrees with the reference", report.case))) }
}
