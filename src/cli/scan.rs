//! `helmholtz scan`.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::begin::{Beginning, Keeping};
use super::train::conclude;
use crate::atomic_file;
use crate::checksum::Checksum;
use crate::config::Origin;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::problem::memory;
use crate::report::scan::{Against, Row, Scan};
use crate::report::{Console, say};
use crate::run::claim::Old;
use crate::run::scan::{Point, Request, Series, finished};
use crate::run::{Claim, Summary, log, stop, train};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    given: super::Given,
    /// Settings that go together, in quotes; once for each variant, for example --variant "network=made width=4"
    #[arg(long, value_name = "SETTINGS")]
    variant: Vec<String>,
    /// A setting of points that start from nothing, such as steps=2000: the first of each curve
    #[arg(long, value_name = "KEY=VALUE")]
    first: Vec<String>,
    /// All points start from nothing; without it from the parameters of the point before, where they fit
    #[arg(long)]
    cold: bool,
    /// Directory of the scan, with a run directory for each point; without it runs/scan-…, named after the settings. What is
    /// finished there is kept: the same command goes on with a scan that was stopped
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    keeping: Keeping,
    /// Draw another figure against this listed setting, or against 1/KEY
    #[arg(long, value_name = "KEY")]
    against: Vec<String>,
    /// Ending of the figures: svg, png or pdf
    #[arg(long, value_name = "EXT", default_value = "svg", value_parser = ["svg", "png", "pdf"])]
    pictures: String,
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Print one JSON object on stdout; everything else on stderr
    #[arg(long)]
    json: bool,
    /// Warnings and the table only
    #[arg(long)]
    quiet: bool,
    /// Run kernels with bounds checks and poisoned buffers, and make sure that every launch ran
    #[arg(long)]
    checked: bool,
}

/// How settings have several values.
pub const LISTS: &str = "Several values: key=v1,v2,…, or key=v1,v2..vn in equal steps, or key=v1;v2 where values have commas of their own; \
for example beta=0.1,0.2..1.0. All combinations are run; numbers stand beside exact values and mean fields where there are any.";

/// What marks a directory as a scan's.
const MARK: &str = "scan.json";
/// Longest name of a directory that is not given.
const LONGEST: usize = 120;

pub fn run(args: Args) -> Result<()> {
    let limit = args.keeping.limit();
    // everything that can be refused is refused before the device is touched
    let request =
        Request { settings: args.given.settings.clone(), variants: args.variant.clone(), first: args.first.clone(), cold: args.cold };
    let series = Series::new(&args.given.target, &request)?;
    let mut figures = vec![Against::axis(&series)];
    for text in &args.against {
        figures.push(Against::read(text, &series)?);
    }
    figures.retain(|against| against.numbers(&series));
    let folder = args.out.clone().unwrap_or_else(|| named(&args));
    let mut results: Vec<Option<Summary>> =
        series.points.iter().map(|point| finished(&folder.join(&point.name), point)).collect::<Result<_>>()?;
    open(&folder, &series)?;
    let tell: fn(&str) = if args.quiet { |_| {} } else { super::teller(args.json) };
    let kept = results.iter().flatten().count();
    tell(&format!("scan of {} points in {}, {kept} of them finished before", series.points.len(), folder.display()));
    stop::listen();
    let mut device = Device { args: &args, tell, limit, gpu: None };
    let (mut ended, mut failed) = (Ok(()), Vec::new());
    for i in 0..series.points.len() {
        let point = &series.points[i];
        if point.before.is_some_and(|before| results[before].is_none()) {
            super::complain(&format!("warning: {}: left out, the point before it has no result to start from", point.name));
            continue;
        }
        if results[i].is_none() {
            match device.train(&folder, &series, i) {
                Ok(summary) => results[i] = Some(summary),
                // of this point alone
                Err(Error::Numerics(text)) => {
                    super::complain(&format!("warning: {}: {text}", point.name));
                    failed.push(point.name.as_str());
                }
                Err(e) => {
                    ended = Err(e);
                    break;
                }
            }
        }
        if let Some(summary) = results[i].clone() {
            let unit = summary.energy_unit.clone();
            tell(&Scan::line(&Row { point, summary, entropy: Default::default() }, &unit));
        }
    }
    if ended.is_ok() && !failed.is_empty() {
        let names = failed.join("; ");
        ended = Err(Error::Numerics(format!("no result of {names}: give these other settings, in another directory, or leave them out")));
    }
    let stopped = ended.as_ref().is_err_and(Error::is_stop);
    if stopped {
        // its driver may still compile: nobody waits for that
        std::mem::forget(device.gpu.take());
    }
    let shown = show(&args, &folder, Scan::new(&series, results)?, &figures);
    match (ended, shown) {
        (Err(e), Err(fault)) if !stopped => {
            super::complain(&format!("warning: {fault}"));
            Err(e)
        }
        (ended, shown) => shown.and(ended),
    }
}

