//! `helmholtz inverse`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::exact::matrix;
use crate::atomic_file;
use crate::config::{Group, Resolved, Values};
use crate::error::{Error, Result};
use crate::problem::spins::inverse::{Inverse, SYSTEM, residual};
use crate::problem::spins::oracle::{Oracle, Settings};
use crate::problem::spins::{kinds, settings};
use crate::problem::{Training, resolve};
use crate::report::{Recovered, say};
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
    /// Sweeps of parallel tempering, which gives the correlations of a system of more than 22 spins
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    sweeps: usize,
    /// Adapter: index, part of its name, back end or kind (see `helmholtz devices`)
    #[arg(long, value_name = "SEL")]
    device: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Run kernels with bounds checks and poisoned buffers
    #[arg(long)]
    checked: bool,
}

/// What is to be inverted.
enum Given {
    Data(Correlations),
    Model(Couplings),
}

pub fn run(args: Args) -> Result<()> {
    let path = Path::new(&args.target);
    let file = path.extension().is_some_and(|e| e != "toml") || (path.is_file() && path.extension().is_none());
    let (values, given) = if file {
        let resolved = Resolved::from_command(&[&SYSTEM], SYSTEM.name, &args.settings)?;
        (resolved.values, Given::Data(Correlations::read(path)?))
    } else {
        let resolved = resolve(&args.target, &args.settings)?;
        let (model, _) = kinds::model_of(resolved.kind(), &resolved.values)?;
        if !model.is_even() {
            return Err(Error::User("the inverse problem takes spins without magnetisation: drop the field".into()));
        }
        (resolved.values, Given::Model(model))
    };
    atomic_file::check(&args.out)?;
    let tell = super::teller(args.json);
    let gpu = super::open(args.device.as_deref(), args.checked, tell)?;
    let begun = Instant::now();
    let (beta, training) = (values.get::<f64>("beta"), Training::read(&values));
    let (data, truth) = match given {
        Given::Data(data) => (data, None),
        Given::Model(model) => {
            let s = Settings { sweeps: args.sweeps, ladders: 16, seed: training.seed as u64, keep: 0 };
            let tempering = model.n() > enumeration::MOST;
            let oracle = Oracle::new(&gpu, &model, beta, None, tempering, &s, &mut |text| tell(text))?;
            (Correlations::new(model.n(), oracle.correlations)?, Some(model.dense()))
        }
    };
    let n = data.n();
    let (network, values) = (settings::network(n, &values)?, settled(&gpu, n, values)?);
    let (steps, mut last) = (training.steps, Instant::now());
    let found = Inverse::learn(&gpu, &data, network, settings::options(&values), &mut |p| {
        if last.elapsed().as_secs() >= 5 || p.step == steps {
            last = Instant::now();
            tell(&format!("step {} of {steps}: C off by {:.1e}, {:.0} % effective", p.step, p.residual, 100.0 * p.ess));
        }
    })?;
    atomic_file::write(&args.out, matrix(n, &found.couplings).as_bytes())?;
    let of = |couplings: &[f64]| -> Result<Option<f64>> {
        if n > enumeration::MOST {
            return Ok(None);
        }
        let all = Enumeration::new(&Couplings::from_dense(n, couplings)?)?;
        Ok(Some(residual(&data, &all.correlations(beta).0)))
    };
    let c = data.values();
    let mut rows = vec![("network", Ok(found.couplings.clone()), of(&found.couplings)?.unwrap_or(residual(&data, &found.correlations)))];
    for (name, couplings) in [
        ("mean field", inverse_ising::mean_field(c, n, beta)),
        ("independent pairs", inverse_ising::independent_pairs(c, n, beta)),
        ("Sessak–Monasson", inverse_ising::sessak_monasson(c, n, beta)),
    ] {
        let off = couplings.as_ref().ok().map_or(Ok(None), |j| of(j))?;
        rows.push((name, couplings, off.unwrap_or(f64::NAN)));
    }
    let rows = rows.into_iter().map(|(name, couplings, residual)| {
        let error = truth.as_ref().zip(couplings.as_ref().ok()).map(|(t, j)| inverse_ising::error(j, t));
        (name, error, residual, couplings.err().map(|e| e.to_string()))
    });
    let recovered = Recovered { n, beta, rows: rows.collect(), exact: n <= enumeration::MOST, ess: found.ess, waited: found.waited };
    if args.json {
        let mut object = recovered.json();
        object["couplings"] = json!(args.out);
        object["steps"] = training.steps.into();
        object["seconds"] = begun.elapsed().as_secs_f64().into();
        object["device"] = gpu.manifest();
        say(&object.to_string());
    } else {
        say(&recovered.text());
        say(&format!("  couplings: {} ({})", args.out.display(), crate::report::duration(begun.elapsed().as_secs_f64())));
    }
    Ok(())
}

/// With batch and chunk.
fn settled(gpu: &crate::gpu::Gpu, n: usize, mut values: Values) -> Result<Values> {
    let (batch, chunk) = settings::settle(gpu, n, &values)?;
    for (name, value) in [("batch", batch), ("chunk", chunk)] {
        values.set(name, &value.to_string()).map_err(Error::User)?;
    }
    Ok(values)
}
