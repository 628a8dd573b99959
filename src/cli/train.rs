//! `helmholtz train`.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::file::ParameterFile;
use crate::problem::initial::initial;
use crate::problem::memory;
use crate::report::{Console, draw_plot, notes, result_table, say};
use crate::run::train::Outcome;
use crate::run::{Claim, Job, RunLog, stop, train};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    given: super::Given,
    /// Run directory; without it the first free of runs/NAME, runs/NAME-2, …
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Move a run that is already in --out aside instead of refusing
    #[arg(long, requires = "out")]
    fresh: bool,
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Start from the parameters of a safetensors file; draws differ from those of the run that made them, whatever the
    /// seed. `params = "FILE"` in a TOML file, where FILE is relative to it, does the same
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// Print one JSON object, the summary, on stdout; everything else on stderr
    #[arg(long)]
    json: bool,
    /// Warnings and the result only, with the path of its figure at the end
    #[arg(long)]
    quiet: bool,
    /// Run kernels with bounds checks and poisoned buffers
    #[arg(long)]
    checked: bool,
}

pub fn run(args: Args) -> Result<()> {
    // everything that can be refused is refused before the device is touched
    let mut resolved = args.given.resolve()?;
    if let Some(path) = args.params {
        resolved.start_from(path);
    }
    let parameters = resolved.params.as_ref().map(|(path, _)| ParameterFile::read(path)).transpose()?;
    if let Some(file) = &parameters {
        initial(file, &resolved)?;
    }
    let claim = match &args.out {
        Some(path) => Claim::new(path, args.fresh)?,
        None => {
            let kind = resolved.kind();
            let parameters = kind.parameters_of(&resolved.values);
            let parts = kind.parameters.iter().map(|p| format!("-{}{}", p.short, file_name(&parameters.text(p.name))));
            Claim::free(&format!("{}{}", kind.name(), parts.collect::<String>()))?
        }
    };
    let tell: fn(&str) = if args.quiet { |_| {} } else { super::teller(args.json) };
    let opened = super::open(args.device.as_deref(), args.checked, tell);
    let (gpu, bill) = match opened.and_then(|gpu| memory::fitting(&gpu, &resolved).map(|bill| (gpu, bill))) {
        Ok(carried) => carried,
        Err(e) => {
            claim.release();
            return Err(e);
        }
    };
    let unlocked = claim.unlocked.clone();
    let log = RunLog::start(claim, &resolved, gpu.manifest())?;
    let console = Console::new(resolved.kind(), (resolved.kind().energy_unit)(&resolved.values), args.quiet, args.json);
    tell(&format!("run directory: {}", log.path.display()));
    stop::listen();
    let mut job = Job::new(resolved, gpu, bill, parameters, log, Box::new(console));
    if let Some(text) = unlocked {
        job.warning(&text);
    }
    let outcome = train::train(&mut job);
    job.listener.finish();
    conclude(job, outcome, args.json)
}

/// A parameter in the name of a folder: of a file its stem.
fn file_name(text: &str) -> String {
    let stem = if text.contains(std::path::is_separator) { Path::new(text).file_stem() } else { None };
    let plain = stem.map_or(text.to_string(), |stem| stem.to_string_lossy().into_owned());
    plain.chars().map(|c| if c.is_alphanumeric() || "+-._".contains(c) { c } else { '_' }).collect()
}

/// Prints the table, writes the summary and draws the figure: whatever fails to be written, the result is printed.
fn conclude(mut job: Job, outcome: Outcome, json: bool) -> Result<()> {
    let Outcome { summary, plots, error } = outcome;
    let mut figures = Vec::new();
    match summary {
        Some(mut summary) => {
            summary.notes.extend(notes(&summary, &job.records));
            if json {
                say(&serde_json::to_string(&summary).map_err(|e| Error::Io(format!("the summary cannot be encoded: {e}")))?);
            } else {
                say(&result_table(&summary));
            }
            job.log.summary(&summary);
            let mut drawn = vec![super::figure(&job.log.path, &summary, &job.records)];
            for plot in &plots {
                job.log.plot(plot);
                let path = job.log.path.join(format!("figures/{}.svg", plot.name));
                drawn.push(draw_plot(&path, plot).map(|()| path));
            }
            for done in drawn {
                match done {
                    Ok(path) => figures.push(path),
                    Err(e) => job.log.keep("figures", Err(e)),
                }
            }
        }
        None => job.listener.line("no step was made: there is no result"),
    }
    for path in figures.iter().filter(|_| !json) {
        say(&format!("  figure: {}", path.display()));
    }
    let stopped = matches!(error, Some(Error::Interrupted));
    let ended = match &error {
        None => "finished".into(),
        Some(_) if stopped => "stopped by the user".into(),
        Some(e) => e.to_string(),
    };
    let written = job.log.close(&ended);
    if stopped {
        // its driver may still compile: nobody waits for that
        std::mem::forget(job.gpu);
    }
    match error {
        Some(e) if !stopped => {
            if let Err(fault) = written {
                job.listener.warning(&fault.to_string());
            }
            Err(e)
        }
        error => written.and(error.map_or(Ok(()), Err)),
    }
}
