//! `helmholtz inverse`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::exact::matrix;
use crate::atomic_file;
use crate::config::{Group, Resolved, Values, list};
use crate::error::{Error, Result};
use crate::estimate::plot::{Axis, Graph, Plot, Style};
use crate::gpu::Gpu;
use crate::problem::spins::inverse::{Inverse, SYSTEM, residual};
use crate::problem::spins::oracle::{Oracle, Settings};
use crate::problem::spins::{kinds, settings};
use crate::problem::{Training, resolve};
use crate::report::{METHODS, Recovered, check_picture, draw_plot, say};
use crate::system::spins::{Correlations, Couplings, Enumeration, enumeration, inverse_ising};

#[derive(clap::Args)]
pub struct Args {
    /// A file of correlations ⟨s_i s_j⟩ (.csv, .npy, .json); or a system (ising, sk, hopfield, couplings) whose couplings are to be
    /// found again from its own correlations
    target: OsString,
    #[arg(
        value_name = "KEY=VALUE",
        help = "Settings of temperature, network, training; of a system its own too; for example beta=1 steps=1000"
    )]
    settings: Vec<String>,
    /// Where the couplings are written: n lines of n numbers, which `helmholtz train couplings couplings=FILE` reads
    #[arg(long, value_name = "FILE", default_value = "couplings.csv")]
    out: PathBuf,
    /// Draw the errors of the couplings against beta, of which several are given (beta=0.2,0.4..2): .svg, .png or .pdf
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,
    /// Sweeps of parallel tempering, which gives the correlations of a system of more than 22 spins
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = super::begin::count, allow_hyphen_values = true)]
    sweeps: usize,
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

/// What is to be inverted.
enum Given {
    Data(Correlations),
    Model(Couplings),
}

impl Given {
    /// Of a target with these settings, with them.
    fn new(target: &OsString, settings: &[String]) -> Result<(Values, Given)> {
        let path = Path::new(target);
        if path.extension().is_some_and(|e| e != "toml") || (path.is_file() && path.extension().is_none()) {
            let resolved = Resolved::from_command(&[&SYSTEM], SYSTEM.name, settings)?;
            return Ok((resolved.values, Given::Data(Correlations::read(path)?)));
        }
        let resolved = resolve(target, settings)?;
        let (model, _) = kinds::model_of(resolved.kind(), &resolved.values)?;
        if !model.is_even() {
            return Err(Error::User("the inverse problem takes spins without magnetisation: drop the field".into()));
        }
        Ok((resolved.values, Given::Model(model)))
    }
}

pub fn run(args: Args) -> Result<()> {
    // every value of a list of β by itself
    let listed = args.settings.iter().position(|word| word.starts_with("beta="));
    let betas = match listed {
        Some(at) => list(&args.settings[at]["beta=".len()..], false).map_err(|e| Error::User(format!("{}: {e}", args.settings[at])))?,
        None => vec![String::new()],
    };
    let several = betas.len() > 1;
    let words = |beta: &String| {
        let mut words = args.settings.clone();
        listed.into_iter().for_each(|at| words[at] = format!("beta={beta}"));
        words
    };
    let all = betas.iter().map(|beta| Given::new(&args.target, &words(beta))).collect::<Result<Vec<_>>>()?;
    if several && matches!(all[0].1, Given::Data(_)) {
        return Err(Error::User("correlations in a file are those of one beta: give one".into()));
    }
    if let Some(path) = &args.figure {
        check_picture(path)?;
        if !several {
            return Err(Error::User("--figure draws errors against beta: give several, as in beta=0.2,0.4..2".into()));
        }
    }
    atomic_file::check(&args.out)?;
    let tell = super::teller(args.json);
    let gpu = super::open(args.device.as_deref(), args.checked, tell)?;
    let mut found = Vec::new();
    for ((values, given), beta) in all.into_iter().zip(&betas) {
        let out = if several { beside(&args.out, beta) } else { args.out.clone() };
        let recovered = invert(&gpu, values, given, args.sweeps, &out, tell)?;
        if !args.json {
            say(&recovered.text());
        }
        found.push(recovered);
    }
    if args.json {
        let mut objects: Vec<serde_json::Value> = found.iter().map(Recovered::json).collect();
        let mut object = if several { json!({ "betas": objects }) } else { objects.remove(0) };
        object["device"] = gpu.manifest();
        say(&object.to_string());
    }
    if let Some(path) = &args.figure {
        draw_plot(path, &errors(&found))?;
        if !args.json {
            say(&format!("  figure: {}", path.display()));
        }
    }
    Ok(())
}