/// `runs/scan-…` with the target and all that was given in its name: another command is another directory.
fn named(args: &Args) -> PathBuf {
    let target = Path::new(&args.given.target).file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned());
    let words = [&args.given.settings, &args.variant, &args.first].into_iter().flatten();
    let cold = args.cold.then(|| "cold".to_string());
    let whole = [format!("scan-{target}")].into_iter().chain(words.cloned()).chain(cold).collect::<Vec<_>>().join("-");
    let plain: String = whole.chars().map(|c| if c.is_alphanumeric() || "+-._=,".contains(c) { c } else { '_' }).collect();
    let name = match plain.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}-{:08x}", &plain[..at], Checksum::of(whole.as_bytes()).value() as u32),
        None => plain,
    };
    Path::new("runs").join(name)
}

/// Makes a scan's directory, or goes on in it.
fn open(folder: &Path, series: &Series) -> Result<()> {
    let (shown, mark) = (folder.display(), folder.join(MARK));
    let fail = |e: std::io::Error| Error::Io(format!("directory {shown}: cannot be made or read: {e}; choose another with --out"));
    fs::create_dir_all(folder).map_err(fail)?;
    if !mark.is_file() && fs::read_dir(folder).map_err(fail)?.next().is_some() {
        return Err(Error::User(format!(
            "{shown} is not empty and holds no scan (no {MARK}): nothing in it is touched; choose another directory with --out"
        )));
    }
    let object = json!({
        "program": "helmholtz", "version": env!("CARGO_PKG_VERSION"), "system": series.kind.name(),
        "command": std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        "points": series.points.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
    });
    atomic_file::write(&mark, format!("{object:#}\n").as_bytes())
}

/// The device, opened by the first point that needs it.
struct Device<'a> {
    args: &'a Args,
    tell: fn(&str),
    limit: Option<Instant>,
    gpu: Option<Gpu>,
}

impl Device<'_> {
    /// Trains a point in its folder; what was stopped there goes on, what cannot is moved aside.
    fn train(&mut self, folder: &Path, series: &Series, i: usize) -> Result<Summary> {
        let point: &Point = &series.points[i];
        let mut resolved = point.resolved.clone();
        if let Some(before) = point.before {
            let path = folder.join(&series.points[before].name).join("params.safetensors");
            resolved.params = Some((path, Origin::Derived("the point before".into())));
        }
        let path = folder.join(&point.name);
        let mut claim = Claim::new(&path, Old::Resumed)?;
        let mut beginning = Beginning::find(Some(&claim), &mut resolved, None);
        if let Err(e) = &beginning
            && claim.resumes
        {
            super::complain(&format!("warning: {e}; it is moved aside"));
            drop(claim);
            claim = Claim::new(&path, Old::Aside)?;
            beginning = Beginning::find(Some(&claim), &mut resolved, None);
        }
        let beginning = match beginning {
            Ok(beginning) => beginning,
            Err(e) => {
                claim.release();
                return Err(e);
            }
        };
        let gpu = match self.gpu.take() {
            Some(gpu) => Ok(gpu),
            None => super::open(self.args.device.as_deref(), self.args.checked, self.tell),
        };
        let (gpu, bill) = match gpu.and_then(|gpu| memory::fitting(&gpu, &resolved).map(|bill| (gpu, bill))) {
            Ok(carried) => carried,
            Err(e) => {
                claim.release();
                return Err(e);
            }
        };
        // on a pipe a point is a line
        let quiet = self.args.quiet || !std::io::stderr().is_terminal();
        let console = Console::new(series.kind, (series.kind.energy_unit)(&resolved.values), quiet, self.args.json);
        let mut job = beginning.job(claim, resolved, gpu, bill, Box::new(console))?.within(self.args.keeping.saving(), self.limit);
        let (device, checked) = (self.args.device.clone(), self.args.checked);
        job = job.reopening(move || super::open(device.as_deref(), checked, |_| {}));
        let outcome = train::train(&mut job);
        job.listener.finish();
        let (summary, gpu, done) = conclude(job, outcome, |_, _| Ok(()));
        self.gpu = Some(gpu);
        done?;
        summary.ok_or_else(|| Error::User(format!("{}: steps=0 eval_steps=0 makes no step: there is no result", point.name)))
    }
}

/// Writes and prints what there is so far.
fn show(args: &Args, folder: &Path, scan: Scan, figures: &[Against]) -> Result<()> {
    if scan.rows.is_empty() {
        return Ok(());
    }
    let csv = folder.join("scan.csv");
    let mut object = scan.json()?;
    if !args.json {
        say(&format!("\n{}", scan.table()));
    }
    let written = atomic_file::write(&csv, scan.csv().as_bytes());
    let pictures = folder.join("figures");
    let draw = |against: &Against| scan.draw(&pictures, &args.pictures, *against);
    let drawn: Result<Vec<Vec<PathBuf>>> = log::folder(&pictures).and_then(|()| figures.iter().map(draw).collect());
    let paths: Vec<PathBuf> = drawn.as_ref().map_or(Vec::new(), |all| all.concat());
    if args.json {
        object["folder"] = folder.display().to_string().into();
        object["csv"] = csv.display().to_string().into();
        object["figures"] = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().into();
        say(&object.to_string());
    } else {
        say(&format!("  values: {}", csv.display()));
        paths.iter().for_each(|path| say(&format!("  figure: {}", path.display())));
    }
    written.and(drawn.map(|_| ()))
}
