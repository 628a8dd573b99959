//! `helmholtz train`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::model::file::ParameterFile;
use crate::report::{Console, draw, notes, read, result_table, say};
use crate::run::initial::initial;
use crate::run::{Claim, Job, RunLog, Summary, memory, stop, train};

#[derive(clap::Args)]
pub struct Args {
    /// The system (electron-gas) or a TOML file
    target: OsString,
    /// Settings, for example n=13 rs=10 theta=0.15
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Run directory; without it the first free of runs/NAME, runs/NAME-2, …
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Move a run that is already in --out aside instead of refusing
    #[arg(long, requires = "out")]
    fresh: bool,
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Start from the parameters of a safetensors file
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// Print one JSON object, the summary, on stdout; everything else on stderr
    #[arg(long)]
    json: bool,
    /// No progress; warnings and the result only
    #[arg(long)]
    quiet: bool,
    /// Run kernels with bounds checks and poisoned buffers
    #[arg(long)]
    checked: bool,
}

pub fn run(args: Args) -> Result<()> {
    // everything that can be refused is refused before the device is touched
    let resolved = Resolved::from_command(&args.target, &args.settings)?;
    let parameters = args.params.as_deref().map(ParameterFile::read).transpose()?;
    if let Some(file) = &parameters {
        initial(file, &resolved.settings)?;
    }
    let claim = match &args.out {
        Some(path) => Claim::new(path, args.fresh)?,
        None => {
            let s = &resolved.settings;
            Claim::free(&format!("electron-gas-n{}-d{}-rs{}-theta{}", s.n, s.dim, s.rs, s.theta))?
        }
    };
    let opened = super::open(args.device.as_deref(), args.checked, args.json);
    let gpu = match opened.and_then(|gpu| memory::fitting(&gpu, &resolved.settings).map(|_| gpu)) {
        Ok(gpu) => gpu,
        Err(e) => {
            claim.release();
            return Err(e);
        }
    };
    let log = RunLog::start(claim, &resolved, gpu.manifest())?;
    let s = &resolved.settings;
    let console = Console::new(s.steps, s.units().energy_name, args.quiet, args.json);
    console.line(&format!("run directory: {}", log.path.display()));
    stop::listen();
    let mut job = Job { resolved, gpu, parameters, remarks: Vec::new(), log, console };
    let outcome = train::train(&mut job);
    job.console.finish();
    let summary = match outcome {
        Ok(summary) => summary,
        Err(e) => {
            let _ = job.log.close(&e.to_string());
            return Err(e);
        }
    };
    conclude(job, summary, args.json)
}

/// Writes the summary, draws the figure, prints the table.
fn conclude(mut job: Job, mut summary: Summary, json: bool) -> Result<()> {
    let folder = job.log.path.clone();
    let records = read(&folder).map(|run| run.records).unwrap_or_default();
    summary.notes.extend(notes(&summary, &records));
    let written = job.log.finish(&summary);
    if !records.is_empty() {
        let figures = folder.join("figures");
        std::fs::create_dir_all(&figures).map_err(|e| Error::Io(format!("{}: cannot be made: {e}", figures.display())))?;
        draw(&figures.join("run.svg"), &summary, &records)?;
    }
    if json {
        say(&serde_json::to_string(&summary).map_err(|e| Error::Io(format!("the summary cannot be encoded: {e}")))?);
    } else {
        say(&result_table(&summary));
        say(&format!("  figure: {}", folder.join("figures").join("run.svg").display()));
    }
    written?;
    if stop::requested() { Err(Error::Interrupted) } else { Ok(()) }
}