/// `couplings.csv` as `couplings-beta0.5.csv`.
fn beside(path: &Path, beta: &str) -> PathBuf {
    let part = |name: Option<&std::ffi::OsStr>| name.map_or(String::new(), |n| n.to_string_lossy().into_owned());
    path.with_file_name(format!("{}-beta{beta}.{}", part(path.file_stem()), part(path.extension())))
}

/// Finds couplings, writes them, and holds them against those of formulas.
fn invert(gpu: &Gpu, values: Values, given: Given, sweeps: usize, out: &Path, tell: fn(&str)) -> Result<Recovered> {
    let begun = Instant::now();
    let (beta, training) = (values.get::<f64>("beta"), Training::read(&values));
    let (data, truth) = match given {
        Given::Data(data) => (data, None),
        Given::Model(model) => {
            let s = Settings { sweeps, ladders: 16, seed: training.seed, keep: 0 };
            let tempering = model.n() > enumeration::MOST;
            let oracle = Oracle::new(gpu, &model, beta, None, tempering, &s, &mut |text| tell(text))?;
            (Correlations::new(model.n(), oracle.correlations)?, Some(model.dense()))
        }
    };
    let n = data.n();
    let (network, values) = (settings::network(n, &values)?, settled(gpu, n, values)?);
    let (steps, mut last) = (training.steps, Instant::now());
    let found = Inverse::learn(gpu, &data, network, settings::options(&values), &mut |p| {
        if last.elapsed().as_secs() >= 5 || p.step == steps {
            last = Instant::now();
            tell(&format!("step {} of {steps}: C off by {:.1e}, {:.0} % effective", p.step, p.residual, 100.0 * p.ess));
        }
    })?;
    atomic_file::write(out, matrix(n, &found.couplings).as_bytes())?;
    // of couplings whose states can all be summed
    let exact = n <= enumeration::MOST;
    let off = |couplings: &[f64]| -> Result<f64> {
        let all = Enumeration::new(&Couplings::from_dense(n, couplings)?)?;
        Ok(residual(&data, &all.correlations(beta).0))
    };
    let c = data.values();
    let formulas = [
        (METHODS[1], inverse_ising::mean_field(c, n, beta)),
        (METHODS[2], inverse_ising::independent_pairs(c, n, beta)),
        (METHODS[3], inverse_ising::sessak_monasson(c, n, beta)),
    ];
    let mut rows = Vec::new();
    for (name, couplings) in [(METHODS[0], Ok(found.couplings))].into_iter().chain(formulas) {
        let residual = match &couplings {
            Ok(j) if exact => off(j)?,
            Ok(_) if name == METHODS[0] => residual(&data, &found.correlations),
            _ => f64::NAN,
        };
        let error = truth.as_ref().zip(couplings.as_ref().ok()).map(|(t, j)| inverse_ising::error(j, t));
        rows.push((name, error, residual, couplings.err().map(|e| e.to_string())));
    }
    let (seconds, written) = (begun.elapsed().as_secs_f64(), out.to_path_buf());
    Ok(Recovered { n, beta, rows, exact, ess: found.ess, waited: found.waited, steps, seconds, written })
}

/// Errors of the couplings against β.
fn errors(found: &[Recovered]) -> Plot {
    let axes = (Axis::new("beta", "*β*", "1/J"), Axis::new("error", "root mean square of *J* − *J*_{true}", "J").logarithmic());
    let graph = METHODS.iter().enumerate().fold(Graph::new(axes.0, axes.1), |graph, (k, name)| {
        let points = found.iter().map(|r| [r.beta, r.rows[k].1.unwrap_or(f64::NAN), f64::NAN]).collect();
        graph.with(name, Style::Joined, points)
    });
    let n = found[0].n;
    Plot::graph("inverse", "Couplings from correlations", &format!("{n} spins; a cross: the formula has no value there"), graph)
}

/// With batch and chunk.
fn settled(gpu: &Gpu, n: usize, mut values: Values) -> Result<Values> {
    let (batch, chunk) = settings::settle(gpu, n, &values)?;
    for (name, value) in [("batch", batch), ("chunk", chunk)] {
        values.set(name, &value.to_string()).map_err(Error::User)?;
    }
    Ok(values)
}
