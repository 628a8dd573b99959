//! `helmholtz train`.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::estimate::Plot;
use crate::gpu::Gpu;
use crate::model::file::ParameterFile;
use crate::problem::initial::initial;
use crate::problem::memory;
use crate::report::{Console, draw_plot, notes, result_table, say};
use crate::run::claim::file_name;
use crate::run::train::Outcome;
use crate::run::{Claim, Job, RunLog, Summary, stop, train};

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
    let json = args.json;
    let (_, gpu, done) = conclude(job, outcome, |summary, figures| {
        if json {
            say(&serde_json::to_string(&summary).map_err(|e| Error::Io(format!("the summary cannot be encoded: {e}")))?);
            return Ok(());
        }
        say(&result_table(summary));
        figures.iter().for_each(|path| say(&format!("  figure: {}", path.display())));
        Ok(())
    });
    if matches!(done, Err(Error::Interrupted)) {
        // its driver may still compile: nobody waits for that
        std::mem::forget(gpu);
    }
    done
}

/// Completes a result, writes it, draws its figures, shows it, and closes the log: whatever fails to be written, it is shown.
/// Returns it with the device.
pub(super) fn conclude(
    mut job: Job,
    outcome: Outcome,
    show: impl FnOnce(&Summary, &[PathBuf]) -> Result<()>,
) -> (Option<Summary>, Gpu, Result<()>) {
    let Outcome { mut summary, plots, error } = outcome;
    let mut shown = Ok(());
    match &mut summary {
        Some(summary) => {
            summary.notes.extend(notes(summary, &job.records));
            job.log.summary(summary);
            let figures = draw(&mut job, summary, &plots);
            shown = show(summary, &figures);
        }
        None => job.listener.line("no step was made: there is no result"),
    }
    let ended = match &error {
        None => "finished".into(),
        Some(Error::Interrupted) => "stopped by the user".into(),
        Some(e) => e.to_string(),
    };
    let written = shown.and(job.log.close(&ended));
    let done = match error {
        Some(e) if !matches!(e, Error::Interrupted) => {
            if let Err(fault) = written {
                job.listener.warning(&fault.to_string());
            }
            Err(e)
        }
        error => written.and(error.map_or(Ok(()), Err)),
    };
    (summary, job.gpu, done)
}

/// Draws the figure of a run and its plots; what cannot be written is kept by the log.
fn draw(job: &mut Job, summary: &Summary, plots: &[Plot]) -> Vec<PathBuf> {
    let mut drawn = vec![super::figure(&job.log.path, summary, &job.records)];
    for plot in plots {
        job.log.plot(plot);
        let path = job.log.path.join(format!("figures/{}.svg", plot.name));
        drawn.push(draw_plot(&path, plot).map(|()| path));
    }
    let mut paths = Vec::new();
    for done in drawn {
        match done {
            Ok(path) => paths.push(path),
            Err(e) => job.log.keep("figures", Err(e)),
        }
    }
    paths
}
