//! `helmholtz train`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::begin::{Beginning, Keeping};
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::estimate::Plot;
use crate::gpu::Gpu;
use crate::problem::Parameters;
use crate::problem::memory::{self, Bill};
use crate::report::{Console, draw_plot, notes, result_table, say};
use crate::run::checkpoint::folder::Saving;
use crate::run::claim::{Old, file_name};
use crate::run::train::Outcome;
use crate::run::{Claim, Goal, Job, Summary, stop, train};
use crate::verify::{Report, audit};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    given: super::Given,
    /// Run directory; without it the first free of runs/NAME, runs/NAME-2, … A run that was stopped or killed there goes on
    /// from its last checkpoint, with the same settings; steps and eval_steps may be more
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Move a run that is already in --out aside and begin anew
    #[arg(long, requires = "out")]
    fresh: bool,
    /// Start a new run from the state of another one: its directory, or one of its checkpoints. Settings may be other ones;
    /// steps and schedules begin at 0
    #[arg(long, value_name = "DIR", conflicts_with = "params")]
    fork: Option<PathBuf>,
    #[command(flatten)]
    keeping: Keeping,
    /// Start from the parameters of a safetensors file; draws differ from those of the run that made them, whatever the
    /// seed. `params = "FILE"` in a TOML file, where FILE is relative to it, does the same
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    #[command(flatten)]
    showing: Showing,
}

/// Where it runs, and what of it is shown.
#[derive(clap::Args)]
pub struct Showing {
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Print one JSON object, the summary, on stdout; everything else on stderr
    #[arg(long)]
    json: bool,
    /// Warnings and the result only, with the path of its figure at the end
    #[arg(long)]
    quiet: bool,
    /// Run kernels with bounds checks and poisoned buffers, and make sure that every launch ran
    #[arg(long)]
    checked: bool,
}

pub fn run(args: Args) -> Result<()> {
    let limit = args.keeping.limit();
    // everything that can be refused is refused before the device is touched
    let mut resolved = args.given.resolve()?;
    if let Some(path) = args.params {
        resolved.start_from(path);
    }
    if let (Some(from), Some((path, origin))) = (&args.fork, &resolved.params) {
        let (from, path) = (from.display(), path.display());
        return Err(Error::User(format!("--fork {from} and params = {path} ({origin}): give one of them")));
    }
    let old = if args.fresh { Old::Aside } else { Old::Resumed };
    let claim = args.out.as_ref().map(|path| Claim::new(path, old)).transpose()?;
    let beginning = Beginning::find(claim.as_ref(), &mut resolved, args.fork.as_deref());
    let beginning = beginning.inspect_err(|_| claim.iter().for_each(Claim::release))?;
    let claim = match claim {
        Some(claim) => claim,
        None => Claim::free(Path::new("runs"), &name(&resolved))?,
    };
    let going = Going { saving: args.keeping.saving(), limit, goal: None, audit: None };
    let again = |out: &Path| format!("helmholtz train {} --out {}", quoted(&out.join("config.toml")), quoted(out));
    go(claim, beginning, resolved, &args.showing, going, again)
}

/// How a run goes.
pub(super) struct Going {
    pub saving: Saving,
    pub limit: Option<Instant>,
    pub goal: Option<Goal>,
    pub audit: Option<Audit>,
}

/// Walkers to be computed again in float64, with these parameters.
pub(super) struct Audit {
    pub walkers: usize,
    pub parameters: Parameters,
}

impl Audit {
    /// Refuses more walkers than a batch has.
    fn check(&self, bill: &Bill) -> Result<()> {
        match self.walkers <= bill.batch {
            true => Ok(()),
            false => Err(Error::User(format!(
                "--audit {}: a batch has {} walkers; ask for as many at the most, or for a larger batch",
                self.walkers, bill.batch
            ))),
        }
    }

    /// Compares them, notes it with the result, and makes a failure of one that does not agree.
    fn of(self, job: &mut Job, outcome: &mut Outcome) -> Result<Option<Report>> {
        let Some(walkers) = outcome.walkers.take() else {
            job.warning("nothing is computed again in float64: no step was made");
            return Ok(None);
        };
        job.phase(&format!("computing {} walkers in float64", walkers.count));
        let report = audit::audit(&job.resolved, &self.parameters, &walkers, &job.gpu.describe())?;
        if let Some(summary) = &mut outcome.summary {
            summary.notes.push(audit::note(&job.resolved, &report));
        }
        outcome.error = audit::failed(&report).or(outcome.error.take());
        Ok(Some(report))
    }
}

