//! `helmholtz exact`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::atomic_file;
use crate::error::{Error, Result};
use crate::model::file::ParameterFile;
use crate::problem::initial::initial;
use crate::problem::spins::kinds;
use crate::problem::spins::oracle::{Oracle, Sandwich, Settings};
use crate::problem::{Training, resolve};
use crate::report::{Known, read, say};

#[derive(clap::Args)]
pub struct Args {
    /// The system (ising, sk, hopfield, couplings), a TOML file, or a run directory: then its network's R = ln q + βE bounds
    /// ln Z from both sides
    target: OsString,
    #[arg(value_name = "KEY=VALUE", help = "Settings, for example n=20 disorder=1 beta=1")]
    settings: Vec<String>,
    /// Parallel tempering, even of few spins
    #[arg(long)]
    tempering: bool,
    /// Sweeps of a chain of parallel tempering; a fifth of them is not counted
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = super::begin::count, allow_hyphen_values = true)]
    sweeps: usize,
    /// Independent ladders of parallel tempering: their spread is the error
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = super::begin::count, allow_hyphen_values = true)]
    ladders: usize,
    /// Write C_ij = ⟨s_i s_j⟩, n lines of n numbers, which `helmholtz inverse` reads
    #[arg(long, value_name = "FILE")]
    correlations: Option<PathBuf>,
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

/// States of the exact distribution on which a network's R is evaluated.
const STATES: usize = 4096;

pub fn run(args: Args) -> Result<()> {
    let folder = Path::new(&args.target);
    let (resolved, start) = if folder.is_dir() {
        if let Some(word) = args.settings.first() {
            return Err(Error::User(format!("{word}: a run directory has its settings; give the system instead to change them")));
        }
        let run = read(folder)?;
        let start = initial(&ParameterFile::read(&folder.join("params.safetensors"))?, &run.resolved)?;
        (run.resolved, Some(start))
    } else {
        (resolve(&args.target, &args.settings)?, None)
    };
    let (kind, values) = (resolved.kind(), &resolved.values);
    let (model, lattice) = kinds::model_of(kind, values)?;
    if let Some(path) = &args.correlations {
        atomic_file::check(path)?;
    }
    let (beta, training): (f64, Training) = (values.get("beta"), resolved.read());
    let tell = super::teller(args.json);
    let gpu = super::open(args.device.as_deref(), args.checked, tell)?;
    let begun = Instant::now();
    let settings =
        Settings { sweeps: args.sweeps, ladders: args.ladders, seed: training.seed, keep: if start.is_some() { STATES } else { 0 } };
    // all states of more spins than are summed on the host cannot be drawn
    let tempering = args.tempering || (start.is_some() && model.n() > crate::system::spins::enumeration::MOST);
    let oracle = Oracle::new(&gpu, &model, beta, lattice, tempering, &settings, &mut |text| tell(text))?;
    let sandwich = match start {
        Some(start) => {
            let seed = start.seed_after(training.seed);
            let mut values = values.clone();
            let (batch, chunk) = (kind.settle)(&gpu, &values)?;
            for (name, value) in [("seed", seed.to_string()), ("batch", batch.to_string()), ("chunk", chunk.to_string())] {
                values.set(name, &value).map_err(Error::User)?;
            }
            let mut spins = kinds::open(&gpu, &values, Some(start.vectors))?;
            Some(Sandwich::new(&gpu, &mut spins, beta, &oracle, training.eval_steps.max(1))?)
        }
        None => None,
    };
    if let Some(path) = &args.correlations {
        write(path, model.n(), &oracle.correlations)?;
    }
    let exact = (kind.exact.of)(values)?;
    let known = Known { kind, values, spins: model.n(), oracle: &oracle, exact, sandwich, seconds: begun.elapsed().as_secs_f64() };
    say(&if args.json { known.json(gpu.manifest()).to_string() } else { known.text() });
    if let Some(path) = args.correlations.filter(|_| !args.json) {
        say(&format!("  correlations: {}", path.display()));
    }
    Ok(())
}

fn write(path: &Path, n: usize, correlations: &[f64]) -> Result<()> {
    if correlations.is_empty() {
        return Err(Error::User(format!("{}: sums over the states of {n} spins give no correlations; add --tempering", path.display())));
    }
    atomic_file::write(path, matrix(n, correlations).as_bytes())
}

/// n lines of n numbers.
pub fn matrix(n: usize, numbers: &[f64]) -> String {
    let line = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    numbers.chunks(n).map(|row| line(row) + "\n").collect()
}
