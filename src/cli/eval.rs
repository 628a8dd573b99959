//! `helmholtz eval`.

use std::path::{Path, PathBuf};

use super::begin::{Beginning, Keeping};
use super::train::{Audit, Going, Showing, go, quoted};
use crate::error::{Error, Result};
use crate::problem::initial::initial;
use crate::problem::{Parameters, Tables};
use crate::run::claim::Old;
use crate::run::evaluation::{self, Evaluation, evaluation};
use crate::run::job::Start;
use crate::run::{Claim, Goal};
use crate::verify::audit;

/// Steps that `--until-error` makes at the most, unless told.
const MOST_STEPS: usize = 1_000_000;

#[derive(clap::Args)]
pub struct Args {
    /// Run directory: its parameters are frozen, its settings stay
    run: PathBuf,
    /// Steps, each of a fresh batch; without it as many as the run's eval_steps. With --until-error the most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    steps: Option<u32>,
    /// Go on until one standard error of F, or of another average (E=1e-4), is at most this, in the unit of the table
    #[arg(long, value_name = "[Q=]X")]
    until_error: Option<String>,
    /// Number of the random numbers, 1 to 1048575. Evaluations with different numbers are independent of each other, and all of
    /// them of training; without it the one of the folder (eval: 1, eval-2: 2, …)
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=evaluation::MOST))]
    seed: Option<u64>,
    /// Walkers a step, or auto; without it as many as the run has
    #[arg(long, value_name = "B")]
    batch: Option<String>,
    /// Folder of the result; without it the first free of RUN/eval, RUN/eval-2, … An evaluation that was stopped there goes on
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Move an evaluation that is already in --out aside and begin anew
    #[arg(long, requires = "out")]
    fresh: bool,
    /// At the end compute K walkers of the last step again in float64, and show the largest gaps beside those that rounding
    /// allows; a larger one ends with exit code 4
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    audit: Option<u32>,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    showing: Showing,
}

pub fn run(args: Args) -> Result<()> {
    let (limit, run) = (args.keeping.limit(), &args.run);
    if args.out.as_ref().is_some_and(|out| same(run, out)) {
        return Err(Error::User(format!("--out {}: the run itself, whose result stays as it is; give another folder", run.display())));
    }
    let steps = args.steps.map(|n| n as usize).or(args.until_error.as_ref().map(|_| MOST_STEPS));
    let words = args.batch.as_ref().map_or(Vec::new(), |batch| vec![format!("batch={batch}"), "chunk=auto".into()]);
    let found = |out: &Path| evaluation(run, steps, args.seed.unwrap_or_else(|| evaluation::number(run, out)), &words);
    // everything that can be refused is refused before a folder is made
    let first = found(args.out.as_deref().unwrap_or(&run.join(evaluation::FOLDER)))?;
    let kind = first.resolved.kind();
    let goal = args.until_error.as_ref().map(|text| Goal::parse(text, kind).map_err(|e| Error::User(format!("--until-error {e}"))));
    let goal = goal.transpose()?;
    if args.audit.is_some() {
        audit::check(kind).map_err(|e| Error::User(format!("--audit: {e}")))?;
    }
    let vectors = initial(&first.parameters, &first.resolved)?.vectors;
    let tables = (kind.tables)(&first.resolved.values)?;
    let audit = args.audit.map(|walkers| Audit { walkers: walkers as usize, parameters: vectors.clone() });
    let claim = match &args.out {
        Some(out) => Claim::new(out, if args.fresh { Old::Aside } else { Old::Resumed })?,
        None => Claim::free(run, evaluation::FOLDER)?,
    };
    let begun = found(&claim.path).and_then(|Evaluation { mut resolved, parameters, warnings }| {
        let beginning = match claim.resumes {
            true => same_parameters(run, &claim, Beginning::find(Some(&claim), &mut resolved, None)?, &tables, &vectors)?,
            false => Beginning::New { start: Start::Parameters(parameters), warnings },
        };
        Ok((resolved, beginning))
    });
    let (resolved, beginning) = begun.inspect_err(|_| claim.release())?;
    let again = |out: &Path| {
        let given = [
            ("steps", args.steps.map(|n| n.to_string())),
            ("until-error", args.until_error.clone()),
            ("seed", args.seed.map(|s| s.to_string())),
            ("batch", args.batch.clone()),
            ("audit", args.audit.map(|k| k.to_string())),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", value?)));
        format!("helmholtz eval {}{} --out {}", quoted(run), given.collect::<String>(), quoted(out))
    };
    let going = Going { saving: args.keeping.saving(), limit, goal, audit };
    go(claim, beginning, resolved, &args.showing, going, again)
}

/// Refuses to go on with an evaluation of parameters that the run does not have any more.
fn same_parameters(run: &Path, claim: &Claim, beginning: Beginning, tables: &Tables, now: &Parameters) -> Result<Beginning> {
    match &beginning {
        Beginning::Old(newest) if newest.checkpoint.parameters(tables)? != *now => Err(Error::User(format!(
            "{} is of other parameters than {} has now: choose another folder with --out, or --fresh to move it aside",
            claim.path.display(),
            run.display()
        ))),
        _ => Ok(beginning),
    }
}

/// Whether two paths are one folder.
fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
