//! The command line: one file a command.

mod begin;
mod check;
mod completions;
mod devices;
mod eval;
mod exact;
mod inverse;
mod keys;
mod man;
mod profile;
mod report;
mod scan;
mod train;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, cache_folder};
use crate::problem::{Kind, kinds, register, resolve};
use crate::report::{draw, say, stdout_fault};
use crate::run::{StepRecord, Summary, log, stop};

/// What the program is called.
const NAME: &str = "helmholtz";

/// Variational free energies with deep generative models on any GPU.
#[derive(Parser)]
#[command(name = NAME, version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What is simulated.
#[derive(clap::Args)]
struct Given {
    #[arg(help = format!("The system ({}) or a TOML file", kinds().map(Kind::name).collect::<Vec<_>>().join(", ")))]
    target: OsString,
    #[arg(value_name = "KEY=VALUE", help = format!("Settings, for example {}", example()))]
    settings: Vec<String>,
}

/// Settings of the first system.
fn example() -> String {
    kinds().next().map_or(String::new(), |kind| kind.system.line())
}

impl Given {
    fn resolve(&self) -> Result<Resolved> {
        resolve(&self.target, &self.settings)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Train a model: its free energy and other averages with error bars
    Train(train::Args),
    /// Train a series of models over lists of settings, with one table and figure; goes on where it was stopped
    Scan(scan::Args),
    /// Measure a trained model again: frozen parameters, fresh samples, until an error bar is small enough
    Eval(eval::Args),
    /// List the adapters that can run the kernels
    Devices(devices::Args),
    /// Compute a reference case with the kernels and compare every quantity
    Verify(verify::Args),
    /// Show the resolved settings and where each came from, without running
    Check(check::Args),
    /// Averages over e^(-βE)/Z of spins without a network: all states, or parallel tempering
    Exact(exact::Args),
    /// Find the couplings of spins from their correlations
    Inverse(inverse::Args),
    /// Time every kernel of a training step against this device's own roof; of a run directory for its page too
    Profile(profile::Args),
    /// Print a run's table and draw its figure again
    Report(report::Args),
    /// List all settings with default, unit and meaning
    Keys(keys::Args),
    /// Print completions of these commands and settings for a shell
    Completions(completions::Args),
    /// Write the manual pages of all commands into a folder
    Man(man::Args),
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 2 user error, 3 device or memory, 4 numerics, 5 files, 130 stopped by the user or a time limit, after saving.";

/// Runs the command line of this process for systems of its own beside those of this crate.
pub fn main_with(own: impl IntoIterator<Item = &'static Kind>) -> ExitCode {
    register(own);
    main()
}

/// The command line as it is parsed, helped with, completed and written down in manual pages.
fn command() -> clap::Command {
    Cli::command()
        .after_help(EXIT_CODES)
        .mut_subcommand("train", |c| c.after_help(format!("{}\n{EXIT_CODES}", keys::all())))
        .mut_subcommand("scan", |c| c.after_help(format!("{}\n{EXIT_CODES}", scan::LISTS)))
        .mut_subcommand("eval", |c| c.after_help(EXIT_CODES))
        .mut_subcommand("keys", |c| c.after_help(EXIT_CODES))
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|m| Cli::from_arg_matches(&m));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            let text = e.render().to_string();
            if e.use_stderr() {
                complain(text.trim_end());
                return ExitCode::from(2);
            }
            say(text.trim_end());
            return finish(0);
        }
    };
    let done = match cli.command {
        Command::Train(args) => train::run(args),
        Command::Scan(args) => scan::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Check(args) => check::run(args),
        Command::Exact(args) => exact::run(args),
        Command::Inverse(args) => inverse::run(args),
        Command::Profile(args) => profile::run(args),
        Command::Report(args) => report::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    };
    if let Err(e) = &done {
        complain(&format!("error: {e}"));
    }
    if done.as_ref().is_err_and(Error::is_stop) {
        stop::leave();
    }
    finish(done.err().map_or(0, |e| e.exit_code() as u8))
}

/// What was said and did not arrive makes a success a failure.
fn finish(code: u8) -> ExitCode {
    match stdout_fault() {
        None => ExitCode::from(code),
        Some(why) => {
            complain(&format!("error: standard output cannot be written: {why}"));
            ExitCode::from(if code == 0 { 5 } else { code })
        }
    }
}

/// Draws the figure of a run in its folder; returns where.
fn figure(folder: &Path, summary: &Summary, records: &[StepRecord]) -> Result<PathBuf> {
    let figures = folder.join("figures");
    log::folder(&figures)?;
    let path = figures.join("run.svg");
    draw(&path, summary, records)?;
    Ok(path)
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Where a command says what it works with: on stdout, on stderr where stdout is kept for one JSON object.
fn teller(json: bool) -> fn(&str) {
    if json { complain } else { say }
}

/// Opens the device and tells which one it is.
fn open(device: Option<&str>, checked: bool, tell: fn(&str)) -> Result<Gpu> {
    let mut gpu = if checked { Gpu::open_checked(device)? } else { Gpu::open(device)? };
    if let Some(folder) = cache_folder()? {
        gpu.use_cache(&folder);
    }
    tell(&gpu.describe());
    Ok(gpu)
}