/// Runs in a claimed folder, and shows the result; `again`: the command that goes on with it.
pub(super) fn go(
    claim: Claim,
    beginning: Beginning,
    resolved: Resolved,
    showing: &Showing,
    going: Going,
    again: impl Fn(&Path) -> String,
) -> Result<()> {
    let Showing { json, quiet, checked, ref device } = *showing;
    let tell: fn(&str) = if quiet { |_| {} } else { super::teller(json) };
    let opened = super::open(device.as_deref(), checked, tell);
    let fitting = opened.and_then(|gpu| {
        let bill = memory::fitting(&gpu, &resolved)?;
        going.audit.as_ref().map_or(Ok(()), |audit| audit.check(&bill))?;
        Ok((gpu, bill))
    });
    let (gpu, bill) = fitting.inspect_err(|_| claim.release())?;
    let console = Console::new(resolved.kind(), (resolved.kind().energy_unit)(&resolved.values), quiet, json);
    let folder = claim.path.clone();
    tell(&format!("run directory: {}", folder.display()));
    stop::listen();
    let mut job = beginning.job(claim, resolved, gpu, bill, Box::new(console))?.within(going.saving, going.limit);
    let device = device.clone();
    job = job.reopening(move || super::open(device.as_deref(), checked, |_| {}));
    job.goal = going.goal;
    job.audit = going.audit.as_ref().map_or(0, |audit| audit.walkers);
    let mut outcome = train::train(&mut job);
    let report = going.audit.map_or(Ok(None), |audit| audit.of(&mut job, &mut outcome)).unwrap_or_else(|e| {
        // the result stays
        outcome.error.get_or_insert(e);
        None
    });
    job.listener.finish();
    let (_, gpu, done) = conclude(job, outcome, |summary, figures| {
        if json {
            let text = match &report {
                None => serde_json::to_string(summary),
                Some(report) => serde_json::to_value(summary).and_then(|mut object| {
                    object["audit"] = serde_json::to_value(report)?;
                    Ok(object.to_string())
                }),
            };
            say(&text.map_err(|e| Error::Io(format!("the summary cannot be encoded: {e}")))?);
            return Ok(());
        }
        say(&result_table(summary));
        report.iter().for_each(|report| say(&format!("\n{}\n", report.text())));
        figures.iter().for_each(|path| say(&format!("  figure: {}", path.display())));
        Ok(())
    });
    if done.as_ref().is_err_and(Error::is_stop) {
        super::complain(&format!("to go on: {}", again(&folder)));
        // its driver may still compile: nobody waits for that
        std::mem::forget(gpu);
    }
    done
}

/// `SYSTEM-…` with the settings that name a system of this kind.
fn name(resolved: &Resolved) -> String {
    let kind = resolved.kind();
    let parameters = kind.parameters_of(&resolved.values);
    let parts = kind.parameters.iter().filter_map(|p| Some(format!("-{}{}", p.short, file_name(&p.told(&parameters)?))));
    format!("{}{}", kind.name(), parts.collect::<String>())
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "+-._/=,".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Completes a result, writes it, draws its figures, shows it, and closes the log: whatever fails to be written, it is shown.
/// Returns it with the device.
pub(super) fn conclude(
    mut job: Job,
    outcome: Outcome,
    show: impl FnOnce(&Summary, &[PathBuf]) -> Result<()>,
) -> (Option<Summary>, Gpu, Result<()>) {
    let Outcome { mut summary, plots, error, .. } = outcome;
    let mut shown = Ok(());
    match &mut summary {
        Some(summary) => {
            summary.notes.extend(notes(summary, &job.records));
            job.log.summary(summary);
            let figures = draw(&mut job, summary, &plots);
            shown = show(summary, &figures);
        }
        None if job.records.is_empty() => job.listener.line("no step was made: there is no result"),
        None => {}
    }
    let ended = error.as_ref().map_or("finished".to_string(), Error::ended);
    let written = shown.and(job.log.close(&ended));
    let done = match error {
        Some(e) if !e.is_stop() => {
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
