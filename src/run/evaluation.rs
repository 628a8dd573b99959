//! An evaluation: a run of its own that only measures, at the parameters of another one, with random numbers of its own.
//!
//! A run with seed s draws with the key s, or with one of another lower half where it began with parameters of a file: the upper
//! half is that of s. Its evaluation number N draws with a key whose upper half is larger by N ≥ 1, and numbers of different keys
//! are independent: no evaluation meets a number that trained its network, nor one of an evaluation with another number.

use std::path::{Path, PathBuf};

use super::Phase;
use super::checkpoint::folder::newest;
use super::resume::named;
use crate::checksum::Checksum;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::model::file::{ParameterFile, Part};
use crate::problem::initial::initial;
use crate::problem::resolve;

/// Below a run directory: `eval`, `eval-2`, ….
pub const FOLDER: &str = "eval";
/// The largest number of an evaluation.
pub const MOST: u64 = (1 << 20) - 1;
/// Those beside their run count from 1, others have one from here on, by their path.
const ELSEWHERE: u64 = 1 << 16;

/// The number of the evaluation of `run` in the folder `out`.
pub fn number(run: &Path, out: &Path) -> u64 {
    let (run, out) = (named(run), named(out));
    let out = Path::new(&out);
    let beside = out.parent().is_some_and(|parent| parent == Path::new(&run));
    let own = out.file_name().and_then(|name| name.to_str()).filter(|_| beside).and_then(|name| match name {
        FOLDER => Some(1),
        _ => name.strip_prefix(FOLDER)?.strip_prefix('-')?.parse().ok().filter(|n| (2..ELSEWHERE).contains(n)),
    });
    own.unwrap_or_else(|| ELSEWHERE + Checksum::of(out.as_os_str().as_encoded_bytes()).value() % (MOST + 1 - ELSEWHERE))
}

/// The seed of evaluation `number` of a run with this one; both exact as numbers of JSON.
fn seed(run: u64, number: u64) -> u64 {
    let upper = ((run >> 32) + number) % (2 * (MOST + 1));
    (upper << 32) | (run & u32::MAX as u64)
}

/// What an evaluation of a run is made with.
pub struct Evaluation {
    pub resolved: Resolved,
    pub parameters: ParameterFile,
    /// What is to be heard of the parameters.
    pub warnings: Vec<String>,
}

/// The settings of the run in a folder, with frozen parameters, `steps` of them and other `words`; and its parameters: those it
/// saved last, or those of its newest checkpoint that is whole.
///
/// # Errors
/// [`Error::User`] for what is no run directory, for a run that has no parameters yet, or those of another system.
pub fn evaluation(run: &Path, steps: Option<usize>, number: u64, words: &[String]) -> Result<Evaluation> {
    let (shown, config) = (run.display(), run.join("config.toml"));
    if !config.is_file() {
        return Err(Error::User(format!("{shown} is no run directory: config.toml is missing")));
    }
    let then = resolve(&config, &[])?;
    let steps = steps.unwrap_or_else(|| then.values.get::<usize>("eval_steps").max(1));
    let seed = seed(then.values.get("seed"), number);
    let own = ["steps=0".to_string(), format!("eval_steps={steps}"), format!("seed={seed}")];
    let mut resolved = resolve(&config, &[&own, words].concat())?;
    let (parameters, mut warnings) = parameters(run, &resolved)?;
    initial(&parameters, &resolved)?;
    let (made, all) = (parameters.made.as_ref().map_or(usize::MAX, |made| made.steps), then.values.get::<usize>("steps"));
    if made < all {
        warnings.push(format!("the run is not finished: its parameters are those after {made} of {all} training steps"));
    }
    resolved.start_from(parameters.path.clone());
    Ok(Evaluation { resolved, parameters, warnings })
}

fn parameters(run: &Path, resolved: &Resolved) -> Result<(ParameterFile, Vec<String>)> {
    let path: PathBuf = run.join("params.safetensors");
    let why = match path.is_file().then(|| ParameterFile::read(&path)) {
        Some(Ok(file)) => return Ok((file, Vec::new())),
        Some(Err(e)) => Some(e.to_string()),
        None => None,
    };
    let begun = newest(run, Phase::Frozen).ok().filter(|found| found.checkpoint.head.progress != Default::default());
    let Some(found) = begun else {
        let why = why.unwrap_or_else(|| format!("{} is missing, and so is a whole checkpoint of a run that has begun", path.display()));
        return Err(Error::User(format!("{} has no parameters to evaluate: {why}", run.display())));
    };
    let (tables, at) = ((resolved.kind().tables)(&resolved.values)?, found.checkpoint.head.progress.words());
    let vectors = found.checkpoint.parameters(&tables)?;
    let parts: Vec<Part> = tables.iter().zip(&vectors).map(|((table, prefix), values)| Part { table, prefix, values }).collect();
    let why = why.unwrap_or_else(|| format!("{} is missing", path.display()));
    let warning = format!("{why}: the parameters are those of the checkpoint {} at {at}", found.path.display());
    Ok((ParameterFile::of_parts(&found.path, &parts, found.checkpoint.head.made.clone()), vec![warning]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys differ in their upper half, whatever checksum moves the lower one.
    #[test]
    fn evaluations_have_numbers_of_their_own() {
        let run = Path::new("runs/a");
        let of = |out: &str| number(run, Path::new(out));
        assert_eq!(
            (of("runs/a/eval"), of("runs/a/eval-2"), of("runs/a/../a/eval-2"), of("runs/a/eval-65535")),
            (1, 2, of("runs/a/../a/eval-2"), 65535)
        );
        let elsewhere =
            ["runs/b/eval", "runs/b/eval-2", "e1", "e2", "runs/a/eval-1", "runs/a/eval-x", "runs/a/eval-65536", "runs/a/deep/eval"];
        let mut numbers: Vec<u64> = elsewhere.iter().map(|out| of(out)).collect();
        assert!(numbers.iter().all(|n| (ELSEWHERE..=MOST).contains(n)), "{numbers:?}");
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), elsewhere.len());
        assert_eq!(of("e1"), of("./e1"));
        for run in [0, 42, u32::MAX as u64, (1 << 53) - 1] {
            for number in [1, 2, ELSEWHERE, MOST] {
                let seed = seed(run, number);
                assert!(seed >> 32 != run >> 32 && seed as u32 == run as u32 && seed < 1 << 53, "{run} {number}");
            }
        }
    }
}
